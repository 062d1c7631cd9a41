"""Who moves out and who moves in at the start of a tick, in every part of the state at once."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.masked import NEVER, NONE, pick, rounded
from townlet_jax.rules import (
    affordances,
    employment,
    employment_exits,
    lifecycle,
    perturbations,
    queues,
    relationships,
    slots,
)
from townlet_jax.state import TownState, empty_agents, empty_metrics, empty_needs
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.events import FailReason
from townlet_jax.town.tick import Tick
from townlet_jax.town.view import prices

KEPT_METRICS = ("counters", "totals", "today", "last_day", "last_day_index")
"""Fields of `Metrics` that a removal leaves as they are."""


class Renewal(struct.PyTreeNode):
    """Comings and goings of a tick.

    Attributes:
      failure: reason, affordance, object row, int32 `[A]` each, runs cut short by a removal.
      removed: int32 `[A]`, ties that residents lost because the other one left.
      spawned: bool `[A]`, newcomers.
      slot_forced: bool `[A]`, newcomers whose embedding slot gives cause for a warning.
    """

    failure: tuple[jax.Array, jax.Array, jax.Array]
    removed: jax.Array
    spawned: jax.Array
    slot_forced: jax.Array


def renew(state: TownState, tick: Tick) -> tuple[TownState, Renewal]:
    """P2: removes who has left, then places who is due.

    Args:
      state: a town.
      tick: constants of the tick.
    """
    state, failure, removed = remove(state, state.agents.is_leaving, tick)
    is_arriving = lifecycle.is_due(state.lifecycle, state.agents.is_alive, tick.now)
    cell = lifecycle.entry_cell(is_arriving, state.agents, tick.layout.map.entry)
    job = jnp.full_like(state.agents.job, NONE)
    state, is_forced = place(state, is_arriving, cell, job, tick)
    return state, Renewal(failure, removed, is_arriving, is_forced)


def remove(
    state: TownState, is_removed: jax.Array, tick: Tick
) -> tuple[TownState, tuple[jax.Array, jax.Array, jax.Array], jax.Array]:
    """Makes slots vacant. Keeps home, generation and the newcomer that is due, and counters as well
    until then.

    Args:
      state: a town.
      is_removed: bool `[A]`, living residents.
      tick: constants of the tick.

    Returns:
      state; failures: reason, affordance, object row, int32 `[A]` each; removed: int32 `[A]`, ties
      that residents who stay lost.
    """
    shape = tick.shape
    state, failure = stop(state, is_removed, FailReason.REMOVED)
    ties, removed = relationships.remove(state.relationships, is_removed)
    waited, cooling = state.queues.waited_today_ticks, state.queues.cooldown_until
    exits = state.lifecycle
    state = state.replace(
        agents=_reset(state.agents, empty_agents(shape), is_removed, ("generation", "home")),
        needs=_reset(state.needs, empty_needs(shape), is_removed),
        queues=state.queues.replace(
            waited_today_ticks=jnp.where(is_removed, 0, waited),
            cooldown_until=jnp.where(is_removed[None, :], 0, cooling),
        ),
        economy=state.economy.replace(
            unpaid_days=jnp.where(is_removed, 0, state.economy.unpaid_days)
        ),
        employment=employment_exits.clear(state.employment, is_removed),
        lifecycle=exits.replace(
            exit_reason=jnp.where(is_removed, ExitReason.NONE, exits.exit_reason),
            flagged_tick=jnp.where(is_removed, NEVER, exits.flagged_tick),
        ),
        slots=slots.release(state.slots, is_removed, tick.now),
        perturbations=perturbations.forget(state.perturbations, is_removed),
        relationships=ties,
        metrics=_reset(state.metrics, empty_metrics(shape), is_removed, KEPT_METRICS),
    )
    return state, failure, removed


def stop(
    state: TownState, mask: jax.Array, reason: FailReason
) -> tuple[TownState, tuple[jax.Array, jax.Array, jax.Array]]:
    """Ends runs without refund, and takes residents out of queues and off the rows they hold.

    Args:
      state: a town.
      mask: bool `[A]`.
      reason: what the failures say (static).

    Returns:
      state; failures: reason, affordance, object row, int32 `[A]` each.
    """
    failure = affordances.failures(state.use, mask, reason)
    return (
        state.replace(
            use=affordances.stop(state.use, mask), queues=queues.leave(state.queues, mask)
        ),
        failure,
    )


def place(
    state: TownState, is_arriving: jax.Array, cell: jax.Array, job: jax.Array, tick: Tick
) -> tuple[TownState, jax.Array]:
    """Fills vacant slots; newcomers inherit the home of their slot.

    Args:
      state: a town.
      is_arriving: bool `[A]`, vacant slots to fill.
      cell: int32 `[A, 2]` [tile], where they appear.
      job: int32 `[A]`, NONE = round-robin.
      tick: constants of the tick.

    Returns:
      state; bool `[A]`, newcomers whose embedding slot gives cause for a warning.
    """
    params, layout, draws = tick.params, tick.layout, tick.draws
    exits, number = lifecycle.order_of_arrival(state.lifecycle, is_arriving)
    traits, profile = lifecycle.personality(
        number, layout.residents.halton, draws.personality_shift, params.lifecycle
    )
    kind = perturbations.active_kinds(state.perturbations, layout.perturbations)
    rent = pick(prices(state, kind), layout.prices.rent)
    job = jnp.where(job == NONE, lifecycle.job_of(number, layout.jobs.num_jobs), job)
    numbered, is_forced = slots.allocate(state.slots, is_arriving, tick.now, params.slots)
    agents = state.agents
    level = lifecycle.needs_at_arrival(draws.u_arrival_needs, params.lifecycle)
    wallet = rounded(params.lifecycle.arrival_wallet_rents * rent)
    state = state.replace(
        agents=agents.replace(
            is_alive=agents.is_alive | is_arriving,
            generation=agents.generation + is_arriving.astype(jnp.int32),
            spawned_tick=jnp.where(is_arriving, tick.now.tick, agents.spawned_tick),
            job=jnp.where(is_arriving, job, agents.job),
            position=jnp.where(is_arriving[:, None], cell, agents.position),
            traits=jnp.where(is_arriving[:, None], traits, agents.traits),
            profile=jnp.where(is_arriving, profile, agents.profile),
            wallet=jnp.where(is_arriving, wallet, agents.wallet),
        ),
        needs=state.needs.replace(level=jnp.where(is_arriving[:, None], level, state.needs.level)),
        employment=employment.hire(state.employment, is_arriving, job, tick.now, params.employment),
        lifecycle=exits,
        slots=numbered,
        metrics=state.metrics.replace(
            counters=jnp.where(is_arriving[:, None], 0, state.metrics.counters)
        ),
    )
    return state, is_forced & slots.is_scarce(numbered, params.slots)


def _reset(sub_state: Any, fresh: Any, mask: jax.Array, kept: tuple[str, ...] = ()) -> Any:
    """Gives slots `mask` `[A]` the values of a fresh sub-state, except in the fields kept."""
    changes = {}
    for field in dataclasses.fields(sub_state):
        if field.name not in kept:
            old = getattr(sub_state, field.name)
            chosen = mask.reshape(mask.shape + (1,) * (old.ndim - 1))
            changes[field.name] = jnp.where(chosen, getattr(fresh, field.name), old)
    return sub_state.replace(**changes)
