"""Shifts, wages, attendance, reviewed exits (world §11, §12.1)."""

from tests.oracle.movement import cheb
from tests.oracle.twin import NEVER, NONE
from townlet_jax.state import ExitReason, Status


def roll_day(town) -> None:
    """Clears the counters of the day at midnight."""
    if town.tick_of_day != 0 or town.tick == 0:
        return
    e = town.state.employment
    town.state.queues.waited_today_ticks[:] = 0
    town.state.lifecycle.exits_today = e.exits_today = 0
    e.wages_today[:] = 0
    e.late_ticks_today[:] = 0
    for a in range(town.num_agents):
        e.absence_bits[a] = (int(e.absence_bits[a]) << 1) & 127


def hire(town, a: int, job: int) -> None:
    """Gives a newcomer a job; a shift that has begun is missed without blame."""
    town.state.agents.job[a] = job
    if job != NONE and int(town.params.employment.start[job]) < town.tick_of_day:
        town.state.employment.closed_day[a] = town.day
        town.state.employment.status[a] = Status.POST_SHIFT


def _is_present(town, a: int, job: int, work_row: list[int]) -> bool:
    """Tells whether a resident is at work in this tick of its shift."""
    site, (x, y) = int(town.layout.jobs.site[job]), town.layout.jobs.location[job]
    if site != NONE:
        return work_row[a] == site
    return (x == NONE and y == NONE) or cheb(
        town, a, (x, y)
    ) <= town.params.employment.presence_range


def _charge(town, a: int, penalty) -> None:
    wallet = town.state.agents.wallet
    wallet[a] = wallet[a] - min(wallet[a], penalty)


def _close(town, a: int) -> None:
    """Ends the day's shift of a resident."""
    e, events = town.state.employment, town.events.employment
    if e.is_shift_open[a]:
        row = int(e.num_attendance[a]) % town.shape.attendance_window
        e.attendance[a, row] = (e.num_present[a], e.num_scheduled[a])
        e.num_attendance[a] += 1
        events.shift_closed[a] = True
        events.shift_closed_late[a] = e.did_late_start[a]
        e.is_shift_open[a] = False
    e.closed_day[a] = town.day
    e.status[a] = Status.POST_SHIFT


def _open(town, a: int) -> None:
    """Begins the day's shift of a resident."""
    e = town.state.employment
    e.is_shift_open[a] = True
    e.num_scheduled[a] = e.num_present[a] = 0
    for flag in (
        e.has_arrived,
        e.arrived_late,
        e.did_late_start,
        e.did_absent,
        e.did_helped,
        e.did_took,
    ):
        flag[a] = False


def _attend(town, a: int, job: int, delay: int) -> None:
    """Pays a resident that is at work."""
    e, events, wage = (
        town.state.employment,
        town.events.employment,
        town.params.employment.wage[job],
    )
    if not e.has_arrived[a]:
        e.has_arrived[a] = True
        e.arrived_late[a] = delay > town.params.employment.grace_ticks
        events.first_presence[a] = delay
    e.status[a] = Status.LATE if e.arrived_late[a] else Status.ON_TIME
    town.state.agents.wallet[a] = town.state.agents.wallet[a] + wage
    e.wages_today[a] = e.wages_today[a] + wage
    e.num_present[a] += 1
    e.last_present_tick[a] = town.tick
    events.wage_paid[a] = wage


def _miss(town, a: int, job: int, delay: int) -> tuple[bool, bool]:
    """Judges a resident that is away. Returns whether the tick is late, whether it left early."""
    e, p = town.state.employment, town.params.employment
    e.wages_withheld[a] = e.wages_withheld[a] + p.wage[job]
    town.events.employment.wage_withheld[a] = p.wage[job]
    if e.status[a] == Status.ABSENT:
        return False, False
    if not e.has_arrived[a]:
        if delay <= p.grace_ticks:
            e.status[a] = Status.ARRIVING
        elif delay <= p.absent_cutoff:
            e.status[a] = Status.LATE
            return True, False
        else:
            e.status[a] = Status.ABSENT
        return False, False
    if town.tick - int(e.last_present_tick[a]) > p.absence_slack:
        e.status[a] = Status.ABSENT
        return False, True
    return False, False


