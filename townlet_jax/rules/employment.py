"""Shifts: who is at work, who comes late or not at all, who is paid, who covers for whom."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from townlet_jax.config.layout import JobLayout
from townlet_jax.config.params import EmploymentParams
from townlet_jax.grid import chebyshev
from townlet_jax.masked import NEVER, NONE, pick
from townlet_jax.state.agents import Agents
from townlet_jax.state.clock import Now
from townlet_jax.state.employment import Employment, Status
from townlet_jax.state.events import EmploymentEvents

REMEMBERED_DAYS = 127
"""Mask of `absence_bits`: seven days, today included."""


class Shift(NamedTuple):
    """Where the tick lies in the shift of each resident.

    Attributes:
      is_before, is_inside, is_after: bool `[A]`, of a resident with a job whose shift of today is
        not closed; all false for anybody else.
      delay: int32 `[A]` [tick] since the start, negative before it.
      wage: float32 `[A]` [money/tick]; lateness_penalty: float32 `[A]` [money].
    """

    is_before: jax.Array
    is_inside: jax.Array
    is_after: jax.Array
    delay: jax.Array
    wage: jax.Array
    lateness_penalty: jax.Array


def roll_day(employment: Employment, now: Now) -> Employment:
    """Starts a new day at midnight, tick 0 excepted; does nothing in any other tick.

    Today's figures go to zero and the seven absence days move on by one.
    """
    is_midnight = (now.tick_of_day == 0) & (now.tick > 0)
    bits = (employment.absence_bits << 1) & REMEMBERED_DAYS
    return employment.replace(
        absence_bits=jnp.where(is_midnight, bits, employment.absence_bits),
        late_ticks_today=jnp.where(is_midnight, 0, employment.late_ticks_today),
        wages_today=jnp.where(is_midnight, 0, employment.wages_today),
        exits_today=jnp.where(is_midnight, 0, employment.exits_today),
    )


def hire(
    employment: Employment,
    is_hired: jax.Array,
    job: jax.Array,
    now: Now,
    params: EmploymentParams,
) -> Employment:
    """Opens the record of newcomers.

    A newcomer whose shift began before this tick has today's shift closed (status post_shift) and
    works from tomorrow on; one that arrives in the first tick of its shift works today.

    Args:
      employment: employment; the slots of newcomers hold the record of a vacant slot.
      is_hired: bool `[A]`, residents placed in this tick.
      job: int32 `[A]`, NONE = no job.
      now: this tick.
      params: starts of the jobs.
    """
    start = pick(params.start, job, NEVER)
    is_missed = is_hired & (start < now.tick_of_day)
    return employment.replace(
        closed_day=jnp.where(is_missed, now.day, employment.closed_day),
        status=jnp.where(is_missed, Status.POST_SHIFT, employment.status),
    )


def in_window(
    employment: Employment, job: jax.Array, now: Now, params: EmploymentParams
) -> jax.Array:
    """Tells whose shift is running now, the precondition `in_shift_window`.

    Args:
      employment: employment.
      job: int32 `[A]`, NONE = no job.
      now: this tick.
      params: starts and ends of the jobs, both inclusive.

    Returns:
      bool `[A]`, false once today's shift is closed.
    """
    is_started = pick(params.start, job, NEVER) <= now.tick_of_day
    is_ended = pick(params.end, job, NONE) < now.tick_of_day
    return is_started & ~is_ended & (employment.closed_day != now.day)


def attendance_ratio(employment: Employment) -> jax.Array:
    """Computes the share of the scheduled ticks of the last shifts that were worked.

    Returns:
      float32 `[A]` in [0, 1], 0 before the first shift is closed.
    """
    present, scheduled = jnp.sum(employment.attendance, axis=1, dtype=jnp.int32).T
    return present.astype(jnp.float32) / jnp.maximum(1, scheduled).astype(jnp.float32)


def punctuality(employment: Employment) -> jax.Array:
    """Computes the share of the ticks so far of the open shift that were worked.

    Returns:
      float32 `[A]` in [0, 1]; after a shift the figure of that shift.
    """
    scheduled = jnp.maximum(1, employment.num_scheduled).astype(jnp.float32)
    return employment.num_present.astype(jnp.float32) / scheduled


def work(
    employment: Employment,
    agents: Agents,
    is_working: jax.Array,
    now: Now,
    params: EmploymentParams,
    jobs: JobLayout,
) -> tuple[Employment, jax.Array, EmploymentEvents]:
    """Carries every shift on by one tick: presence, status, pay, penalties, cover by co-workers.

    Wages are paid before penalties are taken; penalties come in the order late tick, lateness,
    absence, each from what is left. Everybody is judged by one snapshot of who is present, so that
    slot order plays no part.

    Args:
      employment: employment.
      agents: residents, for life, job, position and wallet.
      is_working: bool `[A]`, progressed a work affordance at the own site in this tick.
      now: this tick.
      params: times, wages and penalties.
      jobs: sites and locations.

    Returns:
      employment: brought up to date.
      wallet: float32 `[A]` [money] >= 0.
      events: with `exit_*` unset; they belong to the review and to admin rows.
    """
    shift = _place(employment, agents, now, params)
    employment, is_closed = _turn(employment, shift, now)
    is_present = shift.is_inside & _is_there(agents, is_working, params, jobs)
    is_first = is_present & ~employment.has_arrived
    employment = _attend(employment, shift, is_present, is_first, now, params)
    status, is_late_tick = _judge(employment, shift, is_present, now, params)
    helped, took = _cover(employment, agents.job, status, shift.is_inside, is_present)
    is_late = is_late_tick | (is_present & employment.arrived_late)
    is_late_start = is_late & ~employment.did_late_start
    is_absent = shift.is_inside & (status == Status.ABSENT) & ~employment.did_absent
    nobody = jnp.zeros_like(is_present)
    events = EmploymentEvents(
        late_start=jnp.where(is_late_start, shift.delay, NONE),
        absent=is_absent,
        departed=is_absent & employment.has_arrived,
        shift_closed=is_closed,
        shift_closed_late=is_closed & employment.did_late_start,
        helped=helped,
        took=took,
        exit_pending=nobody,
        exit_requested=nobody,
        exit_deferred=nobody,
        exit_processed=nobody,
        exit_overflow=jnp.int32(0),
        wage_paid=jnp.where(is_present, shift.wage, 0),
        wage_withheld=jnp.where(shift.is_inside & ~is_present, shift.wage, 0),
        first_presence=jnp.where(is_first, shift.delay, NONE),
    )
    wallet = _settle(agents.wallet, shift, is_late_tick, events, params)
    return _record(employment, status, is_late_tick, events), wallet, events


def _place(employment: Employment, agents: Agents, now: Now, params: EmploymentParams) -> Shift:
    """Places the tick within everybody's shift."""
    start = pick(params.start, agents.job)
    is_due = agents.is_alive & (agents.job != NONE) & (employment.closed_day != now.day)
    delay = now.tick_of_day - start
    is_before = delay < 0
    is_after = now.tick_of_day > pick(params.end, agents.job)
    return Shift(
        is_before=is_due & is_before,
        is_inside=is_due & ~is_before & ~is_after,
        is_after=is_due & is_after,
        delay=delay,
        wage=pick(params.wage, agents.job),
        lateness_penalty=pick(params.lateness_penalty, agents.job),
    )


