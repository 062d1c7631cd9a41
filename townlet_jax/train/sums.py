"""Sums over towns in a fixed order, so that they do not depend on the number of devices.

Towns are cut into blocks. Each block is summed where it lives, then the sums of the blocks are
added in their order, by every device alike.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from townlet_jax.masked import computed_once

Tree = TypeVar("Tree")


def over_blocks(parts: Tree, axis_name: str | None) -> Tree:
    """Adds sums of blocks in their order.

    Args:
      parts: leaves `[G, ...]`, one row per block that lives on this device.
      axis_name: of the devices over which blocks are spread; None = one device.

    Returns:
      Leaves `[...]`, the same on every device.
    """

    def add(x: jax.Array) -> jax.Array:
        if axis_name is not None:
            x = lax.all_gather(x, axis_name, tiled=True)
        return functools.reduce(operator.add, [x[g] for g in range(x.shape[0])])

    return jax.tree.map(add, parts)


def block_by_block(call: Callable[[Any, Any], Tree], shared: Any, blocks: Any) -> Tree:
    """Calls a function for one block after the other, each on its own.

    Then a block is computed in the same way wherever it lives, and with how many others. The length
    of the loop is kept from the compiler, which would dissolve one of a single block.

    Args:
      call: `(shared, block) -> result`.
      shared: what all blocks are given.
      blocks: leaves `[G, ...]`, those that live on this device.

    Returns:
      The results, leaves `[G, ...]`.
    """
    number = jax.tree.leaves(blocks)[0].shape[0]

    def one(index: jax.Array) -> Tree:
        own = jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, index, keepdims=False), blocks)
        return computed_once(call(*computed_once((shared, own))))

    def body(index: jax.Array, found: Tree) -> Tree:
        put: Tree = jax.tree.map(
            lambda all, new: lax.dynamic_update_index_in_dim(all, new, index, 0), found, one(index)
        )
        return put

    forms = jax.eval_shape(one, jnp.int32(0))
    empty: Tree = jax.tree.map(lambda x: jnp.zeros((number, *x.shape), x.dtype), forms)
    found: Tree = lax.fori_loop(0, computed_once(jnp.int32(number)), body, empty)
    return found


def over_towns(x: jax.Array, num_blocks: int, axis_name: str | None, axis: int = 0) -> jax.Array:
    """Adds everything up, block by block.

    Args:
      x: `[..., M, ...]`, numbers or truth values.
      num_blocks: blocks of towns on this device.
      axis_name: as in `over_blocks`.
      axis: of the towns.

    Returns:
      Scalar of the kind of `x`; truth values and integers count as int32.
    """
    is_float = jnp.issubdtype(x.dtype, jnp.floating)
    dtype = x.dtype if is_float else jnp.int32
    # Kept apart, or sums of parts of a town would be taken in another order.
    x = computed_once(jnp.moveaxis(x, axis, 0).reshape(num_blocks, -1))
    return over_blocks(jnp.sum(x, axis=1, dtype=dtype), axis_name)


def mean(
    x: jax.Array, weight: jax.Array, num_blocks: int, axis_name: str | None, axis: int = 0
) -> jax.Array:
    """Returns `sum(weight x) / max(sum(weight), 1)`; without weight 0, never NaN.

    Args:
      x: float32 `[..., M, ...]`; weight: bool, of the same shape.
      num_blocks, axis_name, axis: as in `over_towns`.
    """
    total = over_towns(jnp.where(weight, x, 0.0), num_blocks, axis_name, axis)
    count = over_towns(weight, num_blocks, axis_name, axis)
    return total / jnp.maximum(count, 1).astype(jnp.float32)
