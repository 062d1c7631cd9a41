"""Counters of a tick, and the charter figures read from them."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import Flag, Role
from townlet_jax.config.params import RelationshipParams, TownParams
from townlet_jax.masked import NONE, down, one_hot, pick
from townlet_jax.state import TownState
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.events import FailReason, QueueRecords, TickEvents
from townlet_jax.state.metrics import Counter, Day, Metrics, Total
from townlet_jax.state.relationships import Relationships
from townlet_jax.town.days import count_day
from townlet_jax.town.tick import Tick


class Kpi(struct.PyTreeNode):
    """Charter figures of a town.

    Attributes:
      self_sufficiency: float32 in [0, 1], share of all slots with every need above the floor for a
        whole day.
      tenure_days: float32 [day], mean over all slots since hiring or the last absent shift.
      lateness_rate: float32 in [0, 1], closed shifts with a late start, over the lives so far.
      relationship_coverage: float32 in [0, 1], share of all slots with a strong tie to anybody.
    """

    self_sufficiency: jax.Array
    tenure_days: jax.Array
    lateness_rate: jax.Array
    relationship_coverage: jax.Array


class DayKpi(struct.PyTreeNode):
    """Figures of a town's last full day.

    Attributes:
      self_sufficiency, tenure_days, relationship_coverage: float32, as in `Kpi`, at the day's end.
      lateness_rate: float32 in [0, 1], late shifts / shifts closed on the day.
      starvation_events: float32, collapses.
      conflicts_per_day, conflict_intensity: float32, queue conflicts, and their intensities summed.
      repeat_avoidance_share: float32 in [0, 1], of the pairs that had a conflict, those with at
        least two avoidances.
      option_switch_rate: float32 in [0, 1], changes between two actions, neither of them rest /
        decisions.
      chat_success_rate, chat_quality_mean: float32 in [0, 1]; quality of the successful ones.
      attendance: float32 in [0, 1], mean over residents with a job and a closed shift.
      exits_per_day: float32. churn_rate: float32 [1/day], ties lost / ties.
      avoidance_events: float32. tie_count_mean: float32 [ties per slot].
      chats_per_resident: float32 per slot.
      has_data: bool `[17]`, in the order above, false where a figure is a share of no cases, and
        everywhere before the first full day; such figures are 0.
    """

    self_sufficiency: jax.Array
    tenure_days: jax.Array
    lateness_rate: jax.Array
    relationship_coverage: jax.Array
    starvation_events: jax.Array
    conflicts_per_day: jax.Array
    conflict_intensity: jax.Array
    repeat_avoidance_share: jax.Array
    option_switch_rate: jax.Array
    chat_success_rate: jax.Array
    chat_quality_mean: jax.Array
    attendance: jax.Array
    exits_per_day: jax.Array
    churn_rate: jax.Array
    avoidance_events: jax.Array
    tie_count_mean: jax.Array
    chats_per_resident: jax.Array
    has_data: jax.Array


def kpi(state: TownState, params: TownParams) -> Kpi:
    """Reads the charter figures; vacant slots count as not fulfilling.

    Args:
      state: a town.
      params: its numbers.
    """
    metrics, ties = state.metrics, state.relationships
    day = params.time.ticks_per_day
    num_slots = jnp.float32(metrics.service_ticks.shape[0])
    is_strong = jnp.maximum(jnp.abs(ties.trust), jnp.abs(ties.rivalry)) > params.kpi.tie_threshold

    def share(mask: jax.Array) -> jax.Array:
        return jnp.sum(mask, dtype=jnp.int32).astype(jnp.float32) / num_slots

    tenure = jnp.sum(metrics.service_ticks, dtype=jnp.int32).astype(jnp.float32)
    num_late = jnp.sum(metrics.num_late_shifts, dtype=jnp.int32).astype(jnp.float32)
    num_shifts = jnp.maximum(jnp.sum(metrics.num_shifts, dtype=jnp.int32), 1).astype(jnp.float32)
    return Kpi(
        self_sufficiency=share(metrics.above_floor_ticks >= day),
        tenure_days=tenure / (num_slots * day.astype(jnp.float32)),
        lateness_rate=num_late / num_shifts,
        relationship_coverage=share(jnp.any(is_strong & ties.is_tie, axis=1)),
    )


def day_kpi(metrics: Metrics, relationships: Relationships, params: TownParams) -> DayKpi:
    """Reads the figures of the last full day, at any time.

    Args:
      metrics: counters.
      relationships: ties, for their churn.
      params: the town's numbers.
    """
    num_slots = jnp.int32(metrics.service_ticks.shape[0])
    figures = _figures(metrics.last_day, num_slots, params.time.ticks_per_day)
    count, cases = (jnp.stack([pair[i] for pair in figures.values()]) for i in range(2))
    has_data = (cases > 0) & (metrics.last_day_index != NONE)
    # One division of what is stacked: by a number that all towns share it would be rounded twice.
    value = count.astype(jnp.float32) / jnp.maximum(cases, 1).astype(jnp.float32)
    value = jnp.where(has_data, value, 0.0)
    scale = {"conflict_intensity": 1 / 4, "chat_quality_mean": 1 / 1024, "attendance": 1 / 65536}
    values = {name: value[i] * scale.get(name, 1.0) for i, name in enumerate(figures)}
    values["churn_rate"] *= relationships.churn_rate
    return DayKpi(**values, has_data=has_data)


def _figures(
    day: jax.Array, num_slots: jax.Array, ticks_per_day: jax.Array
) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Lists the figures of a day: a count, and the number of cases that it is a share of."""
    one = jnp.int32(1)
    num_ties = day[Day.TIE_TICKS]
    num_chats = day[Day.CHAT_SUCCESS] + day[Day.CHAT_FAILURE]
    num_exits = jnp.sum(day[: Day.EXIT_APPROVED + 1], dtype=jnp.int32)
    return {
        "self_sufficiency": (day[Day.SUFFICIENT_SLOTS], num_slots),
        "tenure_days": (day[Day.SERVICE_TICKS], num_slots * ticks_per_day),
        "lateness_rate": (day[Day.LATE_SHIFTS], day[Day.SHIFTS]),
        "relationship_coverage": (day[Day.COVERED_SLOTS], num_slots),
        "starvation_events": (day[Day.COLLAPSES], one),
        "conflicts_per_day": (day[Day.CONFLICTS], one),
        "conflict_intensity": (day[Day.INTENSITY_QUARTERS], one),
        "repeat_avoidance_share": (day[Day.REPEAT_PAIRS], day[Day.CONFLICT_PAIRS]),
        "option_switch_rate": (day[Day.SWITCHES], day[Day.DECISIONS]),
        "chat_success_rate": (day[Day.CHAT_SUCCESS], num_chats),
        "chat_quality_mean": (day[Day.CHAT_QUALITY_1024THS], day[Day.CHAT_SUCCESS]),
        "attendance": (day[Day.ATTENDANCE_65536THS], day[Day.ATTENDED_SLOTS]),
        "exits_per_day": (num_exits, one),
        "churn_rate": (num_ties, num_ties),
        "avoidance_events": (day[Day.AVOIDANCES], one),
        "tie_count_mean": (num_ties, num_slots * ticks_per_day),
        "chats_per_resident": (2 * num_chats, num_slots),
    }


