"""The twin against the golden results of the shipped scenarios (world §18.2, §18.3)."""

import dataclasses

import numpy as np
import pytest

from tests.oracle import towns
from tests.oracle.defaults import default_params
from tests.oracle.run import run, ticks_where
from tests.oracle.tables import Job, Resident, Thing
from townlet_jax.state.events import FailReason, FailSource

STILL = {"needs__decay": (0, 0, 0)}


def near(*values):
    return pytest.approx(values if len(values) > 1 else values[0], abs=2e-5)


def deltas(increment):
    table = default_params().relationships.deltas
    table[3, 2] = increment
    return table


def queue_conflict():
    dirty = (0.6, 0.3, 0.6)
    push = [("request_blocked", "north"), ("blocked", "north")]
    turns = [("request", "south"), ("start", "south", "use_shower")]
    anna = [("request", "north"), ("start", "north", "use_shower"), ("wait", None, None, 4)]
    gina = [
        ("request", "table.0"),
        ("start", "table.0", "eat_out"),
        ("chat", 7),
        ("wait", None, None, 2),
    ]
    hugo = [
        ("wait",),
        ("request", "table.1"),
        ("start", "table.1", "eat_out"),
        ("chat", 6),
        ("wait",),
    ]
    friend = {"needs": (0.3, 0.5, 0.5), "traits": (0.6, 0.1, -0.1), "profile": 1}
    residents = [
        Resident((12, 7), dirty, schedule=anna),
        Resident((13, 8), dirty, schedule=push),
        Resident((12, 9), dirty, schedule=push),
        Resident((12, 15), dirty, schedule=turns),
        Resident((13, 16), dirty, schedule=turns),
        Resident((12, 17), dirty, schedule=turns),
        Resident((4, 12), schedule=gina, **friend),
        Resident((6, 12), schedule=hugo, **friend),
    ]
    things = [
        Thing("north", "shower", (12, 8)),
        Thing("south", "shower", (12, 16)),
        Thing("table", "cafe_table", (5, 12), seats=2, stock={"cafe_meals": 10}),
    ]
    return towns.build(
        residents, things, **STILL, queues__cooldown_ticks=4, queues__ghost_step_after=1,
        queues__age_weight=0, queues__min_hold_ticks=2, relationships__deltas=deltas(0.05),
        relationships__rivalry_decay=0.01, chat__pair_cooldown_ticks=6,
        ties=[(6, 7, 0.3, 0.4, 0), (7, 6, 0.3, 0.4, 0)],
    )  # fmt: skip


def test_queue_conflict_golden():
    town = queue_conflict()
    result = run(town, 40)
    conflicts = [
        (t, o) for t, e in result.events.items() for o in np.flatnonzero(e.conflicts.is_set)
    ]
    assert len(conflicts) == 37
    assert sum(float(result.events[t].conflicts.intensity[o]) for t, o in conflicts) == near(64.75)
    assert result.events[1].affordances.started[0] == 0
    assert result.events[3].affordances.failed[FailSource.GHOST_STEP, 0] == FailReason.GHOST_STEP
    assert result.states[3].agents.wallet[0] == near(1.98)
    assert result.states[3].needs.level[0, 1] == near(0.35)
    assert result.events[1].affordances.started[3] == 0
    handover = result.events[20].handovers
    assert handover.is_set[1] and handover.actor[1] == 3 and handover.rival[1] == 4
    assert ticks_where(result.events, lambda e: e.affordances.shared_meal.any()) == [2, 27]
    assert town.state.relationships.rivalry.max() == pytest.approx(0.77, abs=0.005)
    assert sum(e.num_refused_requests for e in result.events.values()) == 1


def test_queue_conflict_whole_file():
    town = queue_conflict()
    result = run(town, 80)
    assert sum(int(e.conflicts.is_set.sum()) for e in result.events.values()) == 77
    assert sum(float(e.conflicts.intensity.sum()) for e in result.events.values()) == near(134.75)
    assert sum(int(e.affordances.shared_meal.sum()) for e in result.events.values()) == 2 * 3
    assert sum(int((e.affordances.finished == 0).sum()) for e in result.events.values()) == 3
    for tick, friend in ((76, 6), (77, 7)):
        failed = result.events[tick].affordances.failed[FailSource.START, friend]
        assert failed == FailReason.INSUFFICIENT_FUNDS
    assert town.state.metrics.totals[6] == 77 and town.state.metrics.totals[7] == 4 * 134.75


