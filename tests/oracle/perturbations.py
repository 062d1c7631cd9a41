"""Pending and active perturbations (world §13)."""

from tests.oracle.twin import LONG_AGO, NONE, f32, rounded32
from townlet_jax.config.layout import PerturbationKind


def kind_of(town, k: int) -> int:
    """Returns the kind of a row of the table, NONE for a free row."""
    spec = int(town.state.perturbations.spec[k])
    return NONE if spec == NONE else int(town.layout.perturbations.kind[spec])


def is_active(town, k: int, kind: int) -> bool:
    """Tells whether a row is an active event of a kind."""
    return kind_of(town, k) == kind and not town.state.perturbations.is_pending[k]


def meet_target(town, a: int) -> int:
    """Returns the object row where the active meet with the lowest id wants a resident, or NONE."""
    table = town.state.perturbations
    meets = [
        (int(table.event_id[k]), int(table.location[k]))
        for k in range(town.shape.num_perturbations)
        if is_active(town, k, PerturbationKind.ARRANGED_MEET) and table.is_target[k, a]
    ]
    return min(meets)[1] if meets else NONE


def free_row(town) -> int:
    """Returns the lowest free row of the table, or NONE."""
    free = [k for k in range(town.shape.num_perturbations) if kind_of(town, k) == NONE]
    return free[0] if free else NONE


def _clear(town, k: int) -> None:
    table = town.state.perturbations
    table.spec[k] = table.event_id[k] = table.location[k] = NONE
    table.start_tick[k] = table.end_tick[k] = 0
    table.magnitude[k] = 1
    table.is_pending[k] = False
    table.is_target[k] = False
    table.is_price_target[k] = False


def _end(town, k: int) -> None:
    table, events = town.state.perturbations, town.events.perturbations
    events.ended[k] = True
    events.ended_spec[k], events.ended_id[k] = table.spec[k], table.event_id[k]
    if kind_of(town, k) in (PerturbationKind.BLACKOUT, PerturbationKind.OUTAGE):
        table.city_event_until = town.tick + town.params.perturbations.grace_window_ticks


def _begin(town, k: int) -> None:
    """Starts the event in a row: the moment from which it counts for every cooldown."""
    table, events, p = (
        town.state.perturbations,
        town.events.perturbations,
        town.params.perturbations,
    )
    spec, end = int(table.spec[k]), int(table.end_tick[k])
    table.is_pending[k] = False
    table.starts[spec, 1:] = table.starts[spec, :-1].copy()
    table.starts[spec, 0] = town.tick
    table.spec_until[spec] = end + int(p.cooldown_ticks[spec])
    for a in range(town.num_agents):
        if table.is_target[k, a]:
            table.agent_until[a] = end + p.per_agent_cooldown_ticks
    events.started[k] = True
    events.started_spec[k], events.started_id[k] = spec, table.event_id[k]


def drawn_ticks(town, spec: int) -> int:
    """Returns this tick's draw of a spec's length."""
    low, high = (int(x) for x in town.params.perturbations.duration[spec])
    return low + int(town.draws.bits_perturbation_ticks[spec]) % (high - low + 1)


def drawn_magnitude(town, spec: int):
    """Returns this tick's draw of a spec's magnitude."""
    low, high = town.params.perturbations.magnitude[spec]
    return f32(low + rounded32(town.draws.u_perturbation_magnitude[spec] * (high - low)))


def participants(town, spec: int, is_cooldown_ignored: bool) -> list[int]:
    """Chooses who is asked to a meet."""
    until = town.state.perturbations.agent_until
    residents = [
        a
        for a in range(town.num_agents)
        if town.state.agents.is_alive[a] and (is_cooldown_ignored or until[a] <= town.tick)
    ]
    if not town.layout.perturbations.is_top_rivals[spec]:
        residents.sort(key=lambda a: (int(town.draws.bits_meet[a]) >> 1, a))
        return residents[: int(town.layout.perturbations.max_participants[spec])]
    rivalry = town.state.relationships.rivalry
    best, pair = f32(0), []
    for i in residents:
        for j in residents:
            if i < j and f32(rivalry[i, j] + rivalry[j, i]) > best:
                best, pair = f32(rivalry[i, j] + rivalry[j, i]), [i, j]
    return pair


