"""The twin against the worked numbers of the world text: work, exits, embedding slots."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from tests.oracle import slots, towns, twin
from tests.oracle.run import run, ticks_where
from tests.oracle.tables import Job, Resident, Spec
from townlet_jax.config.layout import PerturbationKind
from townlet_jax.state import ExitReason, Status

NO_DECAY = {"needs__decay": (0, 0, 0)}


def near(*values):
    return pytest.approx(values if len(values) > 1 else values[0], abs=2e-5)


# Employment


def worker(**tweaks):
    job = Job(180, 360, wage=0.02, penalty=0.1, location=(5, 5))
    town = towns.build(
        [Resident((20, 20), wallet=1.0, job=0)], jobs=[job], lifecycle__collapse_ticks=10**6,
        **{**NO_DECAY, **tweaks},
    )  # fmt: skip
    town.state.economy.price_base[:] = 0
    return town


def attend(*stays, ticks=400, **tweaks):
    """Runs a day; stays are (tick, is at work) changes of place."""
    town = worker(**tweaks)
    ops = {t: [(3, 0, 5, 5) if is_there else (3, 0, 20, 20)] for t, is_there in stays}
    return town, run(town, ticks, ops=ops)


def facts(events):
    """Lists (tick, late_start, absent, departed) of the ticks with a record."""
    e = {t: x.employment for t, x in events.items()}
    return [
        (t, int(x.late_start[0]), bool(x.absent[0]), bool(x.departed[0]))
        for t, x in e.items()
        if x.late_start[0] >= 0 or x.absent[0] or x.departed[0]
    ]


def ratio(town):
    present, scheduled = town.state.employment.attendance[0].sum(axis=0)
    return present / max(1, scheduled)


def test_emp_1_never_there():
    town, result = attend(ticks=400)
    status = {t: s.employment.status[0] for t, s in result.states.items()}
    assert all(status[t] == Status.ARRIVING for t in range(180, 186))
    assert all(status[t] == Status.LATE for t in range(186, 211))
    assert (
        all(status[t] == Status.ABSENT for t in range(211, 361))
        and status[361] == Status.POST_SHIFT
    )
    assert [status[159], status[160]] == [Status.PRE_SHIFT, Status.AWAIT_START]
    assert facts(result.events) == [(186, 6, False, False), (211, -1, True, False)]
    assert town.state.agents.wallet[0] == near(0.575)
    assert town.state.employment.wages_withheld[0] == near(3.62)
    assert ratio(town) == 0 and town.state.employment.late_ticks_today[0] == 25


def test_emp_2_always_there():
    town, result = attend((0, True))
    assert facts(result.events) == []
    assert town.state.agents.wallet[0] == near(4.62) and ratio(town) == 1
    assert town.state.metrics.counters[0, 4] == 181
    assert result.events[180].employment.first_presence[0] == 0


def test_emp_3_late_by_six():
    town, result = attend((186, True))
    assert facts(result.events) == [(186, 6, False, False)]
    assert town.state.agents.wallet[0] == near(4.40)
    assert town.state.employment.wages_withheld[0] == near(0.12)
    assert ratio(town) == 175 / 181
    assert town.state.metrics.num_late_shifts[0] == town.state.metrics.num_shifts[0] == 1


def test_emp_4_late_within_grace():
    town, result = attend((185, True))
    assert facts(result.events) == []
    assert town.state.agents.wallet[0] == near(4.52)
    assert town.state.employment.wages_withheld[0] == near(0.10)


def test_emp_5_a_break_within_the_slack():
    town, result = attend((0, True), (280, False), (300, True))
    assert facts(result.events) == []
    assert town.state.agents.wallet[0] == near(4.22) and ratio(town) == 161 / 181


def test_emp_6_a_break_beyond_the_slack():
    town, result = attend((0, True), (280, False), (301, True))
    assert facts(result.events) == [(300, -1, True, True)]
    assert town.state.agents.wallet[0] == near(4.00) and ratio(town) == 160 / 181


def test_life_4_three_absences_lead_to_a_reviewed_exit():
    town = worker()
    result = run(town, 4535)
    assert ticks_where(result.events, lambda e: e.employment.exit_pending[0]) == [3091]
    exits = {
        t: int(e.lifecycle.exited[0]) for t, e in result.events.items() if e.lifecycle.exited[0]
    }
    assert exits == {4531: ExitReason.EMPLOYMENT_EXIT}
    assert town.state.lifecycle.exits_today == town.state.employment.exits_today == 1


def test_kpi_2_service_starts_again_with_the_absent_shift():
    town, result = attend((0, True), (1500, False), ticks=2880)
    absent = ticks_where(result.events, lambda e: e.employment.absent[0])
    assert absent == [1651]
    assert town.state.metrics.service_ticks[0] == 1229
    assert town.state.metrics.employed_ticks[0] == 2880


# Lifecycle


def test_life_1_starvation():
    town = towns.build([Resident((2, 2), needs=(0.7, 0.7, 0.7))])
    result = run(town, 531)
    low = ticks_where(result.states, lambda s: s.needs.low_hunger_ticks[0] == 1)
    assert low == [478]
    e = result.events[507].lifecycle
    assert e.collapsed[0] and e.exited[0] == ExitReason.FAINT
    assert result.states[507].agents.is_leaving[0] and result.states[507].agents.is_alive[0]
    assert not result.states[508].agents.is_alive[0]
    arrived = ticks_where(result.events, lambda e: e.lifecycle.spawned[0])
    assert arrived == [512]
    newcomer = result.states[512]
    assert newcomer.agents.generation[0] == 1 and newcomer.agents.wallet[0] == near(1.5)
    assert newcomer.needs.level[0, 0] == near(0.75 - 0.0014)
    assert newcomer.slots.slot[0] == 1


def test_life_1_latest_arrival():
    town = towns.build([Resident((2, 2), needs=(0.7, 0.7, 0.7))])
    draws = towns.quiet_draws(town.shape)
    draws.bits_arrival_delay[:] = 31
    result = run(town, 531, draws=draws)
    assert ticks_where(result.events, lambda e: e.lifecycle.spawned[0]) == [527]


def test_life_2_cap_and_cooldown():
    hungry = [Resident((x, 2), needs=(0.7 + 0.0014 * x, 0.7, 0.7)) for x in range(3)]
    town = towns.build(hungry)
    result = run(town, 1445)
    collapsed = [
        ticks_where(result.events, lambda e, a=a: e.lifecycle.collapsed[a])[0] for a in range(3)
    ]
    assert collapsed == [507, 508, 509]
    assert [
        ticks_where(result.events, lambda e, a=a: e.lifecycle.exited[a] > 0)[0] for a in range(3)
    ] == [
        507,
        627,
        1440,
    ]


def test_life_3_exits_wait_for_the_power():
    town = towns.build(
        [Resident((2, 2), needs=(0.7, 0.7, 0.7))], specs=[Spec(PerturbationKind.BLACKOUT)]
    )
    result = run(town, 585, ops={490: [(11, 0, 0, 30, -1, -1, -1, -1)]})
    assert ticks_where(result.events, lambda e: e.lifecycle.collapsed[0]) == [507]
    assert result.states[520].lifecycle.flagged_tick[0] == 507
    assert ticks_where(result.events, lambda e: e.lifecycle.exited[0] > 0) == [580]


def test_life_5_a_bite_ends_the_count():
    town = towns.build([Resident((2, 2), needs=(0.02, 0.7, 0.7))], **NO_DECAY)
    run(town, 29)
    assert town.state.needs.low_hunger_ticks[0] == 29
    result = run(town, 40, ops={29: [(4, 0, 0, 400)]})
    assert town.state.needs.low_hunger_ticks[0] == 0
    assert not any(e.lifecycle.collapsed[0] for e in result.events.values())


def test_slot_1_forced_only_within_the_cooldown():
    town = towns.build([Resident((2, 2))], slots__cooldown_ticks=3)
    town.shape = dataclasses.replace(town.shape, num_slots=1)
    town.state.slots.released_tick = town.state.slots.released_tick[:1]
    for release, allocate, num_forced in ((1, 2, 1), (5, 8, 1)):
        view = twin.look(town.shape, town.state, town.params, town.layout)
        view.events = SimpleNamespace(lifecycle=SimpleNamespace(slot_forced=np.zeros(1, bool)))
        view.tick = release
        slots.release(view, 0)
        view.tick = allocate
        slots.allocate(view, [0])
        assert town.state.slots.num_forced == num_forced and town.state.slots.slot[0] == 0
        assert view.events.lifecycle.slot_forced[0] == (release == 1)
