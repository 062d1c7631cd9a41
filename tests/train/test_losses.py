import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train.conftest import assert_same, params_with
from townlet_jax.nets.categorical import masked_logits
from townlet_jax.train.losses import Batch, is_decision, ppo_loss, ppo_sums

ROWS, N = 24, 4
ENTROPY_COEF = 0.03


@pytest.fixture(scope="module", params=["jit", "no jit"])
def sums(request):
    return jax.jit(ppo_sums) if request.param == "jit" else ppo_sums


def one_row(ratio=1.0, advantage=0.0, value=0.0, target=0.0, old_value=0.0):
    """Returns a single row with two legal actions, of which the first was taken."""
    log_prob = np.log(0.6)
    return Batch(
        log_probs=jnp.array([[log_prob, np.log(0.4)]], jnp.float32),
        value=jnp.array([value], jnp.float32),
        mask=jnp.ones((1, 2), bool),
        is_valid=jnp.ones(1, bool),
        action=jnp.zeros(1, jnp.int8),
        old_log_prob=jnp.array([log_prob - np.log(ratio)], jnp.float32),
        advantage=jnp.array([advantage], jnp.float32),
        target=jnp.array([target], jnp.float32),
        old_value=jnp.array([old_value], jnp.float32),
    )


def logits_of(seed):
    return jnp.asarray(np.random.default_rng(seed + 1).normal(size=(ROWS, N)) * 2, jnp.float32)


def random(seed):
    """Returns random rows: some invalid, some with a single legal action, some far off policy."""
    chance = np.random.default_rng(seed)
    mask = chance.random((ROWS, N)) < 0.6
    action = chance.integers(0, N, ROWS)
    mask[np.arange(ROWS), action] = True
    mask[:4] = False
    mask[np.arange(4), action[:4]] = True
    mask = jnp.asarray(mask)
    log_probs = masked_logits(logits_of(seed), mask)
    taken = np.asarray(log_probs)[np.arange(ROWS), action]
    value, advantage, target, old_value = chance.normal(size=(4, ROWS)).astype(np.float32)
    return Batch(
        log_probs=log_probs,
        value=jnp.asarray(value),
        mask=mask,
        is_valid=jnp.asarray(np.arange(ROWS) % 5 != 0),
        action=jnp.asarray(action, jnp.int8),
        old_log_prob=jnp.asarray(taken + chance.normal(0, 0.3, ROWS), jnp.float32),
        advantage=jnp.asarray(advantage),
        target=jnp.asarray(target),
        old_value=jnp.asarray(old_value),
    )


def weighed(sums, num_decisions, num_rows, params):
    share = [jnp.float32(1 / max(n, 1)) for n in (num_decisions, num_rows)]
    return ppo_loss(sums, *share, jnp.float32(ENTROPY_COEF), params)


def loss(logits, value, batch, params):
    """Returns the loss as a function of what the network gives."""
    batch = batch.replace(log_probs=masked_logits(logits, batch.mask), value=value)
    return weighed(ppo_sums(batch, params), 12, 19, params)


LOSS = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))


def oracle(batch, clip, value_clip):
    """Adds the terms of the text up in double precision, row by row."""
    found = dict.fromkeys(
        ("policy", "value", "entropy", "entropy_share", "kl1", "kl3", "clipped"), 0.0
    )
    leaf = {name: np.asarray(getattr(batch, name), np.float64) for name in (
        "log_probs", "value", "old_log_prob", "advantage", "target", "old_value"
    )}  # fmt: skip
    for i in range(ROWS):
        if not batch.is_valid[i]:
            continue
        off = leaf["value"][i] - leaf["old_value"][i]
        square = (leaf["value"][i] - leaf["target"][i]) ** 2
        if value_clip > 0:
            near = leaf["old_value"][i] + np.clip(off, -value_clip, value_clip)
            square = max(square, (near - leaf["target"][i]) ** 2)
        found["value"] += square / 2
        legal = [a for a in range(N) if batch.mask[i, a]]
        if len(legal) < 2:
            continue
        log_ratio = leaf["log_probs"][i, batch.action[i]] - leaf["old_log_prob"][i]
        ratio = np.exp(np.clip(log_ratio, -20, 20))
        gain = leaf["advantage"][i]
        found["policy"] -= min(ratio * gain, np.clip(ratio, 1 - clip, 1 + clip) * gain)
        probs = np.exp(leaf["log_probs"][i, legal])
        entropy = -(probs * np.log(probs)).sum()
        found["entropy"] += entropy
        found["entropy_share"] += entropy / np.log(len(legal))
        found["kl1"] -= log_ratio
        found["kl3"] += ratio - 1 - log_ratio
        found["clipped"] += abs(ratio - 1) > clip
    return found


@pytest.mark.parametrize("advantage, expected", [(1.0, -1.2), (-1.0, 1.3)])
def test_gain_is_clipped_but_not_the_loss(sums, params, advantage, expected):
    found = sums(one_row(ratio=1.3, advantage=advantage), params)
    np.testing.assert_allclose(found["policy"], expected, rtol=1e-5)
    assert found["clipped"] == 1
    np.testing.assert_allclose(found["kl1"], -np.log(1.3), rtol=1e-5)
    np.testing.assert_allclose(found["kl3"], 0.3 - np.log(1.3), rtol=1e-5)