def test_queue_conflict_other_orders():
    for seed in range(5):
        town = queue_conflict()
        town.shape = dataclasses.replace(town.shape, tick_order="random")
        rng = np.random.default_rng(seed)
        result = run(
            town, 40, draws=lambda t, rng=rng, town=town: towns.random_draws(town.shape, rng)
        )
        assert 37 <= sum(int(e.conflicts.is_set.sum()) for e in result.events.values()) <= 39
        assert (
            64.75
            <= sum(float(e.conflicts.intensity.sum()) for e in result.events.values())
            <= 68.25
        )


def test_employment_punctuality_golden():
    dawn = [("wait", None, None, 10), ("start", "cafe", "work_shift"), ("wait", None, None, 69)]
    erin = [
        ("wait", None, None, 14), ("move", (12, 13), None, 3),
        ("start", "cafe", "work_shift"), ("wait", None, None, 62),
    ]  # fmt: skip
    town = towns.build(
        [Resident((11, 12), wallet=1.0, job=0, schedule=dawn),
         Resident((12, 16), wallet=1.0, job=0, schedule=erin)],
        [Thing("cafe", "counter", (12, 12))], [Job(10, 30, 0.03, 0.2, (12, 12))],
        employment__arrival_buffer=5, queues__ghost_step_after=1, **STILL,
    )  # fmt: skip
    events = run(town, 80).events
    for a, tick in ((0, 10), (1, 17)):
        assert ticks_where(events, lambda e, a=a: e.affordances.started[a] >= 0) == [tick]
        assert ticks_where(events, lambda e, a=a: e.affordances.finished[a] >= 0) == [30]
    assert events[16].employment.late_start[1] == 6
    assert events[16].employment.helped[1].tolist() == [True, False]
    assert list(town.state.agents.wallet) == near(1.63, 1.215)
    assert town.state.employment.attendance[:, 0].tolist() == [[21, 21], [14, 21]]
    assert not any(e.employment.took.any() for e in events.values())


def test_rivalry_decay_golden():
    plan = [("request", "stove", None, 10), ("release",), ("wait", None, None, 39)]
    town = towns.build(
        [Resident((11, 12), schedule=plan), Resident((13, 12), schedule=plan)],
        [Thing("stove", "stove", (12, 12))], queues__ghost_step_after=1,
        relationships__deltas=deltas(0.05), relationships__rivalry_decay=0.01, **STILL,
    )  # fmt: skip
    result = run(town, 50)
    assert ticks_where(result.events, lambda e: e.conflicts.is_set[0]) == list(range(1, 10))
    rivalry = [float(result.states[t].relationships.rivalry[0, 1]) for t in (9, 19, 49)]
    assert rivalry == near(0.585, 0.485, 0.185)


def test_kitchen_breakfast_golden():
    alice = [
        ("request", "stove"), ("start", "stove", "cook_meal"), ("wait", None, None, 29),
        ("request", "fridge.0"), ("start", "fridge.0", "eat_meal"), ("wait", None, None, 27),
    ]  # fmt: skip
    bob = [
        ("wait", None, None, 31), ("request", "fridge.1"), ("wait",),
        ("start", "fridge.1", "eat_meal"), ("wait", None, None, 26),
    ]  # fmt: skip
    things = [
        Thing("stove", "stove", (12, 12), venue="kitchen", stock={"raw_ingredients": 3}),
        Thing("fridge", "fridge", (12, 13), seats=2, venue="kitchen"),
    ]
    town = towns.build(
        [Resident((11, 12), (0.4, 0.6, 0.5), 1.5, schedule=alice),
         Resident((13, 12), (0.3, 0.7, 0.6), 1.2, schedule=bob)],
        things, queues__ghost_step_after=1, **STILL,
    )  # fmt: skip
    events = run(town, 60).events
    assert ticks_where(events, lambda e: e.affordances.started[0] >= 0) == [1, 32]
    assert ticks_where(events, lambda e: e.affordances.finished[0] >= 0) == [30, 46]
    assert ticks_where(events, lambda e: e.affordances.finished[1] >= 0) == [47]
    assert ticks_where(events, lambda e: e.affordances.shared_meal.any()) == [33]
    assert town.state.needs.level.ravel().tolist() == near(0.9, 0.6, 0.49, 0.75, 0.7, 0.62)
    assert list(town.state.agents.wallet) == near(0.95, 0.80)
    assert town.state.economy.stock[:2, 0].tolist() == [0, 2]


def test_observation_baseline_is_silent():
    town = towns.build([Resident((12, 12), (0.4, 0.4, 0.4), 1.0, schedule=[("wait",)])], **STILL)
    for e in run(town, 20).events.values():
        assert (e.affordances.started == -1).all() and (e.chat.listener == -1).all()
        assert not e.lifecycle.exited.any()
