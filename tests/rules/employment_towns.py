"""Small towns that only work: builders and a player shared by the employment tests.

Every town has the same six slots and six rows of jobs, so that whatever is compiled is shared.
"""

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config.layout import JobLayout
from townlet_jax.config.params import EmploymentParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE
from townlet_jax.rules import employment as rule
from townlet_jax.rules import employment_exits as exits
from townlet_jax.state.agents import ExitReason, empty_agents
from townlet_jax.state.clock import Now
from townlet_jax.state.employment import empty_employment

DAY = 1440
SLOTS = JOBS = 6
HERE, FAR = (5, 5), (20, 20)

INTS = dict(
    arrival_buffer=20,
    grace_ticks=5,
    absent_cutoff=30,
    absence_slack=20,
    max_absent_shifts=3,
    daily_exit_cap=2,
    exit_queue_limit=8,
    exit_review_window=1440,
    presence_range=1,
)
FLOATS = dict(late_tick_penalty=0.005, absence_penalty=0.2)


def at(tick, ticks_per_day=DAY):
    tick = jnp.asarray(tick, jnp.int32)
    return Now(tick=tick, tick_of_day=tick % ticks_per_day, day=tick // ticks_per_day)


def params(start=180, end=360, wage=0.02, lateness_penalty=0.1, enforce_job_loop=True, **changes):
    """Makes the numbers of the worked examples, or changes of them; one value serves all jobs."""
    fields = {name: jnp.int32(changes.get(name, value)) for name, value in INTS.items()}
    fields |= {name: jnp.float32(changes.get(name, value)) for name, value in FLOATS.items()}
    return EmploymentParams(
        start=jnp.zeros(JOBS, jnp.int32) + jnp.array(start, jnp.int32),
        end=jnp.zeros(JOBS, jnp.int32) + jnp.array(end, jnp.int32),
        wage=jnp.full(JOBS, wage, jnp.float32),
        lateness_penalty=jnp.full(JOBS, lateness_penalty, jnp.float32),
        enforce_job_loop=jnp.bool_(enforce_job_loop),
        **fields,
    )


def layout(site=NONE, location=HERE):
    return JobLayout(
        num_jobs=jnp.int32(JOBS),
        site=jnp.full(JOBS, site, jnp.int32),
        location=jnp.tile(jnp.array(location, jnp.int32), (JOBS, 1)),
        target=jnp.full(JOBS, NONE, jnp.int32),
        affordance=jnp.full(JOBS, NONE, jnp.int32),
    )


def town(*jobs, wallet=1.0):
    """Makes residents with the given jobs, far from any work; the remaining slots have no job."""
    shape = TownShape(num_agents=SLOTS, attendance_window=3)
    jobs = [*jobs, *[NONE] * (SLOTS - len(jobs))]
    agents = empty_agents(shape).replace(
        is_alive=jnp.ones(SLOTS, bool),
        job=jnp.array(jobs, jnp.int32),
        wallet=jnp.full(SLOTS, wallet, jnp.float32),
        position=jnp.tile(jnp.array(FAR, jnp.int32), (SLOTS, 1)),
    )
    return empty_employment(shape), agents


def tick(employment, agents, reason, is_there, now, params, jobs):
    """Plays P1, P9 and P11 of one tick; who is there stands at the location and works."""
    employment = rule.roll_day(employment, now)
    position = jnp.where(is_there[:, None], jnp.array([HERE]), jnp.array([FAR])).astype(jnp.int32)
    agents = agents.replace(position=position)
    employment, wallet, events = rule.work(employment, agents, is_there, now, params, jobs)
    employment, is_flagged, is_pending, overflow = exits.review(
        employment, agents, reason, now, params
    )
    reason = jnp.where(is_flagged, ExitReason.EMPLOYMENT_EXIT, reason)
    events = events.replace(exit_pending=is_pending, exit_overflow=overflow)
    return employment, agents.replace(wallet=wallet), reason, events


def play(employment, agents, is_there, start_tick, params, jobs, ticks_per_day):
    """Plays ticks in a row.

    Returns state and events after each tick, stacked: employment, wallet, exit reason, events.
    """

    def body(carry, x):
        offset, is_there = x
        now = at(start_tick + offset, ticks_per_day)
        *carry, events = tick(*carry, is_there, now, params, jobs)
        return tuple(carry), (carry[0], carry[1].wallet, carry[2], events)

    reason = jnp.zeros(SLOTS, jnp.int32)
    offsets = jnp.arange(is_there.shape[0], dtype=jnp.int32)
    return jax.lax.scan(body, (employment, agents, reason), (offsets, is_there))[1]


play_jit, tick_jit = jax.jit(play), jax.jit(tick)


def step(tick_rule, employment, agents, is_there, t, given_params=None, jobs=None, day=DAY):
    """Plays tick t; slots beyond `is_there` are away. Returns employment, agents, events."""
    there = np.zeros(SLOTS, bool)
    there[: len(is_there)] = is_there
    given_params = params() if given_params is None else given_params
    jobs = layout() if jobs is None else jobs
    reason = jnp.zeros(SLOTS, jnp.int32)
    employment, agents, _, events = tick_rule(
        employment, agents, reason, jnp.array(there), at(t, day), given_params, jobs
    )
    return employment, agents, events


# Random towns: short days, jobs with and without a site, all numbers drawn.
TICKS, SHORT_DAY = 100, 30


def random_params(rng):
    start = rng.integers(0, 14, JOBS)
    drawn = params(
        start,
        np.minimum(start + rng.integers(0, 16, JOBS), SHORT_DAY - 2),
        arrival_buffer=rng.integers(0, 6),
        grace_ticks=rng.integers(0, 4),
        absent_cutoff=rng.integers(0, 8),
        absence_slack=rng.integers(0, 5),
        late_tick_penalty=rng.random() / 20,
        absence_penalty=rng.random() / 4,
        max_absent_shifts=rng.integers(0, 4),
        exit_review_window=rng.integers(1, 40),
        exit_queue_limit=rng.integers(0, 3),
        daily_exit_cap=rng.integers(0, 3),
    )
    return drawn.replace(
        wage=jnp.array(rng.random(JOBS) / 10, jnp.float32),
        lateness_penalty=jnp.array(rng.random(JOBS) / 10, jnp.float32),
    )


def random_town(rng):
    """Returns the arguments of `play`; residents come and go in runs of several ticks."""
    employment, agents = town(*rng.integers(-1, 2, SLOTS), wallet=rng.random() / 2)
    agents = agents.replace(is_alive=jnp.array(rng.random(SLOTS) < 0.9))
    switch = rng.random((TICKS, SLOTS)) < rng.choice([0.05, 0.2, 0.5])
    is_there = (np.cumsum(switch, axis=0) + rng.integers(0, 2, SLOTS)) % 2 == 1
    location = HERE if rng.random() < 0.8 else (NONE, NONE)
    jobs = layout(location=location)
    jobs = jobs.replace(site=jnp.array(rng.integers(-1, 2, JOBS), jnp.int32))
    start_tick = jnp.int32(rng.integers(0, 2 * SHORT_DAY))
    day = jnp.int32(SHORT_DAY)
    return employment, agents, jnp.array(is_there), start_tick, random_params(rng), jobs, day