def test_two_equal_actions_and_an_illegal_one_have_entropy(sums, params):
    mask = jnp.array([[True, True, False]])
    batch = one_row().replace(mask=mask, log_probs=masked_logits(jnp.zeros((1, 3)), mask))
    found = sums(batch, params)
    np.testing.assert_allclose(found["entropy"], 0.6931, atol=5e-5)
    np.testing.assert_allclose(found["entropy_share"], 1.0, atol=1e-6)


@pytest.mark.parametrize(
    "value, old, expected",
    [
        (1.0, 0.0, 0.32),  # moved by more than the clip: the step to .2 counts, (1 - .2)^2 / 2
        (0.1, 0.0, 0.405),  # within the clip
        (-1.0, 0.0, 2.0),  # moved away: the larger of the two errors counts
        (1.0, 1.0, 0.0),
    ],
)
def test_value_is_clipped_around_the_old_one(sums, value, old, expected):
    row = one_row(value=value, target=1.0, old_value=old)
    found = sums(row, params_with(value_clip=0.2))
    np.testing.assert_allclose(found["value"], expected, atol=1e-6)
    unclipped = sums(row, params_with(value_clip=0.0))
    np.testing.assert_allclose(unclipped["value"], (value - 1) ** 2 / 2, atol=1e-6)


def test_huge_ratio_stays_finite(sums, params):
    for ratio in (1e30, 1e-30):
        found = sums(one_row(ratio=ratio, advantage=-1.0), params)
        assert all(np.isfinite(x) for x in found.values())


def test_terms_are_weighed(params):
    found = {"policy": 3.0, "entropy": 4.0, "value": 5.0}
    found = {name: jnp.float32(x) for name, x in found.items()}
    params = params.replace(value_loss_coef=np.float32(0.25))
    expected = 3 / 12 + 0.25 * 5 / 19 - ENTROPY_COEF * 4 / 12
    np.testing.assert_allclose(weighed(found, 12, 19, params), expected, rtol=1e-6)


def test_decision_is_a_valid_row_with_a_choice():
    mask = jnp.array([[True, True], [True, False], [True, True]])
    is_valid = jnp.array([True, True, False])
    assert is_decision(mask, is_valid).tolist() == [True, False, False]


@given(st.integers(0, 2**32 - 10), st.sampled_from([0.1, 0.2]), st.sampled_from([0.0, 0.2]))
def test_sums_equal_those_row_by_row(seed, clip, value_clip):
    batch = random(seed)
    found = SUMS(batch, params_with(clip_param=clip, value_clip=value_clip))
    expected = oracle(batch, np.float32(clip), np.float32(value_clip))
    assert found.keys() == expected.keys()
    for name, x in found.items():
        np.testing.assert_allclose(x, expected[name], rtol=1e-4, atol=1e-4, err_msg=name)


SUMS = jax.jit(ppo_sums)


@given(st.integers(0, 2**32 - 10), st.sampled_from([1e-3, 1.0, 1e6]))
def test_numbers_of_invalid_rows_change_no_bit(seed, size):
    batch, params = random(seed), params_with()
    chance = np.random.default_rng(seed)
    spoilt = random(seed + 7)
    other = jax.tree.map(
        lambda a, b: jnp.where(batch.is_valid.reshape(-1, *[1] * (a.ndim - 1)), a, b),
        batch,
        spoilt.replace(
            value=spoilt.value * np.float32(size),
            advantage=jnp.asarray(chance.normal(size=ROWS) * size, jnp.float32),
            target=spoilt.target * np.float32(size),
        ),
    ).replace(is_valid=batch.is_valid)
    assert_same(SUMS(batch, params), SUMS(other, params))
    logits = logits_of(seed)
    one = LOSS(logits, batch.value, batch, params)
    two = LOSS(logits, other.value, other, params)
    assert_same(one, two)
    for gradient in one[1]:
        assert not gradient[~np.asarray(batch.is_valid)].any()


def test_forced_rows_move_no_logit(params):
    batch = random(3)
    forced = np.asarray(batch.mask.sum(1) == 1)
    batch = batch.replace(
        advantage=jnp.where(forced, 1e6, batch.advantage),
        old_log_prob=jnp.where(forced, -3.0, batch.old_log_prob),
    )
    assert (forced & np.asarray(batch.is_valid)).any()
    (_, (of_logits, of_value)) = LOSS(logits_of(3), batch.value, batch, params)
    assert np.isfinite(of_logits).all()
    assert not of_logits[forced].any()
    assert of_logits[~forced & np.asarray(batch.is_valid)].any()
    assert of_value[forced & np.asarray(batch.is_valid)].any(), "their value is learned"


def test_illegal_logits_have_no_gradient(params):
    batch = random(4)
    _, (of_logits, _) = LOSS(logits_of(4), batch.value, batch, params)
    assert not of_logits[~np.asarray(batch.mask)].any()


def test_batch_of_nobody_gives_exact_zeros(params):
    batch = random(5).replace(is_valid=jnp.zeros(ROWS, bool))
    for x in SUMS(batch, params).values():
        assert x == 0
    total, gradients = LOSS(logits_of(5), batch.value, batch, params)
    assert total == 0
    assert not any(x.any() for x in gradients)


def test_batch_of_batches_equals_a_loop(params):
    batches = [random(seed) for seed in range(3)]
    together = jax.tree.map(lambda *x: jnp.stack(x), *batches)
    many = jax.vmap(ppo_sums, in_axes=(0, None))(together, params)
    for i, batch in enumerate(batches):
        for name, x in SUMS(batch, params).items():
            np.testing.assert_allclose(many[name][i], x, rtol=1e-5, atol=1e-5)
