"""What residents do with objects: worked examples EX-AFF-1..7, refunds, stock, properties."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.config.layout import AffordanceLayout, Flag, ObjectLayout, StockLayout
from townlet_jax.masked import NONE
from townlet_jax.rules import affordances as rule
from townlet_jax.rules import economy, preconditions, utilities
from townlet_jax.state.events import FailReason
from townlet_jax.state.queues import Use

EAT, SHOWER, COOK, WORK = range(4)
MEALS, RAW = 0, 1
KITCHEN, BATH = 0, 1
UNLIMITED = 2**30
PRICES = (0.4, 0.2, 0.15, 0.0)
OK = jnp.full(3, NONE, jnp.int32)


def ints(*values):
    return jnp.array(values, jnp.int32)


def floats(*values):
    return jnp.array(values, jnp.float32)


def blank(kind, **fields):
    return kind(**(dict.fromkeys(kind.__dataclass_fields__) | fields))


EFFECTS = np.array([[0.45, 0, 0.02, 0], [0, 0.5, -0.02, 0], [0.05, 0, -0.03, 0], [0, 0, 0, 0.6]])
DURATION = np.array([15, 20, 30, 60])
AFFORDANCES = blank(
    AffordanceLayout,
    rate=jnp.asarray(EFFECTS / DURATION[:, None], jnp.float32),
    duration=jnp.asarray(DURATION, jnp.int32),
    stock_start=jnp.array([[-1, 0], [0, 0], [0, -1], [0, 0]], jnp.int32),
    stock_finish=jnp.array([[0, 0], [0, 0], [2, 0], [0, 0]], jnp.int32),
    flags=jnp.zeros((4, 3), bool).at[EAT, Flag.MEAL].set(True).at[WORK, Flag.WORK].set(True),
    clause_attribute=jnp.full((4, 4), NONE, jnp.int32),
    clause_kind=jnp.full((4, 4), NONE, jnp.int32),
    clause_operator=jnp.zeros((4, 4), jnp.int32),
    clause_constant=jnp.zeros((4, 4), jnp.float32),
)
OBJECTS = blank(
    ObjectLayout,
    venue=ints(KITCHEN, BATH),
    requires=jnp.array([[False, False], [True, True]]),
)
STOCK = blank(StockLayout, maximum=jnp.array([[8, UNLIMITED], [6, UNLIMITED]], jnp.int32))

start, progress, finish, refund, share_meals = (
    jax.jit(f) for f in (rule.start, rule.progress, rule.finish, rule.refund, rule.share_meals)
)
both = functools.partial(pytest.mark.parametrize, ids=["jit", "eager"])


def use(*runs):
    """Runs by resident: (affordance, ticks left) or None."""
    runs = [run or (NONE, 0) for run in runs]
    rows = [NONE if f == NONE else BATH if f == SHOWER else KITCHEN for f, _ in runs]
    return Use(
        obj=ints(*rows),
        affordance=ints(*(f for f, _ in runs)),
        remaining_ticks=ints(*(left for _, left in runs)),
        paid=floats(*(0 if f == NONE else PRICES[f] for f, _ in runs)),
    )


IDLE = use(None, None, None)
LARDER = jnp.array([[4, 0], [4, 0]], jnp.int32)


def begin(
    tries, stock=LARDER, wallet=(1, 1, 1), priority=(0, 1, 2), start=start, use=IDLE, **given
):
    """Starts what is tried by resident, NONE = nothing, with the tests of the preconditions."""
    affordance = ints(*tries)
    row = jnp.where(affordance == SHOWER, BATH, KITCHEN)
    row = jnp.where(affordance == NONE, NONE, row)
    cost = given.get("cost", jnp.where(affordance == NONE, 0, floats(*PRICES)[affordance]))
    wallet = floats(*wallet)
    facts = blank(
        preconditions.Facts, stock=stock[:, jnp.maximum(row, 0)], wallet=wallet,
        requires=OBJECTS.requires[row], is_on=jnp.array(given.get("is_on", (True, True))),
        level=jnp.zeros((3, 3)), is_occupied=jnp.zeros(3, bool), queue_length=ints(0, 0, 0),
        is_own_site=jnp.zeros(3, bool), is_in_shift_window=jnp.zeros(3, bool),
        tick_of_day=jnp.int32(0), day=jnp.int32(0),
    )  # fmt: skip
    fits = jnp.ones(3, bool)
    reason = preconditions.first_failure(facts, affordance, fits, cost, AFFORDANCES)
    return start(
        use, wallet, stock, affordance, row, reason, cost, ints(*priority), AFFORDANCES,
        OBJECTS, STOCK,
    )  # fmt: skip


def work(use, level, num_ticks, wallet=(0, 0, 0), is_last=(False, False, False)):
    wallet = floats(*wallet)
    for _ in range(num_ticks):
        use, level, wallet = progress(use, level, wallet, jnp.array(is_last), AFFORDANCES)
    return use, level, wallet


HALF = jnp.full((3, 3), 0.5, jnp.float32)


@both("start", [start, rule.start])
def test_an_abandoned_meal_leaves_its_share_and_gives_nothing_back(start):
    """EX-AFF-1."""
    used, wallet, stock, has_started, reason = begin((EAT, NONE, NONE), start=start)
    assert has_started.tolist() == [True, False, False] and reason.tolist() == [NONE] * 3
    used, level, wallet = work(used, HALF, 5, wallet)
    assert level[0].tolist() == pytest.approx([0.65, 0.5, 0.5 + 0.02 / 3], abs=1e-6)
    used = rule.stop(used, jnp.array([True, False, False]))
    for one, other in zip(jax.tree.leaves(used), jax.tree.leaves(IDLE), strict=True):
        np.testing.assert_array_equal(one, other)
    assert wallet[0] == pytest.approx(0.6) and stock.T.tolist() == [[3, 4], [0, 0]]
    assert level[1].tolist() == [0.5] * 3, "the idle stay as they are"


def test_a_shower_that_loses_its_power_is_refunded():
    """EX-AFF-2."""
    used, wallet, stock, *_ = begin((SHOWER, EAT, NONE))
    used, level, wallet = work(used, HALF, 5, wallet)
    is_cut, reason = utilities.lost(used, jnp.array([False, True]), OBJECTS)
    assert is_cut.tolist() == [True, False, False] and reason[0] == FailReason.POWER_OFF
    failed, affordance, obj = rule.failures(used, jnp.array([True, False, True]), reason)
    assert failed.tolist() == [FailReason.POWER_OFF, NONE, NONE], "the idle do not fail"
    assert affordance[0] == SHOWER and obj[0] == BATH
    wallet, stock = refund(used, wallet, stock, is_cut, AFFORDANCES, OBJECTS, STOCK)
    assert level[0].tolist() == pytest.approx([0.5, 0.625, 0.495], abs=1e-6)
    assert wallet[0] == pytest.approx(0.8 + 0.15) and wallet[1] == pytest.approx(0.6)


@both("refund", [refund, rule.refund])
def test_money_comes_back_by_the_tick_and_stock_by_the_half(refund):
    """EX-AFF-3, and the 18/20 of EX-QUE-7."""
    used = use((EAT, 10), (EAT, 7), (SHOWER, 18))
    wallet, stock = refund(
        used, floats(0, 0, 0), LARDER, jnp.ones(3, bool), AFFORDANCES, OBJECTS, STOCK
    )
    assert wallet.tolist() == pytest.approx([0.4 * 10 / 15, 0.4 * 7 / 15, 0.18], abs=1e-6)
    assert stock.T.tolist() == [[5, 4], [0, 0]]


def test_a_returned_meal_finds_no_room_above_the_maximum():
    used, everybody = use((EAT, 15), (EAT, 15), None), jnp.ones(3, bool)
    full = jnp.array([[7, 0], [0, 0]], jnp.int32)
    _, stock = refund(used, floats(0, 0, 0), full, everybody, AFFORDANCES, OBJECTS, STOCK)
    assert stock[MEALS, KITCHEN] == 8


@both("start", [start, rule.start])
def test_a_penny_short(start):
    """EX-AFF-4; that the row is lost is the step's part."""
    used, wallet, stock, has_started, reason = begin(
        (EAT, EAT, NONE), wallet=(0.39, 0.4, 9), start=start
    )
    assert reason.tolist() == [FailReason.INSUFFICIENT_FUNDS, NONE, NONE]
    assert wallet.tolist() == pytest.approx([0.39, 0, 9]) and has_started.tolist()[:2] == [0, 1]
    assert used.affordance.tolist() == [NONE, EAT, NONE] and stock[MEALS, KITCHEN] == 3


