"""Quarrels of the day, and who keeps away from whom at the end of a tick."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import Utility
from townlet_jax.masked import computed_once, pick
from townlet_jax.rules import affordances, conflict, queues, relationships
from townlet_jax.state import TownState
from townlet_jax.state.events import ConflictEvents
from townlet_jax.town.admin import Orders
from townlet_jax.town.happened import Perturbed, Queued
from townlet_jax.town.population import Renewal
from townlet_jax.town.tick import Tick
from townlet_jax.town.view import can_act


def avoid(
    state: TownState,
    renewal: Renewal,
    orders: Orders,
    perturbed: Perturbed,
    queued: Queued,
    tick: Tick,
) -> tuple[TownState, ConflictEvents]:
    """P12: notes who quarrelled, and who keeps away from a queue because of a rival in it.

    Args:
      state: the town at the end of the tick.
      renewal, orders: for arrivals.
      perturbed: for the utilities in force.
      queued: for the conflicts of the tick.
      tick: constants of the tick.
    """
    agents, ties = state.agents, state.relationships
    is_new = ~agents.is_alive | renewal.spawned | orders.spawned
    past = conflict.forget(state.conflicts, is_new, tick.now)
    row = computed_once(jnp.maximum(queues.held_row(state.queues), state.queues.waiting_for))
    place = conflict.places(row, tick.layout.objects)
    limit = relationships.avoid_level(agents.profile, tick.params.relationships)
    conflicts, events = conflict.avoid(
        conflict.quarrel(past, queued.conflicts),
        can_act(state) & ~affordances.is_running(state.use),
        state.needs.level,
        place,
        _against(state, row, place, perturbed.is_on, tick),
        computed_once(jnp.where(ties.is_tie, ties.rivalry, -jnp.inf).T),
        limit,
        tick.now,
        tick.params.avoidance,
    )
    return state.replace(conflicts=conflicts), events


def _against(
    state: TownState, row: jax.Array, place: conflict.Places, is_on: jax.Array, tick: Tick
) -> jax.Array:
    """Tells what the row of one resident has against requests of another.

    Args:
      state: a town.
      row: int32 `[A]`, row that each resident holds or waits for, NONE = none.
      place: what is known of these rows.
      is_on: bool `[2]`, power and water.
      tick: constants of the tick.

    Returns:
      int32 `[A, A]`, [whose row, who would ask], 0 where it would take them.
    """
    params, position = tick.params.queues, state.agents.position
    lacks = [place.requires[utility] & ~is_on[utility] for utility in Utility]
    is_dead = computed_once((lacks[Utility.POWER] | lacks[Utility.WATER]).astype(jnp.int32))
    apart_x = jnp.abs(place.x[:, None] - position[None, :, 0])
    apart_y = jnp.abs(place.y[:, None] - position[None, :, 1])
    must_be_near = params.require_range.astype(jnp.int32)
    is_far = (jnp.maximum(apart_x, apart_y) > params.range_tiles).astype(jnp.int32)
    cooling = computed_once(pick(state.queues.cooldown_until, row))  # [A, A]
    is_fair = state.queues.is_fairness_on.astype(jnp.int32)
    is_barred = (tick.now.tick < cooling).astype(jnp.int32) * is_fair
    return is_far * must_be_near | is_barred | is_dead[:, None]
