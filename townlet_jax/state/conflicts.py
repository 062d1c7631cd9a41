"""Who quarrelled with whom today, and who kept away from whom."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape
from townlet_jax.masked import LONG_AGO


class Conflicts(struct.PyTreeNode):
    """Conflicts and avoidances; the pairs are symmetric and run over one day.

    Attributes:
      last_avoid_tick: int32 `[A]` [tick], LONG_AGO = never.
      conflict_today: bool `[A, A]`, a queue conflict happened between the two.
      avoided_today: int32 `[A, A]`, avoidances of either by the other.
    """

    last_avoid_tick: jax.Array
    conflict_today: jax.Array
    avoided_today: jax.Array


def empty_conflicts(shape: TownShape) -> Conflicts:
    """Makes a peaceful town."""
    a = shape.num_agents
    return Conflicts(
        last_avoid_tick=jnp.full(a, LONG_AGO, jnp.int32),
        conflict_today=jnp.zeros((a, a), bool),
        avoided_today=jnp.zeros((a, a), jnp.int32),
    )
