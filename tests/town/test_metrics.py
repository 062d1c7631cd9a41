"""Counters and charter figures: world spec section 17."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.oracle import towns, twin
from tests.oracle.events import empty_events
from tests.oracle.tables import NAMES, Job, Resident, Thing
from tests.rules.tie_towns import QUICK, row
from townlet_jax.masked import NONE
from townlet_jax.state import TownState
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.clock import now
from townlet_jax.state.events import FailReason, FailSource, TickEvents
from townlet_jax.state.metrics import Counter, Total
from townlet_jax.town import metrics
from townlet_jax.town.tick import Tick

DAY, SLOTS = 1440, 4
TOWN = towns.build(
    [Resident((i, 0), job=0 if i == 0 else NONE) for i in range(3)],
    [
        Thing("fridge", "fridge", (5, 5), venue="home", stock={"meals": 3}),
        Thing("stove", "stove", (6, 5), venue="home", stock={"raw_ingredients": 3}),
        Thing("shower", "shower", (7, 5)),
        Thing("bed", "bed", (8, 5)),
        Thing("table", "cafe_table", (9, 5), venue="cafe", stock={"cafe_meals": 3}),
    ],
    [Job(180, 360)],
    slots=SLOTS,
)
PARAMS, LAYOUT = jax.tree.map(jnp.asarray, (TOWN.params, TOWN.layout))


def count(state, events):
    moment = now(state.clock, PARAMS.time.ticks_per_day)
    return metrics.count(state, state, events, Tick(TOWN.shape, moment, None, PARAMS, LAYOUT))


def live(state, events):
    """Counts a tape of ticks; returns the metrics after each."""

    def tick(metrics, events):
        metrics = count(state.replace(metrics=metrics), events).metrics
        return metrics, metrics

    return jax.lax.scan(tick, state.metrics, events)[1]


count_jit = jax.jit(count, compiler_options=QUICK)
live_jit = jax.jit(live, compiler_options=QUICK)
kpi_jit = jax.jit(metrics.kpi, compiler_options=QUICK)
both = pytest.mark.parametrize("count", [count_jit, count], ids=["jit", "eager"])


def town():
    """Makes a twin of three residents, the first with a job, and one vacant slot."""
    return twin.clone(TOWN.state)


def counted(count, events, state=None):
    """Counts one tick; returns the metrics as numpy."""
    state = twin.to_arrays(state or town(), TownState)
    state, events = jax.tree.map(jnp.asarray, (state, twin.to_arrays(events, TickEvents)))
    return jax.device_get(count(state, events).metrics)


def figures(state):
    """Reads the charter figures; the default numbers."""
    return jax.device_get(kpi_jit(twin.to_arrays(state, TownState), PARAMS))


# Streaks


@both
def test_a_need_at_the_floor_breaks_the_streak(count):
    """EX-KPI-1."""
    state = town()
    state.metrics.above_floor_ticks[:] = 1439
    state.needs.level[:3] = ((0.301, 0.9, 0.9), (0.9, 0.3, 0.9), (0.9, 0.9, 0.2))
    state.needs.level[3] = 1
    out = counted(count, empty_events(TOWN.shape), state)
    assert out.above_floor_ticks.tolist() == [1440, 0, 0, 0]


def test_self_sufficiency_takes_a_whole_day():
    """EX-KPI-1."""
    state = town()
    state.metrics.above_floor_ticks[:] = (1439, 1440, 5000, 0)
    assert figures(state).self_sufficiency == 0.5
    state.metrics.above_floor_ticks[:] = 1439
    assert figures(state).self_sufficiency == 0


def test_an_absent_shift_resets_the_service():
    """EX-KPI-2."""
    events = twin.to_arrays(empty_events(TOWN.shape), TickEvents)
    tape = jax.tree.map(lambda x: np.broadcast_to(x, (2 * DAY, *np.shape(x))).copy(), events)
    tape.employment.absent[1651, 0] = True
    out = jax.device_get(live_jit(twin.to_arrays(town(), TownState), tape))
    assert out.service_ticks[[0, 1650, 1651, 2879], 0].tolist() == [1, 1651, 1, 1229]
    assert out.employed_ticks[2879].tolist() == [2880, 0, 0, 0]
    assert not out.service_ticks[:, 1:].any()


# Charter figures


def test_tenure_and_lateness():
    state = town()
    state.metrics.service_ticks[:] = (3 * DAY, DAY, 0, 0)
    state.metrics.num_shifts[:] = (7, 1, 0, 0)
    state.metrics.num_late_shifts[:] = (1, 1, 0, 0)
    out = figures(state)
    assert (out.tenure_days, out.lateness_rate) == (1.0, 0.25)
    out = figures(town())
    assert (out.tenure_days, out.lateness_rate) == (0, 0)


def test_relationship_coverage():
    state = town()
    ties = state.relationships
    for a, channel, value in ((0, "trust", -0.31), (1, "rivalry", 0.31), (2, "familiarity", 0.9)):
        getattr(ties, channel)[a, 3], ties.is_tie[a, 3] = value, True
    assert figures(state).relationship_coverage == 0.5
    ties.trust[0, 3] = 0.3
    assert figures(state).relationship_coverage == 0.25


# Counters


def finish(events, resident, name, thing):
    events.affordances.finished[resident] = NAMES.index(name)
    events.affordances.finished_obj[resident] = TOWN.id[thing]


def nonzero(counters):
    return {(int(a), Counter(c)): int(counters[a, c]) for a, c in np.argwhere(counters)}


@both
def test_what_residents_finish(count):
    events = empty_events(TOWN.shape)
    finish(events, 0, "eat_meal", "fridge")
    finish(events, 1, "cook_meal", "stove")
    finish(events, 2, "eat_out", "table")
    expected = {(0, Counter.MEALS): 1, (1, Counter.COOKED): 1, (2, Counter.MEALS): 1}
    assert nonzero(counted(count, events).counters) == expected
    events = empty_events(TOWN.shape)
    finish(events, 0, "use_shower", "shower")
    finish(events, 1, "rest_sleep", "bed")
    expected = {(0, Counter.SHOWERS): 1, (1, Counter.SLEEPS): 1}
    assert nonzero(counted(count, events).counters) == expected


@both
def test_what_residents_go_through(count):
    events = empty_events(TOWN.shape)
    events.employment.wage_paid[0] = 0.02
    events.employment.wage_withheld[1] = 0.02
    events.chat.listener[1], events.chat.is_success[1], events.chat.quality[1] = 0, True, 0.7
    conflicts = events.conflicts
    conflicts.is_set[2], conflicts.actor[2], conflicts.rival[2] = True, 2, 1
    failed = events.affordances.failed
    failed[FailSource.START, 0] = FailReason.POWER_OFF
    failed[FailSource.GHOST_STEP, 0] = FailReason.GHOST_STEP
    failed[FailSource.RELEASE, 2] = FailReason.ABANDONED
    state = town()
    state.metrics.counters[0, Counter.WAGE_TICKS] = 5
    expected = {
        (0, Counter.WAGE_TICKS): 6,
        (0, Counter.GOOD_CHATS): 1,
        (1, Counter.GOOD_CHATS): 1,
        (2, Counter.CONFLICTS): 1,
        (0, Counter.FAILURES): 2,
    }
    assert nonzero(counted(count, events, state).counters) == expected


def test_a_failed_chat_is_not_a_good_one():
    events = empty_events(TOWN.shape)
    events.chat.listener[1], events.chat.quality[1] = 0, 0.7
    assert not nonzero(counted(count_jit, events).counters)


def test_newcomers_start_at_zero_and_leavers_leave_nothing():
    events = empty_events(TOWN.shape)
    events.lifecycle.spawned[2] = True
    events.affordances.failed[FailSource.COLLAPSE_OR_REMOVAL, 2:] = FailReason.REMOVED
    state = town()
    state.metrics.counters[:3] = 9
    out = counted(count_jit, events, state)
    assert_array_equal(out.counters[2:], 0)
    assert_array_equal(out.counters[:2], 9)


def test_shifts():
    events = empty_events(TOWN.shape)
    events.employment.shift_closed[:2] = True
    events.employment.shift_closed_late[1] = True
    out = counted(count_jit, events)
    assert out.num_shifts.tolist() == [1, 1, 0, 0]
    assert out.num_late_shifts.tolist() == [0, 1, 0, 0]


# Totals


@both
def test_totals(count):
    events = empty_events(TOWN.shape)
    events.lifecycle.exited[:] = (ExitReason.FAINT, ExitReason.KILLED, ExitReason.FAINT, 0)
    events.lifecycle.spawned[3] = True
    for obj, intensity in ((0, 1.75), (3, 0.9)):
        events.conflicts.is_set[obj], events.conflicts.intensity[obj] = True, intensity
        events.conflicts.actor[obj], events.conflicts.rival[obj] = obj % 2, 2
    for a, b in ((0, 1), (0, 2), (1, 2)):
        events.affordances.shared_meal[a, b] = events.affordances.shared_meal[b, a] = True
    events.employment.helped[0, 1] = events.employment.helped[0, 2] = True
    events.employment.took[0, 1] = events.employment.took[1, 2] = True
    events.ghost_stepped[1] = True
    events.chat.listener[:2], events.chat.is_success[0] = (2, 3), True
    events.chat.quality[:2] = (0.75, 0.5)
    state = town()
    state.metrics.totals[Total.GHOST_MOVES] = 4
    totals = counted(count, events, state).totals
    assert {total: int(totals[total]) for total in Total} == {
        Total.EXIT_FAINT: 2,
        Total.EXIT_EVICTION: 0,
        Total.EXIT_EMPLOYMENT: 0,
        Total.EXIT_KILLED: 1,
        Total.EXIT_APPROVED: 0,
        Total.ARRIVALS: 1,
        Total.CONFLICTS: 2,
        Total.INTENSITY_QUARTERS: 7 + 4,
        Total.SHARED_MEALS: 3,
        Total.HELPED: 1,
        Total.TOOK: 2,
        Total.GHOST_MOVES: 5,
        Total.CHAT_SUCCESS: 1,
        Total.CHAT_FAILURE: 1,
        Total.CHAT_QUALITY_1024THS: 768,
    }


@pytest.mark.parametrize(
    ("reason", "total"),
    [
        (ExitReason.FAINT, Total.EXIT_FAINT),
        (ExitReason.EVICTION, Total.EXIT_EVICTION),
        (ExitReason.EMPLOYMENT_EXIT, Total.EXIT_EMPLOYMENT),
        (ExitReason.KILLED, Total.EXIT_KILLED),
        (ExitReason.MANUAL_APPROVE, Total.EXIT_APPROVED),
    ],
)
def test_exits_by_reason(reason, total):
    events = empty_events(TOWN.shape)
    events.lifecycle.exited[1] = reason
    totals = counted(count_jit, events).totals
    assert np.flatnonzero(totals).tolist() == [total] and totals[total] == 1


def test_batch_equals_loop():
    rng = np.random.default_rng(0)

    def random_tick():
        events, state = empty_events(TOWN.shape), town()
        state.needs.level[:] = rng.random((SLOTS, 3))
        state.metrics.above_floor_ticks[:] = rng.integers(0, 2 * DAY, SLOTS)
        state.metrics.service_ticks[:] = rng.integers(0, 2 * DAY, SLOTS)
        state.relationships.trust[:] = rng.uniform(-0.4, 0.4, (SLOTS, SLOTS))
        state.relationships.is_tie[:] = ~np.eye(SLOTS, dtype=bool)
        events.chat.listener[0], events.chat.is_success[0] = 1, rng.random() < 0.5
        events.chat.quality[0] = rng.random()
        events.employment.absent[:] = rng.random(SLOTS) < 0.5
        events.conflicts.is_set[1], events.conflicts.actor[1] = True, rng.integers(0, 3)
        events.conflicts.intensity[1] = rng.uniform(0.1, 5)
        return jax.tree.map(
            jnp.asarray, (twin.to_arrays(state, TownState), twin.to_arrays(events, TickEvents))
        )

    def both_figures(state, events, params):
        state = count(state, events)
        return state.metrics, metrics.kpi(state, params)

    ticks = [random_tick() for _ in range(2)]
    batch = jax.tree.map(lambda *x: jnp.stack(x), *ticks)
    many = jax.vmap(both_figures, in_axes=(0, 0, None))
    together = jax.jit(many, compiler_options=QUICK)(*batch, PARAMS)
    alone = jax.jit(both_figures, compiler_options=QUICK)
    for i, tick in enumerate(ticks):
        expected = alone(*tick, PARAMS)
        for other in (row(together, i), both_figures(*tick, PARAMS)):
            jax.tree.map(assert_array_equal, other[0], expected[0])
            # A division by a shared scalar may be compiled as a product with its inverse.
            jax.tree.map(lambda x, y: assert_allclose(x, y, rtol=3e-7), other[1], expected[1])
    assert (together[1].tenure_days > 0).all()
