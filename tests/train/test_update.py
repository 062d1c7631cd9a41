import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train import update_oracle
from tests.train.conftest import QUICK, Trainer, assert_same, params_with
from tests.train.noise import NUM_FEATURES, NUMBERS, Noise, noise_shape
from townlet_jax.train.network import init_params, run_network
from townlet_jax.train.schedules import controls
from townlet_jax.train.types import Seen
from townlet_jax.train.update import OPTIMISER, Fit, Sample, update

M, A, T, N = 4, 2, 5, 3
LEARNING_RATE, ENTROPY_COEF = jnp.float32(1e-2), jnp.float32(0.01)


@pytest.fixture(scope="module")
def shape():
    return noise_shape(Noise(A, N), num_towns=M, num_steps=T)


@pytest.fixture(scope="module")
def fit(shape):
    params = jax.jit(functools.partial(init_params, shape), compiler_options=QUICK)(
        jax.random.key(0)
    )
    return Fit(params=params, opt_state=OPTIMISER.init(params), is_stopped=jnp.bool_(False))


@pytest.fixture(scope="module")
def sample(shape, fit):
    """Random rows; log-probabilities and values are those of the network itself."""
    chance = np.random.default_rng(0)

    def normal(*shape):
        return jnp.asarray(chance.normal(size=shape), jnp.float32)

    mask = chance.random((T, M, A, N)) < 0.7
    mask[..., 0] = True
    seen = Seen(
        map=jnp.zeros((T, M, A, 0, 0, 0), jnp.uint8),
        features=normal(T, M, A, NUM_FEATURES).astype(jnp.float16),
        mask=jnp.asarray(mask),
        is_valid=jnp.asarray(chance.random((T, M, A)) < 0.8),
    )
    hidden = normal(M, A, 8)
    is_first = jnp.asarray(chance.random((T, M, A)) < 0.2)
    run = jax.jit(functools.partial(run_network, shape), compiler_options=QUICK)
    _, log_probs, value = run(fit.params, hidden, seen, is_first)
    action = np.argmax(np.asarray(log_probs) + chance.gumbel(size=mask.shape), axis=-1)
    old_log_prob = np.take_along_axis(np.asarray(log_probs), action[..., None], -1)[..., 0]
    return Sample(
        seen=seen,
        is_first=is_first,
        action=jnp.asarray(action, jnp.int8),
        old_log_prob=jnp.asarray(old_log_prob),
        advantage=normal(T, M, A),
        target=normal(T, M, A),
        old_value=value,
        hidden=hidden,
    )


@pytest.fixture(scope="module")
def learn(shape):
    return compiled(shape)


def compiled(shape):
    """Returns an update of these sizes: `(fit, sample, params) -> (fit, steps)`."""
    run = jax.jit(functools.partial(update, shape), compiler_options=QUICK)

    def learn(fit, sample, params=None, learning_rate=LEARNING_RATE):
        params = params_with() if params is None else params
        return run(fit, sample, jax.random.key(7), learning_rate, ENTROPY_COEF, params)

    return learn


def weights(fit):
    return fit.params, fit.opt_state


def num_steps(fit):
    return int(fit.opt_state.count)


