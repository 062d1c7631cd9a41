"""Counters, streaks and days (world §17, social §11)."""

import numpy as np

from tests.oracle.twin import NONE, f32
from townlet_jax.config.layout import Flag, Role
from townlet_jax.state import Counter, Day, OwnDay, Total
from townlet_jax.state.events import FailReason


def _count_finish(town, a: int, row) -> None:
    events, layout = town.events.affordances, town.layout
    f, o = int(events.finished[a]), int(events.finished_obj[a])
    if f == NONE:
        return
    meals = layout.stock.meals
    row[Counter.MEALS] += bool(layout.affordances.flags[f, Flag.MEAL])
    row[Counter.COOKED] += meals != NONE and layout.affordances.stock_finish[f, meals] > 0
    row[Counter.SHOWERS] += bool(layout.objects.is_role[Role.SHOWER, o])
    row[Counter.SLEEPS] += bool(layout.objects.is_role[Role.BED, o])


def _count_resident(town, a: int) -> None:
    m, events = town.state.metrics, town.events
    row = m.counters[a]
    _count_finish(town, a, row)
    row[Counter.WAGE_TICKS] += events.employment.wage_paid[a] > 0
    for s in range(town.num_agents):
        is_party = s == a or events.chat.listener[s] == a
        row[Counter.GOOD_CHATS] += bool(is_party and events.chat.is_success[s])
    for o in range(town.num_objects):
        row[Counter.CONFLICTS] += bool(
            events.conflicts.is_set[o] and events.conflicts.actor[o] == a
        )
    if not events.lifecycle.spawned[a]:
        for reason in events.affordances.failed[:, a]:
            row[Counter.FAILURES] += reason not in (NONE, FailReason.ABANDONED)


def _count_totals(town, totals) -> None:
    events = town.events
    for reason in events.lifecycle.exited:
        if reason != 0:
            totals[Total.EXIT_FAINT + reason - 1] += 1
    totals[Total.ARRIVALS] += events.lifecycle.spawned.sum()
    for o in range(town.num_objects):
        if events.conflicts.is_set[o]:
            totals[Total.CONFLICTS] += 1
            totals[Total.INTENSITY_QUARTERS] += int(
                np.rint(events.conflicts.intensity[o] * np.float32(4))
            )
    totals[Total.SHARED_MEALS] += events.affordances.shared_meal.sum() // 2
    totals[Total.HELPED] += events.employment.helped.any(axis=1).sum()
    totals[Total.TOOK] += events.employment.took.any(axis=1).sum()
    totals[Total.GHOST_MOVES] += events.ghost_stepped.sum()
    for s in range(town.num_agents):
        if events.chat.listener[s] == NONE:
            continue
        if events.chat.is_success[s]:
            totals[Total.CHAT_SUCCESS] += 1
            quality = events.chat.quality[s] * np.float32(1024)
            totals[Total.CHAT_QUALITY_1024THS] += int(np.rint(quality))
        else:
            totals[Total.CHAT_FAILURE] += 1


def count(town) -> None:
    """Counts what happened in this tick."""
    m, agents, e = town.state.metrics, town.state.agents, town.events.employment
    for a in range(town.num_agents):
        if not agents.is_alive[a]:
            m.above_floor_ticks[a] = 0
            continue
        is_well = all(town.state.needs.level[a] > town.params.kpi.need_floor)
        m.above_floor_ticks[a] = m.above_floor_ticks[a] + 1 if is_well else 0
        if e.absent[a]:
            m.service_ticks[a] = 0
        if agents.job[a] != NONE:
            m.employed_ticks[a] += 1
            m.service_ticks[a] += 1
        m.num_shifts[a] += e.shift_closed[a]
        m.num_late_shifts[a] += e.shift_closed_late[a]
        _count_resident(town, a)
    _count_totals(town, m.totals)


def _count_decisions(town, action, is_deciding: list[bool], today) -> None:
    """Compares decisions with the former ones of the same lives."""
    last = town.state.metrics.last_decision
    is_option = town.shape.action_level == "option"
    if is_option and town.tick % town.params.behavior.decide_every != 0:
        return
    for a in range(town.num_agents):
        if not is_deciding[a]:
            continue
        old, new = int(last[a]), int(action[a])
        today[Day.DECISIONS] += old != NONE
        today[Day.SWITCHES] += NONE != old != new and old != 0 and new != 0
        last[a] = new


def _stand(town, today) -> None:
    """Notes how things stand at the end of the tick."""
    m, ties, c = town.state.metrics, town.state.relationships, town.state.conflicts
    e, floor = town.state.employment, town.params.kpi.tie_threshold
    today[Day.SUFFICIENT_SLOTS :] = 0
    today[Day.TIE_TICKS] = ties.tie_ticks_today
    for a in range(town.num_agents):
        today[Day.SUFFICIENT_SLOTS] += m.above_floor_ticks[a] >= town.params.time.ticks_per_day
        today[Day.SERVICE_TICKS] += m.service_ticks[a]
        today[Day.COVERED_SLOTS] += any(
            ties.is_tie[a, b] and (abs(ties.trust[a, b]) > floor or abs(ties.rivalry[a, b]) > floor)
            for b in range(town.num_agents)
        )
        if town.state.agents.job[a] != NONE and e.num_attendance[a] > 0:
            present, scheduled = (int(x) for x in e.attendance[a].sum(axis=0))
            ratio = f32(f32(present) / f32(max(1, scheduled)))
            today[Day.ATTENDED_SLOTS] += 1
            today[Day.ATTENDANCE_65536THS] += int(np.rint(ratio * f32(65536)))
        for b in range(a):
            today[Day.CONFLICT_PAIRS] += c.conflict_today[a, b]
            today[Day.REPEAT_PAIRS] += c.conflict_today[a, b] and c.avoided_today[a, b] >= 2


def _count_own(town, a: int, row) -> None:
    """Adds what a resident went through in this tick."""
    events = town.events
    row[OwnDay.TICKS] += 1
    for level in town.state.needs.level[a]:
        row[OwnDay.DEFICIT_1024THS] += int(np.rint(f32(f32(1) - level) * f32(1024)))
    row[OwnDay.VIOLATIONS] += int(events.employment.late_start[a] != NONE)
    row[OwnDay.VIOLATIONS] += int(events.employment.absent[a])
    row[OwnDay.VIOLATIONS] += int((events.conflicts.actor == a).any())


def count_day(town, action, is_deciding: list[bool]) -> None:
    """Counts the day, and closes it in its last tick.

    Args:
      town: the town at the end of the tick.
      action: int32 `[A]`.
      is_deciding: who could act when the tick began and plays no schedule.
    """
    m, events, today = town.state.metrics, town.events, town.state.metrics.today
    if town.tick_of_day == 0:
        today[:], m.own_day[:] = 0, 0
    _count_totals(town, today)
    today[Day.SHIFTS] += events.employment.shift_closed.sum()
    today[Day.LATE_SHIFTS] += events.employment.shift_closed_late.sum()
    today[Day.COLLAPSES] += events.lifecycle.collapsed.sum()
    today[Day.AVOIDANCES] += events.conflict.avoided.sum()
    _count_decisions(town, action, is_deciding, today)
    _stand(town, today)
    for a in range(town.num_agents):
        if town.state.agents.is_alive[a]:
            _count_own(town, a, m.own_day[a])
    if town.tick_of_day == town.params.time.ticks_per_day - 1:
        m.last_day[:], m.last_day_index = today, town.day