@both("start", [start, rule.start])
def test_the_last_meals_go_by_priority(start):
    """EX-AFF-5."""
    two = jnp.array([[2, 0], [0, 0]], jnp.int32)
    used, wallet, stock, has_started, reason = begin(
        (EAT, EAT, EAT), two, priority=(2, 0, 1), start=start
    )
    assert has_started.tolist() == [False, True, True]
    assert reason.tolist() == [FailReason.INSUFFICIENT_STOCK, NONE, NONE]
    assert stock[MEALS, KITCHEN] == 0 and wallet[0] == 1


def test_a_shortage_ahead_counts_against_everybody_behind_at_the_venue():
    """Who asks in vain still counts; who is stopped by another test does not."""
    one = jnp.array([[1, 0], [4, 0]], jnp.int32)
    *_, has_started, reason = begin((EAT, EAT, COOK), one)
    assert has_started.tolist() == [True, False, False]
    assert reason.tolist()[1:] == [FailReason.INSUFFICIENT_STOCK] * 2
    *_, has_started, _ = begin((EAT, EAT, COOK), one, priority=(1, 2, 0))
    assert has_started.tolist() == [True, False, True]
    *_, has_started, _ = begin((EAT, EAT, SHOWER), one)
    assert has_started.tolist() == [True, False, True], "another venue is not concerned"
    *_, has_started, _ = begin((EAT, EAT, COOK), one, wallet=(0, 1, 1))
    assert has_started.tolist() == [False, True, True]


