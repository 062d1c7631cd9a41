"""Phases of a tick that nobody acts in: calendar, perturbations, needs, work, ties, exits."""

import jax
import jax.numpy as jnp

from townlet_jax.masked import pick
from townlet_jax.rules import affordances as affordance_rule
from townlet_jax.rules import (
    economy,
    employment,
    employment_exits,
    lifecycle,
    needs,
    perturbations,
    queues,
    relationships,
    tie_deltas,
    utilities,
)
from townlet_jax.state import TownState
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.events import EmploymentEvents, FailReason, RelationshipEvents
from townlet_jax.town import manual_events
from townlet_jax.town.admin import Orders
from townlet_jax.town.happened import (
    Acted,
    Left,
    Money,
    Perturbed,
    Queued,
    Used,
)
from townlet_jax.town.population import Renewal
from townlet_jax.town.tick import Tick
from townlet_jax.town.using import cut_off
from townlet_jax.town.view import prices


def turn_day(state: TownState, tick: Tick) -> tuple[TownState, Money]:
    """P1: day rollover, rent, restock.

    Args:
      state: a town.
      tick: constants of the tick.
    """
    params, layout, now = tick.params, tick.layout, tick.now
    is_midnight = (now.tick_of_day == 0) & (now.tick > 0)
    waited = jnp.where(is_midnight, 0, state.queues.waited_today_ticks)
    exits = lifecycle.roll_day(state.lifecycle, now)
    kind = perturbations.active_kinds(state.perturbations, layout.perturbations)
    stocked, restocked = economy.restock(state.economy, now, params.economy, layout.stock)
    accounts, wallet, is_paid, is_missed, is_evicted = economy.rent(
        stocked,
        state.agents.wallet,
        state.agents.is_alive,
        pick(prices(state, kind), layout.prices.rent, 0.0),
        exits.is_mortality_on,
        now,
        params.economy,
    )
    state = state.replace(
        agents=state.agents.replace(wallet=wallet),
        queues=state.queues.replace(waited_today_ticks=waited),
        economy=accounts,
        employment=employment.roll_day(state.employment, now),
        lifecycle=lifecycle.flag(exits, is_evicted, ExitReason.EVICTION, now),
    )
    return state, Money(is_paid, is_missed, restocked)


def perturb(state: TownState, tick: Tick) -> tuple[TownState, Perturbed]:
    """P4: perturbations end and start; users of a dead utility stop.

    Args:
      state: a town.
      tick: constants of the tick.
    """
    layout = tick.layout
    updated, events = perturbations.update(
        state.perturbations,
        manual_events.chances(tick),
        state.agents.is_alive,
        state.relationships.rivalry,
        tick.now,
        tick.params.time.ticks_per_day,
        tick.params.perturbations,
        layout.perturbations,
    )
    state = state.replace(perturbations=updated)
    kind = perturbations.active_kinds(updated, layout.perturbations)
    is_on = utilities.is_on(kind)
    state, failure = cut_off(state, is_on, tick)
    return state, Perturbed(events, prices(state, kind), is_on, failure)


def wear(state: TownState, tick: Tick) -> TownState:
    """P8: needs decay."""
    return state.replace(
        needs=needs.decay(
            state.needs, state.agents.is_alive, state.agents.profile, tick.params.needs
        )
    )


def employ(
    state: TownState, is_working: jax.Array, tick: Tick
) -> tuple[TownState, EmploymentEvents]:
    """P9: presence, status, pay and cover of every shift.

    Args:
      state: a town.
      is_working: bool `[A]`, progressed work at the own site.
      tick: constants of the tick.
    """
    employed, wallet, events = employment.work(
        state.employment,
        state.agents,
        is_working,
        tick.now,
        tick.params.employment,
        tick.layout.jobs,
    )
    agents = state.agents.replace(wallet=wallet)
    return state.replace(employment=employed, agents=agents), events


def bond(
    state: TownState,
    acted: Acted,
    queued: Queued,
    used: Used,
    employed: EmploymentEvents,
    renewal: Renewal,
    tick: Tick,
) -> tuple[TownState, RelationshipEvents]:
    """P10: the sum of the tick's deltas moves ties, then they fade.

    Args:
      state: a town.
      acted, queued, used, employed, renewal: what happened.
      tick: constants of the tick.
    """
    params = tick.params.relationships
    delta = tie_deltas.deltas(
        acted.chat,
        used.handovers,
        queued.conflicts,
        used.shared_meal,
        employed.helped,
        employed.took,
        state.agents.is_alive,
        state.agents.traits,
        params,
    )
    ties, events = relationships.step(
        state.relationships,
        delta,
        acted.chat.listener,
        renewal.removed,
        state.agents.traits,
        tick.now,
        tick.params.time.ticks_per_day,
        params,
        tick.shape.max_edges,
    )
    return state.replace(relationships=ties), events


def leave(
    state: TownState, employed: EmploymentEvents, orders: Orders, tick: Tick
) -> tuple[TownState, Left]:
    """P11: collapses, the review of absences, and the gate through which residents leave.

    Args:
      state: a town.
      employed: employment events so far.
      orders: for exits ordered by admin rows.
      tick: constants of the tick.
    """
    params, now = tick.params, tick.now
    exits, felt, collapsed = lifecycle.collapse(
        state.lifecycle, state.needs, state.agents.is_alive, now, params.lifecycle
    )
    failure = affordance_rule.failures(state.use, collapsed, FailReason.COLLAPSED)
    reviewed, is_flagged, is_pending, overflow = employment_exits.review(
        state.employment, state.agents, exits.exit_reason, now, params.employment
    )
    exits = lifecycle.flag(exits, is_flagged, ExitReason.EMPLOYMENT_EXIT, now)
    exits, agents, exited = lifecycle.gate(
        exits,
        state.agents,
        perturbations.is_city_event(state.perturbations, tick.layout.perturbations, now),
        tick.draws.bits_arrival_delay,
        now,
        params.lifecycle,
    )
    state = state.replace(
        agents=agents,
        needs=felt,
        use=affordance_rule.stop(state.use, collapsed),
        queues=queues.leave(state.queues, collapsed),
        employment=reviewed,
        lifecycle=exits,
    )
    is_processed = (exited == ExitReason.EMPLOYMENT_EXIT) | (exited == ExitReason.MANUAL_APPROVE)
    employed = employed.replace(
        exit_pending=is_pending, exit_processed=is_processed, exit_overflow=overflow
    )
    return state, Left(employed, collapsed, exited, failure)
