"""Ties: what moves them, how many fit, how they fade (social §2.2, §3, §4, §5)."""

import numpy as np

from tests.oracle.twin import LONG_AGO, NONE, clip32, f32, rounded32
from townlet_jax.state import TieDrop, TieEvent

CHANNELS = ("trust", "familiarity", "rivalry")
OFF = 0


def _forget(town, a: int, b: int) -> None:
    ties = town.state.relationships
    for channel in CHANNELS:
        getattr(ties, channel)[a, b] = 0
    ties.is_tie[a, b] = False
    ties.formed_tick[a, b] = ties.last_event_tick[a, b] = LONG_AGO


def remove(town, a: int) -> None:
    """Clears all ties of and towards a resident that has left; owners who stay count the loss."""
    ties = town.state.relationships
    for b in range(town.num_agents):
        if b != a and ties.is_tie[b, a] and not town.state.agents.is_leaving[b]:
            town.events.relationships.evicted[b, TieDrop.REMOVED] += 1
        _forget(town, a, b)
        _forget(town, b, a)
        ties.last_chat_tick[a, b] = ties.last_chat_tick[b, a] = LONG_AGO


def clamp(town, channel: int, value):
    """Keeps a value in the range of its channel."""
    p = town.params.relationships
    return clip32(value, p.min_rivalry, p.max_rivalry) if channel == 2 else clip32(value, -1, 1)


def write(town, a: int, b: int, channel: int, value) -> None:
    """Sets one channel of a tie by hand, making the tie if need be."""
    ties, value = town.state.relationships, clamp(town, channel, value)
    if not ties.is_tie[a, b]:
        if value == 0:
            return
        ties.is_tie[a, b], ties.formed_tick[a, b] = True, town.tick
    getattr(ties, CHANNELS[channel])[a, b] = value
    ties.last_event_tick[a, b] = town.tick


def _amounts(town) -> np.ndarray:
    """Collects what happened between residents: float32 [8, A, A], row = holder of the feeling."""
    a, ev = town.num_agents, town.events
    m = np.zeros((len(TieEvent), a, a), np.float32)
    for s in range(a):
        b = int(ev.chat.listener[s])
        if b != NONE and ev.chat.is_success[s]:
            m[TieEvent.CHAT_SUCCESS, s, b] = m[TieEvent.CHAT_SUCCESS, b, s] = ev.chat.quality[s]
        elif b != NONE:
            m[TieEvent.CHAT_FAILURE, s, b] = m[TieEvent.CHAT_FAILURE, b, s] = 1
    for o in range(town.num_objects):
        for row, records in (
            (TieEvent.QUEUE_POLITE, ev.handovers),
            (TieEvent.QUEUE_CONFLICT, ev.conflicts),
        ):
            if records.is_set[o]:
                x, y = int(records.actor[o]), int(records.rival[o])
                amount = f32(1) if row == TieEvent.QUEUE_POLITE else records.intensity[o]
                m[row, x, y] += amount
                m[row, y, x] += amount
    for x in range(a):
        for y in range(a):
            if x == y:
                continue
            m[TieEvent.SHARED_MEAL, x, y] = ev.affordances.shared_meal[x, y]
            m[TieEvent.HELP_RECEIVED, x, y] = ev.employment.helped[x, y]
            m[TieEvent.HELP_GIVEN, x, y] = ev.employment.helped[y, x]
            m[TieEvent.SHIFT_TAKEN, x, y] = ev.employment.took[y, x]
    alive = town.state.agents.is_alive
    for x in range(a):
        if not alive[x]:
            m[:, x, :] = m[:, :, x] = 0
    return m


def _row_table(town, a: int) -> np.ndarray:
    """Returns the delta table as a holder's personality colours it: float32 [8, 3]."""
    p, table = town.params.relationships, town.params.relationships.deltas.copy()
    if not p.has_modifiers:
        return table
    _, forgiveness, ambition = town.state.agents.traits[a]
    mercy = f32(f32(1) - rounded32(p.forgiveness * forgiveness))
    drive = f32(f32(1) + rounded32(p.ambition * ambition))
    for e in range(len(TieEvent)):
        for c in range(2):
            if table[e, c] < 0:
                table[e, c] = table[e, c] * mercy
        if table[e, 2] > 0:
            table[e, 2] = table[e, 2] * mercy
            if e in (TieEvent.QUEUE_CONFLICT, TieEvent.SHIFT_TAKEN):
                table[e, 2] = table[e, 2] * drive
    return table


def _delta(town, amounts: np.ndarray, table: np.ndarray, a: int, b: int) -> list:
    """Sums what this tick does to one tie."""
    p, delta = town.params.relationships, []
    for c in range(3):
        total = f32(0)
        for e in range(len(TieEvent)):
            total = f32(total + rounded32(amounts[e, a, b] * table[e, c]))
        delta.append(total)
    is_good_chat = any(
        town.events.chat.listener[s] == x and town.events.chat.is_success[s]
        for s, x in ((a, b), (b, a))
    )
    if p.has_modifiers and is_good_chat:
        charm = rounded32(p.extroversion * town.state.agents.traits[a, 0])
        delta[1] = f32(delta[1] + charm)
    if p.stage == OFF:
        delta[0] = delta[1] = f32(0)
    return delta


