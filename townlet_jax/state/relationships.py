"""Ties: what residents feel about each other. The row is the holder of the feeling."""

import enum

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape
from townlet_jax.masked import LONG_AGO


class TieEvent(enum.IntEnum):
    """Rows of the delta table: what moves a tie."""

    CHAT_SUCCESS = 0
    CHAT_FAILURE = 1
    QUEUE_POLITE = 2
    QUEUE_CONFLICT = 3
    SHARED_MEAL = 4
    HELP_RECEIVED = 5
    HELP_GIVEN = 6
    SHIFT_TAKEN = 7


class TieDrop(enum.IntEnum):
    """Why a tie ended."""

    CAPACITY = 0
    DECAY = 1
    REMOVED = 2
    REFUSED = 3


class Relationships(struct.PyTreeNode):
    """Directed ties, dense.

    Attributes:
      trust, familiarity: float32 `[A, A]` in [-1, 1], 0 where there is no tie.
      rivalry: float32 `[A, A]` in [min, max], 0 where there is no tie.
      is_tie: bool `[A, A]`, diagonal always false.
      formed_tick, last_event_tick: int32 `[A, A]` [tick], LONG_AGO where there is no tie.
      last_chat_tick: int32 `[A, A]` [tick], symmetric, LONG_AGO = never.
      evictions_window, evictions_previous, evictions_today: int32 `[A, 4]`, by owner and `TieDrop`.
      tie_ticks_today: int32 [tie tick]; churn_rate: float32 [1/day] of the last full day.
    """

    trust: jax.Array
    familiarity: jax.Array
    rivalry: jax.Array
    is_tie: jax.Array
    formed_tick: jax.Array
    last_event_tick: jax.Array
    last_chat_tick: jax.Array
    evictions_window: jax.Array
    evictions_previous: jax.Array
    evictions_today: jax.Array
    tie_ticks_today: jax.Array
    churn_rate: jax.Array


def empty_relationships(shape: TownShape) -> Relationships:
    """Makes a town of strangers."""
    a = shape.num_agents
    return Relationships(
        trust=jnp.zeros((a, a), jnp.float32),
        familiarity=jnp.zeros((a, a), jnp.float32),
        rivalry=jnp.zeros((a, a), jnp.float32),
        is_tie=jnp.zeros((a, a), bool),
        formed_tick=jnp.full((a, a), LONG_AGO, jnp.int32),
        last_event_tick=jnp.full((a, a), LONG_AGO, jnp.int32),
        last_chat_tick=jnp.full((a, a), LONG_AGO, jnp.int32),
        evictions_window=jnp.zeros((a, len(TieDrop)), jnp.int32),
        evictions_previous=jnp.zeros((a, len(TieDrop)), jnp.int32),
        evictions_today=jnp.zeros((a, len(TieDrop)), jnp.int32),
        tie_ticks_today=jnp.int32(0),
        churn_rate=jnp.float32(0),
    )
