"""The twin against the worked numbers of the world text: movement, queues, affordances."""

import numpy as np
import pytest

from tests.oracle import towns
from tests.oracle.run import run, ticks_where
from tests.oracle.tables import INTENTS, Resident, Spec, Thing
from townlet_jax.config.layout import PerturbationKind
from townlet_jax.state.events import FailReason, FailSource

NO_DECAY = {"needs__decay": (0, 0, 0)}
NORTH, EAST, SOUTH, WEST = 1, 2, 3, 4
SHOWER = Thing("shower", "shower", (5, 5))
AROUND = ((5, 4), (6, 5), (5, 6), (4, 5))
"""Cells next to the shower."""


def cell(town, a: int) -> tuple[int, int]:
    return tuple(int(x) for x in town.state.agents.position[a])


def near(*values):
    return pytest.approx(values if len(values) > 1 else values[0], abs=2e-5)


def walkers(lines, *cells, **tweaks):
    residents = [Resident(c) for c in cells]
    return towns.build(residents, tiles=lines, level="primitive", entry=((0, 0),), **tweaks)


# Movement


def test_mov_1_two_in_a_corridor_pass_after_three_attempts():
    town = walkers(["....", "####"], (1, 0), (2, 0))
    for tick in range(3):
        result = run(town, 1, [EAST, WEST])
        assert not result.events[tick].ghost_stepped.any()
        assert list(town.state.agents.blocked_moves) == [tick + 1] * 2
        assert (cell(town, 0), cell(town, 1)) == ((1, 0), (2, 0))
    result = run(town, 1, [EAST, WEST])
    assert (cell(town, 0), cell(town, 1)) == ((2, 0), (1, 0))
    assert result.events[3].ghost_stepped.sum() == 2
    assert list(town.state.agents.blocked_moves) == [0, 0]


def test_mov_2_priority_decides_who_enters_a_free_cell():
    town = walkers(["....", "...."], (0, 0), (2, 0))
    draws = towns.quiet_draws(town.shape)
    draws.priority = np.array([1, 0], np.int32)
    run(town, 1, [EAST, WEST], draws=draws)
    assert (cell(town, 0), cell(town, 1)) == ((0, 0), (1, 0))
    assert list(town.state.agents.blocked_moves) == [1, 0]


def test_mov_3_a_follower_stays():
    town = walkers(["....", "...."], (0, 0), (1, 0))
    run(town, 1, [EAST, EAST])
    assert (cell(town, 0), cell(town, 1)) == ((0, 0), (2, 0))
    assert list(town.state.agents.blocked_moves) == [1, 0]


def test_mov_4_walls_do_not_count():
    town = walkers(["#...", "...."], (1, 0), (1, 1))
    for direction in (WEST, NORTH):
        run(town, 5, [direction, 0])
    assert town.state.agents.blocked_moves[0] == 0
    run(town, 1, [SOUTH, 0])
    assert cell(town, 0) == (1, 0) and town.state.agents.blocked_moves[0] == 1


# Queues


def waiting_pair(weight: int):
    town = towns.build([Resident((5, 4))] * 3, [SHOWER], queues__age_weight=weight)
    q = town.state.queues
    town.state.clock.tick = 110
    q.waiting_for[:2], q.joined_tick[:2], q.waited_today_ticks[:2] = 0, (100, 103), (0, 40)
    run(town, 1)
    return int(town.state.queues.holder[0])


def test_que_1_and_2_time_waited_today_counts():
    assert waiting_pair(102) == 1
    assert waiting_pair(0) == 0


def test_que_3_cooldown():
    everyday = [("use", "shower", "use_shower")]
    town = towns.build([Resident((5, 4), schedule=everyday)], [SHOWER], **NO_DECAY)
    events = run(town, 100).events
    assert ticks_where(events, lambda e: e.affordances.started[0] >= 0) == [0, 79]
    assert ticks_where(events, lambda e: e.affordances.finished[0] >= 0) == [19, 98]
    refused = ticks_where(events, lambda e: e.num_refused_requests == 1)
    assert refused == [*range(20, 79), 99]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_que_4_idle_holders_rotate(limit):
    asks = [("request", "shower")]
    pair = [Resident(c, schedule=asks) for c in AROUND[:2]]
    town = towns.build(pair, [SHOWER], queues__ghost_step_after=limit)
    events = run(town, 13).events
    ticks = ticks_where(events, lambda e: e.conflicts.is_set[0])
    assert ticks == list(range(limit, 13, limit))
    assert [int(events[t].conflicts.actor[0]) for t in ticks] == [i % 2 for i in range(len(ticks))]
    assert all(events[t].conflicts.intensity[0] == 1.5 for t in ticks)
    assert list(town.state.queues.totals) == [0, len(ticks), len(ticks)]


