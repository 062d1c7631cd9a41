"""Masked array helpers that know nothing of towns.

Everything here is pure, works unbatched and is safe under `vmap`. Orders are decided on integers,
so that a result never depends on how a float comparison was compiled.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

Tree = TypeVar("Tree")

NONE = -1
"""Index that points nowhere."""
NEVER = 2**31 - 1
"""Tick that does not come."""
LONG_AGO = -(2**30)
"""Tick before any cooldown could matter."""
MOST_UNROLLED = 24
"""Most rows that XLA for CPU unrolls the reduction of."""


def rounded(x: jax.Array) -> jax.Array:
    """Rounds a float32 product to 22 mantissa bits, so that no compiler fuses it into a following
    sum.

    A fused multiply-add keeps more bits than two operations do; whether it is used differs between
    jit and no-jit, between CPU and GPU and between batch sizes. Wrap every product that is added to
    something.
    Error: at most 2^-23 relative.

    Args:
      x: float32 `[...]`, the product.

    Returns:
      float32 `[...]`.
    """
    return lax.reduce_precision(x, exponent_bits=8, mantissa_bits=22)


def computed_once(tree: Tree) -> Tree:
    """Keeps a compiler from computing arrays again inside everything that reads them.

    Left alone, XLA fuses a chain of elementwise operations into each of its readers; on a CPU a
    step of a hundred small rules then does most of its work many times over.

    Args:
      tree: any pytree of arrays.

    Returns:
      The same tree, the same values.
    """
    return lax.optimization_barrier(tree)


def pick(table: jax.Array, index: jax.Array, default: float = 0) -> jax.Array:
    """Looks up rows of a table, with a default where the index is `NONE`.

    Args:
      table: `[n, ...]`.
      index: int32 `[...]` in [-1, n-1].
      default: scalar of the table's kind, taken where `index < 0`.

    Returns:
      `[*index.shape, *table.shape[1:]]`.
    """
    rows = jnp.asarray(table).at[index].get(mode="clip", wrap_negative_indices=False)
    is_given = (index >= 0).reshape(index.shape + (1,) * (rows.ndim - index.ndim))
    return lax.select(jnp.broadcast_to(is_given, rows.shape), rows, jnp.full_like(rows, default))


def pick_bool(table: jax.Array, index: jax.Array) -> jax.Array:
    """Looks up rows of a table of truth values that all towns share; `NONE` reads as false.

    XLA for CPU looks integers up several times faster than truth values.

    Args:
      table: bool `[n, ...]`.
      index: int32 `[...]` in [-1, n-1].

    Returns:
      bool `[*index.shape, *table.shape[1:]]`.
    """
    rows = table.astype(jnp.int32).at[index].get(mode="clip", wrap_negative_indices=False)
    return (index >= 0).reshape(index.shape + (1,) * (rows.ndim - index.ndim)) & (rows != 0)


def at(table: jax.Array, *index: jax.Array) -> jax.Array:
    """Looks up elements or rows of a table.

    Args:
      table: `[...]`.
      *index: int32, one per leading axis of the table, broadcastable against each other, never
        negative nor too large.
    """
    return table.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def one_hot(index: jax.Array, size: int) -> jax.Array:
    """Marks each index in a row of its own; `NONE` marks nothing.

    Args:
      index: int32 `[...]` in [-1, size-1].
      size: length of the new last axis.

    Returns:
      bool `[..., size]`.
    """
    return jnp.expand_dims(index, -1) == _along_last(index.ndim + 1, size)


def first_true(mask: jax.Array) -> jax.Array:
    """Finds the first set position along the last axis.

    Args:
      mask: bool `[..., n]`.

    Returns:
      int32 `[...]`, `NONE` where nothing is set.
    """
    n = mask.shape[-1]
    index = jnp.min(jnp.where(mask, _along_last(mask.ndim, n), n), axis=-1)
    return jnp.where(index == n, NONE, index)


def best(mask: jax.Array, *keys: jax.Array) -> jax.Array:
    """Finds the position with the smallest keys along the last axis, keys compared in the given
    order.

    Args:
      mask: bool `[..., n]`, who takes part.
      *keys: int32, each broadcastable to `[..., n]`; remaining ties go to the lowest position.

    Returns:
      int32 `[...]` position, `NONE` where nobody takes part.
    """
    for key in keys:
        value = jnp.where(mask, jnp.broadcast_to(key, mask.shape), NEVER)
        mask = mask & (value == jnp.min(value, axis=-1, keepdims=True))
    return first_true(mask)


def drop_first(is_in: jax.Array, num: jax.Array, *keys: jax.Array) -> jax.Array:
    """Takes the first positions along the last axis out, by ascending keys; ties go to the lower
    one.

    Runs as many rounds as the largest number in a batch, so that nothing costs nearly nothing.

    Args:
      is_in: int32 `[n, m]`, 1 for who takes part, else 0; integers, because XLA for CPU is slow at
        joining truth values.
      num: int32 `[n]`, how many to take out; negative reads as 0.
      *keys: int32, each broadcastable to `[n, m]`.

    Returns:
      int32 `[n, m]`, 1 for who is left, else 0.
    """

    def take(index: jax.Array, rest: jax.Array) -> jax.Array:
        is_first = one_hot(best(rest != 0, *keys), is_in.shape[-1])
        return jnp.where(is_first & (index < num)[:, None], 0, rest)

    return lax.fori_loop(0, jnp.max(num), take, is_in)


def least(mask: jax.Array, key: jax.Array) -> jax.Array:
    """Finds the position with the smallest key along the last axis, as `best`, in one pass.

    Args:
      mask: bool `[..., n]`, who takes part, n at most 64.
      key: int32 `[..., n]` in [-2^24, 2^24); ties go to the lowest position.

    Returns:
      int32 `[...]` position, `NONE` where nobody takes part.
    """
    n = mask.shape[-1]
    bits = (n - 1).bit_length()
    code = (key << bits) | _along_last(mask.ndim, n)
    lowest = jnp.min(jnp.where(mask, code, NEVER), axis=-1)
    return jnp.where(lowest == NEVER, NONE, lowest & ((1 << bits) - 1))


def down(reduce: Callable[..., jax.Array], x: jax.Array, **options: Any) -> jax.Array:
    """Reduces the last axis but one, as `reduce(x, axis=-2)`, in blocks of rows if it is long.

    XLA for CPU unrolls a short loop over rows and then works on many columns at once; down 64 rows
    it goes column by column, ten times as slowly.

    Args:
      reduce: `jnp.max`, `jnp.min`, `jnp.any`, or `jnp.sum` of integers: the order must not matter.
      x: `[..., n, m]`.
      **options: of `reduce`.

    Returns:
      `[..., m]`.
    """
    num_rows, num_columns = x.shape[-2:]
    size = max(n for n in range(1, MOST_UNROLLED + 1) if num_rows % n == 0)
    if num_rows > MOST_UNROLLED and size > 1:
        x = x.reshape(*x.shape[:-2], num_rows // size, size, num_columns)
        x = computed_once(reduce(x, axis=-2, **options))
    return reduce(x, axis=-2, **options)


def inverse(index: jax.Array, size: int) -> jax.Array:
    """Finds the position at which each number stands; of several the last.

    Args:
      index: int32 `[n]` in [-1, size-1].
      size: m.

    Returns:
      int32 `[m]` in [-1, n-1], `NONE` where a number stands nowhere.
    """
    positions = lax.iota(jnp.int32, index.shape[0])[:, None]
    return down(jnp.max, jnp.where(one_hot(index, size), positions, NONE))


def rank(mask: jax.Array, *keys: jax.Array) -> jax.Array:
    """Ranks positions along the last axis by ascending keys; ties go to the lower position.

    Args:
      mask: bool `[..., n]`, who takes part.
      *keys: int32 or uint32, each broadcastable to `[..., n]`; int32 ones of who takes part are
        less than 2^31 - 1.

    Returns:
      int32 `[..., n]`: number of participants that come before each position (0 = first); values of
      positions that do not take part are meaningless.
    """
    n = mask.shape[-1]
    mask, keys = computed_once((mask, keys))
    index = lax.iota(jnp.int32, n)
    before = index[:, None] < index[None, :]  # [n, n], row comes before column
    before = jnp.broadcast_to(before, (*mask.shape, n))
    for key in reversed(keys):
        key = jnp.broadcast_to(key, mask.shape)
        row, column = key[..., :, None], key[..., None, :]
        if key.dtype == jnp.int32:
            # With integers, `x < y or (x == y and first)` is `x < y + first`.
            before = row < column + before.astype(jnp.int32)
        else:
            before = (row < column) | ((row == column) & before)
    return computed_once(down(jnp.sum, before & mask[..., :, None], dtype=jnp.int32))


def _along_last(ndim: int, size: int) -> jax.Array:
    """Counts 0..size-1 along the last of `ndim` axes, the others of length 1."""
    return lax.iota(jnp.int32, size).reshape((1,) * (ndim - 1) + (size,))
