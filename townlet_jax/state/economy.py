"""Money and stock."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape


class Economy(struct.PyTreeNode):
    """Stock of the venues, base prices, rent in arrears.

    Attributes:
      stock: int32 `[S, V]` [units] >= 0; few kinds, many venues, so the long axis is last.
      price_base: float32 `[R]` [money].
      unpaid_days: int32 `[A]` [day].
    """

    stock: jax.Array
    price_base: jax.Array
    unpaid_days: jax.Array


def empty_economy(shape: TownShape) -> Economy:
    """Makes an economy without stock or prices."""
    return Economy(
        stock=jnp.zeros((shape.num_stock_kinds, shape.num_objects), jnp.int32),
        price_base=jnp.zeros(shape.num_price_keys, jnp.float32),
        unpaid_days=jnp.zeros(shape.num_agents, jnp.int32),
    )
