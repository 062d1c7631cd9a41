"""The figures of a day: what is counted, when a day closes, and the shares that come of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.oracle import towns, twin
from tests.oracle.events import empty_events
from tests.oracle.tables import Job, Resident, Thing
from tests.rules.tie_towns import QUICK
from townlet_jax.masked import NONE
from townlet_jax.state import Day, OwnDay, Total, TownState
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.clock import now
from townlet_jax.state.events import TickEvents
from townlet_jax.town import metrics
from townlet_jax.town.metrics import DayKpi
from townlet_jax.town.options import Option
from townlet_jax.town.tick import Tick

SLOTS, DAY = 8, 24
TOWN = towns.build(
    [Resident((i, 0), job=0 if i < 2 else NONE, needs=(0.9, 0.9, 0.9)) for i in range(SLOTS)],
    [Thing("shower", "shower", (5, 5))],
    [Job(3, 9)],
    time__ticks_per_day=DAY,
    behavior__decide_every=4,
)
PARAMS, LAYOUT = jax.tree.map(jnp.asarray, (TOWN.params, TOWN.layout))
FIGURES = [name for name in DayKpi.__dataclass_fields__ if name != "has_data"]


def count(before, state, events):
    moment = now(state.clock, PARAMS.time.ticks_per_day)
    return metrics.count(before, state, events, Tick(TOWN.shape, moment, None, PARAMS, LAYOUT))


def day_kpi(state):
    return metrics.day_kpi(state.metrics, state.relationships, PARAMS)


count_jit = jax.jit(count, compiler_options=QUICK)
kpi_jit = jax.jit(day_kpi, compiler_options=QUICK)


def arrays(tree, kind=TownState):
    return jax.tree.map(jnp.asarray, twin.to_arrays(tree, kind))


def town(tick=DAY - 1):
    state = twin.clone(TOWN.state)
    state.clock.tick = tick
    return state


def counted(state, events=None, before=None):
    """Counts one tick; returns the twin of the state after it, its clock put on by one."""
    events = arrays(events or empty_events(TOWN.shape), TickEvents)
    out = count_jit(arrays(before or state), arrays(state), events)
    after = twin.from_state(jax.device_get(out))
    after.clock.tick += 1
    return after


def figures(state):
    """Reads the figures; those that are shares of no cases read None."""
    out = jax.device_get(kpi_jit(arrays(state)))
    values = [float(getattr(out, name)) for name in FIGURES]
    assert all(value == 0 for value, known in zip(values, out.has_data, strict=True) if not known)
    known = zip(FIGURES, values, out.has_data, strict=True)
    return {name: value if is_known else None for name, value, is_known in known}


def test_a_day_begins_with_the_entries_of_the_totals():
    assert [day.name for day in Day][: len(Total)] == [total.name for total in Total]
    assert len(FIGURES) == 17


def test_kpd_1_self_sufficiency_and_tenure():
    state = town()
    state.metrics.above_floor_ticks[:] = DAY - 1
    state.metrics.above_floor_ticks[6:] = DAY - 2
    state.metrics.service_ticks[:2] = (5 * DAY - 1, 3 * DAY - 1)
    assert figures(counted(state))["self_sufficiency"] == 0.75
    assert figures(counted(state))["tenure_days"] == 1
    state.agents.is_alive[5] = False
    assert figures(counted(state))["self_sufficiency"] == 0.625


def test_kpd_2_relationship_coverage():
    state = town()
    ties = state.relationships
    ties.is_tie[:3, 7] = True
    ties.trust[:2, 7], ties.rivalry[2, 7] = (0.3, 0.3001), 0.31
    assert figures(counted(state))["relationship_coverage"] == 2 / SLOTS
    ties.is_tie[2, 7] = False
    assert figures(counted(state))["relationship_coverage"] == 1 / SLOTS


def test_kpd_3_repeated_avoidance():
    state = town()
    pairs = state.conflicts
    pairs.conflict_today[[0, 1, 2, 3], [1, 0, 3, 2]] = True
    pairs.avoided_today[[0, 1, 2, 3], [1, 0, 3, 2]] = (2, 2, 1, 1)
    pairs.avoided_today[[4, 5], [5, 4]] = 9
    assert figures(counted(state))["repeat_avoidance_share"] == 0.5
    pairs.conflict_today[:] = False
    assert figures(counted(state))["repeat_avoidance_share"] is None


def test_kpd_4_option_switches():
    plays = [Option.REST, Option.GET_FED, Option.GET_FED, Option.GET_CLEAN, Option.REST]
    state = town(0)
    for i, option in enumerate([*plays, Option.GET_CLEAN]):
        state.clock.tick = 4 * i
        before = twin.clone(state)
        before.agents.is_alive[1:] = False  # who is not here yet decides nothing
        state.agents.last_action[:] = option
        state = counted(state, before=before)
        state.agents.last_action[:] = Option.SLEEP
        state = counted(state, before=before)  # between two decisions
    assert state.metrics.last_decision.tolist() == [Option.GET_CLEAN, *[NONE] * 7]
    assert state.metrics.today[[Day.DECISIONS, Day.SWITCHES]].tolist() == [5, 1]
    state.clock.tick = DAY - 1
    assert figures(counted(state))["option_switch_rate"] == pytest.approx(0.2)


def test_what_a_day_counts():
    events = empty_events(TOWN.shape)
    events.lifecycle.exited[:3] = (ExitReason.FAINT, ExitReason.KILLED, ExitReason.FAINT)
    events.lifecycle.collapsed[3:5] = True
    events.employment.shift_closed[:4], events.employment.shift_closed_late[0] = True, True
    events.chat.listener[:3], events.chat.is_success[:2] = (4, 5, 6), True
    events.chat.quality[:3] = (0.5, 0.75, 0.9)
    events.conflicts.is_set[0], events.conflicts.intensity[0] = True, 1.75
    events.conflicts.actor[0], events.conflicts.rival[0] = 0, 1
    events.conflict.avoided[6:], events.conflict.rival[6:] = True, 0
    state = town()
    state.relationships.tie_ticks_today = 5 * DAY * SLOTS
    state.relationships.churn_rate = np.float32(0.25)
    state.employment.num_attendance[:3] = 1
    state.employment.attendance[:3, 0] = ((7, 7), (3, 6), (1, 1))
    after = counted(state, events)
    assert figures(after) == {
        "self_sufficiency": 0,
        "tenure_days": pytest.approx(2 / (SLOTS * DAY)),
        "lateness_rate": 0.25,
        "relationship_coverage": 0,
        "starvation_events": 2,
        "conflicts_per_day": 1,
        "conflict_intensity": 1.75,
        "repeat_avoidance_share": None,
        "option_switch_rate": None,
        "chat_success_rate": pytest.approx(2 / 3),
        "chat_quality_mean": 0.625,
        "attendance": 0.75,
        "exits_per_day": 3,
        "churn_rate": 0.25,
        "avoidance_events": 2,
        "tie_count_mean": 5,
        "chats_per_resident": 0.75,
    }
    exits = after.metrics.last_day[: Day.EXIT_APPROVED + 1]
    assert exits.tolist() == [2, 0, 0, 1, 0]


def test_what_residents_go_through():
    events = empty_events(TOWN.shape)
    events.employment.late_start[1], events.employment.absent[1:3] = 7, True
    events.conflicts.is_set[0], events.conflicts.actor[0], events.conflicts.rival[0] = True, 2, 1
    state = town(5)
    state.needs.level[1] = (0.5, 0.75, 1.0)
    state.agents.is_alive[7] = False
    state.metrics.own_day[1] = (10, 1000, 1)
    own = counted(state, events).metrics.own_day
    assert own[1].tolist() == [11, 1768, 3]
    assert own[2].tolist() == [1, 306, 2]
    assert own[7].tolist() == [0, 0, 0]
    state.clock.tick = DAY
    assert counted(state, events).metrics.own_day[1, OwnDay.TICKS] == 1, "a new day"


def test_days_close_and_restart():
    """Two and a half days with a collapse in every tick."""
    events = empty_events(TOWN.shape)
    events.lifecycle.collapsed[0] = True
    state, seen = town(0), {}
    assert all(value is None for value in figures(state).values()), "no day is over yet"
    for tick in range(2 * DAY + 5):
        state = counted(state, events)
        m = state.metrics
        seen[tick] = (m.last_day_index, m.last_day[Day.COLLAPSES], m.today[Day.COLLAPSES])
    assert seen[DAY - 2] == (NONE, 0, DAY - 1)
    assert seen[DAY - 1] == (0, DAY, DAY), "both readable until the next tick"
    assert seen[DAY] == (0, DAY, 1)
    assert seen[2 * DAY - 1] == (1, DAY, DAY)
    assert seen[2 * DAY + 4] == (1, DAY, 5)


def test_churn_alerts_only_after_the_first_days():
    state, params = town(), PARAMS.relationships
    for day, rate, expected in ((1, 0.3, False), (2, 0.3, True), (2, 0.2, False), (NONE, 1, False)):
        state.metrics.last_day_index, state.relationships.churn_rate = day, np.float32(rate)
        known = arrays(state)
        alert = metrics.churn_alert(known.metrics, known.relationships, params)
        assert bool(alert) == expected


def test_a_batch_equals_a_loop():
    rng = np.random.default_rng(0)

    def random_town():
        state = town(int(rng.choice([DAY - 1, 2 * DAY - 1, 7])))
        state.metrics.today[:] = rng.integers(0, 50, len(Day))
        state.metrics.service_ticks[:] = rng.integers(0, 2 * DAY, SLOTS)
        state.metrics.last_decision[:] = rng.integers(-1, 7, SLOTS)
        state.agents.last_action[:] = rng.integers(0, 7, SLOTS)
        state.relationships.tie_ticks_today = int(rng.integers(0, 900))
        state.relationships.churn_rate = np.float32(rng.random())
        return arrays(state)

    def both(state, events, params):
        after = count(state, state, events)
        return after.metrics, metrics.day_kpi(after.metrics, after.relationships, params)

    towns_ = [random_town() for _ in range(3)]
    events = arrays(empty_events(TOWN.shape), TickEvents)
    many = jax.vmap(both, in_axes=(0, None, None))
    batch = jax.tree.map(lambda *x: jnp.stack(x), *towns_)
    together = jax.jit(many, compiler_options=QUICK)(batch, events, PARAMS)
    alone = jax.jit(both, compiler_options=QUICK)
    for i, state in enumerate(towns_):
        expected = alone(state, events, PARAMS)
        jax.tree.map(assert_array_equal, jax.tree.map(lambda x, i=i: x[i], together), expected)
