"""Quarrels and avoidances of the day (social §7)."""

from tests.oracle import affordances, queues
from tests.oracle.chat import avoid_threshold
from tests.oracle.masks import is_controlled
from tests.oracle.twin import LONG_AGO, NONE, f32
from tests.oracle.utilities import is_working


def roll_day(town) -> None:
    """Forgets the pairs of the day before."""
    if town.tick_of_day == 0:
        town.state.conflicts.conflict_today[:] = False
        town.state.conflicts.avoided_today[:] = 0


def forget(town, a: int) -> None:
    """Clears what concerns a resident that has left."""
    c = town.state.conflicts
    c.last_avoid_tick[a] = LONG_AGO
    c.conflict_today[a, :] = c.conflict_today[:, a] = False
    c.avoided_today[a, :] = c.avoided_today[:, a] = 0


def _place(town, a: int) -> int:
    """Returns the row a resident holds or waits for, or NONE."""
    held = queues.held_row(town, a)
    return held if held != NONE else int(town.state.queues.waiting_for[a])


def _is_relevant(town, a: int, o: int) -> bool:
    """Tells whether a resident could turn to a row for its lowest need."""
    level = list(town.state.needs.level[a])
    need = level.index(min(level))
    return (
        bool(town.layout.objects.serves[need, o])
        and queues.is_row(town, o)
        and queues.in_request_range(town, a, o)
        and is_working(town, o)
        and not queues.is_cooling(town, a, o)
    )


def _is_in_queue(town, a: int, o: int) -> bool:
    """Tells whether a resident holds or awaits a row of the same venue and type."""
    objects, place = town.layout.objects, _place(town, a)
    return place != NONE and (
        (objects.venue[place], objects.type[place]) == (objects.venue[o], objects.type[o])
    )


def _rival(town, a: int) -> int:
    """Finds the least bearable resident in a relevant queue, or NONE."""
    ties, found = town.state.relationships, NONE
    for o in range(town.num_objects):
        if not _is_relevant(town, a, o) or _is_in_queue(town, a, o):
            continue
        for b in range(town.num_agents):
            is_there = b != a and _place(town, b) == o
            if not (
                is_there and ties.is_tie[a, b] and ties.rivalry[a, b] >= avoid_threshold(town, a)
            ):
                continue
            worst = None if found == NONE else ties.rivalry[a, found]
            if worst is None or (ties.rivalry[a, b], -b) > (worst, -found):
                found = b
    return found


def avoid(town) -> None:
    """Notes the quarrels of the tick and lets residents keep away from queues."""
    c, p, events = town.state.conflicts, town.params.avoidance, town.events
    for o in range(town.num_objects):
        if events.conflicts.is_set[o]:
            a, b = int(events.conflicts.actor[o]), int(events.conflicts.rival[o])
            c.conflict_today[a, b] = c.conflict_today[b, a] = True
    for a in range(town.num_agents):
        if not is_controlled(town, a) or affordances.is_running(town, a):
            continue
        if any(f32(f32(1) - x) > p.override_deficit for x in town.state.needs.level[a]):
            continue
        rival = _rival(town, a)
        if rival == NONE or town.tick - int(c.last_avoid_tick[a]) < p.cooldown_ticks:
            continue
        c.last_avoid_tick[a] = town.tick
        c.avoided_today[a, rival] += 1
        c.avoided_today[rival, a] += 1
        events.conflict.avoided[a], events.conflict.rival[a] = True, rival