def _apply(town, a: int, b: int, delta: list) -> None:
    """Adds the sum of a tick to a tie, clamps once, and makes the tie if something remains."""
    ties = town.state.relationships
    if not any(delta):
        return
    values = [
        clamp(town, c, f32(getattr(ties, channel)[a, b] + delta[c]))
        for c, channel in enumerate(CHANNELS)
    ]
    if not ties.is_tie[a, b]:
        if not any(values):
            return
        ties.is_tie[a, b], ties.formed_tick[a, b] = True, town.tick
    for c, channel in enumerate(CHANNELS):
        getattr(ties, channel)[a, b] = values[c]
    ties.last_event_tick[a, b] = town.tick


def _drop(town, a: int, b: int, cause: int) -> None:
    is_newborn = town.state.relationships.formed_tick[a, b] == town.tick
    town.events.relationships.evicted[a, TieDrop.REFUSED if is_newborn else cause] += 1
    _forget(town, a, b)


def _keep_strongest(town, a: int) -> None:
    """Drops the ties of a holder that do not fit: rivals' places first, then by strength."""
    p, ties = town.params.relationships, town.state.relationships
    capacity = min(max(p.effective_capacity, 0), town.shape.max_edges)
    partners = [b for b in range(town.num_agents) if ties.is_tie[a, b]]

    def strength(b: int):
        return f32(
            f32(abs(ties.trust[a, b]) + abs(ties.familiarity[a, b])) + abs(ties.rivalry[a, b])
        )

    def age(b: int) -> tuple[int, int]:
        return int(ties.formed_tick[a, b]), b

    rivals = [b for b in partners if ties.rivalry[a, b] > 0]
    rivals.sort(key=lambda b: (-ties.rivalry[a, b], *age(b)))
    kept = rivals[: min(p.reserve_rivals, capacity)] if p.reserve_rivals > 0 else []
    others = sorted((b for b in partners if b not in kept), key=lambda b: (-strength(b), *age(b)))
    kept = kept + others[: capacity - len(kept)]
    for b in partners:
        if b not in kept:
            _drop(town, a, b, TieDrop.CAPACITY)


def _settle(town) -> None:
    """Notes the tie towards this tick's chat partner before anything fades."""
    ties, chat, events = town.state.relationships, town.events.chat, town.events.relationships
    for s in range(town.num_agents):
        b = int(chat.listener[s])
        for x, y in ((s, b), (b, s)) if b != NONE else ():
            events.settled_trust[x] = ties.trust[x, y]
            events.settled_familiarity[x] = ties.familiarity[x, y]


def _fade(town, a: int, b: int) -> None:
    p, ties = town.params.relationships, town.state.relationships
    ties.trust[a, b] = ties.trust[a, b] * (f32(1) - p.trust_decay)
    ties.familiarity[a, b] = ties.familiarity[a, b] * (f32(1) - p.familiarity_decay)
    loss = p.rivalry_decay
    if p.has_modifiers:
        forgiveness = rounded32(p.forgiveness_decay * town.state.agents.traits[a, 1])
        loss = rounded32(loss * f32(f32(1) + forgiveness))
    fade_rivalry(town, a, b, loss)
    values = [abs(getattr(ties, channel)[a, b]) for channel in CHANNELS]
    if all(value <= p.eviction_threshold for value in values):
        _drop(town, a, b, TieDrop.DECAY)


def fade_rivalry(town, a: int, b: int, loss) -> None:
    """Moves the rivalry of a tie towards zero by an amount."""
    rivalry = town.state.relationships.rivalry
    value = rivalry[a, b]
    size = max(f32(abs(value) - loss), f32(0))
    rivalry[a, b] = clamp(town, 2, f32(np.sign(value)) * size)


def _roll(town) -> None:
    """Starts a new window and a new day of the counts of lost ties."""
    p, ties = town.params.relationships, town.state.relationships
    if town.tick > 0 and town.tick % p.churn_window_ticks == 0:
        ties.evictions_previous = ties.evictions_window.copy()
        ties.evictions_window[:] = 0
    if town.tick_of_day == 0:
        ties.evictions_today[:] = 0
        ties.tie_ticks_today = 0


def _count(town) -> None:
    """Adds this tick to the counts of lost ties; closes the day at its last tick."""
    ties, per_day = town.state.relationships, town.params.time.ticks_per_day
    evicted = town.events.relationships.evicted
    ties.evictions_window += evicted
    ties.evictions_today += evicted
    ties.tie_ticks_today += int(ties.is_tie.sum())
    if town.tick_of_day == per_day - 1:
        today = ties.evictions_today
        lost = int(today[:, TieDrop.CAPACITY].sum() + today[:, TieDrop.DECAY].sum())
        mean_ties = f32(f32(ties.tie_ticks_today) / f32(per_day))
        ties.churn_rate = f32(f32(lost) / max(f32(1), mean_ties))


def step(town) -> None:
    """Moves, sorts out and fades all ties for one tick."""
    _roll(town)
    amounts, pairs = _amounts(town), range(town.num_agents)
    for a in pairs:
        table = _row_table(town, a)
        for b in pairs:
            if a != b and amounts[:, a, b].any() or _talked(town, a, b):
                _apply(town, a, b, _delta(town, amounts, table, a, b))
    for a in pairs:
        _keep_strongest(town, a)
    _settle(town)
    for a in pairs:
        for b in pairs:
            if town.state.relationships.is_tie[a, b]:
                _fade(town, a, b)
    _count(town)


def _talked(town, a: int, b: int) -> bool:
    listener = town.events.chat.listener
    return a != b and (listener[a] == b or listener[b] == a)