def conflict_town(waiters: int, **tweaks):
    """One holder and a number of waiters, all within range."""
    spots = [(x, y) for x in range(3, 8) for y in range(3, 8)] * 2
    asks = [Resident(c, schedule=[("request", "shower")]) for c in spots[: waiters + 1]]
    return towns.build(asks, [SHOWER], **tweaks)


def test_que_5_intensity_grows_with_the_queue():
    for waiters, intensity in ((1, 1.5), (2, 1.75), (3, 2.0), (15, 5.0), (40, 5.0)):
        town = conflict_town(waiters, queues__ghost_step_after=1)
        record = run(town, 2).events[1].conflicts
        assert record.intensity[0] == near(intensity) and record.length[0] == waiters
    for waiters, intensity in ((1, 0.4), (2, 0.65), (3, 0.9)):
        town = conflict_town(waiters, queues__ghost_step_after=0)
        town.layout.schedules.rows[0, 0] = (INTENTS.index("use"), 0, 0)
        town.state.agents.position[0] = (5, 4)
        record = run(town, 20).events[19].handovers
        assert record.is_set[0] and record.intensity[0] == near(intensity)
        assert record.actor[0] == 0 and record.rival[0] == 1


def test_que_6_a_new_request_leaves_the_old_queue():
    b = [("request", "shower"), ("request", "other", None, 5)]
    others = [Resident((5, 4), schedule=[("request", "shower")])]
    others += [Resident((6, 6), schedule=[("request", "other")])]
    things = [SHOWER, Thing("other", "shower", (6, 5))]
    town = towns.build([*others, Resident((6, 4), schedule=b)], things)
    q = run(town, 1).states[0].queues
    assert q.waiting_for[2] == 0 and q.joined_tick[2] == 0
    q = run(town, 1).states[1].queues
    assert q.waiting_for[2] == 1 and q.joined_tick[2] == 1


def pushed_holder(min_hold: int, thing: Thing, name: str, **tweaks):
    """Holder that starts at once, one pusher that complains from the first tick."""
    holder = [("use", thing.id, name), ("wait", None, None, 200)]
    pusher = [("request_blocked", thing.id)]
    tweaks = {
        "queues__ghost_step_after": 1,
        "queues__min_hold_ticks": min_hold,
        **NO_DECAY,
        **tweaks,
    }
    pair = [Resident(AROUND[0], schedule=holder), Resident(AROUND[1], schedule=pusher)]
    return towns.build(pair, [thing], **tweaks)


def test_que_7_eviction_after_the_least_hold():
    holder = [("request", "shower"), ("start", "shower", "use_shower"), ("wait", None, None, 50)]
    pushers = [Resident(c, schedule=[("request_blocked", "shower")]) for c in AROUND[1:3]]
    town = towns.build(
        [Resident(AROUND[0], schedule=holder), *pushers], [SHOWER],
        queues__ghost_step_after=1, queues__min_hold_ticks=2, **NO_DECAY,
    )  # fmt: skip
    result = run(town, 4)
    assert ticks_where(result.events, lambda e: e.affordances.started[0] >= 0) == [1]
    failed = lambda e: e.affordances.failed[FailSource.GHOST_STEP, 0] == FailReason.GHOST_STEP  # noqa: E731
    assert ticks_where(result.events, failed) == [3]
    assert town.state.agents.wallet[0] == near(2 - 0.2 + 0.2 * 18 / 20)
    assert town.state.queues.waiting_for[0] == 0 and town.state.queues.joined_tick[0] == 3


# Affordances


def test_aff_1_abandoning_keeps_the_elapsed_share():
    plan = [
        ("use", "fridge", "eat_meal"),
        ("wait", None, None, 4),
        ("release",),
        ("wait", None, None, 9),
    ]
    fridge = Thing("fridge", "fridge", (5, 5), stock={"meals": 3})
    town = towns.build([Resident((5, 4), schedule=plan)], [fridge], **NO_DECAY)
    events = run(town, 7).events
    assert events[5].affordances.failed[FailSource.RELEASE, 0] == FailReason.ABANDONED
    assert town.state.needs.level[0, 0] == near(0.85)
    assert town.state.agents.wallet[0] == near(1.6) and town.state.economy.stock[0, 0] == 2
    assert town.state.queues.holder[0] == -1