def _shift_tick(town, a: int, job: int, work_row: list[int]) -> bool:
    """Runs one tick inside a shift. Returns whether the resident is at work."""
    e, p, events = town.state.employment, town.params.employment, town.events.employment
    if not e.is_shift_open[a]:
        _open(town, a)
    e.num_scheduled[a] += 1
    delay = town.tick_of_day - int(p.start[job])
    is_present = _is_present(town, a, job, work_row)
    is_late_tick = has_left = False
    if is_present:
        _attend(town, a, job, delay)
        does_turn_late = e.status[a] == Status.LATE
    else:
        is_late_tick, has_left = _miss(town, a, job, delay)
        does_turn_late = is_late_tick
    if is_late_tick:
        e.late_ticks_today[a] += 1
        _charge(town, a, p.late_tick_penalty)
    if does_turn_late and not e.did_late_start[a]:
        e.did_late_start[a] = True
        events.late_start[a] = delay
        _charge(town, a, p.lateness_penalty[job])
    if e.status[a] == Status.ABSENT and not e.did_absent[a]:
        e.did_absent[a] = True
        e.absence_bits[a] = int(e.absence_bits[a]) | 1
        events.absent[a] = True
        events.departed[a] = has_left
        _charge(town, a, p.absence_penalty)
    return is_present


def work(town, work_row: list[int]) -> None:
    """Runs the shifts of all employed residents for one tick."""
    e, p, agents = town.state.employment, town.params.employment, town.state.agents
    present, on_shift = set(), []
    for a in range(town.num_agents):
        job = int(agents.job[a])
        if not agents.is_alive[a] or job == NONE or e.closed_day[a] == town.day:
            continue
        start, end = int(p.start[job]), int(p.end[job])
        if town.tick_of_day < start:
            is_soon = town.tick_of_day >= start - p.arrival_buffer
            e.status[a] = Status.AWAIT_START if is_soon else Status.PRE_SHIFT
        elif town.tick_of_day > end:
            _close(town, a)
        else:
            on_shift.append(a)
            if _shift_tick(town, a, job, work_row):
                present.add(a)
    for a in on_shift:
        mates = [b for b in sorted(present) if b != a and agents.job[b] == agents.job[a]]
        if not mates:
            continue
        if e.status[a] == Status.LATE and not e.did_helped[a]:
            e.did_helped[a] = True
            town.events.employment.helped[a, mates] = True
        if e.status[a] == Status.ABSENT and not e.did_took[a]:
            e.did_took[a] = True
            town.events.employment.took[a, mates] = True


def review(town) -> None:
    """Makes repeated absence a pending exit and flags what has waited long enough."""
    e, p, life, agents = (
        town.state.employment, town.params.employment, town.state.lifecycle, town.state.agents
    )  # fmt: skip
    is_new = False
    for a in range(town.num_agents):
        absences = bin(int(e.absence_bits[a]) & 127).count("1")
        has_cause = (
            p.enforce_job_loop and p.max_absent_shifts > 0 and absences >= p.max_absent_shifts
        )
        is_free = agents.is_alive[a] and agents.job[a] != NONE and life.exit_reason[a] == 0
        if has_cause and is_free and e.pending_tick[a] == NEVER:
            e.pending_tick[a] = town.tick
            town.events.employment.exit_pending[a] = is_new = True
    num_pending = sum(int(x) != NEVER for x in e.pending_tick)
    if is_new and p.exit_queue_limit > 0 and num_pending > p.exit_queue_limit:
        town.events.employment.exit_overflow = num_pending
    line = sorted(
        (int(e.pending_tick[a]), a)
        for a in range(town.num_agents)
        if e.pending_tick[a] != NEVER and life.exit_reason[a] == 0
    )
    for since, a in line:
        is_due = town.tick - since >= p.exit_review_window
        if is_due and (p.daily_exit_cap == 0 or e.exits_today < p.daily_exit_cap):
            life.exit_reason[a], life.flagged_tick[a] = ExitReason.EMPLOYMENT_EXIT, town.tick
            e.pending_tick[a] = NEVER
            e.exits_today += 1
