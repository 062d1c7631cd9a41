"""Perturbations against the worked examples and their invariants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tests.rules.perturbation_tables import (
    AGENTS,
    BLACKOUT,
    ROWS,
    SHAPE,
    SPECS,
    SPIKE,
    at,
    chances,
    compiled,
    layout,
    params,
    random_setting,
    rivals,
    tick,
)
from townlet_jax.masked import LONG_AGO, NEVER, NONE
from townlet_jax.rules import economy
from townlet_jax.rules import perturbations as rule
from townlet_jax.state import empty_perturbations

RUNS = pytest.mark.parametrize("run", [tick, compiled], ids=["plain", "jit"])


def play(run, num_ticks, params, layout, table=None, rivalry=None, first=0, **draws):
    """Runs ticks; lists (tick, spec) of starts and of ends, and returns the table."""
    table = empty_perturbations(SHAPE) if table is None else table
    rivalry = rivals() if rivalry is None else rivalry
    starts, ends = [], []
    for t in range(first, first + num_ticks):
        table, events = run(table, chances(**draws), rivalry, at(t), params, layout)
        starts += [(t, int(p)) for p in events.started_spec if p != NONE]
        ends += [(t, int(p)) for p in events.ended_spec if p != NONE]
    return starts, ends, table


@RUNS
def test_ex_per_1(run):
    numbers = params(
        max_events_per_window=0, prob_per_day=[1440.0, 0, 0, 0], cooldown_ticks=[2, 0, 0, 0]
    )
    starts, ends, _ = play(run, 8, numbers, layout())
    assert starts == [(0, 0), (3, 0), (6, 0)]
    assert ends == [(1, 0), (4, 0), (7, 0)]


@RUNS
def test_ex_per_2(run):
    numbers = params(
        max_concurrent_events=2,
        prob_per_day=[1440.0, 1440.0, 0, 0],
        magnitude=[[1.5, 1.5], [1.2, 1.2], [1, 1], [1, 1]],
    )
    tables = layout([SPIKE, SPIKE])
    _, _, table = play(run, 1, numbers, tables)
    is_active = rule.active_kinds(table, tables) == SPIKE
    base = jnp.array([0.4, 1.0])
    prices = economy.prices(base, is_active, table.is_price_target, table.magnitude)
    assert_allclose(prices, [0.72, 1.0], atol=1e-6)


@RUNS
def test_ex_per_3(run):
    numbers = params(
        max_concurrent_events=2, global_cooldown_ticks=240, prob_per_day=[1440.0, 1440.0, 0, 0]
    )
    starts, _, _ = play(run, 2, numbers, layout([SPIKE, BLACKOUT]))
    again, _, table = play(
        run, 2, numbers, layout([SPIKE, BLACKOUT]), table_after(run, numbers), first=239
    )
    assert starts == [(0, 0)] and again == [(240, 1)]
    assert table.global_until == 480


def table_after(run, numbers):
    return play(run, 2, numbers, layout([SPIKE, BLACKOUT]))[2]


@RUNS
def test_ex_per_4(run):
    numbers = params(
        max_events_per_window=0,
        per_agent_cooldown_ticks=360,
        prob_per_day=[0, 0, 0, 1440.0],
        duration=[[1, 1]] * 3 + [[50, 50]],
    )
    rivalry = rivals(r12=0.4, r21=0.1)
    starts, _, table = play(run, 2, numbers, layout(), rivalry=rivalry)
    assert starts == [(0, 3)]
    assert_array_equal(table.is_target[0], [False, True, True, False, False])
    assert_array_equal(table.agent_until, [0, 410, 410, 0, 0])
    starts, ends, table = play(run, 2, numbers, layout(), table, rivalry, first=49)
    assert starts == [] and ends == [(50, 3)]
    starts, _, _ = play(run, 2, numbers, layout(), table, rivalry, first=409)
    assert starts == [(410, 3)]


def test_pending_events_start_when_due_past_all_caps():
    numbers = params(cooldown_ticks=[7] * SPECS, prob_per_day=[1440.0] * SPECS)
    table = empty_perturbations(SHAPE).replace(
        spec=jnp.array([1, 1, NONE]),
        event_id=jnp.array([4, 5, NONE]),
        is_pending=jnp.array([True, True, False]),
        start_tick=jnp.array([10, 10, 0]),
        end_tick=jnp.array([15, 12, 0]),
        next_id=jnp.int32(6),
    )
    table, events = compiled(table, chances(), rivals(), at(9), numbers, layout())
    assert_array_equal(events.started_spec, [NONE, NONE, 0])
    assert_array_equal(rule.active_kinds(table, layout()), [NONE, NONE, SPIKE])
    table, events = compiled(table, chances(roll=1.0), rivals(), at(10), numbers, layout())
    assert_array_equal(events.started_id, [4, 5, NONE])
    assert_array_equal(events.ended_id, [NONE, NONE, 6])
    assert_array_equal(table.starts[1], [10, 10, LONG_AGO, LONG_AGO])
    assert_array_equal(table.spec_until, [10 + 7, 12 + 7, 0, 0])


def test_city_events_leave_a_grace_window():
    numbers = params(prob_per_day=[0, 1440.0, 0, 0], duration=[[30, 30]] * SPECS)
    tables = layout()
    _, _, table = play(compiled, 1, numbers, tables, first=490)
    assert rule.is_city_event(table, tables, at(490))
    _, ends, table = play(compiled, 1, numbers, tables, table, first=520)
    assert ends == [(520, 1)] and table.city_event_until == 580
    assert rule.is_city_event(table, tables, at(579))
    assert not rule.is_city_event(table, tables, at(580))


def test_a_spike_is_no_city_event():
    numbers = params(prob_per_day=[1440.0, 0, 0, 0])
    _, _, table = play(compiled, 2, numbers, layout())
    assert table.city_event_until == 0 and not rule.is_city_event(table, layout(), at(1))


def test_terms_cover_the_inclusive_ranges():
    numbers = params(duration=[[2, 4]] * SPECS, magnitude=[[1.0, 3.0]] * SPECS)
    draws = chances().replace(
        ticks=jnp.array([0, 1, 2, 3], jnp.uint32), magnitude=jnp.array([0, 0.25, 0.5, 0.75])
    )
    ticks, magnitude = rule.terms(draws, numbers)
    assert_array_equal(ticks, [2, 3, 4, 2])
    assert_allclose(magnitude, [1, 1.5, 2, 2.5])


def test_an_event_lasts_at_least_a_tick():
    numbers = params(prob_per_day=[1440.0, 0, 0, 0], duration=[[0, 0]] * SPECS)
    _, _, table = play(compiled, 1, numbers, layout())
    assert table.end_tick[0] == 1


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (dict(r34=0.2, r01=0.5, r10=0.1, r02=0.3), [0, 1]),
        (dict(r02=0.25, r20=0.25, r13=0.5), [0, 2]),
        (dict(r42=0.5, r24=0.25, r41=0.75), [1, 4]),
        (dict(r01=-0.5), []),
        ({}, []),
    ],
)
def test_top_rivals(pairs, expected):
    guests = rule.invite(jnp.ones(AGENTS, bool), rivals(**pairs), chances().meet)
    assert_array_equal(np.flatnonzero(guests.is_rival), expected)


def test_random_guests():
    is_candidate = jnp.array([True, True, False, True, True])
    guests = rule.invite(is_candidate, rivals(), jnp.array([9, 3, 0, 2**32 - 1, 3], jnp.uint32))
    assert_array_equal(guests.turn, [2, 0, NEVER, 3, 1])
    chosen = rule.select(guests, jnp.array([False, False, True]), jnp.array([1, 3, 3]))
    assert_array_equal(np.argwhere(chosen), [[0, 1], [1, 0], [1, 1], [1, 4]])


def test_meet_target_is_that_of_the_oldest_active_meet():
    table = empty_perturbations(SHAPE).replace(
        spec=jnp.array([3, 3, 3]),
        event_id=jnp.array([8, 7, 2]),
        location=jnp.array([5, 6, 9]),
        is_pending=jnp.array([False, False, True]),
        is_target=jnp.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [1, 1, 1, 1, 0]], bool),
    )
    assert_array_equal(rule.meet_target(table, layout()), [5, 6, 6, NONE, NONE])
    gone = rule.forget(table, jnp.arange(AGENTS) == 1)
    assert_array_equal(rule.meet_target(gone, layout()), [5, NONE, 6, NONE, NONE])


@given(seed=st.integers(0, 2**32 - 1))
def test_rows_are_kept_in_order(seed):
    rng = np.random.default_rng(seed)
    numbers, arrays, _ = random_setting(rng)
    table = empty_perturbations(SHAPE)
    for t in range(12):
        draws = chances(roll=rng.random(SPECS), ticks=rng.integers(0, 9, SPECS))
        table, events = compiled(table, draws, rivals(r01=0.5), at(t), params(**numbers), arrays)
        is_used = np.asarray(table.spec != NONE)
        assert is_used.sum() <= min(ROWS, numbers["max_concurrent_events"])
        assert np.all(np.asarray(table.end_tick)[is_used] > t)
        ids = np.asarray(table.event_id)[is_used]
        assert len(set(ids)) == len(ids) and np.all(ids < table.next_id)
        assert np.all(np.diff(table.starts, axis=1) <= 0)
        assert table.num_dropped == 0


def test_without_specs_the_draws_do_not_matter():
    tables, numbers = layout([]), params(prob_per_day=[1440.0] * SPECS)
    for roll in (0.0, 0.99):
        starts, ends, table = play(compiled, 3, numbers, tables, roll=roll)
        assert starts == ends == []
        jax.tree.map(assert_array_equal, table, empty_perturbations(SHAPE))


def test_vmap_is_a_loop():
    rng = np.random.default_rng(1)
    towns = 4
    numbers, arrays, _ = random_setting(rng)
    numbers |= dict(prob_per_day=[1000.0] * SPECS, max_concurrent_events=3)
    table = jax.vmap(lambda _: empty_perturbations(SHAPE))(jnp.arange(towns))
    draws = rule.Chances(
        roll=jnp.array(rng.random((towns, SPECS), np.float32)),
        ticks=jnp.array(rng.integers(0, 2**32, (towns, SPECS), np.uint32)),
        magnitude=jnp.array(rng.random((towns, SPECS), np.float32)),
        meet=jnp.array(rng.integers(0, 2**32, (towns, AGENTS), np.uint32)),
    )
    rivalry = jnp.array(rng.random((towns, AGENTS, AGENTS), np.float32))
    moments = jax.vmap(at)(jnp.arange(towns, dtype=jnp.int32))
    args = (table, draws, rivalry, moments)
    batched = jax.jit(jax.vmap(tick, (0, 0, 0, 0, None, None)))(*args, params(**numbers), arrays)
    assert np.asarray(batched[1].started).any()
    for i in range(towns):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], args)
        expected = compiled(*one, params(**numbers), arrays)
        jax.tree.map(lambda x, y, i=i: assert_array_equal(x[i], y), batched, expected)