def churn_alert(
    metrics: Metrics, relationships: Relationships, params: RelationshipParams
) -> jax.Array:
    """Tells whether the last full day lost too many ties; the first days of a run do not count.

    Args:
      metrics: counters, for which day it was.
      relationships: ties.
      params: tie parameters.

    Returns:
      bool.
    """
    is_settled = metrics.last_day_index >= params.churn_warmup_days
    return is_settled & (relationships.churn_rate > params.churn_alert_rate)


def count(before: TownState, state: TownState, events: TickEvents, tick: Tick) -> TownState:
    """P12: carries the streaks and counters on by one tick.

    Args:
      before: the town before the tick.
      state: the town at its end.
      events: what happened in it.
      tick: constants of the tick.
    """
    metrics, shifts = state.metrics, events.employment
    is_alive = state.agents.is_alive
    is_well = is_alive & jnp.all(state.needs.level > tick.params.kpi.need_floor, axis=1)
    is_employed = is_alive & (state.agents.job != NONE)
    served = jnp.where(shifts.absent, 0, metrics.service_ticks)
    past = jnp.where(events.lifecycle.spawned[:, None], 0, metrics.counters)
    is_evicted = _is_actor(events.conflicts, is_alive.shape[0])
    totals = _totals(events)
    state = state.replace(
        metrics=metrics.replace(
            above_floor_ticks=jnp.where(is_well, metrics.above_floor_ticks + 1, 0),
            employed_ticks=metrics.employed_ticks + is_employed.astype(jnp.int32),
            service_ticks=served + is_employed.astype(jnp.int32),
            num_shifts=metrics.num_shifts + shifts.shift_closed.astype(jnp.int32),
            num_late_shifts=metrics.num_late_shifts + shifts.shift_closed_late.astype(jnp.int32),
            counters=past + _counters(state, is_evicted, events, tick),
            totals=metrics.totals + totals,
        )
    )
    return state.replace(metrics=count_day(before, state, totals, is_evicted, events, tick))


