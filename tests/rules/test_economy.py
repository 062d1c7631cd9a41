"""Economy: world spec section 10, prices under spikes of sections 8 and 13."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from townlet_jax.config.layout import StockLayout
from townlet_jax.config.params import EconomyParams
from townlet_jax.config.shape import TownShape
from townlet_jax.rules import economy as rule
from townlet_jax.state.clock import Now
from townlet_jax.state.economy import empty_economy

DAY = 1440
SHAPE = TownShape(num_agents=4, num_objects=3, num_stock_kinds=2)
ON, OFF = jnp.bool_(True), jnp.bool_(False)
ALIVE = jnp.ones(4, bool)

rent, restock, prices = jax.jit(rule.rent), jax.jit(rule.restock), jax.jit(rule.prices)
both = pytest.mark.parametrize("is_jitted", [True, False], ids=["jit", "eager"])


def at(tick):
    return Now(tick=jnp.int32(tick), tick_of_day=jnp.int32(tick % DAY), day=jnp.int32(tick // DAY))


def params(days_unpaid=2, recovery_share=0.5, restock_tick=300):
    return EconomyParams(
        price_base=jnp.ones(8, jnp.float32),
        restock_tick=jnp.int32(restock_tick),
        days_unpaid=jnp.int32(days_unpaid),
        recovery_share=jnp.float32(recovery_share),
    )


def midnights(wallets, is_jitted, mortality=ON):
    """Plays successive midnights with given wallets for resident 0; returns what happened."""
    collect = rent if is_jitted else rule.rent
    economy, story = empty_economy(SHAPE), []
    for day, money in enumerate(wallets, start=1):
        wallet = jnp.full(4, money, jnp.float32)
        economy, after, *events = collect(
            economy, wallet, ALIVE, jnp.float32(1), mortality, at(day * DAY), params()
        )
        paid, missed, evicted = (bool(event[0]) for event in events)
        word = "paid" if paid else "missed" if missed else "evicted" if evicted else "nothing"
        assert paid + missed + evicted == 1
        taken = round(float(wallet[0] - after[0]), 5)
        story.append((word, int(economy.unpaid_days[0]), taken))
    return story


@both
def test_arrears_then_recovery_then_payment(is_jitted):
    """EX-ECO-1."""
    story = midnights([0.8, 0.6, 0.55, 1.2], is_jitted)
    assert story == [("missed", 1, 0), ("missed", 2, 0), ("missed", 2, 0.5), ("paid", 0, 1)]


@both
def test_exactly_the_rent_is_enough(is_jitted):
    assert midnights([0.5, 1.0], is_jitted) == [("missed", 1, 0), ("paid", 0, 1)]


@both
def test_empty_wallet_on_notice_day_means_eviction(is_jitted):
    """EX-ECO-2: exactly the recovery share is not enough."""
    story = midnights([0.8, 0.6, 0.5, 0.5], is_jitted)
    assert story == [("missed", 1, 0), ("missed", 2, 0), ("evicted", 2, 0), ("evicted", 2, 0)]


@both
def test_nobody_is_evicted_while_mortality_is_off(is_jitted):
    story = midnights([0.8, 0.6, 0.5], is_jitted, mortality=OFF)
    assert story == [("missed", 1, 0), ("missed", 2, 0), ("missed", 2, 0)]


@both
@pytest.mark.parametrize("tick", [0, 1, DAY - 1, DAY + 1])
def test_rent_is_due_at_midnight_only(is_jitted, tick):
    collect = rent if is_jitted else rule.rent
    economy, wallet = empty_economy(SHAPE), jnp.full(4, 3.0, jnp.float32)
    after, money, *events = collect(economy, wallet, ALIVE, jnp.float32(1), ON, at(tick), params())
    assert_array_equal(money, wallet)
    assert_array_equal(after.unpaid_days, economy.unpaid_days)
    assert not np.any(np.stack(events))


def test_vacant_slot_pays_nothing():
    alive, wallet = ALIVE.at[2].set(False), jnp.full(4, 0.2, jnp.float32)
    economy, money, paid, missed, evicted = rent(
        empty_economy(SHAPE), wallet, alive, jnp.float32(1), ON, at(DAY), params()
    )
    assert_array_equal(economy.unpaid_days, [1, 1, 0, 1])
    assert_array_equal(missed, alive)
    assert_array_equal(money, wallet)
    assert not jnp.any(paid | evicted)


def rent_oracle(wallet, days, price, is_mortality_on, limit, share):
    """Section 10 for one living resident; returns wallet, days, event."""
    if wallet >= price:
        return wallet - price, 0, "paid"
    if days < limit:
        return wallet, days + 1, "missed"
    if wallet > share * price:
        return wallet - share * price, days, "missed"
    return wallet, days, "evicted" if is_mortality_on else "missed"


def test_rent_equals_plain_loops():
    rng = np.random.default_rng(0)
    for _ in range(60):
        wallet, days = rng.random(4) * 2, rng.integers(0, 4, 4)
        price, limit, share = rng.random() * 2, rng.integers(1, 4), rng.random()
        alive, mortality = rng.random(4) < 0.8, rng.random() < 0.5
        economy = empty_economy(SHAPE).replace(unpaid_days=jnp.array(days, jnp.int32))
        after, money, paid, missed, evicted = rent(
            economy,
            jnp.array(wallet, jnp.float32),
            jnp.array(alive),
            jnp.float32(price),
            jnp.bool_(mortality),
            at(DAY),
            params(limit, share),
        )
        for a in range(4):
            expected = (wallet[a], days[a], "nothing")
            if alive[a]:
                expected = rent_oracle(wallet[a], days[a], price, mortality, limit, share)
            event = {(1, 0, 0): "paid", (0, 1, 0): "missed", (0, 0, 1): "evicted"}.get(
                (int(paid[a]), int(missed[a]), int(evicted[a])), "nothing"
            )
            assert float(money[a]) == pytest.approx(expected[0], abs=1e-6)
            assert (int(after.unpaid_days[a]), event) == expected[1:]


def stock_layout(restock, maximum):
    grid = jnp.zeros((2, 3), jnp.int32)
    return StockLayout(
        initial=grid,
        restock=grid + restock,
        maximum=grid + maximum,
        meals=jnp.int32(0),
        raw_ingredients=jnp.int32(1),
        cafe_meals=jnp.int32(-1),
    )


@both
@pytest.mark.parametrize(
    ("before", "per_day", "maximum", "after"),
    [
        (20, 8, 24, 24),  # EX-ECO-3
        (10, 8, 24, 18),
        (30, 8, 24, 30),  # never lowers
        (2**30, 2**30, 2**30, 2**30),  # unlimited
        (5, 2**30, 2**30, 2**30),
    ],
)
def test_restock_fills_up_to_the_maximum(is_jitted, before, per_day, maximum, after):
    deliver = restock if is_jitted else rule.restock
    economy = empty_economy(SHAPE)
    economy = economy.replace(stock=economy.stock + before)
    layout = stock_layout(per_day, maximum)
    filled, added = deliver(economy, at(DAY + 300), params(), layout)
    assert_array_equal(filled.stock, after)
    assert_array_equal(added, after - before)
    untouched, added = deliver(economy, at(DAY + 301), params(), layout)
    assert_array_equal(untouched.stock, before)
    assert_array_equal(added, 0)


def spikes(*rows):
    """K = 4 rows of (is active, keys, factor), R = 3."""
    rows = [*rows, *[(False, (), 1.0)] * (4 - len(rows))]
    return (
        jnp.array([row[0] for row in rows]),
        jnp.array([[key in row[1] for key in range(3)] for row in rows]),
        jnp.array([row[2] for row in rows], jnp.float32),
    )


BASE = jnp.array([0.4, 0.15, 1.0], jnp.float32)


@both
def test_spikes_multiply_the_keys_they_target(is_jitted):
    """EX-PER-2 and the price of EX-AFF-7."""
    in_force = prices if is_jitted else rule.prices
    price = in_force(BASE, *spikes((True, (0,), 1.5)))
    assert_allclose(price[0], 0.6, rtol=1e-6)
    assert_array_equal(price[1:], BASE[1:])
    price = in_force(BASE, *spikes((True, (0, 1), 1.5), (False, (0,), 9), (True, (0,), 1.2)))
    assert_allclose(price, [0.72, 0.225, 1.0], rtol=1e-6)
    assert_array_equal(in_force(BASE, *spikes((False, (0, 1, 2), 7.0))), BASE)


def test_prices_in_a_batch_keep_their_bits():
    rng = np.random.default_rng(2)
    active = jnp.array(rng.random((16, 4)) < 0.7)
    targets = jnp.array(rng.random((16, 4, 3)) < 0.5)
    magnitude = jnp.array(1 + rng.random((16, 4)), jnp.float32)
    batch = jax.jit(jax.vmap(rule.prices, in_axes=(None, 0, 0, 0)))(
        BASE, active, targets, magnitude
    )
    for town in range(16):
        args = (BASE, active[town], targets[town], magnitude[town])
        assert_array_equal(batch[town], prices(*args))
        assert_array_equal(batch[town], rule.prices(*args))
        plain = np.float64(BASE) * np.prod(
            np.where(active[town][:, None] & targets[town], magnitude[town][:, None], 1.0), axis=0
        )
        assert_allclose(batch[town], plain, rtol=1e-6)


@given(st.integers(0, 2**31 - 1))
def test_money_and_stock_are_conserved(seed):
    """INV-ECO, the part of rent and restock."""
    rng = np.random.default_rng(seed)
    wallet = jnp.array(rng.random(4) * 3, jnp.float32)
    price, share = jnp.float32(rng.random() * 2), float(rng.random())
    economy = empty_economy(SHAPE).replace(
        unpaid_days=jnp.array(rng.integers(0, 4, 4), jnp.int32),
        stock=jnp.array(rng.integers(0, 30, (2, 3)), jnp.int32),
    )
    before = economy
    economy, money, paid, missed, evicted = rent(
        economy, wallet, ALIVE, price, ON, at(DAY), params(2, share)
    )
    assert jnp.all(money >= 0)
    taken = np.asarray(wallet - money)
    assert_allclose(taken[np.asarray(paid)], price, atol=1e-4)
    assert np.all(np.asarray(taken)[np.asarray(evicted)] == 0)
    assert np.all((taken[np.asarray(missed)] == 0) | (taken[np.asarray(missed)] <= price))
    limit = int(rng.integers(0, 30))
    economy, added = restock(economy, at(300), params(), stock_layout(8, limit))
    assert_array_equal(economy.stock - before.stock, added.T)
    assert jnp.all((added.T >= 0) & (economy.stock <= jnp.maximum(before.stock, limit)))


def test_rent_in_a_batch_equals_a_loop():
    rng = np.random.default_rng(3)
    wallet = jnp.array(rng.random((16, 4)) * 2, jnp.float32)
    days = jnp.array(rng.integers(0, 4, (16, 4)), jnp.int32)
    share = jnp.array(rng.random(16), jnp.float32)
    price = jnp.array(rng.random(16) * 2, jnp.float32)

    def run(wallet, days, share, price):
        economy = empty_economy(SHAPE).replace(unpaid_days=days)
        own = params().replace(recovery_share=share)
        economy, *rest = rule.rent(economy, wallet, ALIVE, price, ON, at(DAY), own)
        return economy.unpaid_days, *rest

    batch = jax.jit(jax.vmap(run))(wallet, days, share, price)
    single = jax.jit(run)
    for town in range(16):
        args = (wallet[town], days[town], share[town], price[town])
        for whole, jitted, eager in zip(batch, single(*args), run(*args), strict=True):
            assert_array_equal(whole[town], jitted)
            assert_array_equal(whole[town], eager)
