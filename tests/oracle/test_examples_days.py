"""The twin against the worked numbers of the social text: avoidance and the figures of a day."""

import numpy as np

from tests.oracle import towns
from tests.oracle.run import run, ticks_where
from tests.oracle.tables import Job, Resident, Thing
from townlet_jax.state import Day, OwnDay

DIRTY = (0.8, 0.4, 0.8)


def rivals(plan=(("request", "fridge"),), needs=DIRTY, rivalry=0.8, position=(5, 7)):
    """Resident 1 keeps the only shower; resident 0 stands near it and would like a wash."""
    return towns.build(
        [
            Resident(position, needs=needs, schedule=list(plan)),
            Resident((5, 4), schedule=[("request", "shower")]),
            Resident((5, 8), schedule=[("request", "fridge")]),
        ],
        [
            Thing("shower", "shower", (5, 5)),
            Thing("fridge", "fridge", (5, 8), stock={"meals": 3}),
        ],
        ties=[(0, 1, 0, 0, rivalry)],
        queues__ghost_step_after=0,
    )


def avoided(town, ticks):
    return ticks_where(run(town, ticks).events, lambda e: e.conflict.avoided[0])


def test_avd_1_once_in_120_ticks():
    town = rivals()
    assert avoided(town, 122) == [0, 120]
    assert town.state.conflicts.avoided_today[0, 1] == town.state.conflicts.avoided_today[1, 0] == 2
    assert town.state.metrics.today[Day.AVOIDANCES] == 2
    assert run(rivals(), 1).events[0].conflict.rival.tolist() == [1, -1, -1]


def test_avd_2_not_from_within_the_queue():
    assert avoided(rivals(plan=[("request", "shower")]), 5) == []


def test_avd_3_not_with_an_empty_stomach():
    assert avoided(rivals(needs=(0.10, 0.4, 0.8)), 5) == []


def test_no_avoidance_without_a_grudge_or_out_of_range():
    assert avoided(rivals(rivalry=0.69), 5) == []
    assert avoided(rivals(position=(5, 9)), 5) == []
    assert avoided(rivals(needs=(0.39, 0.4, 0.8)), 2) == []


def test_kpd_4_decisions_and_switches():
    plays = [0, 1, 1, 2, 0, 2]
    town = towns.build([Resident((1, 1)), Resident((4, 4), schedule=[("wait",)])])
    run(town, 26, actions=lambda tick, state: [plays[tick // 5], 0])
    assert town.state.metrics.today[[Day.DECISIONS, Day.SWITCHES]].tolist() == [5, 1]
    assert town.state.metrics.last_decision.tolist() == [2, -1], "schedules decide nothing"


def test_a_day_closes_with_its_last_tick():
    town = towns.build(
        [Resident((1, 1), job=0, needs=(1, 1, 1))], jobs=[Job(2, 5)], time__ticks_per_day=24
    )
    states = run(town, 49).states
    days = [states[t].metrics.last_day_index for t in (22, 23, 46, 47, 48)]
    assert days == [-1, 0, 0, 1, 1]
    closed = states[47].metrics.last_day
    assert closed[[Day.SHIFTS, Day.SUFFICIENT_SLOTS, Day.ATTENDED_SLOTS]].tolist() == [1, 1, 1]
    assert states[47].metrics.own_day[0, OwnDay.TICKS] == 24
    assert states[48].metrics.own_day[0, OwnDay.TICKS] == 1
    assert not np.array_equal(states[48].metrics.today, closed)
