"""What the reward remembers from tick to tick; no part of the town, which never reads it."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape


class RewardState(struct.PyTreeNode):
    """Budgets and counters.

    Attributes:
      day_total: float32 `[A]` [reward] of the day so far, penalties for exits left out.
      has_fainted: bool `[A]`, collapsed and not yet gone at the end of the last tick.
      clip_events: int32 `[3]` [resident ticks] since the start in which the clip of the tick, the
        budget of the day and the guard took effect.
    """

    day_total: jax.Array
    has_fainted: jax.Array
    clip_events: jax.Array


def empty_rewards(shape: TownShape) -> RewardState:
    """Makes the rewards of a town before its first tick."""
    return RewardState(
        day_total=jnp.zeros(shape.num_agents, jnp.float32),
        has_fainted=jnp.zeros(shape.num_agents, bool),
        clip_events=jnp.zeros(3, jnp.int32),
    )
