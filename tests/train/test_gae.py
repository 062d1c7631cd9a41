import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.train.gae import gae

T, ROWS = 9, 4
JIT = jax.jit(gae)
THROUGH = pytest.mark.parametrize("run", [JIT, gae], ids=["jit", "no jit"])


def estimate(run, r, v, bootstrap, discount, lambda_, trace=None):
    """Runs over a single row of Python numbers."""
    trace = [1.0] * len(r) if trace is None else trace
    columns = [jnp.array(x, jnp.float32) for x in (r, discount, trace, v, [*v[1:], bootstrap])]
    return run(*columns, jnp.float32(lambda_))


def episode(seed):
    """Returns random columns `[T, ROWS]` with lives that end and rows that are cut off."""
    chance = np.random.default_rng(seed)
    shape = (T, ROWS)
    discount = np.where(chance.random(shape) < 0.2, 0.0, chance.uniform(0.5, 1.0, shape))
    trace = np.where(chance.random(shape) < 0.2, 0.0, 1.0)
    r, v, following = (chance.normal(size=shape) for _ in range(3))
    lambda_ = chance.uniform(0, 1)
    return tuple(jnp.asarray(x, jnp.float32) for x in (r, discount, trace, v, following, lambda_))


@THROUGH
def test_two_steps(run):
    advantage, target = estimate(run, [1, 1], [0.5, 0.4], 0.3, [0.99, 0.99], 0.95)
    np.testing.assert_allclose(advantage, [1.7396, 0.897], atol=5e-5)
    np.testing.assert_allclose(target, [2.2396, 1.297], atol=5e-5)


@THROUGH
def test_life_that_ends_is_not_bootstrapped(run):
    advantage, target = estimate(run, [1, 1], [0.5, 0.4], 0.3, [0.0, 0.99], 0.95)
    np.testing.assert_allclose(advantage[0], 0.5, atol=1e-6)
    np.testing.assert_allclose(target[0], 1.0, atol=1e-6)


@THROUGH
def test_without_values_it_is_the_discounted_sum(run):
    r = [1.0, -2.0, 3.0, 0.5]
    advantage, target = estimate(run, r, [0.0] * 4, 0.0, [0.9] * 4, 1.0)
    expected = [sum(0.9 ** (j - i) * r[j] for j in range(i, 4)) for i in range(4)]
    np.testing.assert_allclose(advantage, expected, atol=1e-6)
    np.testing.assert_array_equal(advantage, target)


@THROUGH
def test_row_that_is_cut_off_keeps_its_discount(run):
    v, discount = [0.5, 0.4, 0.3], [0.9] * 3
    cut, _ = estimate(run, [1, 1, 1], v, 0.2, discount, 0.95, trace=[1, 0, 1])
    np.testing.assert_allclose(cut[1], 1 + 0.9 * 0.3 - 0.4, atol=1e-6)
    ended, _ = estimate(run, [1, 1, 1], v, 0.2, [0.9, 0.0, 0.9], 0.95)
    np.testing.assert_allclose(ended[1], 1 - 0.4, atol=1e-6)
    np.testing.assert_allclose(cut[0] - ended[0], 0.9 * 0.95 * 0.9 * 0.3, atol=1e-6)


def test_lambda_0_is_one_step_and_1_is_all_of_them():
    r, discount, trace, v, _, _ = episode(3)
    following = jnp.concatenate([v[1:], jnp.ones((1, ROWS))])
    one, _ = JIT(r, discount, trace, v, following, jnp.float32(0))
    np.testing.assert_allclose(one, r + discount * following - v, atol=1e-6)
    whole = jnp.ones_like(trace)
    _, target = JIT(r, discount, whole, v, following, jnp.float32(1))
    expected = np.ones(ROWS)
    for t in reversed(range(T)):
        expected = np.asarray(r[t]) + np.asarray(discount[t]) * expected
        np.testing.assert_allclose(target[t], expected, atol=1e-5)


@given(st.integers(0, 2**32 - 1))
def test_equals_the_closed_form(seed):
    columns = episode(seed)
    advantage, target = JIT(*columns)
    r, discount, trace, v, following, lambda_ = (np.asarray(x, np.float64) for x in columns)
    for row in range(ROWS):
        delta = r[:, row] + discount[:, row] * following[:, row] - v[:, row]
        shift = np.diag(discount[:-1, row] * lambda_ * trace[:-1, row], 1)
        expected = np.linalg.solve(np.eye(T) - shift, delta)
        np.testing.assert_allclose(advantage[:, row], expected, atol=1e-5)
    np.testing.assert_allclose(target, np.asarray(advantage) + v, atol=1e-6)


@pytest.mark.parametrize("which", [1, 2], ids=["discount", "trace"])
def test_nothing_leaks_over_a_cut(which):
    columns = list(episode(5))
    columns[which] = columns[which].at[4].set(0.0)
    before = JIT(*columns)
    later = [columns[0].at[5:].add(1e6), *columns[1:]]
    after = JIT(*later)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[:5], other[:5])
        assert (one[5:] != other[5:]).all()


def test_jit_and_no_jit_agree_bit_for_bit():
    for seed in range(3):
        for one, other in zip(JIT(*episode(seed)), gae(*episode(seed)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_batch_equals_a_loop():
    columns = episode(6)
    many = jax.vmap(gae, in_axes=(1, 1, 1, 1, 1, None), out_axes=1)(*columns)
    for one, other in zip(many, JIT(*columns), strict=True):
        np.testing.assert_array_equal(one, other)