def _turn(employment: Employment, shift: Shift, now: Now) -> tuple[Employment, jax.Array]:
    """Opens shifts in their first tick and closes them in the tick after their last.

    Returns:
      employment: a shift that opens starts without flags and counts; one that closes is written
        over the oldest entry of the ring.
      is_closed: bool `[A]`, an open shift was closed; a day without an open shift closes silently.
    """
    is_opened = shift.is_inside & ~employment.is_shift_open
    is_closed = shift.is_after & employment.is_shift_open
    is_kept = ~is_opened
    window = employment.attendance.shape[1]
    entry = jnp.stack([employment.num_present, employment.num_scheduled], axis=-1)  # [A, 2]
    place = jnp.arange(window, dtype=jnp.int32)[None, :]
    is_place = is_closed[:, None] & (place == lax.rem(employment.num_attendance, window)[:, None])
    employment = employment.replace(
        status=jnp.where(is_opened, Status.ARRIVING, employment.status),
        closed_day=jnp.where(shift.is_after, now.day, employment.closed_day),
        num_scheduled=jnp.where(is_opened, 0, employment.num_scheduled),
        num_present=jnp.where(is_opened, 0, employment.num_present),
        num_attendance=employment.num_attendance + is_closed.astype(jnp.int32),
        is_shift_open=shift.is_inside | (employment.is_shift_open & ~is_closed),
        has_arrived=employment.has_arrived & is_kept,
        arrived_late=employment.arrived_late & is_kept,
        did_late_start=employment.did_late_start & is_kept,
        did_absent=employment.did_absent & is_kept,
        did_helped=employment.did_helped & is_kept,
        did_took=employment.did_took & is_kept,
        attendance=jnp.where(is_place[:, :, None], entry[:, None, :], employment.attendance),
    )
    return employment, is_closed


def _is_there(
    agents: Agents, is_working: jax.Array, params: EmploymentParams, jobs: JobLayout
) -> jax.Array:
    """Tells who is where the job is done.

    Returns:
      bool `[A]`: working at the site; without a site within `presence_range` of the location;
        without a location anywhere. Says nothing of the hour.
    """
    location = pick(jobs.location, agents.job, NONE)  # [A, 2]
    is_near = chebyshev(agents.position, location) <= params.presence_range
    is_near = is_near | (location[:, 0] == NONE)
    return jnp.where(pick(jobs.site, agents.job, NONE) != NONE, is_working, is_near)


