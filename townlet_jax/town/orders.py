"""What admin rows are, and what they leave for the rest of the tick."""

import enum

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.masked import NONE
from townlet_jax.state import TownState
from townlet_jax.state.events import PerturbationEvents
from townlet_jax.town import manual_events
from townlet_jax.town.tick import Tick


class Op(enum.IntEnum):
    """Codes of admin rows."""

    NOTHING = 0
    SPAWN = 1
    KILL = 2
    TELEPORT = 3
    SET_NEED = 4
    SET_PRICE = 5
    FORCE_CHAT = 6
    ARRANGE_MEET = 7
    SET_REL = 8
    EXIT_APPROVE = 9
    EXIT_DEFER = 10
    TRIGGER = 11
    CANCEL = 12
    RIVALRY_DECAY = 13
    RIVALRY_RESET = 14
    SET_FAIRNESS = 15
    SET_MORTALITY = 16


class Orders(struct.PyTreeNode):
    """What admin rows leave for later phases and for the record.

    Attributes:
      op_ok: bool `[Q]`, rows that were carried out; code 0 reads true.
      forced_listener: int32 `[A]`, listener by speaker of a forced chat, NONE = none.
      forced_quality: float32 `[A]` in [0, 1].
      is_killed, is_approved, is_deferred: bool `[A]`, exits ordered, requested, put off; the first
        two are also latched in the state.
      spawned, teleported: bool `[A]`.
      slot_forced: bool `[A]`, newcomers whose embedding slot gives cause for a warning.
      price_changed: bool `[R]`.
      failure: reason, affordance, object row, int32 `[A]` each, runs cut short by a teleport.
      perturbed: cancelled events.
    """

    op_ok: jax.Array
    forced_listener: jax.Array
    forced_quality: jax.Array
    is_killed: jax.Array
    is_approved: jax.Array
    is_deferred: jax.Array
    spawned: jax.Array
    teleported: jax.Array
    slot_forced: jax.Array
    price_changed: jax.Array
    failure: tuple[jax.Array, jax.Array, jax.Array]
    perturbed: PerturbationEvents


def no_orders(state: TownState, tick: Tick) -> Orders:
    """Makes the orders of a tick without admin rows."""
    nobody = jnp.zeros_like(state.agents.is_alive)
    none = jnp.full_like(state.agents.job, NONE)
    return Orders(
        op_ok=jnp.ones(tick.shape.num_ops, bool),
        forced_listener=none,
        forced_quality=jnp.zeros_like(state.agents.wallet),
        is_killed=nobody,
        is_approved=nobody,
        is_deferred=nobody,
        spawned=nobody,
        teleported=nobody,
        slot_forced=nobody,
        price_changed=jnp.zeros_like(state.economy.price_base, bool),
        failure=(none, none, none),
        perturbed=manual_events.nothing(state.perturbations),
    )
