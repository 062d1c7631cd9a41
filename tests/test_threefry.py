"""Every function gives the bits of its namesake in `jax.random`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax import threefry

KEYS = jax.vmap(jax.random.key)(jnp.array([0, 1, 42, 2**31 - 1], jnp.uint32))
DATA = np.array([0, 1, 2**31, 2**32 - 1], np.uint32)


@pytest.mark.parametrize("jit", [jax.jit, lambda f: f], ids=["jit", "eager"])
def test_fold_in(jit):
    expected = jax.random.key_data(jax.vmap(jax.random.fold_in)(KEYS, DATA))
    words = jit(threefry.fold_in)(threefry.words(KEYS), jnp.asarray(DATA))
    np.testing.assert_array_equal(np.stack(words, axis=-1), expected)


@pytest.mark.parametrize("length", [1, 2, 7, 48])
def test_bits(length):
    index = jnp.arange(length, dtype=jnp.uint32)
    for key in KEYS:
        words = tuple(jnp.broadcast_to(word, (length,)) for word in threefry.words(key))
        expected = jax.random.bits(key, (length,))
        np.testing.assert_array_equal(threefry.bits(words, index), expected)


def test_bits_do_not_depend_on_the_length_of_the_draw():
    """So draws of several lengths may share one call."""
    key = KEYS[2]
    np.testing.assert_array_equal(jax.random.bits(key, (5,)), jax.random.bits(key, (9,))[:5])
