import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.train import sums

M, NUM_BLOCKS, AXIS = 16, 8, "devices"


def random(*shape):
    """Numbers whose sum depends on the order in which they are added."""
    chance = np.random.default_rng(0)
    x = chance.normal(size=shape) * 10.0 ** chance.integers(-3, 4, shape)
    return jnp.asarray(x, jnp.float32)


def spread(run, num_devices, *columns):
    """Runs with the towns cut up over imaginary devices; returns what each of them gets."""
    parts = [x.reshape(num_devices, M // num_devices, *x.shape[1:]) for x in columns]
    return jax.jit(jax.vmap(run, axis_name=AXIS))(*parts)


def test_blocks_are_added_in_their_order():
    parts = random(NUM_BLOCKS, 3)
    total = jax.jit(lambda x: sums.over_blocks(x, None))(parts)
    np.testing.assert_array_equal(total, functools.reduce(np.add, np.asarray(parts)))
    assert (total != np.asarray(parts)[::-1].sum(0)).any(), "the order does not matter here"


@pytest.mark.parametrize("num_devices", [2, 4, 8])
def test_sum_is_the_same_however_towns_are_spread(num_devices):
    x = random(M, 5)
    alone = jax.jit(lambda x: sums.over_towns(x, NUM_BLOCKS, None))(x)
    own = NUM_BLOCKS // num_devices
    each = spread(lambda x: sums.over_towns(x, own, AXIS), num_devices, x)
    np.testing.assert_array_equal(each, np.full(num_devices, alone))
    np.testing.assert_allclose(alone, np.asarray(x, np.float64).sum(), rtol=1e-4)


@pytest.mark.parametrize("num_devices", [2, 8])
def test_mean_is_the_same_however_towns_are_spread(num_devices):
    x, weight = random(M, 3), random(M, 3) > 0
    alone = jax.jit(lambda x, w: sums.mean(x, w, NUM_BLOCKS, None))(x, weight)
    own = NUM_BLOCKS // num_devices
    each = spread(lambda x, w: sums.mean(x, w, own, AXIS), num_devices, x, weight)
    np.testing.assert_array_equal(each, np.full(num_devices, alone))


def test_axis_of_the_towns_may_come_later():
    x = random(3, M, 2)
    first = jnp.moveaxis(x, 1, 0)
    one, other = sums.over_towns(x, 4, None, axis=1), sums.over_towns(first, 4, None)
    np.testing.assert_array_equal(one, other)


def test_truth_values_and_integers_are_counted():
    mask = random(M, 2) > 0
    for x in (mask, mask.astype(jnp.int8)):
        count = sums.over_towns(x, NUM_BLOCKS, None)
        assert (count.dtype, int(count)) == (jnp.int32, int(mask.sum()))
    big = jnp.full((M, 2), 100, jnp.int8)
    assert sums.over_towns(big, NUM_BLOCKS, None) == 100 * 2 * M


def test_mean_over_nobody_is_0():
    x = random(M, 2).at[0, 0].set(jnp.nan)
    assert sums.mean(x, jnp.zeros((M, 2), bool), NUM_BLOCKS, None) == 0
    only = jnp.zeros((M, 2), bool).at[3, 1].set(True)
    assert sums.mean(x, only, NUM_BLOCKS, None) == x[3, 1]
