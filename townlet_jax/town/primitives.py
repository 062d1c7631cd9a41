"""Primitive actions: one step, one word or one use of a nearby object per decision."""

import enum

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.shape import FIRST_USE_ACTION
from townlet_jax.grid import STEPS
from townlet_jax.masked import NONE, best, down, one_hot, pick
from townlet_jax.rules.preconditions import Facts, first_failure
from townlet_jax.state import TownState
from townlet_jax.town.intents import Intents, Kind, act, offered, waiting
from townlet_jax.town.view import View, costs, ground, stock_at


class Primitive(enum.IntEnum):
    """Codes of the primitive level; `USE` + k uses the k-th type."""

    WAIT = 0
    NORTH = 1
    EAST = 2
    SOUTH = 3
    WEST = 4
    CHAT = 5
    LEAVE = 6
    USE = FIRST_USE_ACTION


def startable(view: View, state: TownState, layout: TownLayout) -> jax.Array:
    """Tells which offers of which rows would start, were the row free.

    Args:
      view: the state read once.
      state: a town.
      layout: tables.

    Returns:
      bool `[A, O, M]`.
    """
    offers = layout.objects.offers  # [O, M]
    num_agents, shape = state.agents.wallet.shape[0], offers.shape
    pairs = (num_agents, *shape)

    def spread(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
        return jnp.broadcast_to(jnp.expand_dims(x, axes), pairs + x.shape[3 - len(axes) :])

    rows = jnp.arange(shape[0], dtype=jnp.int32)
    is_mine = view.site[:, None] == rows[None, :]
    queue = down(jnp.sum, one_hot(state.queues.waiting_for, shape[0]), dtype=jnp.int32)
    stock = stock_at(view.stock, layout.objects.venue)  # [S, O]
    facts = Facts(
        is_occupied=jnp.zeros(pairs, bool),
        stock=jnp.stack([spread(units, (0, 2)) for units in stock]),
        wallet=spread(state.agents.wallet, (1, 2)),
        level=spread(state.needs.level, (1, 2)),
        queue_length=spread(queue, (0, 2)),
        is_own_site=spread(is_mine, (2,)),
        is_in_shift_window=spread(view.is_on_shift, (1, 2)),
        requires=spread(layout.objects.requires, (0, 2)),
        is_on=view.is_on,
        tick_of_day=view.now.tick_of_day,
        day=view.now.day,
    )
    affordance = jnp.broadcast_to(offers, pairs)
    cost = costs(view.prices, affordance, layout)
    reason = first_failure(facts, affordance, affordance != NONE, cost, layout.affordances)
    return (reason == NONE) & (affordance != NONE)


def use_mask(view: View, state: TownState, layout: TownLayout) -> jax.Array:
    """Tells which 'use type k' actions are legal.

    Args:
      view: the state read once.
      state: a town.
      layout: tables.

    Returns:
      bool `[A, num_actions - 7]`.
    """
    can_start = jnp.any(startable(view, state, layout), axis=-1) & view.is_near & ~view.is_cooling
    legal = jnp.any(can_start[:, None, :] & layout.actions.rows[None, :, :], axis=-1)
    return legal & ~view.is_running[:, None]


def move_mask(view: View, state: TownState, layout: TownLayout) -> jax.Array:
    """Tells which moves lead to walkable ground.

    Args:
      view: the state read once.
      state: a town.
      layout: tables.

    Returns:
      bool `[A, 4]`.
    """
    cells = state.agents.position[:, None, :] + jnp.asarray(STEPS)[None, :, :]
    return ground(layout, cells) & ~view.is_running[:, None]


def control(
    view: View, state: TownState, action: jax.Array, mask: jax.Array, layout: TownLayout
) -> Intents:
    """Turns primitive codes into intents; an illegal code reads as a wait that failed.

    Args:
      view: the state read once.
      state: a town before its tick.
      action: int32 `[A]`.
      mask: bool `[A, num_actions]`, legal actions.
      layout: tables.
    """
    is_legal = jnp.any(one_hot(action, mask.shape[1]) & mask, axis=-1)
    is_move = (action >= Primitive.NORTH) & (action <= Primitive.WEST)
    intents = waiting(action.shape[0])
    intents = act(intents, is_legal & is_move, Kind.MOVE, action - Primitive.NORTH)
    intents = act(intents, is_legal & (action == Primitive.CHAT), Kind.CHAT)
    intents = act(intents, is_legal & (action == Primitive.LEAVE), Kind.RELEASE)
    if mask.shape[1] > Primitive.USE:
        row = _nearby_row(view, state, action, layout)
        affordance = _affordance(view, state, row, layout)
        uses = is_legal & (action >= Primitive.USE) & (row != NONE)
        intents = act(intents, uses, Kind.USE, row, affordance)
    return intents.replace(is_refused=~is_legal)


def _nearby_row(view: View, state: TownState, action: jax.Array, layout: TownLayout) -> jax.Array:
    """Chooses the row of the used type: held, else least load, then waited for, then near."""
    num_objects = view.span.shape[1]
    rows = pick(layout.actions.rows, action - Primitive.USE, False) & view.is_near  # [A, O]
    is_held = one_hot(view.held, num_objects) & rows
    is_awaited = one_hot(state.queues.waiting_for, num_objects)
    free = best(rows & ~view.is_cooling, view.load, 1 - is_awaited.astype(jnp.int32), view.span)
    fallback = best(rows)
    row = jnp.where(free != NONE, free, fallback)
    return jnp.where(jnp.any(is_held, axis=-1), view.held, row)


def _affordance(view: View, state: TownState, row: jax.Array, layout: TownLayout) -> jax.Array:
    """Chooses the first affordance of the row that would start, else its first one. int32 `[A]`."""
    can_start = startable(view, state, layout)
    agents = jnp.arange(row.shape[0])
    offers = pick(layout.objects.offers, row, NONE)  # [A, M]
    first = best(can_start[agents, jnp.maximum(row, 0)])
    chosen = jnp.max(jnp.where(one_hot(first, offers.shape[1]), offers, NONE), axis=-1)
    return jnp.where(chosen != NONE, chosen, offered(layout, row))
