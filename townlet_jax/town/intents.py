"""Intents: everything a resident does in a tick, whatever chose it."""

import enum

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import TownLayout
from townlet_jax.grid import STAY
from townlet_jax.masked import NONE, pick
from townlet_jax.state import TownState


class Kind(enum.IntEnum):
    """Kinds of intents."""

    WAIT = 0
    MOVE = 1
    REQUEST = 2
    START = 3
    BLOCKED = 4
    RELEASE = 5
    CHAT = 6
    USE = 7
    REQUEST_BLOCKED = 8


class Intents(struct.PyTreeNode):
    """One intent per resident.

    Attributes:
      kind: int32 `[A]`, `Kind`.
      target: int32 `[A]`, direction of a move, partner of a chat (NONE = nearest), otherwise an
        object row.
      affordance: int32 `[A]`, what to start, NONE where nothing is.
      is_refused: bool `[A]`, the action was illegal and reads as a wait that failed.
    """

    kind: jax.Array
    target: jax.Array
    affordance: jax.Array
    is_refused: jax.Array


def waiting(num_agents: int) -> Intents:
    """Makes everybody wait."""
    none = jnp.full(num_agents, NONE, jnp.int32)
    return Intents(
        kind=jnp.full(num_agents, Kind.WAIT, jnp.int32),
        target=none,
        affordance=none,
        is_refused=jnp.zeros(num_agents, bool),
    )


def choose(mask: jax.Array, chosen: Intents, otherwise: Intents) -> Intents:
    """Takes one set of intents where a mask is set and another elsewhere.

    Args:
      mask: bool `[A]`.
      chosen, otherwise: intents.
    """
    return jax.tree.map(lambda a, b: jnp.where(mask, a, b), chosen, otherwise)


def act(
    intents: Intents,
    mask: jax.Array,
    kind: Kind,
    target: jax.Array | int = NONE,
    affordance: jax.Array | int = NONE,
) -> Intents:
    """Replaces intents where a mask is set.

    Args:
      intents: intents.
      mask: bool `[A]`.
      kind: new kind.
      target, affordance: int32 `[A]` or a constant.
    """
    return intents.replace(
        kind=jnp.where(mask, kind, intents.kind),
        target=jnp.where(mask, target, intents.target),
        affordance=jnp.where(mask, affordance, intents.affordance),
    )


def scheduled(state: TownState, layout: TownLayout) -> Intents:
    """Reads the schedule row of each resident for this tick, success or not of the last one.

    Args:
      state: a town before its tick.
      layout: tables; a move's target is a row of the direction tables.

    Returns:
      intents; meaningful only where `follows_schedule`.
    """
    schedules = layout.schedules
    num_agents = schedules.length.shape[0]
    row = schedules.rows[jnp.arange(num_agents), state.clock.tick % schedules.length]  # [A, 3]
    kind, target = row[:, 0], row[:, 1]
    x, y = state.agents.position[:, 0], state.agents.position[:, 1]
    step = layout.map.direction[y, x, jnp.maximum(target, 0)].astype(jnp.int32)
    is_move = kind == Kind.MOVE
    has_arrived = is_move & ((step == STAY) | (target == NONE))
    return Intents(
        kind=jnp.where(has_arrived, Kind.WAIT, kind),
        target=jnp.where(is_move, step, target),
        affordance=row[:, 2],
        is_refused=jnp.zeros(num_agents, bool),
    )


def follows_schedule(state: TownState, layout: TownLayout) -> jax.Array:
    """Tells who plays a schedule; a newcomer in the slot does not inherit it.

    Args:
      state: a town.
      layout: tables.

    Returns:
      bool `[A]`.
    """
    return layout.schedules.has_schedule & (state.agents.generation == 0)


def restrained(intents: Intents, is_running: jax.Array, is_blocking: jax.Array) -> Intents:
    """Keeps residents that run an affordance to waiting, leaving it, or talking where it allows
    that.

    Args:
      intents: intents.
      is_running: bool `[A]`; is_blocking: bool `[A]`, what runs bars chats.
    """
    is_fine = (
        (intents.kind == Kind.WAIT)
        | (intents.kind == Kind.RELEASE)
        | ((intents.kind == Kind.CHAT) & ~is_blocking)
    )
    is_refused = is_running & ~is_fine
    intents = act(intents, is_refused, Kind.WAIT)
    return intents.replace(is_refused=intents.is_refused | is_refused)


def offered(layout: TownLayout, row: jax.Array) -> jax.Array:
    """Finds the first affordance that a row offers.

    Args:
      layout: tables.
      row: int32 `[...]`.

    Returns:
      int32 `[...]`, NONE = none.
    """
    return pick(layout.objects.offers[:, 0], row, NONE)