def _counters(state: TownState, is_evicted: jax.Array, events: TickEvents, tick: Tick) -> jax.Array:
    """What each resident did in this tick, int32 `[A, 8]` by `Counter`."""
    layout, used = tick.layout, events.affordances
    meals = pick(layout.affordances.stock_finish, used.finished)  # [A, S]
    is_meal = one_hot(layout.stock.meals, meals.shape[1])[None, :]
    speaks = one_hot(events.chat.listener, state.agents.job.shape[0])
    speaks &= events.chat.is_success[:, None]
    is_failed = (used.failed != NONE) & (used.failed != FailReason.ABANDONED)
    is_here = state.agents.is_alive & ~events.lifecycle.spawned

    def used_role(role: Role) -> jax.Array:
        return pick(layout.objects.is_role[role], used.finished_obj, False)

    counts = {
        Counter.MEALS: pick(layout.affordances.flags[:, Flag.MEAL], used.finished, False),
        Counter.COOKED: jnp.any(is_meal & (meals > 0), axis=1),
        Counter.SHOWERS: used_role(Role.SHOWER),
        Counter.SLEEPS: used_role(Role.BED),
        Counter.WAGE_TICKS: events.employment.wage_paid > 0,
        Counter.GOOD_CHATS: jnp.any(speaks | speaks.T, axis=1),
        Counter.CONFLICTS: is_evicted,
        Counter.FAILURES: jnp.where(is_here, jnp.sum(is_failed, axis=0, dtype=jnp.int32), 0),
    }
    return jnp.stack([counts[counter].astype(jnp.int32) for counter in Counter], axis=1)


def _is_actor(records: QueueRecords, num_agents: int) -> jax.Array:
    """Tells who was evicted; a resident holds one row at most, so once at most. bool `[A]`."""
    return down(jnp.any, one_hot(records.actor, num_agents))


def _totals(events: TickEvents) -> jax.Array:
    """What happened in the town in this tick, int32 `[15]` by `Total`."""
    exited, conflicts, chat = events.lifecycle.exited, events.conflicts, events.chat
    shifts = events.employment
    num_pairs = jnp.sum(events.affordances.shared_meal, dtype=jnp.int32)

    def number(mask: jax.Array) -> jax.Array:
        return jnp.sum(mask, dtype=jnp.int32)

    quarters = jnp.round(4 * conflicts.intensity).astype(jnp.int32)
    quality = jnp.where(chat.is_success, jnp.round(1024 * chat.quality), 0).astype(jnp.int32)
    has_spoken = chat.listener != NONE
    totals = {
        Total.EXIT_FAINT: number(exited == ExitReason.FAINT),
        Total.EXIT_EVICTION: number(exited == ExitReason.EVICTION),
        Total.EXIT_EMPLOYMENT: number(exited == ExitReason.EMPLOYMENT_EXIT),
        Total.EXIT_KILLED: number(exited == ExitReason.KILLED),
        Total.EXIT_APPROVED: number(exited == ExitReason.MANUAL_APPROVE),
        Total.ARRIVALS: number(events.lifecycle.spawned),
        Total.CONFLICTS: number(conflicts.is_set),
        Total.INTENSITY_QUARTERS: jnp.sum(quarters, dtype=jnp.int32),
        Total.SHARED_MEALS: num_pairs // 2,
        Total.HELPED: number(jnp.any(shifts.helped, axis=1)),
        Total.TOOK: number(jnp.any(shifts.took, axis=1)),
        Total.GHOST_MOVES: number(events.ghost_stepped),
        Total.CHAT_SUCCESS: number(has_spoken & chat.is_success),
        Total.CHAT_FAILURE: number(has_spoken & ~chat.is_success),
        Total.CHAT_QUALITY_1024THS: jnp.sum(quality, dtype=jnp.int32),
    }
    return jnp.stack([totals[total] for total in Total])
