"""Queues, fairness, ghost steps of rows (world §7)."""

from tests.oracle import affordances
from tests.oracle.intents import BLOCKED, REQUEST, REQUEST_BLOCKED, USE
from tests.oracle.movement import cheb
from tests.oracle.twin import NONE, clip32, f32, rounded32
from townlet_jax.state.events import FailReason, FailSource

LONGEST_WAIT = 100_000
COOLDOWN, GHOST_STEP, ROTATION = 0, 1, 2


def is_row(town, o: int) -> bool:
    """Tells whether an index names an object row."""
    return 0 <= o < town.num_objects and bool(town.layout.objects.is_object[o])


def in_range(town, a: int, o: int, tiles: int) -> bool:
    """Tells whether a resident is near enough to an object row."""
    if not town.params.queues.require_range:
        return True
    return cheb(town, a, town.layout.objects.interact[o]) <= tiles


def in_request_range(town, a: int, o: int) -> bool:
    """Tells whether a resident may ask for a row from where it stands."""
    return in_range(town, a, o, town.params.queues.range_tiles)


def in_start_range(town, a: int, o: int) -> bool:
    """Tells whether a resident may use a row from where it stands."""
    return in_range(town, a, o, town.params.queues.start_range_tiles)


def is_cooling(town, a: int, o: int) -> bool:
    """Tells whether a resident has to let others use a row first."""
    q = town.state.queues
    return q.is_fairness_on and town.tick < int(q.cooldown_until[o, a])


def held_row(town, a: int) -> int:
    """Returns the row a resident holds, or NONE."""
    rows = [o for o in range(town.num_objects) if town.state.queues.holder[o] == a]
    assert len(rows) <= 1, f"resident {a} holds rows {rows}"
    return rows[0] if rows else NONE


def num_others_waiting(town, a: int, o: int) -> int:
    """Counts who waits for a row, the resident itself left out."""
    waiting = town.state.queues.waiting_for
    return sum(waiting[b] == o for b in range(town.num_agents) if b != a)


def load(town, a: int, o: int) -> int:
    """Counts who is before a resident at a row: its holder and its waiters."""
    holder = int(town.state.queues.holder[o])
    return int(holder not in (NONE, a)) + num_others_waiting(town, a, o)


def waiters(town, o: int) -> list[int]:
    """Lists who waits for a row, next to be served first."""
    q, weight = town.state.queues, town.params.queues.age_weight

    def key(a: int) -> tuple[int, int]:
        waited = min(town.tick - int(q.joined_tick[a]), LONGEST_WAIT)
        return (-1024 * waited - weight * int(q.waited_today_ticks[a]), int(town.draws.priority[a]))

    return sorted((a for a in range(town.num_agents) if q.waiting_for[a] == o), key=key)


def leave(town, a: int) -> bool:
    """Gives up whatever a resident holds and waits for. Returns whether there was anything."""
    q, row = town.state.queues, held_row(town, a)
    had = row != NONE or q.waiting_for[a] != NONE
    if row != NONE:
        q.holder[row] = NONE
    q.waiting_for[a], q.joined_tick[a] = NONE, 0
    return had


def give(town, o: int, a: int) -> None:
    """Makes a waiter the holder of a row."""
    q = town.state.queues
    q.holder[o], q.stall_count[o] = a, 0
    q.waiting_for[a], q.joined_tick[a] = NONE, 0


def grant(town) -> set[int]:
    """Gives every free row to its best waiter. Returns the rows given."""
    given = set()
    for o in range(town.num_objects):
        line = waiters(town, o)
        if line and town.state.queues.holder[o] == NONE:
            give(town, o, line[0])
            given.add(o)
    return given


