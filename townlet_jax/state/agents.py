"""Residents: who lives in which slot, where, with what traits and money."""

import enum

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE


class ExitReason(enum.IntEnum):
    """Why a resident leaves."""

    NONE = 0
    FAINT = 1
    EVICTION = 2
    EMPLOYMENT_EXIT = 3
    KILLED = 4
    MANUAL_APPROVE = 5


class Agents(struct.PyTreeNode):
    """Residents by slot.

    Attributes:
      is_alive: bool `[A]`, whether the slot is inhabited.
      is_leaving: bool `[A]`, exit decided in the last tick; removed at the start of the next.
      did_last_action: bool `[A]`, whether the last action had its effect.
      generation: int32 `[A]`, arrivals in this slot since the start, 0 for a first resident.
      spawned_tick: int32 `[A]` [tick].
      job: int32 `[A]`, NONE = no job.
      last_action: int32 `[A]`, code of the action level in use, NONE before the first action.
      last_action_ticks: int32 `[A]` [tick] since it last changed.
      blocked_moves: int32 `[A]` [attempts] stopped in a row by another resident.
      position, home: int32 `[A, 2]` [tile]; a vacant slot has position (0, 0) and keeps its home.
      traits: float32 `[A, 3]` in [-1, 1], extroversion, forgiveness, ambition.
      profile: int32 `[A]`, row of the profile table, NONE = free traits.
      wallet: float32 `[A]` [money] >= 0.
    """

    is_alive: jax.Array
    is_leaving: jax.Array
    did_last_action: jax.Array
    generation: jax.Array
    spawned_tick: jax.Array
    job: jax.Array
    last_action: jax.Array
    last_action_ticks: jax.Array
    blocked_moves: jax.Array
    position: jax.Array
    home: jax.Array
    traits: jax.Array
    profile: jax.Array
    wallet: jax.Array


def empty_agents(shape: TownShape) -> Agents:
    """Makes vacant slots."""
    a = shape.num_agents
    return Agents(
        is_alive=jnp.zeros(a, bool),
        is_leaving=jnp.zeros(a, bool),
        did_last_action=jnp.zeros(a, bool),
        generation=jnp.zeros(a, jnp.int32),
        spawned_tick=jnp.zeros(a, jnp.int32),
        job=jnp.full(a, NONE, jnp.int32),
        last_action=jnp.full(a, NONE, jnp.int32),
        last_action_ticks=jnp.zeros(a, jnp.int32),
        blocked_moves=jnp.zeros(a, jnp.int32),
        position=jnp.zeros((a, 2), jnp.int32),
        home=jnp.zeros((a, 2), jnp.int32),
        traits=jnp.zeros((a, 3), jnp.float32),
        profile=jnp.full(a, NONE, jnp.int32),
        wallet=jnp.zeros(a, jnp.float32),
    )
