"""Array helpers against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from townlet_jax import masked

BEST = jax.jit(masked.best)
RANK = jax.jit(masked.rank)
DROP_FIRST = jax.jit(masked.drop_first)
keys = st.lists(st.integers(0, 3), min_size=5, max_size=5)
masks = st.lists(st.booleans(), min_size=5, max_size=5)


@given(masks, keys, keys)
def test_best_is_the_first_of_a_stable_sort(mask, first, second):
    order = [i for i in np.lexsort((second, first)) if mask[i]]
    found = BEST(jnp.array(mask), jnp.array(first, jnp.int32), jnp.array(second, jnp.int32))
    assert found == (order[0] if order else masked.NONE)


@given(masks, keys, keys)
def test_rank_counts_those_before(mask, first, second):
    order = [i for i in np.lexsort((second, first)) if mask[i]]
    found = RANK(jnp.array(mask), jnp.array(first, jnp.int32), jnp.array(second, jnp.int32))
    assert [int(found[i]) for i in order] == list(range(len(order)))


@given(masks, st.lists(st.integers(-3, 3), min_size=5, max_size=5))
def test_least_is_best_in_one_pass(mask, key):
    mask, key = jnp.array(mask), jnp.array(key, jnp.int32)
    assert masked.least(mask, key) == BEST(mask, key)


@given(masks, keys, keys, st.integers(-1, 6))
def test_drop_first_takes_the_first_of_a_stable_sort_out(mask, first, second, num):
    order = [i for i in np.lexsort((second, first)) if mask[i]][max(num, 0) :]
    left = DROP_FIRST(
        jnp.array([mask], jnp.int32),
        jnp.array([num], jnp.int32),
        jnp.array([first], jnp.int32),
        jnp.array([second], jnp.int32),
    )
    assert left.tolist() == [[int(i in order) for i in range(5)]]


def test_rank_takes_words_of_random_bits():
    bits = jnp.array([2**32 - 1, 0, 2**32 - 1, 7], jnp.uint32)
    assert RANK(jnp.ones(4, bool), bits).tolist() == [2, 0, 3, 1]


@pytest.mark.parametrize("num_rows", [1, 8, 24, 25, 37, 64])
@pytest.mark.parametrize("reduce", [jnp.max, jnp.min, jnp.sum, jnp.any])
def test_down_reduces_any_number_of_rows(reduce, num_rows):
    x = np.random.default_rng(num_rows).integers(-9, 9, (3, num_rows, 5))
    x = jnp.asarray(x > 7 if reduce is jnp.any else x)
    assert_array_equal(masked.down(reduce, x), reduce(x, axis=-2))


def test_inverse_finds_the_last_place_of_a_number():
    index = jnp.array([2, masked.NONE, 0, 2])
    assert masked.inverse(index, 4).tolist() == [2, masked.NONE, 3, masked.NONE]


def test_pick_bool_of_none_is_false():
    table = jnp.array([True, False])
    index = jnp.array([0, 1, masked.NONE], jnp.int32)
    assert masked.pick_bool(table, index).tolist() == [True, False, False]


def test_at_takes_elements_and_rows():
    table = jnp.array([[1, 2], [3, 4]], jnp.int32)
    index = jnp.array([1, 0], jnp.int32)
    assert masked.at(table, index, index).tolist() == [4, 1]
    assert masked.at(table, index).tolist() == [[3, 4], [1, 2]]


def test_pick_takes_rows_and_a_default():
    table = jnp.array([[1, 2], [3, 4]], jnp.int32)
    np.testing.assert_array_equal(
        masked.pick(table, jnp.array([1, -1, 0], jnp.int32), 9), [[3, 4], [9, 9], [1, 2]]
    )


def test_one_hot_of_none_is_empty():
    np.testing.assert_array_equal(
        masked.one_hot(jnp.array([2, -1], jnp.int32), 3), [[0, 0, 1], [0, 0, 0]]
    )


@given(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32), st.floats(-1, 1, width=32))
def test_a_rounded_product_is_the_same_inside_and_outside_of_jit(a, b, c):
    def f(a, b, c):
        return c + masked.rounded(a * b)

    args = [jnp.float32(x) for x in (a, b, c)]
    assert jax.jit(f)(*args) == f(*args)
    product = args[0] * args[1]
    assert abs(masked.rounded(product) - product) <= 2.0**-23 * abs(a * b) + 1e-38
