"""Exits, removals, arrivals (world §12)."""

import numpy as np

from tests.oracle import affordances, conflicts, employment, queues, relationships, slots
from tests.oracle.economy import price
from tests.oracle.movement import is_occupied
from tests.oracle.twin import LONG_AGO, NEVER, NONE, f32, rounded32
from tests.oracle.utilities import is_on
from townlet_jax.config.layout import Utility
from townlet_jax.state import ExitReason, Status
from townlet_jax.state.events import FailReason, FailSource

BY_EMPLOYER = (ExitReason.EMPLOYMENT_EXIT, ExitReason.MANUAL_APPROVE)
BY_HAND = (ExitReason.KILLED, ExitReason.MANUAL_APPROVE)


def _reset(town, a: int) -> None:
    """Clears what belongs to a resident and not to its slot."""
    s = town.state
    agents, e = s.agents, s.employment
    agents.is_alive[a] = agents.is_leaving[a] = agents.did_last_action[a] = False
    agents.spawned_tick[a] = agents.last_action_ticks[a] = agents.blocked_moves[a] = 0
    agents.job[a] = agents.last_action[a] = agents.profile[a] = NONE
    agents.position[a], agents.traits[a], agents.wallet[a] = 0, 0, 0
    s.needs.level[a], s.needs.low_hunger_ticks[a] = 0, 0
    s.queues.waited_today_ticks[a] = 0
    s.queues.cooldown_until[:, a] = 0
    s.economy.unpaid_days[a] = 0
    e.status[a], e.closed_day[a], e.pending_tick[a] = Status.PRE_SHIFT, NONE, NEVER
    e.last_present_tick[a] = LONG_AGO
    for field in (
        e.num_scheduled,
        e.num_present,
        e.num_attendance,
        e.absence_bits,
        e.late_ticks_today,
    ):
        field[a] = 0
    for flag in (
        e.is_shift_open, e.is_exit_approved, e.has_arrived, e.arrived_late, e.did_late_start,
        e.did_absent, e.did_helped, e.did_took,
    ):  # fmt: skip
        flag[a] = False
    e.attendance[a], e.wages_withheld[a], e.wages_today[a] = 0, 0, 0
    s.lifecycle.exit_reason[a], s.lifecycle.flagged_tick[a] = ExitReason.NONE, NEVER
    s.perturbations.agent_until[a] = 0
    s.perturbations.is_target[:, a] = False
    m = s.metrics
    for field in (
        m.above_floor_ticks, m.employed_ticks, m.service_ticks, m.num_shifts, m.num_late_shifts
    ):  # fmt: skip
        field[a] = 0
    m.last_decision[a], m.own_day[a] = NONE, 0
    conflicts.forget(town, a)


def remove(town) -> None:
    """Takes those who left at the end of the last tick out of the town."""
    for a in range(town.num_agents):
        if not town.state.agents.is_leaving[a]:
            continue
        if affordances.is_running(town, a):
            source = FailSource.COLLAPSE_OR_REMOVAL
            affordances.stop(town, a, FailReason.REMOVED, source, is_refunded=False)
        queues.leave(town, a)
        relationships.remove(town, a)
        slots.release(town, a)
        _reset(town, a)


def _traits(town, index: int) -> tuple[np.ndarray, int]:
    """Returns the traits and the profile of the resident placed after `index` others."""
    p, table = town.params.lifecycle, town.layout.residents.halton
    sums = [
        f32(x + y)
        for x, y in zip(table[index % len(table)], town.draws.personality_shift, strict=True)
    ]
    u = [f32(x - np.floor(x)) for x in sums]
    if p.is_halton:
        spread = [f32(p.trait_spread * f32(f32(2) * x - f32(1))) for x in u]
        return np.array(spread, np.float32), NONE
    below = [row for row in range(len(p.profile_cumulative)) if u[0] < p.profile_cumulative[row]]
    profile = below[0] if below else len(p.profile_cumulative) - 1
    return p.profile_traits[profile], profile


