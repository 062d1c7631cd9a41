"""Threefry-2x32 as `jax.random` computes it, written out in full.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
algorithm Threefry-2x32-20. On a CPU, jax compiles the same twenty rounds into a loop that goes to
memory after every fourth; here they are one chain that compiles into a single kernel. Tests hold
every function to the bits of its namesake in `jax.random`.
"""

import jax
import jax.numpy as jnp

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_NUM_GROUPS = 5

Words = tuple[jax.Array, jax.Array]
"""Two uint32 arrays of one shape: a key, or a block of output."""


def words(key: jax.Array) -> Words:
    """Returns the two words of keys.

    Args:
      key: typed threefry key `[...]`.
    """
    data = jax.random.key_data(key)
    return data[..., 0], data[..., 1]


def fold_in(key: Words, data: jax.Array) -> Words:
    """Derives keys, as `jax.random.fold_in`.

    Args:
      key: words `[...]`.
      data: uint32 `[...]`, same shape.
    """
    return _encrypt(key, (jnp.zeros_like(data), data))


def bits(key: Words, index: jax.Array) -> jax.Array:
    """Draws single elements of `jax.random.bits(key, shape)`.

    Args:
      key: words `[...]`.
      index: uint32 `[...]`, same shape; position in the flattened draw.

    Returns:
      uint32 `[...]`.
    """
    first, second = _encrypt(key, (jnp.zeros_like(index), index))
    return first ^ second


def _encrypt(key: Words, block: Words) -> Words:
    schedule = (*key, key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    first, second = block[0] + schedule[0], block[1] + schedule[1]
    for group in range(_NUM_GROUPS):
        for distance in _ROTATIONS[group % 2]:
            first = first + second
            second = first ^ (second << distance | second >> (32 - distance))
        first = first + schedule[(group + 1) % 3]
        second = second + schedule[(group + 2) % 3] + jnp.uint32(group + 1)
    return first, second
