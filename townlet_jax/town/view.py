"""What a state means to those who act in it; controllers, masks and policies share it."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import Flag, PerturbationKind, Role, TownLayout, Utility
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.grid import chebyshev
from townlet_jax.masked import NEVER, NONE, computed_once, pick, pick_bool
from townlet_jax.rules import affordances as affordance_rule
from townlet_jax.rules import (
    chat,
    economy,
    employment,
    movement,
    perturbations,
    queues,
    relationships,
    utilities,
)
from townlet_jax.state import TownState
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.clock import Now, now


class View(struct.PyTreeNode):
    """A state read once. Pairs are `[A, O]`.

    Attributes:
      now: the moment.
      can_act: bool `[A]`, alive, not leaving, not collapsed.
      is_running: bool `[A]`; is_blocking: bool `[A]`, runs something that bars chats.
      held: int32 `[A]`, row held, NONE = none.
      prices: float32 `[R]` [money], in force.
      is_on: bool `[2]`, power and water.
      works: bool `[O]`, rows whose utilities are on.
      span: int32 `[A, O]` [tile]; is_near, is_close: bool `[A, O]`, in request and in start range.
      is_cooling: bool `[A, O]`, requests still refused.
      load: int32 `[A, O]`, (held by another) + number of others waiting.
      distance: int32 `[A, O]` [tile], walking distance.
      stock: int32 `[S, V]` [units] of each venue.
      can_chat: bool `[A, A]`, eligible partners.
      is_on_shift: bool `[A]`, inside the own, still open shift window.
      meet: int32 `[A]`, row of an active meet, NONE = none.
      site: int32 `[A]`, row of the own work site, NONE = none.
    """

    now: Now
    can_act: jax.Array
    is_running: jax.Array
    is_blocking: jax.Array
    held: jax.Array
    prices: jax.Array
    is_on: jax.Array
    works: jax.Array
    span: jax.Array
    is_near: jax.Array
    is_close: jax.Array
    is_cooling: jax.Array
    load: jax.Array
    distance: jax.Array
    stock: jax.Array
    can_chat: jax.Array
    is_on_shift: jax.Array
    meet: jax.Array
    site: jax.Array


def can_act(state: TownState) -> jax.Array:
    """Tells who may act: alive, not leaving, not collapsed.

    Returns:
      bool `[A]`.
    """
    is_collapsed = state.lifecycle.exit_reason == ExitReason.FAINT
    return state.agents.is_alive & ~state.agents.is_leaving & ~is_collapsed


def prices(state: TownState, kind: jax.Array) -> jax.Array:
    """Reads the prices in force.

    Args:
      state: a town.
      kind: int32 `[K]`, kinds of the active perturbations, NONE elsewhere.

    Returns:
      float32 `[R]` [money].
    """
    return economy.prices(
        state.economy.price_base,
        kind == PerturbationKind.PRICE_SPIKE,
        state.perturbations.is_price_target,
        state.perturbations.magnitude,
    )


def costs(prices: jax.Array, affordance: jax.Array, layout: TownLayout) -> jax.Array:
    """Prices affordances.

    Args:
      prices: float32 `[R]` [money] in force.
      affordance: int32 `[...]`, NONE costs nothing.
      layout: tables.

    Returns:
      float32 `[...]` [money].
    """
    return pick(prices, pick(layout.affordances.price, affordance, NONE), 0.0)


def partners(
    state: TownState, is_free: jax.Array, moment: Now, params: TownParams, layout: TownLayout
) -> jax.Array:
    """Finds who could talk to whom.

    Args:
      state: a town.
      is_free: bool `[A]`, who can act.
      moment: the moment.
      params, layout: the town's numbers and tables.

    Returns:
      bool `[A, A]`, symmetric.
    """
    return chat.eligible(
        is_free,
        state.agents.position,
        affordance_rule.has_flag(state.use, Flag.BLOCKS_CHAT, layout.affordances),
        affordance_rule.has_flag(state.use, Flag.WORK, layout.affordances),
        affordance_rule.venue_of(state.use, layout.objects),
        state.relationships,
        relationships.avoid_level(state.agents.profile, params.relationships),
        moment,
        params.chat,
    )


def look(shape: TownShape, state: TownState, params: TownParams, layout: TownLayout) -> View:
    """Reads a state.

    Args:
      shape: static sizes.
      state: a town before its tick.
      params, layout: the town's numbers and tables.
    """
    moment = now(state.clock, params.time.ticks_per_day)
    objects = layout.objects
    kind = perturbations.active_kinds(state.perturbations, layout.perturbations)
    is_on = utilities.is_on(kind)
    lacks = objects.requires & ~is_on[None, :]
    span = queues.spans(state.agents.position, objects)
    is_far_fine = ~params.queues.require_range
    requests, starts = params.queues.range_tiles, params.queues.start_range_tiles
    is_held = state.queues.holder != NONE
    num_there = queues.num_waiting(state.queues) + is_held.astype(jnp.int32)
    slots = jnp.arange(shape.num_agents, dtype=jnp.int32)[:, None]
    rows = jnp.arange(shape.num_objects, dtype=jnp.int32)[None, :]
    is_there = state.queues.holder[None, :] == slots
    is_there |= state.queues.waiting_for[:, None] == rows  # [A, O]
    x, y = state.agents.position[:, 0], state.agents.position[:, 1]
    free = can_act(state)
    is_barred = moment.tick < state.queues.cooldown_until.T  # [A, O]
    return View(
        now=moment,
        can_act=free,
        is_running=affordance_rule.is_running(state.use),
        is_blocking=affordance_rule.has_flag(state.use, Flag.BLOCKS_CHAT, layout.affordances),
        held=computed_once(queues.held_row(state.queues)),
        prices=computed_once(prices(state, kind)),
        is_on=is_on,
        works=computed_once(~(lacks[:, Utility.POWER] | lacks[:, Utility.WATER])),
        span=span,
        is_near=objects.is_object[None, :] & (is_far_fine | (span <= requests)),
        is_close=objects.is_object[None, :] & (is_far_fine | (span <= starts)),
        is_cooling=state.queues.is_fairness_on & is_barred,
        load=computed_once(num_there)[None, :] - is_there.astype(jnp.int32),
        distance=layout.map.distance[y, x, : shape.num_objects].astype(jnp.int32),
        stock=state.economy.stock,
        can_chat=partners(state, free, moment, params, layout),
        is_on_shift=employment.in_window(
            state.employment, state.agents.job, moment, params.employment
        ),
        meet=perturbations.meet_target(state.perturbations, layout.perturbations),
        site=pick(layout.jobs.site, state.agents.job, NONE),
    )


def stock_at(stock: jax.Array, venue: jax.Array) -> jax.Array:
    """Reads the stock of venues.

    Args:
      stock: int32 `[S, V]` [units].
      venue: int32 `[n]`.

    Returns:
      int32 `[S, n]` [units], 0 where the venue is NONE.
    """
    units = stock.at[:, venue].get(mode="clip", wrap_negative_indices=False)
    return jnp.where((venue != NONE)[None, :], units, 0)


def span_to(state: TownState, row: jax.Array, layout: TownLayout) -> jax.Array:
    """Measures how far residents are from a row each, as `View.span`.

    Args:
      state: a town.
      row: int32 `[A]`.
      layout: tables.

    Returns:
      int32 `[A]` [tile], NEVER where the row is NONE.
    """
    span = chebyshev(state.agents.position, pick(layout.objects.interact, row, NONE))
    return jnp.where(row == NONE, NEVER, span)


def is_in_range(
    state: TownState, row: jax.Array, is_direct: jax.Array, params: TownParams, layout: TownLayout
) -> jax.Array:
    """Tells whether residents are in range of a row each, as `View.is_close` or `View.is_near`.

    Args:
      state: a town.
      row: int32 `[A]`, NONE is never in range.
      is_direct: bool `[A]`, asks for the start range rather than the request range.
      params, layout: the town's numbers and tables.

    Returns:
      bool `[A]`.
    """
    queues = params.queues
    tiles = jnp.where(is_direct, queues.start_range_tiles, queues.range_tiles)
    is_near = ~queues.require_range | (span_to(state, row, layout) <= tiles)
    return is_near & pick_bool(layout.objects.is_object, row)


def is_role(layout: TownLayout, role: Role, row: jax.Array) -> jax.Array:
    """Tells which rows belong to a role.

    Args:
      layout: tables.
      role: the role.
      row: int32 `[...]`, NONE belongs to none.

    Returns:
      bool `[...]`.
    """
    return pick_bool(layout.objects.is_role[role], row)


def ground(layout: TownLayout, cell: jax.Array) -> jax.Array:
    """Tells which cells can be walked on.

    Args:
      layout: tables.
      cell: int32 `[..., 2]` [tile].
    """
    return movement.is_walkable(layout.map.tiles, cell)
