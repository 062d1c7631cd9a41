"""Exits, arrivals and embedding slots."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.shape import TownShape
from townlet_jax.masked import LONG_AGO, NEVER, NONE


class Lifecycle(struct.PyTreeNode):
    """Exits and arrivals.

    Attributes:
      exit_reason: int32 `[A]`, `ExitReason`, latched until the exit is executed.
      flagged_tick: int32 `[A]` [tick] when the reason was set, NEVER = not flagged.
      arrival_tick: int32 `[A]` [tick] when a newcomer is due, NEVER = none.
      is_mortality_on: bool.
      exits_today: int32 [exits]; last_exit_tick: int32 [tick], LONG_AGO at the start.
      num_arrivals: int32, residents ever placed.
    """

    exit_reason: jax.Array
    flagged_tick: jax.Array
    arrival_tick: jax.Array
    is_mortality_on: jax.Array
    exits_today: jax.Array
    last_exit_tick: jax.Array
    num_arrivals: jax.Array


class Slots(struct.PyTreeNode):
    """Embedding slots, by which residents are told apart in observations.

    Attributes:
      slot: int32 `[A]`, NONE in a vacant agent slot.
      released_tick: int32 `[E]` [tick], LONG_AGO = never used.
      num_allocated, num_forced: int32, allocations so far; of these, of a slot still cooling down.
    """

    slot: jax.Array
    released_tick: jax.Array
    num_allocated: jax.Array
    num_forced: jax.Array


def empty_lifecycle(shape: TownShape) -> Lifecycle:
    """Makes the lifecycle of vacant slots; mortality is on."""
    a = shape.num_agents
    return Lifecycle(
        exit_reason=jnp.zeros(a, jnp.int32),
        flagged_tick=jnp.full(a, NEVER, jnp.int32),
        arrival_tick=jnp.full(a, NEVER, jnp.int32),
        is_mortality_on=jnp.bool_(True),
        exits_today=jnp.int32(0),
        last_exit_tick=jnp.int32(LONG_AGO),
        num_arrivals=jnp.int32(0),
    )


def empty_slots(shape: TownShape) -> Slots:
    """Makes embedding slots that nobody has used."""
    return Slots(
        slot=jnp.full(shape.num_agents, NONE, jnp.int32),
        released_tick=jnp.full(shape.num_slots, LONG_AGO, jnp.int32),
        num_allocated=jnp.int32(0),
        num_forced=jnp.int32(0),
    )