@pytest.mark.parametrize(
    "sizes, changes",
    [
        ({"num_towns": 2, "num_steps": 3, "num_epochs": 1, "num_mini_batches": 1}, {}),
        pytest.param(
            {"num_towns": 4, "num_mini_batches": 2},
            {"value_clip": 0.0, "max_grad_norm": 0.0},
            marks=pytest.mark.acceptance,
        ),
        pytest.param(
            {"num_towns": 8, "num_groups": 2, "num_mini_batches": 2},
            {},
            marks=pytest.mark.acceptance,
        ),
    ],
    ids=["one step", "unclipped", "groups"],
)
def test_equals_an_update_by_hand(sizes, changes):
    params = params_with(target_kl=0.0, gamma=0.95, adv_std_floor=0.3, **changes)
    trainer = Trainer(Noise(), noise_shape(Noise(), **sizes), NUMBERS, params)
    learner, _ = trainer.chunk(trainer.init(3))
    _, found = trainer.act(learner)
    after, metrics = trainer.chunk(learner)
    now = controls(params, learner.num_updates)
    net, moments, stats, figures = update_oracle.update(
        trainer.shape, learner, found, params, float(now.learning_rate), float(now.entropy_coef)
    )
    close = functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-5)
    jax.tree.map(close, after.params, net)
    jax.tree.map(close, [after.opt_state.mu, after.opt_state.nu], moments)
    for one, other in zip(dataclasses.astuple(after.value_stats), stats, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    for name, x in figures.items():
        np.testing.assert_allclose(metrics[name][0], x, rtol=1e-3, atol=1e-5, err_msg=name)
    assert metrics["updates"][0] == trainer.shape.num_epochs * trainer.shape.num_mini_batches


def test_first_minibatch_is_on_policy(learn, fit, sample):
    _, steps = learn(fit, sample)
    assert abs(float(steps["kl3"][0, 0])) <= 1e-6
    assert abs(float(steps["kl1"][0, 0])) <= 1e-4
    assert steps["clipped"][0, 0] == 0
    assert steps["kl3"][1, 1] > 1e-4, "later ones are not"
    assert np.asarray(steps["is_applied"]).all()


def test_stop_leaves_everything_of_later_epochs(learn, fit, sample, shape):
    params = params_with(target_kl=1e-9)
    stopped, steps = learn(fit, sample, params)
    assert stopped.is_stopped
    assert steps["is_applied"].tolist() == [[1, 1], [0, 0]]
    assert num_steps(stopped) == 2
    short = compiled(dataclasses.replace(shape, num_epochs=1))
    once, _ = short(fit, sample, params)
    close = functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-6)
    jax.tree.map(close, weights(once), weights(stopped))
    on, steps = learn(fit, sample, params_with(target_kl=0.0))
    assert steps["is_applied"].tolist() == [[1, 1], [1, 1]]
    assert num_steps(on) == 4 and not on.is_stopped


def test_learner_that_has_stopped_changes_no_bit(learn, fit, sample):
    after, steps = learn(fit.replace(is_stopped=jnp.bool_(True)), sample)
    assert_same(weights(after), weights(fit))
    assert not steps["is_applied"].any() and steps["is_finite"].all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_minibatch_that_is_not_finite_changes_no_bit(learn, fit, sample, bad):
    assert sample.seen.is_valid[1, 2, 0]
    broken = sample.replace(target=sample.target.at[1, 2, 0].set(bad))
    after, steps = learn(fit, broken)
    assert steps["is_finite"].sum(1).tolist() == [1, 1], "one minibatch of each epoch has the town"
    np.testing.assert_array_equal(steps["is_applied"], steps["is_finite"])
    assert num_steps(after) == 2
    for leaf in jax.tree.leaves((after, steps)):
        assert np.isfinite(leaf).all()
    everywhere = sample.replace(target=sample.target.at[:, :, 0].set(bad))
    after, steps = learn(fit, everywhere)
    assert not steps["is_finite"].any()
    assert_same(weights(after), weights(fit))


def test_numbers_of_invalid_rows_change_no_bit(learn, fit, sample):
    rows, chance = ~np.asarray(sample.seen.is_valid), np.random.default_rng(5)

    def spoil(x):
        wild = jnp.asarray(chance.normal(size=x.shape) * 1e6, x.dtype)
        return jnp.where(rows.reshape(*rows.shape, *[1] * (x.ndim - 3)), wild, x)

    names = ("old_log_prob", "advantage", "target", "old_value")
    spoilt = sample.replace(**{name: spoil(getattr(sample, name)) for name in names})
    assert_same(weights(learn(fit, sample)[0]), weights(learn(fit, spoilt)[0]))