def request(town, intents, did) -> None:
    """Lets residents join queues, then grants free rows."""
    q = town.state.queues
    asked = {}
    for a in range(town.num_agents):
        kind, o, _ = intents[a]
        if kind not in (REQUEST, USE, REQUEST_BLOCKED) or not is_row(town, o):
            continue
        if town.layout.objects.is_virtual[o] or affordances.is_running(town, a):
            continue
        asked[a] = o
        if not in_request_range(town, a, o):
            continue
        if is_cooling(town, a, o):
            town.events.num_refused_requests += 1
            q.totals[COOLDOWN] += 1
        elif q.holder[o] != a and q.waiting_for[a] != o:
            leave(town, a)
            q.waiting_for[a], q.joined_tick[a] = o, town.tick
    town.granted_by_request = grant(town)
    for a, o in asked.items():
        if intents[a][0] != USE:
            did[a] = q.holder[o] == a


def _intensity(town, boost, length: int):
    p = town.params.queues
    return clip32(boost + rounded32(p.queue_length_boost * f32(max(length - 1, 0))), 0.1, 5)


def record(town, records, o: int, actor: int, rival: int, length: int, boost) -> None:
    """Writes a conflict or a handover of a row."""
    records.is_set[o] = True
    records.actor[o], records.rival[o], records.length[o] = actor, rival, length
    records.intensity[o] = _intensity(town, boost, length)


def _drop_distant(town) -> None:
    """Takes the place from waiters and idle holders that have walked away."""
    if not town.params.queues.require_range:
        return
    for a in range(town.num_agents):
        waited, held = int(town.state.queues.waiting_for[a]), held_row(town, a)
        if waited != NONE and not in_request_range(town, a, waited):
            leave(town, a)
        is_idle_holder = held != NONE and not affordances.is_running(town, a)
        if is_idle_holder and not in_request_range(town, a, held):
            leave(town, a)


def _counted_hits(town, o: int, is_idle: bool, is_exempt: bool, intents) -> list[int]:
    """Lists whose complaints about the holder of a row count."""
    holder, least = int(town.state.queues.holder[o]), town.params.queues.min_hold_ticks
    if is_idle:
        does_count = not is_exempt
    else:
        f = int(town.state.use.affordance[holder])
        ran = int(town.layout.affordances.duration[f]) - int(town.state.use.remaining_ticks[holder])
        does_count = least >= 0 and ran >= least
    return [
        a
        for a in range(town.num_agents)
        if does_count
        and intents[a][0] in (BLOCKED, REQUEST_BLOCKED)
        and intents[a][1] == o
        and town.state.queues.waiting_for[a] == o
    ]


def _ghost_step(town, o: int, line: list[int]) -> None:
    """Sends the holder of a row to the end of the queue."""
    q, holder = town.state.queues, int(town.state.queues.holder[o])
    if affordances.is_running(town, holder):
        affordances.stop(town, holder, FailReason.GHOST_STEP, FailSource.GHOST_STEP, True)
    give(town, o, line[0])
    q.waiting_for[holder], q.joined_tick[holder] = o, town.tick
    q.totals[GHOST_STEP] += 1
    q.totals[ROTATION] += 1
    boost = town.params.queues.ghost_step_boost
    record(town, town.events.conflicts, o, holder, line[0], len(line), boost)


def upkeep(town, intents, did) -> None:
    """Drops the distant, counts waiting, rotates stalled rows, grants free ones."""
    q, p = town.state.queues, town.params.queues
    _drop_distant(town)
    for a in range(town.num_agents):
        q.waited_today_ticks[a] += q.waiting_for[a] != NONE
    for o in range(town.num_objects):
        holder, line = int(q.holder[o]), waiters(town, o)
        if holder == NONE or not line or town.layout.objects.is_virtual[o]:
            q.stall_count[o] = 0
            continue
        was_stopped = (
            1 <= town.state.agents.blocked_moves[holder] <= town.params.movement.ghost_step_after
        )
        is_idle = not affordances.is_running(town, holder)
        is_exempt = o in town.granted_by_request or was_stopped
        hitters = _counted_hits(town, o, is_idle, is_exempt, intents)
        for a in hitters:
            if intents[a][0] == BLOCKED:
                did[a] = True
        added = int(is_idle and not is_exempt) + len(hitters)
        q.stall_count[o] += added
        if (
            added > 0
            and q.is_fairness_on
            and p.ghost_step_after > 0
            and q.stall_count[o] >= p.ghost_step_after
        ):
            _ghost_step(town, o, line)
    grant(town)
