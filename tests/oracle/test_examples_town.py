"""The twin against the worked numbers of the world text: money, perturbations, rows, masks."""

import dataclasses

import pytest

from tests.oracle import masks, options, towns, twin
from tests.oracle.economy import price
from tests.oracle.perturbations import participants
from tests.oracle.run import run, ticks_where
from tests.oracle.tables import Resident, Spec, Thing
from tests.oracle.utilities import is_on
from townlet_jax.config.layout import PerturbationKind
from townlet_jax.state import ExitReason

NO_DECAY = {"needs__decay": (0, 0, 0)}


def near(*values):
    return pytest.approx(values if len(values) > 1 else values[0], abs=2e-5)


# Economy, perturbations, admin rows, masks, options


def rents(wallets):
    """Runs successive midnights; lists (paid, missed, evicted, wallet, unpaid)."""
    town, out = towns.build([Resident((2, 2))], **NO_DECAY, lifecycle__exit_cooldown_ticks=0), []
    for day, wallet in enumerate(wallets, 1):
        town.state.clock.tick = 1440 * day
        town.state.agents.wallet[0] = wallet
        e = run(town, 1).events[1440 * day]
        out.append(
            (
                bool(e.economy.rent_paid[0]),
                bool(e.economy.rent_missed[0]),
                e.lifecycle.exited[0] == ExitReason.EVICTION,
                round(float(town.state.agents.wallet[0]), 4),
                int(town.state.economy.unpaid_days[0]),
            )
        )
    return out


def test_eco_1_notice_day_takes_a_share():
    assert rents([0.8, 0.6, 0.55, 1.2]) == [
        (False, True, False, 0.8, 1),
        (False, True, False, 0.6, 2),
        (False, True, False, 0.05, 2),
        (True, False, False, 0.2, 0),
    ]


def test_eco_2_eviction():
    assert rents([0.8, 0.6, 0.5])[-1] == (False, False, True, 0.5, 2)


def test_eco_3_restock_up_to_the_maximum():
    fridge = Thing(
        "f", "fridge", (5, 5), stock={"meals": 20}, restock={"meals": 8}, maximum={"meals": 24}
    )
    town = towns.build([Resident((2, 2))], [fridge])
    town.state.clock.tick = 300
    e = run(town, 1).events[300]
    assert town.state.economy.stock[0, 0] == 24 and e.economy.restocked[0, 0] == 4


def test_eco_4_overlapping_blackouts():
    town = towns.build([Resident((2, 2))], specs=[Spec(PerturbationKind.BLACKOUT)])
    trigger = (11, 0, 0, 30, -1, -1, -1, -1)
    result = run(town, 160, ops={100: [trigger], 120: [trigger]})
    off = [
        t
        for t, s in result.states.items()
        if not is_on(twin.look(town.shape, s, town.params, town.layout), 0)
    ]
    assert off == list(range(100, 150))


def starts(town, ticks):
    events = run(town, ticks).events
    return (
        ticks_where(events, lambda e: e.perturbations.started.any()),
        ticks_where(events, lambda e: e.perturbations.ended.any()),
    )


def certain(**kwargs):
    return Spec(PerturbationKind.BLACKOUT, prob=1440, **kwargs)


def test_per_1_length_and_spec_cooldown():
    town = towns.build(
        [Resident((2, 2))], specs=[certain(cooldown=2)], perturbations__max_events_per_window=0
    )
    assert starts(town, 7) == ([0, 3, 6], [1, 4])


def test_per_2_spikes_multiply():
    spikes = [
        Spec(PerturbationKind.PRICE_SPIKE, ticks=(9, 9), magnitude=(m, m), prices=("meal",))
        for m in (1.5, 1.2)
    ]
    town = towns.build([Resident((2, 2))], specs=spikes)
    run(town, 1, ops={0: [(11, p, 0, -1, -1, -1, -1, -1) for p in (0, 1)]})
    assert price(twin.look(town.shape, town.state, town.params, town.layout), 0) == near(0.72)


def test_per_3_global_cooldown():
    town = towns.build(
        [Resident((2, 2))], specs=[certain(), certain()],
        perturbations__global_cooldown_ticks=240, perturbations__max_concurrent_events=8,
    )  # fmt: skip
    assert starts(town, 400)[0] == [0, 240]


