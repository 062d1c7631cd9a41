"""Counters and streaks (world §17)."""

import numpy as np

from tests.oracle.twin import NONE
from townlet_jax.config.layout import Flag, Role
from townlet_jax.state import Counter, Total
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


def _count_totals(town) -> None:
    totals, events = town.state.metrics.totals, town.events
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
    _count_totals(town)