def test_a_spike_is_paid_at_the_start_and_never_later():
    """EX-AFF-7."""
    base, spike = floats(0.4), jnp.array([True])
    spiked = economy.prices(base, spike, jnp.array([[True]]), floats(1.5))
    cost = jnp.where(ints(EAT, NONE, NONE) == EAT, spiked[0], 0)
    used, wallet, *_ = begin((EAT, NONE, NONE), cost=cost)
    assert wallet[0] == pytest.approx(0.4) and used.paid[0] == pytest.approx(0.6)
    _, _, after = work(used, HALF, 15, wallet)
    assert after[0] == wallet[0]


def test_power_fails_before_water_and_both_before_money():
    *_, reason = begin((SHOWER, NONE, NONE), wallet=(0, 0, 0), is_on=(False, False))
    assert reason[0] == FailReason.POWER_OFF
    *_, reason = begin((SHOWER, NONE, NONE), wallet=(0, 0, 0), is_on=(True, False))
    assert reason[0] == FailReason.WATER_OFF
    *_, reason = begin((EAT, NONE, NONE), wallet=(1, 0, 0), is_on=(False, False))
    assert reason[0] == NONE


# Shared meals


def test_residents_that_eat_together_share_once_per_overlap():
    """EX-AFF-6."""
    eaters, shared = IDLE, []
    begins = {10: 0, 20: 1, 25: 2}
    for tick in range(10, 41):
        who = begins.get(tick, NONE)
        tries = [EAT if a == who else NONE for a in range(3)]
        eaters, _, _, has_started, _ = begin(tries, use=eaters)
        eaters, _, _ = work(eaters, HALF, 1)
        together, meal = share_meals(eaters, has_started, AFFORDANCES, OBJECTS)
        shared += [(tick, *pair) for pair in np.argwhere(np.triu(together)).tolist()]
        assert (together == together.T).all() and not jnp.diagonal(together).any()
        np.testing.assert_array_equal(meal, jnp.where(eaters.affordance == EAT, KITCHEN, NONE))
        eaters, *_ = finish(eaters, LARDER, AFFORDANCES, OBJECTS, STOCK)
    assert shared == [(20, 0, 1), (25, 1, 2)]


def test_cooking_beside_a_meal_is_no_shared_meal():
    together, meal = share_meals(
        use((EAT, 15), (COOK, 30), None), jnp.ones(3, bool), AFFORDANCES, OBJECTS
    )
    assert not together.any() and meal.tolist() == [KITCHEN, NONE, NONE]


# Progress and finish


@both("finish", [finish, rule.finish])
def test_a_full_run_gives_what_the_table_says(finish):
    """INV-AFF: nothing is lost to rounding while nothing is clipped."""
    used, _, stock, *_ = begin((EAT, SHOWER, COOK))
    seen, level, wallet = {}, HALF, floats(0, 0, 0)
    for tick in range(1, 31):
        used, level, wallet = work(used, level, 1, wallet)
        used, stock, done, row = finish(used, stock, AFFORDANCES, OBJECTS, STOCK)
        seen |= {a: (tick, int(done[a]), int(row[a])) for a in range(3) if done[a] != NONE}
    assert seen == {0: (15, EAT, KITCHEN), 1: (20, SHOWER, BATH), 2: (30, COOK, KITCHEN)}
    np.testing.assert_allclose(level, 0.5 + EFFECTS[:3, :3], atol=1e-5)
    assert stock.T.tolist() == [[5, 3], [0, 0]] and not wallet.any()
    assert used.affordance.tolist() == [NONE] * 3 and not used.paid.any()