def place(town, a: int, cell: tuple[int, int], job: int = NONE) -> None:
    """Puts a newcomer into a vacant slot; its embedding slot is allocated by the caller.

    Args:
      town: the town.
      a: vacant slot.
      cell: where the newcomer appears.
      job: NONE = next in turn.
    """
    s, p, index = town.state, town.params.lifecycle, town.state.lifecycle.num_arrivals
    agents = s.agents
    agents.is_alive[a], agents.spawned_tick[a] = True, town.tick
    agents.generation[a] += 1
    agents.position[a] = cell
    agents.wallet[a] = p.arrival_wallet_rents * price(town, town.layout.prices.rent)
    low, high = p.arrival_needs
    for n in range(3):
        s.needs.level[a, n] = low + rounded32(town.draws.u_arrival_needs[a, n] * f32(high - low))
    agents.traits[a], agents.profile[a] = _traits(town, index)
    num_jobs = town.layout.jobs.num_jobs
    if job == NONE and num_jobs > 0:
        job = index % num_jobs
    employment.hire(town, a, job)
    s.metrics.counters[a] = 0
    s.lifecycle.num_arrivals += 1
    s.lifecycle.arrival_tick[a] = NEVER
    town.events.lifecycle.spawned[a] = town.events.lifecycle.context_reset[a] = True


def arrive(town) -> None:
    """Lets due newcomers in."""
    entry = [(int(x), int(y)) for x, y in town.layout.map.entry if x != NONE]
    newcomers = []
    for a in range(town.num_agents):
        if town.state.agents.is_alive[a] or town.state.lifecycle.arrival_tick[a] > town.tick:
            continue
        free = [cell for cell in entry if not is_occupied(town, *cell)]
        place(town, a, free[0] if free else entry[0])
        newcomers.append(a)
    slots.allocate(town, newcomers)


def collapse(town) -> None:
    """Lets those faint who have been hungry for too long."""
    life, needs = town.state.lifecycle, town.state.needs
    for a in range(town.num_agents):
        is_starved = needs.low_hunger_ticks[a] >= town.params.lifecycle.collapse_ticks
        is_free = town.state.agents.is_alive[a] and life.exit_reason[a] == ExitReason.NONE
        if not (is_starved and is_free and life.is_mortality_on):
            continue
        life.exit_reason[a], life.flagged_tick[a] = ExitReason.FAINT, town.tick
        town.events.lifecycle.collapsed[a] = True
        if affordances.is_running(town, a):
            source = FailSource.COLLAPSE_OR_REMOVAL
            affordances.stop(town, a, FailReason.COLLAPSED, source, is_refunded=False)
        queues.leave(town, a)


def _exit(town, a: int) -> None:
    life, agents = town.state.lifecycle, town.state.agents
    agents.is_leaving[a] = True
    life.exits_today += 1
    life.last_exit_tick = town.tick
    low, high = (int(x) for x in town.params.lifecycle.spawn_delay)
    delay = low + int(town.draws.bits_arrival_delay[a]) % (high - low + 1)
    life.arrival_tick[a] = town.tick + delay
    reason = life.exit_reason[a]
    town.events.lifecycle.exited[a] = reason
    town.events.employment.exit_processed[a] = reason in BY_EMPLOYER


def gate(town) -> None:
    """Executes exits: those ordered by hand at once, the others as caps and cooldown allow."""
    life, p = town.state.lifecycle, town.params.lifecycle
    flagged = [
        a
        for a in range(town.num_agents)
        if town.state.agents.is_alive[a] and life.exit_reason[a] != ExitReason.NONE
    ]
    by_hand = [a for a in flagged if life.exit_reason[a] in BY_HAND]
    for a in by_hand:
        _exit(town, a)
    is_city_event = (
        not is_on(town, Utility.POWER)
        or not is_on(town, Utility.WATER)
        or town.tick < town.state.perturbations.city_event_until
    )
    if p.suppress_during_city_events and is_city_event:
        return
    for a in sorted(flagged, key=lambda a: (int(life.flagged_tick[a]), a)):
        is_capped = 0 < p.max_exits_per_day <= life.exits_today
        is_cooling = town.tick - life.last_exit_tick < p.exit_cooldown_ticks
        if a not in by_hand and not is_capped and not is_cooling:
            _exit(town, a)