def test_aff_2_power_loss_refunds():
    plan = [("use", "shower", "use_shower"), ("wait", None, None, 50)]
    town = towns.build(
        [Resident((5, 4), schedule=plan)],
        [SHOWER],
        specs=[Spec(PerturbationKind.BLACKOUT)],
        **NO_DECAY,
    )
    result = run(town, 6, ops={5: [(11, 0, 0, 10, -1, -1, -1, -1)]})
    assert result.events[5].affordances.failed[FailSource.UTILITY, 0] == FailReason.POWER_OFF
    assert list(town.state.needs.level[0]) == near(0.7, 0.825, 0.695)
    assert town.state.agents.wallet[0] == near(2 - 0.2 + 0.15)
    assert town.state.queues.holder[0] == -1 and town.state.queues.cooldown_until[0, 0] == 0


@pytest.mark.parametrize(("min_hold", "stock", "back"), [(5, 3, 0.26667), (8, 2, 0.18667)])
def test_aff_3_ghost_step_returns_stock_by_half(min_hold, stock, back):
    fridge = Thing("fridge", "fridge", (5, 5), stock={"meals": 3})
    town = pushed_holder(min_hold, fridge, "eat_meal")
    events = run(town, min_hold + 1).events
    assert events[min_hold].conflicts.is_set[0]
    assert town.state.economy.stock[0, 0] == stock
    assert town.state.agents.wallet[0] == near(2 - 0.4 + back)


def test_aff_4_too_poor():
    fridge = Thing("fridge", "fridge", (5, 5), stock={"meals": 3})
    plan = [("use", "fridge", "eat_meal")]
    town = towns.build([Resident((5, 4), wallet=0.39, schedule=plan)], [fridge])
    events = run(town, 1).events
    assert events[0].affordances.failed[FailSource.START, 0] == FailReason.INSUFFICIENT_FUNDS
    assert town.state.agents.wallet[0] == near(0.39) and town.state.queues.holder[0] == -1


def test_aff_5_stock_goes_by_priority():
    fridge = Thing("fridge", "fridge", (5, 5), seats=3, stock={"meals": 2})
    diners = [
        Resident(c, schedule=[("use", f"fridge.{seat}", "eat_meal")])
        for seat, c in enumerate(AROUND[:3])
    ]
    town = towns.build(diners, [fridge])
    draws = towns.quiet_draws(town.shape)
    draws.priority = np.array([2, 0, 1], np.int32)
    events = run(town, 1, draws=draws).events[0].affordances
    assert list(events.started) == [-1, 1, 1]
    assert events.failed[FailSource.START, 0] == FailReason.INSUFFICIENT_STOCK
    assert town.state.economy.stock[0, 0] == 0


def test_aff_6_shared_meals_need_a_fresh_start():
    fridge = Thing("fridge", "fridge", (5, 5), seats=3, stock={"meals": 9})
    starts = (10, 20, 25)
    diners = [
        Resident(
            c,
            schedule=[
                ("wait", None, None, start), ("use", f"fridge.{seat}", "eat_meal"),
                ("wait", None, None, 60 - start - 1),
            ],
        )
        for seat, (c, start) in enumerate(zip(AROUND, starts, strict=False))
    ]  # fmt: skip
    town = towns.build(diners, [fridge])
    events = run(town, 45).events
    shared = {
        t: np.argwhere(np.triu(e.affordances.shared_meal)).tolist()
        for t, e in events.items()
        if e.affordances.shared_meal.any()
    }
    assert shared == {20: [[0, 1]], 25: [[1, 2]]}


def test_aff_7_a_spike_counts_at_the_start_only():
    fridge = Thing("fridge", "fridge", (5, 5), seats=2, stock={"meals": 9})
    spike = Spec(
        PerturbationKind.PRICE_SPIKE, ticks=(100, 100), magnitude=(1.5, 1.5), prices=("meal",)
    )
    early = [("use", "fridge.0", "eat_meal"), ("wait", None, None, 60)]
    late = [("wait", None, None, 8), ("use", "fridge.1", "eat_meal"), ("wait", None, None, 60)]
    town = towns.build(
        [Resident(c, schedule=s) for c, s in zip(AROUND, (early, late), strict=False)], [fridge],
        specs=[spike], **NO_DECAY,
    )  # fmt: skip
    run(town, 10, ops={5: [(11, 0, 0, -1, -1, -1, -1, -1)]})
    assert list(town.state.agents.wallet) == near(1.6, 1.4)
