import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.nets import categorical

NUM_DRAWS = 20_000


def rows(seed, num_rows=50, n=5):
    """Returns random logits and masks with at least one legal action."""
    chance = np.random.default_rng(seed)
    mask = chance.random((num_rows, n)) < 0.5
    mask[np.arange(num_rows), chance.integers(0, n, num_rows)] = True
    logits = chance.normal(size=(num_rows, n)) * chance.choice([1.0, 10.0, 1000.0], (num_rows, 1))
    return jnp.asarray(logits, jnp.float32), jnp.asarray(mask)


@pytest.mark.parametrize("through", [jax.jit, lambda f: f], ids=["jit", "no jit"])
def test_two_equal_actions_and_an_illegal_one(through):
    mask = jnp.array([True, True, False])
    log_probs = through(categorical.masked_logits)(jnp.array([3.0, 3.0, 90.0]), mask)
    np.testing.assert_array_equal(jnp.exp(log_probs), [0.5, 0.5, 0.0])
    entropy = through(categorical.entropy)(log_probs, mask)
    np.testing.assert_allclose(entropy, 0.6931, atol=5e-5)


def test_illegal_actions_have_probability_0_exactly():
    logits, mask = rows(0)
    probs = np.exp(categorical.masked_logits(logits, mask))
    assert (probs[~np.asarray(mask)] == 0).all()
    np.testing.assert_allclose(probs.sum(1), 1.0, atol=1e-6)


def test_probabilities_and_entropy_equal_those_of_numpy():
    logits, mask = rows(1)
    log_probs = categorical.masked_logits(logits, mask)
    entropy = categorical.entropy(log_probs, mask)
    for i in range(len(logits)):
        legal = np.asarray(logits[i], np.float64)[np.asarray(mask[i])]
        expected = legal - legal.max()
        expected -= np.log(np.exp(expected).sum())
        np.testing.assert_allclose(log_probs[i][mask[i]], expected, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(entropy[i], -(np.exp(expected) * expected).sum(), atol=1e-5)


def test_forced_choice_has_no_entropy():
    mask = jnp.array([[False, True, False]])
    log_probs = categorical.masked_logits(jnp.array([[5.0, -7.0, 1.0]]), mask)
    assert log_probs[0, 1] == 0
    assert categorical.entropy(log_probs, mask)[0] == 0


@pytest.mark.parametrize("what", ["log_prob", "entropy"])
def test_gradient_of_an_illegal_logit_is_0_exactly(what):
    logits, mask = rows(2)
    action = jnp.argmax(mask, axis=1)

    def total(logits):
        log_probs = categorical.masked_logits(logits, mask)
        if what == "entropy":
            return jnp.sum(categorical.entropy(log_probs, mask))
        return jnp.sum(categorical.log_prob(log_probs, action))

    gradient = np.asarray(jax.grad(total)(logits))
    assert np.isfinite(gradient).all()
    assert (gradient[~np.asarray(mask)] == 0).all()
    assert (gradient[np.asarray(mask)] != 0).any()


def test_draws_follow_the_law_and_are_never_illegal():
    mask = jnp.array([True, False, True, True])
    log_probs = categorical.masked_logits(jnp.array([0.0, 50.0, 1.0, -1.0]), mask)
    many = jnp.broadcast_to(log_probs, (NUM_DRAWS, 4))
    drawn = categorical.sample(jax.random.key(0), many)
    assert drawn.dtype == jnp.int32
    share = np.bincount(drawn, minlength=4) / NUM_DRAWS
    probs = np.exp(log_probs)
    assert share[1] == 0
    assert (abs(share - probs) <= 4 * np.sqrt(probs * (1 - probs) / NUM_DRAWS)).all()


def test_forced_choice_is_always_drawn():
    logits, _ = rows(3)
    only = jnp.arange(50, dtype=jnp.int32) % 5
    mask = only[:, None] == jnp.arange(5, dtype=jnp.int32)[None, :]
    log_probs = categorical.masked_logits(logits, mask)
    np.testing.assert_array_equal(categorical.sample(jax.random.key(3), log_probs), only)
    np.testing.assert_array_equal(categorical.greedy(log_probs), only)


def test_draw_depends_on_its_town_alone():
    logits, mask = rows(4, 12)
    log_probs = categorical.masked_logits(logits, mask).reshape(4, 3, 5)
    keys = jax.random.split(jax.random.key(4), 4)
    together = jax.jit(jax.vmap(categorical.sample))(keys, log_probs)
    alone = [categorical.sample(key, row) for key, row in zip(keys, log_probs, strict=True)]
    np.testing.assert_array_equal(together, jnp.stack(alone))


def test_greedy_takes_the_likeliest_legal_action():
    logits, mask = rows(5)
    best = np.where(mask, logits, -np.inf).argmax(1)
    greedy = categorical.greedy(categorical.masked_logits(logits, mask))
    np.testing.assert_array_equal(greedy, best)
