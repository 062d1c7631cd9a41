"""Counts of the running day, closed with its last tick."""

import jax
import jax.numpy as jnp
from jax import lax

from townlet_jax.masked import NONE
from townlet_jax.rules.employment import attendance_ratio
from townlet_jax.state import TownState
from townlet_jax.state.events import TickEvents
from townlet_jax.state.metrics import Day, Metrics, OwnDay
from townlet_jax.town.intents import follows_schedule
from townlet_jax.town.tick import Tick
from townlet_jax.town.view import can_act

NUM_SUMS = Day.SUFFICIENT_SLOTS
"""Entries of `Day` that are sums over the day; the others are as they stand."""
REST = 0
"""Code of resting, or of waiting at the primitive level."""


def count_day(
    before: TownState,
    state: TownState,
    totals: jax.Array,
    is_evicted: jax.Array,
    events: TickEvents,
    tick: Tick,
) -> Metrics:
    """Carries the counts of the day on by one tick.

    Args:
      before: the town before the tick.
      state: the town at its end, streaks and totals counted.
      totals: int32 `[15]`, by `Total`, of this tick.
      is_evicted: bool `[A]`, had a conflict as the evicted.
      events: what happened in the tick.
      tick: constants of the tick.
    """
    metrics, now = state.metrics, tick.now
    decision, has_compared, has_switched = _decide(before, state, tick)
    sums = {
        Day.SHIFTS: events.employment.shift_closed,
        Day.LATE_SHIFTS: events.employment.shift_closed_late,
        Day.COLLAPSES: events.lifecycle.collapsed,
        Day.AVOIDANCES: events.conflict.avoided,
        Day.DECISIONS: has_compared,
        Day.SWITCHES: has_switched,
    }
    counted = [jnp.sum(sums[day], dtype=jnp.int32) for day in Day if day in sums]
    standing = _standing(state, tick)
    is_first = now.tick_of_day == 0
    past = jnp.where(is_first, 0, metrics.today[:NUM_SUMS])
    happened = past + jnp.concatenate([totals, jnp.stack(counted)])
    today = jnp.concatenate(
        [happened, jnp.stack([standing[day] for day in Day if day >= NUM_SUMS])]
    )
    is_last = now.tick_of_day == tick.params.time.ticks_per_day - 1
    own = jnp.where(is_first, 0, metrics.own_day) + _own_day(state, is_evicted, events)
    return metrics.replace(
        last_decision=decision,
        today=today,
        last_day=jnp.where(is_last, today, metrics.last_day),
        last_day_index=jnp.where(is_last, now.day, metrics.last_day_index),
        own_day=own,
    )


def _decide(
    before: TownState, state: TownState, tick: Tick
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Compares the decisions of this tick with the former ones of the same residents.

    Returns:
      int32 `[A]`, last decision of each life; bool `[A]`, who had one to compare with; bool `[A]`,
      who changed from one action to another, neither of them rest.
    """
    is_option = tick.shape.action_level == "option"
    window = tick.params.behavior.decide_every if is_option else 1
    is_deciding = can_act(before) & ~follows_schedule(before, tick.layout)
    is_deciding &= lax.rem(tick.now.tick, window) == 0
    past, action = state.metrics.last_decision, state.agents.last_action
    has_compared = is_deciding & (past != NONE)
    has_switched = has_compared & (action != past) & (action != REST) & (past != REST)
    return jnp.where(is_deciding, action, past), has_compared, has_switched


def _standing(state: TownState, tick: Tick) -> dict[Day, jax.Array]:
    """How things stand at the end of a tick, int32 each."""
    metrics, ties, conflicts = state.metrics, state.relationships, state.conflicts
    is_strong = jnp.maximum(jnp.abs(ties.trust), jnp.abs(ties.rivalry))
    is_strong = ties.is_tie & (is_strong > tick.params.kpi.tie_threshold)
    has_worked = (state.agents.job != NONE) & (state.employment.num_attendance > 0)
    attendance = jnp.round(65536 * attendance_ratio(state.employment)).astype(jnp.int32)
    is_repeated = conflicts.conflict_today & (conflicts.avoided_today >= 2)

    def number(mask: jax.Array) -> jax.Array:
        return jnp.sum(mask, dtype=jnp.int32)

    def pairs(mask: jax.Array) -> jax.Array:
        return lax.div(number(mask), 2)

    return {
        Day.SUFFICIENT_SLOTS: number(metrics.above_floor_ticks >= tick.params.time.ticks_per_day),
        Day.SERVICE_TICKS: number(metrics.service_ticks),
        Day.COVERED_SLOTS: number(jnp.any(is_strong, axis=1)),
        Day.ATTENDED_SLOTS: number(has_worked),
        Day.ATTENDANCE_65536THS: number(jnp.where(has_worked, attendance, 0)),
        Day.CONFLICT_PAIRS: pairs(conflicts.conflict_today),
        Day.REPEAT_PAIRS: pairs(is_repeated),
        Day.TIE_TICKS: ties.tie_ticks_today,
    }


def _own_day(state: TownState, is_evicted: jax.Array, events: TickEvents) -> jax.Array:
    """What residents went through in this tick, int32 `[A, 3]` by `OwnDay`."""
    shifts, is_alive = events.employment, state.agents.is_alive
    deficit = jnp.round(1024 * (1 - state.needs.level)).astype(jnp.int32)
    violations = [shifts.late_start != NONE, shifts.absent, is_evicted]
    counts = {
        OwnDay.TICKS: is_alive.astype(jnp.int32),
        OwnDay.DEFICIT_1024THS: jnp.where(is_alive, jnp.sum(deficit, axis=1, dtype=jnp.int32), 0),
        OwnDay.VIOLATIONS: sum(mask.astype(jnp.int32) for mask in violations),
    }
    return jnp.stack([counts[column] for column in OwnDay], axis=1)