def test_per_4_agent_cooldown():
    meet = Spec(PerturbationKind.ARRANGED_MEET, location=0, is_top_rivals=False)
    bench = Thing("bench", "bench", (5, 5))
    town = towns.build(
        [Resident((2, 2)), Resident((3, 2))], [bench], specs=[meet],
        perturbations__per_agent_cooldown_ticks=360,
    )  # fmt: skip
    run(town, 51, ops={40: [(7, 0, 1, 0, 10)]})
    for tick, expected in ((409, []), (410, [0, 1])):
        view = twin.look(
            town.shape, town.state, town.params, town.layout, towns.quiet_draws(town.shape)
        )
        view.tick = tick
        assert participants(view, 0, is_cooldown_ignored=False) == expected


def test_ops_1_needs_prices_walls():
    town = towns.build(
        [Resident((1, 1))] + [Resident((2, y)) for y in (0, 1)], tiles=["#...", "...."]
    )
    before = twin.clone(town.state)
    e = run(town, 1, ops={0: [(4, 2, 0, 2500), (5, 0, 8000), (3, 1, 0, 0)]}).events[0]
    assert list(e.op_ok[:4]) == [True, True, False, True]
    assert e.level_before[2, 0] == 0.25 and town.state.economy.price_base[0] == near(0.8)
    assert (town.state.agents.position == before.agents.position).all()


def test_ops_2_a_killed_slot_is_not_vacant_yet():
    town = towns.build([Resident((1, 1)), Resident((2, 1))])
    e = run(town, 1, ops={0: [(2, 0), (1, -1, 5, 5, -1)]}).events[0]
    assert list(e.op_ok[:2]) == [True, False]
    assert e.lifecycle.exited[0] == ExitReason.KILLED


def kitchen(wallet: float):
    things = [
        Thing("stove", "stove", (6, 5), stock={"raw_ingredients": 3}),
        Thing("fridge", "fridge", (5, 5), stock={"meals": 3}),
        Thing("shower", "shower", (4, 5)),
    ]
    return towns.build(
        [Resident((5, 4), wallet=wallet)],
        things,
        specs=[Spec(PerturbationKind.BLACKOUT)],
        level="primitive",
    )


def mask(town, level="primitive"):
    shape = town.shape
    if level == "option":
        shape = dataclasses.replace(shape, action_level="option", num_actions=7)
    return masks.action_mask(shape, town.state, town.params, town.layout)[0]


def test_mask_1():
    fridge, shower, stove = 7, 8, 9
    poor, rich = kitchen(0.39), kitchen(0.40)
    assert not mask(poor)[fridge] and mask(rich)[fridge] and mask(rich)[stove]
    assert mask(poor, "option")[options.GET_FED]
    assert not mask(kitchen(0.1), "option")[options.GET_FED]
    run(rich, 1, ops={0: [(11, 0, 0, 30, -1, -1, -1, -1)]})
    assert mask(rich)[fridge] and not mask(rich)[shower] and not mask(rich)[stove]


def test_opt_1_and_2_detour_for_a_free_fridge():
    line = (
        Thing("a", "fridge", (11, 0), stock={"meals": 5}),
        Thing("b", "fridge", (25, 0), stock={"meals": 5}),
    )
    town = towns.build([Resident((1, 0)), Resident((11, 1))], line, size=(30, 3))
    town.state.queues.holder[0] = 1
    view = twin.look(town.shape, town.state, town.params, town.layout)
    rows = options.candidates(view, 0, options.GET_FED)
    assert options.best_row(view, 0, rows) == 1
    town.state.queues.waiting_for[0] = 0
    assert options.best_row(view, 0, rows) == 0


def test_need_examples():
    town = towns.build(
        [Resident((2, 2), needs=(0.8, 0.7, 0.6)), Resident((3, 2), needs=(0.0005, 1, 1))]
    )
    run(town, 20)
    assert town.state.needs.level[1, 0] == 0
    run(town, 80)
    assert list(town.state.needs.level[0]) == near(0.66, 0.60, 0.52)
