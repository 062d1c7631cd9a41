import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train.conftest import QUICK, assert_same, params_with, raw
from tests.train.noise import NUMBERS, Noise, noise_shape
from townlet_jax.train import lanes, stacking

WORLD = Noise()
SHAPE = noise_shape(WORLD, updates_per_chunk=2)


def begin(seeds, *params):
    """Returns learners `[L, ...]` and their numbers, the same for all lanes if one is given."""
    params = params or (params_with(),)
    params = lanes.stack_params([*params] * (len(seeds) // len(params)))
    return lanes.start(WORLD, SHAPE, seeds, NUMBERS, params), params


def train(learner, params):
    return lanes.train(WORLD, SHAPE, learner, NUMBERS, params)


def lane(tree, index):
    return jax.tree.map(lambda x: x[index], tree)


def integers(tree):
    leaves = [raw(x) for x in jax.tree.leaves(tree)]
    return [np.asarray(x) for x in leaves if not jnp.issubdtype(x.dtype, jnp.floating)]


@pytest.fixture(scope="module", autouse=True)
def traces():
    """Compiles as quickly as the other tests do; returns a list that grows with every trace."""
    found, chunk = [], lanes.train_chunk

    def traced(world, shape, learner, *rest):
        found.append(learner.key.shape)
        return chunk(world, shape, learner, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "compiler_options", lambda *_: QUICK)
        patch.setattr(lanes, "train_chunk", traced)
        lanes.trainer.cache_clear()
        yield found
        lanes.trainer.cache_clear()


@pytest.fixture(scope="module")
def pair(traces):
    """Two lanes of one seed after a chunk, with their metrics."""
    return train(*begin([4, 4]))


def test_lanes_of_one_seed_are_equal(pair):
    assert_same(lane(pair, 0), lane(pair, 1))
    assert pair[1]["loss_total"].shape == (2, 2)


def test_lanes_of_other_seeds_differ_and_leave_the_first_alone(pair):
    learner, metrics = train(*begin([4, 5]))
    assert_same(lane((learner, metrics), 0), lane(pair, 0))
    assert (metrics["loss_total"][0] != metrics["loss_total"][1]).all()


def test_lanes_have_numbers_of_their_own(pair):
    learner, metrics = train(*begin([4, 4], params_with(), params_with(learning_rate=1e-5)))
    assert_same(lane((learner, metrics), 0), lane(pair, 0))
    np.testing.assert_allclose(metrics["lr"][0], 100 * metrics["lr"][1], rtol=1e-4)
    assert_same(lane(learner.town_age, 0), lane(learner.town_age, 1))
    moved = [np.abs(a[i] - a[1 - i]).max() for i, a in ((0, learner.params["feat1"]["kernel"]),)]
    assert moved[0] > 0


def test_lanes_have_one_trace(pair, traces):
    learner, params = begin([1, 2])
    for _ in range(2):
        learner, _ = train(learner, params)
    stored = jax.tree.map(lambda x: np.array(raw(x)), learner)
    loaded = jax.tree.map(stored_again, stored, learner)
    train(lanes.place(SHAPE, loaded), params)
    assert len(traces) == 1, "that of the fixture"


def stored_again(kept, like):
    """Returns what a file holds as an array of the learner."""
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(kept))
    return jnp.asarray(kept)


def test_forms_are_those_of_what_is_made():
    learner, params = begin([1, 2])
    forms = lanes.forms(WORLD, SHAPE, 2, NUMBERS, params)
    assert jax.tree.structure(forms) == jax.tree.structure(learner)
    made, told = ([(x.shape, x.dtype) for x in jax.tree.leaves(tree)] for tree in (learner, forms))
    assert made == told
    assert lanes.num_lanes(learner) == 2


def test_learner_that_was_given_up_is_gone():
    learner, params = begin([1, 2])
    train(learner, params)
    with pytest.raises(RuntimeError, match="deleted"):
        np.asarray(learner.hidden)


def test_seeds_of_any_size_are_taken():
    learner, _ = begin([-1, 2**40])
    keys = raw(learner.key)
    assert (keys[0] != keys[1]).any()


def test_lane_lives_as_it_would_alone(pair):
    learner, metrics = train(*begin([4]))
    for one, other in zip(integers(lane(learner, 0)), integers(lane(pair[0], 0)), strict=True):
        np.testing.assert_array_equal(one, other)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5)
    jax.tree.map(lambda a, b: close(a[0], b[0]), metrics, pair[1])
    jax.tree.map(lambda a, b: close(a[0], b[0]), learner.params, pair[0].params)


def test_numbers_of_the_world_differ_where_they_are_swept(pair, traces):
    """Swept leaves have an axis, others are shared; a lane with the usual numbers is as ever."""
    usual, other = params_with(), params_with(learning_rate=1e-5)
    base = (NUMBERS, usual)
    changed = jax.tree.map(lambda x: x + jnp.full_like(x, 0.05), NUMBERS)
    stack = stacking.stack(base, [base, (changed, other)])
    number = len(jax.tree.leaves(NUMBERS))
    assert all(stack.axes[:number]) and sum(stack.axes[number:]) == 1
    numbers, params = stack.take([0, 1, 0], lanes.mesh(1))
    assert params.learning_rate.shape == (3,) and params.gamma.shape == ()
    learner = lanes.start(WORLD, SHAPE, [4, 4, 4], numbers, params, stack.axes)
    before = len(traces)
    learner, metrics = lanes.train(WORLD, SHAPE, learner, numbers, params, stack.axes)
    assert len(traces) == before + 1
    assert_same(lane((learner, metrics), 0), lane((learner, metrics), 2))
    for one, two in zip(integers(lane(learner, 0)), integers(lane(pair[0], 0)), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (metrics["reward_mean"][1] != metrics["reward_mean"][0]).any()
    assert np.asarray(lanes.all_finite(learner.params)).all()


@pytest.mark.slow
def test_exact_lanes_equal_single_runs_bit_for_bit():
    usual, other = params_with(), params_with(learning_rate=1e-5)
    stack = stacking.stack((NUMBERS, usual), [(NUMBERS, usual), (NUMBERS, other)])
    given = stack.take([0, 1], lanes.mesh(1))
    learner = lanes.start(WORLD, SHAPE, [4, 5], *given, stack.axes, is_exact=True)
    found = lanes.train(WORLD, SHAPE, learner, *given, stack.axes, is_exact=True)
    for i, own in enumerate((usual, other)):
        learner, params = begin([4 + i], own)
        assert_same(lane(found, i), lane(train(learner, params), 0))