def _write(town, k: int, spec: int, start: int, ticks: int, magnitude, targets, location) -> None:
    table = town.state.perturbations
    table.spec[k], table.event_id[k] = spec, table.next_id
    table.next_id += 1
    table.start_tick[k], table.end_tick[k] = start, start + max(1, ticks)
    table.magnitude[k] = magnitude
    table.location[k] = location
    table.is_pending[k] = True
    for a in targets:
        table.is_target[k, a] = True
    table.is_price_target[k] = town.layout.perturbations.price_targets[spec]


def trigger(town, spec, starts_in, ticks, magnitude, a, b, location) -> bool:
    """Announces an event by hand; P4 starts it when due. Returns whether it was accepted."""
    layout, table = town.layout.perturbations, town.state.perturbations
    if not 0 <= spec < town.shape.num_specs or layout.kind[spec] == NONE:
        return False
    targets, place = [], int(layout.location[spec])
    if layout.kind[spec] == PerturbationKind.ARRANGED_MEET:
        targets = sorted({x for x in (a, b) if x >= 0})
        if any(x >= town.num_agents or not town.state.agents.is_alive[x] for x in targets):
            return False
        targets = targets or participants(town, spec, is_cooldown_ignored=True)
        if location >= 0:
            if location >= town.num_objects or not town.layout.objects.is_object[location]:
                return False
            place = location
        if not targets:
            return False
    k = free_row(town)
    if k == NONE:
        table.num_dropped += 1
        return False
    length = ticks if ticks >= 0 else drawn_ticks(town, spec)
    factor = f32(magnitude) / f32(10000) if magnitude >= 0 else drawn_magnitude(town, spec)
    _write(town, k, spec, town.tick + max(0, starts_in), length, factor, targets, place)
    return True


def cancel(town, event_id: int) -> bool:
    """Takes an event back or ends it now. Returns whether there is such an event."""
    table, events = town.state.perturbations, town.events.perturbations
    for k in range(town.shape.num_perturbations):
        if kind_of(town, k) != NONE and table.event_id[k] == event_id:
            events.cancelled[k] = True
            events.cancelled_spec[k], events.cancelled_id[k] = table.spec[k], table.event_id[k]
            if not table.is_pending[k]:
                _end(town, k)
            _clear(town, k)
            return True
    return False


def _is_eligible(town, spec: int) -> bool:
    table, p = town.state.perturbations, town.params.perturbations
    starts = [int(s) for s in table.starts[spec] if int(s) != LONG_AGO]
    recent = sum(s > town.tick - p.window_ticks for s in starts)
    return (
        town.layout.perturbations.kind[spec] != NONE
        and p.prob_per_day[spec] > 0
        and table.spec_until[spec] <= town.tick
        and table.global_until <= town.tick
        and (p.max_events_per_window == 0 or recent < p.max_events_per_window)
    )


def _roll(town) -> None:
    table, p, layout = (
        town.state.perturbations,
        town.params.perturbations,
        town.layout.perturbations,
    )
    wanted = []
    for spec in range(town.shape.num_specs):
        if not _is_eligible(town, spec):
            continue
        is_meet = layout.kind[spec] == PerturbationKind.ARRANGED_MEET
        targets = participants(town, spec, is_cooldown_ignored=False) if is_meet else []
        prob = min(f32(1), f32(p.prob_per_day[spec] / f32(town.params.time.ticks_per_day)))
        if (targets or not is_meet) and town.draws.u_perturbation_roll[spec] < prob:
            wanted.append((spec, targets))
    for spec, targets in wanted:
        num_active = sum(
            kind_of(town, k) != NONE and not table.is_pending[k]
            for k in range(town.shape.num_perturbations)
        )
        k = free_row(town)
        if num_active >= p.max_concurrent_events or k == NONE:
            return
        length, factor = drawn_ticks(town, spec), drawn_magnitude(town, spec)
        _write(town, k, spec, town.tick, length, factor, targets, int(layout.location[spec]))
        _begin(town, k)
        table.global_until = town.tick + p.global_cooldown_ticks
        if p.global_cooldown_ticks > 0:
            return


def update(town) -> None:
    """Expires, starts what is due, and rolls for new events."""
    table = town.state.perturbations
    rows = range(town.shape.num_perturbations)
    for k in rows:
        if kind_of(town, k) != NONE and not table.is_pending[k] and table.end_tick[k] <= town.tick:
            _end(town, k)
            _clear(town, k)
    for k in rows:
        if kind_of(town, k) != NONE and table.is_pending[k] and table.start_tick[k] <= town.tick:
            _begin(town, k)
    _roll(town)
