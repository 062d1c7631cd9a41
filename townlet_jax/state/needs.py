"""Needs: hunger, hygiene, energy as satisfaction, 1 is good."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import NUM_NEEDS, TownShape


class Needs(struct.PyTreeNode):
    """How residents feel.

    Attributes:
      level: float32 `[A, N]` in [0, 1], satisfaction of hunger, hygiene, energy.
      low_hunger_ticks: int32 `[A]` [tick] in a row with hunger at or below the collapse level.
    """

    level: jax.Array
    low_hunger_ticks: jax.Array


def empty_needs(shape: TownShape) -> Needs:
    """Makes the needs of vacant slots."""
    return Needs(
        level=jnp.zeros((shape.num_agents, NUM_NEEDS), jnp.float32),
        low_hunger_ticks=jnp.zeros(shape.num_agents, jnp.int32),
    )