def test_rows_of_nobody_are_as_good_as_absent(fit, sample, shape):
    is_valid = jnp.ones((T, M, A), bool).at[:, :, 1].set(False)
    half = sample.replace(
        seen=sample.seen.replace(is_valid=is_valid),
        advantage=sample.advantage.at[:, :, 1].set(1e6),
        target=sample.target.at[:, :, 1].set(1e6),
    )
    alone = jax.tree.map(lambda x: x[:, :, :1], half.replace(hidden=half.is_first))
    alone = alone.replace(hidden=half.hidden[:, :1])
    after, steps = compiled(shape)(fit, half)
    other, other_steps = compiled(dataclasses.replace(shape, num_agents=1))(fit, alone)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    jax.tree.map(close, (weights(after), steps), (weights(other), other_steps))


def test_nobody_at_all_moves_nothing(learn, fit, sample):
    nobody = jnp.zeros_like(sample.seen.is_valid)
    after, steps = learn(fit, sample.replace(seen=sample.seen.replace(is_valid=nobody)))
    assert_same(after.params, fit.params)
    assert not steps["loss"].any() and not steps["grad_norm"].any()


def test_gradient_is_clipped_to_its_norm_but_reported_whole(learn, fit, sample):
    """Without a history the first moment is a tenth of the gradient that was applied."""
    large = sample.replace(target=sample.target * 100)
    norms = []
    for limit in (0.5, 0.0):
        params = params_with(max_grad_norm=limit, target_kl=1e-9)
        _, steps = learn(fit, large, params, jnp.float32(0))
        norms.append(np.asarray(steps["grad_norm"])[0])
    np.testing.assert_allclose(norms[0], norms[1], rtol=1e-6)
    assert norms[0].min() > 5


def test_learning_rate_0_moves_no_parameter(learn, fit, sample):
    after, steps = learn(fit, sample, learning_rate=jnp.float32(0))
    assert_same(after.params, fit.params)
    assert abs(np.asarray(steps["kl3"])).max() <= 1e-6
    assert num_steps(after) == 4


@pytest.mark.slow
def test_groups_may_live_apart(shape, fit, sample):
    """Imaginary devices compile to another program; real ones are tried in `test_devices.py`."""
    num_devices = 2
    alone = compiled(dataclasses.replace(shape, num_groups=2, num_mini_batches=1))
    after, steps = alone(fit, sample)
    own = dataclasses.replace(shape, num_towns=M // num_devices, num_groups=1, num_mini_batches=1)
    key, params = jax.random.key(7), params_with()

    def one(sample):
        return update(own, fit, sample, key, LEARNING_RATE, ENTROPY_COEF, params, "devices")

    axes = jax.tree.map(lambda _: 1, sample).replace(hidden=0)
    cut = jax.tree.map(
        lambda x, axis: x.reshape(
            *x.shape[:axis], num_devices, M // num_devices, *x.shape[axis + 1 :]
        ),
        sample,
        axes,
    )
    many = jax.jit(jax.vmap(one, in_axes=(axes,), axis_name="devices"), compiler_options=QUICK)
    each, each_steps = many(cut)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    for device in range(num_devices):
        mine, mine_steps = jax.tree.map(lambda x, d=device: x[d], (each, each_steps))
        jax.tree.map(close, (weights(after), steps), (weights(mine), mine_steps))
    assert_same(*[jax.tree.map(lambda x, d=d: x[d], (each, each_steps)) for d in range(2)])


def test_minibatches_share_all_towns_out(fit, sample, shape):
    """Each town alone decides whether its minibatch is finite, once in every epoch."""
    learn = compiled(dataclasses.replace(shape, num_groups=2, num_mini_batches=2))
    seen_in = []
    for town in range(M):
        broken = sample.replace(target=sample.target.at[:, town].set(jnp.nan))
        _, steps = learn(fit, broken)
        bad = 1 - np.asarray(steps["is_finite"])
        assert (bad.sum(1) == 1).all()
        seen_in.append(bad.argmax(1))
    # Two groups of two towns: either minibatch has one town of each group.
    for one, other in (seen_in[:2], seen_in[2:]):
        assert (one != other).all()