def _attend(
    employment: Employment,
    shift: Shift,
    is_present: jax.Array,
    is_first: jax.Array,
    now: Now,
    params: EmploymentParams,
) -> Employment:
    """Counts the tick, and remembers when residents came and were last seen."""
    is_late = shift.delay > params.grace_ticks
    return employment.replace(
        num_scheduled=employment.num_scheduled + shift.is_inside.astype(jnp.int32),
        num_present=employment.num_present + is_present.astype(jnp.int32),
        last_present_tick=jnp.where(is_present, now.tick, employment.last_present_tick),
        has_arrived=employment.has_arrived | is_first,
        arrived_late=jnp.where(is_first, is_late, employment.arrived_late),
    )


def _judge(
    employment: Employment,
    shift: Shift,
    is_present: jax.Array,
    now: Now,
    params: EmploymentParams,
) -> tuple[jax.Array, jax.Array]:
    """Decides the status of every resident; the slack of a break is tested before the cutoff.

    Returns:
      status: int32 `[A]`, `Status`; unchanged without a job or after the shift was closed.
      is_late_tick: bool `[A]`, overdue and not there yet, which costs a penalty each tick.
    """
    delay = shift.delay
    is_expected = shift.is_inside & ~is_present & (employment.status != Status.ABSENT)
    is_never = is_expected & ~employment.has_arrived
    is_break = is_expected & employment.has_arrived
    is_overdue = is_never & (delay > params.grace_ticks)
    is_late_tick = is_overdue & (delay <= params.absent_cutoff)
    is_gone = is_break & (now.tick - employment.last_present_tick > params.absence_slack)
    is_early = shift.is_before & (delay < -params.arrival_buffer)
    present_status = jnp.where(employment.arrived_late, Status.LATE, Status.ON_TIME)
    status = employment.status
    status = jnp.where(shift.is_after, Status.POST_SHIFT, status)
    status = jnp.where(shift.is_before, Status.AWAIT_START, status)
    status = jnp.where(is_early, Status.PRE_SHIFT, status)
    status = jnp.where(is_present, present_status, status)
    status = jnp.where(is_never, Status.ARRIVING, status)
    status = jnp.where(is_late_tick, Status.LATE, status)
    status = jnp.where((is_overdue & ~is_late_tick) | is_gone, Status.ABSENT, status)
    return status, is_late_tick


def _cover(
    employment: Employment,
    job: jax.Array,
    status: jax.Array,
    is_inside: jax.Array,
    is_present: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Finds the co-workers who cover for residents that are late or absent, once per shift each.

    Returns:
      helped: bool `[A, A]`, [late resident, co-worker present in this tick].
      took: bool `[A, A]`, [absent resident, co-worker present in this tick].
    """
    is_other = ~jnp.eye(job.shape[0], dtype=bool)
    is_coworker = is_other & (job[:, None] == job[None, :]) & is_present[None, :]
    is_late = is_inside & (status == Status.LATE) & ~employment.did_helped
    is_absent = is_inside & (status == Status.ABSENT) & ~employment.did_took
    return is_late[:, None] & is_coworker, is_absent[:, None] & is_coworker


def _settle(
    wallet: jax.Array,
    shift: Shift,
    is_late_tick: jax.Array,
    events: EmploymentEvents,
    params: EmploymentParams,
) -> jax.Array:
    """Pays the wage, then takes the penalties, each no more than what is left."""
    penalties = (
        (is_late_tick, params.late_tick_penalty),
        (events.late_start != NONE, shift.lateness_penalty),
        (events.absent, params.absence_penalty),
    )
    wallet = wallet + events.wage_paid
    for is_charged, penalty in penalties:
        wallet = jnp.maximum(0, wallet - jnp.where(is_charged, penalty, 0))
    return wallet


def _record(
    employment: Employment, status: jax.Array, is_late_tick: jax.Array, events: EmploymentEvents
) -> Employment:
    """Writes down what this tick's events leave behind."""
    return employment.replace(
        status=status,
        did_late_start=employment.did_late_start | (events.late_start != NONE),
        did_absent=employment.did_absent | events.absent,
        did_helped=employment.did_helped | jnp.any(events.helped, axis=1),
        did_took=employment.did_took | jnp.any(events.took, axis=1),
        absence_bits=employment.absence_bits | events.absent.astype(jnp.int32),
        late_ticks_today=employment.late_ticks_today + is_late_tick.astype(jnp.int32),
        wages_withheld=employment.wages_withheld + events.wage_withheld,
        wages_today=employment.wages_today + events.wage_paid,
    )