def test_levels_are_clipped_and_money_is_paid_by_the_tick():
    used = use((EAT, 15), (WORK, 60), None)
    _, level, wallet = work(used, jnp.full((3, 3), 0.99, jnp.float32), 10)
    assert level.max() == 1 and level[2, 0] == np.float32(0.99)
    assert wallet.tolist() == pytest.approx([0, 0.1, 0])


def test_work_ends_with_the_shift():
    used, *_ = work(use((WORK, 60), (EAT, 15), None), HALF, 1, is_last=(True, True, True))
    assert used.remaining_ticks.tolist() == [0, 14, 0]
    _, _, done, _ = finish(used, LARDER, AFFORDANCES, OBJECTS, STOCK)
    assert done.tolist() == [WORK, NONE, NONE]


def test_what_is_made_beyond_the_maximum_is_lost():
    stock = jnp.array([[7, 0], [0, 0]], jnp.int32)
    _, stock, *_ = finish(use((COOK, 0), (COOK, 0), None), stock, AFFORDANCES, OBJECTS, STOCK)
    assert stock[MEALS, KITCHEN] == 8


@given(st.integers(0, 2**31 - 1))
def test_stock_stays_within_its_bounds(seed):
    """Never below zero, never above the maximum by anything that is added, never lowered by it."""
    rng = np.random.default_rng(seed)
    stock, change = rng.integers(0, 12, (2, 2)), rng.integers(-6, 7, (2, 2))
    after = rule.restrain(jnp.asarray(stock, jnp.int32), jnp.asarray(change, jnp.int32), STOCK)
    ceiling = np.maximum(stock, np.asarray(STOCK.maximum))
    np.testing.assert_array_equal(after, np.clip(stock + change, 0, ceiling))


@given(st.integers(0, 2**31 - 1))
def test_nobody_starts_what_money_or_stock_do_not_cover(seed):
    rng = np.random.default_rng(seed)
    tries = rng.integers(-1, 4, 3)
    stock = jnp.asarray([rng.integers(0, 3, 2), [0, 0]], jnp.int32).T
    wallet, priority = rng.random(3) * 0.6, rng.permutation(3)
    used, left, rest, has_started, reason = begin(tries, stock, wallet, priority)
    assert (left >= 0).all() and (rest >= 0).all()
    for kind, f in ((MEALS, EAT), (RAW, COOK)):
        taken = int(sum(bool(has_started[a]) for a in range(3) if tries[a] == f))
        assert rest[kind, KITCHEN] == stock[kind, KITCHEN] - taken
    for a in range(3):
        assert has_started[a] == (tries[a] != NONE and reason[a] == NONE)
        assert (used.affordance[a] == tries[a]) == bool(has_started[a] or tries[a] == NONE)


def test_batch_equals_loop_equals_eager():
    rng = np.random.default_rng(5)
    num_towns = 8
    fields = {
        "affordance": jnp.asarray(rng.integers(-1, 4, (num_towns, 3)), jnp.int32),
        "wallet": jnp.asarray(rng.random((num_towns, 3)), jnp.float32),
        "remaining": jnp.asarray(rng.integers(1, 15, (num_towns, 3)), jnp.int32),
    }

    def run(f):
        row = jnp.where(f["affordance"] == SHOWER, BATH, KITCHEN)
        row = jnp.where(f["affordance"] == NONE, NONE, row)
        running = Use(row, f["affordance"], f["remaining"], f["wallet"])
        everybody = jnp.ones(3, bool)
        money, stock = rule.refund(
            running, f["wallet"], LARDER, everybody, AFFORDANCES, OBJECTS, STOCK
        )
        return rule.progress(running, HALF, money, ~everybody, AFFORDANCES), stock

    together, single = jax.jit(jax.vmap(run))(fields), jax.jit(run)
    for town in range(num_towns):
        own = {name: x[town] for name, x in fields.items()}
        for alone in (single(own), run(own)):
            for one, other in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
                np.testing.assert_array_equal(one[town], other)
