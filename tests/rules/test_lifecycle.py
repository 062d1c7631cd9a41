"""Exits and arrivals against the worked examples, a plain-Python gate and their invariants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from townlet_jax.config.params import LifecycleParams, NeedsParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import LONG_AGO, NEVER, NONE
from townlet_jax.rules import lifecycle as rule
from townlet_jax.rules import needs as needs_rule
from townlet_jax.state import ExitReason, empty_agents, empty_lifecycle, empty_needs
from townlet_jax.state.clock import Now

DAY = 1440
SLOTS = 6
PROFILES = [[0, 0, 0], [0.6, 0.1, -0.1], [-0.2, -0.1, 0.5], [-0.3, 0.5, -0.2]]


def at(tick):
    tick = jnp.asarray(tick, jnp.int32)
    return Now(tick=tick, tick_of_day=tick % DAY, day=tick // DAY)


def params(**changes):
    values = dict(
        max_exits_per_day=2,
        exit_cooldown_ticks=120,
        spawn_delay=[5, 20],
        collapse_hunger=0.03,
        collapse_ticks=30,
        arrival_wallet_rents=1.5,
        arrival_needs=[0.6, 0.9],
        suppress_during_city_events=True,
        is_halton=True,
        trait_spread=0.6,
        profile_cumulative=[0.25, 0.5, 0.75, 1.0],
        profile_traits=PROFILES,
    )
    kinds = {int: jnp.int32, float: jnp.float32, bool: jnp.bool_}
    made = {}
    for name, value in values.items():
        kind = (
            kinds[type(np.ravel(value).tolist()[-1])] if name != "profile_traits" else jnp.float32
        )
        made[name] = jnp.array(changes.get(name, value), kind)
    return LifecycleParams(**made)


def town(**fields):
    """Makes residents in all slots; `fields` of lifecycle by name."""
    shape = TownShape(num_agents=SLOTS)
    agents = empty_agents(shape).replace(is_alive=jnp.ones(SLOTS, bool))
    arrays = {name: jnp.array(value, jnp.int32) for name, value in fields.items()}
    return empty_lifecycle(shape).replace(**arrays), agents


def flagged(ticks, reason=ExitReason.EVICTION):
    """Flags the first residents at given ticks."""
    reasons = [reason] * len(ticks) + [0] * (SLOTS - len(ticks))
    return town(exit_reason=reasons, flagged_tick=list(ticks) + [NEVER] * (SLOTS - len(ticks)))


def bits(value=0):
    return jnp.full(SLOTS, value, jnp.uint32)


@jax.jit
def gates(lifecycle, agents, is_city_event, bits, first, params):
    """Runs one gate per row of `is_city_event` `[T]`, and what becomes of those who left."""

    def body(carry, row):
        lifecycle, agents = carry
        tick, is_city_event, bits = row
        agents = agents.replace(
            is_alive=agents.is_alive & ~agents.is_leaving, is_leaving=jnp.zeros(SLOTS, bool)
        )
        lifecycle = rule.roll_day(lifecycle, at(tick))
        lifecycle, agents, exited = rule.gate(
            lifecycle, agents, is_city_event, bits, at(tick), params
        )
        return (lifecycle, agents), exited

    ticks = first + jnp.arange(is_city_event.shape[0], dtype=jnp.int32)
    carry, exited = jax.lax.scan(body, (lifecycle, agents), (ticks, is_city_event, bits))
    return carry[0], exited


def exits(lifecycle, agents, first, num_ticks, params, events=()):
    """Lists (tick, slot, reason) of the exits in `num_ticks` ticks; `events` are (start, end)."""
    ticks = first + np.arange(num_ticks)
    is_event = np.zeros(num_ticks, bool)
    for start, end in events:
        is_event |= (ticks >= start) & (ticks < end)
    draws = jnp.zeros((num_ticks, SLOTS), jnp.uint32)
    _, exited = gates(lifecycle, agents, jnp.array(is_event), draws, jnp.int32(first), params)
    exited = np.asarray(exited)
    return [(int(ticks[t]), int(a), int(exited[t, a])) for t, a in np.argwhere(exited)]


def starve(lifecycle, needs, now, params, decay):
    """Hunger of one tick: decay, collapse, gate."""
    agents = empty_agents(TownShape(num_agents=1)).replace(is_alive=jnp.array([True]))
    needs = needs_rule.decay(needs, agents.is_alive, agents.profile, decay)
    lifecycle, needs, collapsed = rule.collapse(lifecycle, needs, agents.is_alive, now, params)
    lifecycle, agents, exited = rule.gate(
        lifecycle, agents, jnp.bool_(False), jnp.zeros(1, jnp.uint32), now, params
    )
    return lifecycle, needs, collapsed, exited


def decay_params():
    return NeedsParams(
        decay=jnp.array([0.0014, 0.001, 0.0008], jnp.float32),
        has_multipliers=jnp.bool_(False),
        profile_multiplier=jnp.ones((4, 3), jnp.float32),
    )


@jax.jit
def starve_for(lifecycle, needs, first, params, decay):
    def body(carry, tick):
        lifecycle, needs, collapsed, exited = starve(*carry, at(tick), params, decay)
        return (lifecycle, needs), (needs, collapsed, exited, lifecycle)

    return jax.lax.scan(body, (lifecycle, needs), first + jnp.arange(520, dtype=jnp.int32))


def test_ex_life_1():
    shape = TownShape(num_agents=1)
    needs = empty_needs(shape)
    needs = needs.replace(level=needs.level.at[0].set(jnp.array([0.7, 0.5, 0.5])))
    args = (empty_lifecycle(shape), needs, jnp.int32(0), params(), decay_params())
    _, (felt, collapsed, exited, after) = starve_for(*args)
    assert_array_equal(np.flatnonzero(felt.level[:, 0, 0] <= 0.03)[0], 478)
    assert_array_equal(np.flatnonzero(collapsed), [507])
    assert exited[507, 0] == ExitReason.FAINT
    assert after.arrival_tick[507, 0] == 512


@pytest.mark.parametrize("run", [rule.gate, jax.jit(rule.gate)], ids=["plain", "jit"])
@pytest.mark.parametrize(("random", "expected"), [(0, 512), (15, 527), (16, 512), (2**32 - 1, 527)])
def test_arrival_follows_after_the_delay(run, random, expected):
    lifecycle, agents = flagged([500])
    lifecycle, agents, exited = run(
        lifecycle, agents, jnp.bool_(False), bits(random), at(507), params()
    )
    assert exited[0] == ExitReason.EVICTION
    assert_array_equal(agents.is_leaving, np.arange(SLOTS) == 0)
    assert_array_equal(lifecycle.arrival_tick, [expected] + [NEVER] * (SLOTS - 1))
    assert (lifecycle.exits_today, lifecycle.last_exit_tick) == (1, 507)


def test_ex_life_2():
    lifecycle, agents = flagged([507, 508, 509], ExitReason.FAINT)
    faint = ExitReason.FAINT
    found = exits(lifecycle, agents, 507, 1000, params())
    assert found == [(507, 0, faint), (627, 1, faint), (1440, 2, faint)]


def test_ex_life_3():
    lifecycle, agents = flagged([507], ExitReason.FAINT)
    # Blackout 490-520 and a grace window of 60 ticks.
    events = [(490, 580)]
    assert exits(lifecycle, agents, 507, 100, params(), events) == [(580, 0, ExitReason.FAINT)]
    unaware = params(suppress_during_city_events=False)
    assert exits(lifecycle, agents, 507, 100, unaware, events) == [(507, 0, ExitReason.FAINT)]


@pytest.mark.parametrize("run", [rule.collapse, jax.jit(rule.collapse)], ids=["plain", "jit"])
def test_ex_life_5(run):
    shape = TownShape(num_agents=1)
    lifecycle, needs, alive = empty_lifecycle(shape), empty_needs(shape), jnp.array([True])
    low = needs.level.at[0, 0].set(0.03)
    for tick in range(29):
        needs = needs.replace(level=low)
        lifecycle, needs, collapsed = run(lifecycle, needs, alive, at(tick), params())
    assert needs.low_hunger_ticks[0] == 29 and not collapsed[0]
    bite = needs.replace(level=low.at[0, 0].set(0.04))
    lifecycle, fed, collapsed = run(lifecycle, bite, alive, at(29), params())
    assert fed.low_hunger_ticks[0] == 0 and not collapsed[0]
    lifecycle, _, collapsed = run(lifecycle, needs, alive, at(29), params())
    assert collapsed[0] and lifecycle.exit_reason[0] == ExitReason.FAINT
    lifecycle, _, collapsed = run(lifecycle, needs, alive, at(30), params())
    assert not collapsed[0] and lifecycle.flagged_tick[0] == 29


def test_nobody_faints_while_mortality_is_off():
    shape = TownShape(num_agents=1)
    lifecycle = empty_lifecycle(shape)
    lifecycle = rule.set_mortality(lifecycle, jnp.bool_(True), jnp.bool_(False))
    needs = empty_needs(shape).replace(low_hunger_ticks=jnp.array([99]))
    alive = jnp.array([True])
    lifecycle, needs, collapsed = rule.collapse(lifecycle, needs, alive, at(5), params())
    assert not collapsed[0] and needs.low_hunger_ticks[0] == 100
    lifecycle = rule.set_mortality(lifecycle, jnp.bool_(True), jnp.bool_(True))
    assert rule.collapse(lifecycle, needs, alive, at(6), params())[2][0]


def test_flag_is_latched():
    lifecycle, _ = town()
    first, second = jnp.arange(SLOTS) < 2, jnp.arange(SLOTS) < 3
    lifecycle = rule.flag(lifecycle, first, ExitReason.EVICTION, at(7))
    lifecycle = rule.flag(lifecycle, second, ExitReason.EMPLOYMENT_EXIT, at(9))
    assert_array_equal(lifecycle.exit_reason, [2, 2, 3, 0, 0, 0])
    assert_array_equal(lifecycle.flagged_tick, [7, 7, 9] + [NEVER] * 3)


@pytest.mark.parametrize("is_set", [True, False])
def test_switching_mortality_off_spares_the_dying(is_set):
    lifecycle, _ = town(exit_reason=[1, 2, 3, 4, 5, 0], flagged_tick=[9] * 5 + [NEVER])
    lifecycle = rule.set_mortality(lifecycle, jnp.bool_(is_set), jnp.bool_(False))
    assert_array_equal(lifecycle.exit_reason, [0, 0, 3, 4, 5, 0] if is_set else [1, 2, 3, 4, 5, 0])
    assert lifecycle.flagged_tick[0] == (NEVER if is_set else 9)
    everybody = jnp.ones(SLOTS, bool)
    for reason in (ExitReason.FAINT, ExitReason.EVICTION, ExitReason.EMPLOYMENT_EXIT):
        lifecycle = rule.flag(lifecycle, everybody, reason, at(10))
    assert lifecycle.exit_reason[5] == (3 if is_set else 1)


def test_operators_pass_the_gate_but_count():
    lifecycle, agents = flagged([1, 1, 1], ExitReason.EVICTION)
    is_killed, is_approved = jnp.arange(SLOTS) == 4, jnp.arange(SLOTS) == 2
    lifecycle = lifecycle.replace(exits_today=jnp.int32(1), last_exit_tick=jnp.int32(9))
    lifecycle = rule.order_exit(lifecycle, is_killed, ExitReason.KILLED, at(10))
    lifecycle = rule.order_exit(lifecycle, is_approved, ExitReason.MANUAL_APPROVE, at(10))
    assert_array_equal(lifecycle.exit_reason, [2, 2, 5, 0, 4, 0])
    everything_forbids = params(max_exits_per_day=2, exit_cooldown_ticks=5)
    lifecycle, agents, exited = rule.gate(
        lifecycle, agents, jnp.bool_(True), bits(), at(10), everything_forbids
    )
    assert_array_equal(exited, [0, 0, 5, 0, 4, 0])
    assert (lifecycle.exits_today, lifecycle.last_exit_tick) == (3, 10)


def test_without_cooldown_the_cap_counts_down_within_a_tick():
    lifecycle, agents = flagged([8, 7, 7, 6])
    found = exits(lifecycle, agents, 10, 3, params(max_exits_per_day=3, exit_cooldown_ticks=0))
    assert [(t, a) for t, a, _ in found] == [(10, 1), (10, 2), (10, 3)]
    unlimited = params(max_exits_per_day=0, exit_cooldown_ticks=0)
    assert len(exits(lifecycle, agents, 10, 3, unlimited)) == 4


def oracle_gate(lifecycle, agents, is_city_event, bits, tick, params):
    """Walks through residents in the order of the gate, one decision at a time."""
    reason, flagged_tick = lifecycle["exit_reason"], lifecycle["flagged_tick"]
    today, last, exited = lifecycle["exits_today"], lifecycle["last_exit_tick"], [0] * SLOTS
    arrival = list(lifecycle["arrival_tick"])
    here = [a for a in range(SLOTS) if agents[a] and reason[a]]
    by_hand = [a for a in here if reason[a] in (4, 5)]
    others = sorted((a for a in here if a not in by_hand), key=lambda a: (flagged_tick[a], a))
    for a in by_hand + others:
        if a in others:
            is_suppressed = is_city_event and bool(params.suppress_during_city_events)
            is_capped = 0 < params.max_exits_per_day <= today
            if is_suppressed or is_capped or tick - last < params.exit_cooldown_ticks:
                continue
        today, last, exited[a] = today + 1, tick, reason[a]
        low, high = (int(x) for x in params.spawn_delay)
        arrival[a] = tick + low + int(bits[a]) % (high - low + 1)
    return exited, arrival, today, last


gate = jax.jit(rule.gate)


@pytest.mark.parametrize("seed", range(40))
def test_gate_oracle(seed):
    rng = np.random.default_rng(seed)
    numbers = params(
        max_exits_per_day=int(rng.integers(0, 5)),
        exit_cooldown_ticks=int(rng.choice([0, 0, 1, 3])),
        suppress_during_city_events=bool(rng.random() < 0.5),
    )
    fields = dict(
        exit_reason=rng.choice([0, 1, 2, 3, 4, 5], SLOTS, p=[0.3, 0.2, 0.2, 0.2, 0.05, 0.05]),
        flagged_tick=rng.integers(90, 100, SLOTS),
        arrival_tick=rng.choice([NEVER, 120], SLOTS),
        exits_today=int(rng.integers(0, 4)),
        last_exit_tick=int(rng.choice([LONG_AGO, 97, 98, 99])),
    )
    alive, draws = rng.random(SLOTS) < 0.8, rng.integers(0, 2**32, SLOTS, dtype=np.uint32)
    is_city_event = bool(rng.random() < 0.3)
    lifecycle, agents = town(**fields)
    agents = agents.replace(is_alive=jnp.array(alive))
    after, left, exited = gate(
        lifecycle, agents, jnp.bool_(is_city_event), jnp.array(draws), at(100), numbers
    )
    expected = oracle_gate(fields, alive, is_city_event, draws, 100, numbers)
    assert_array_equal(exited, expected[0])
    assert_array_equal(left.is_leaving, np.array(expected[0]) > 0)
    assert_array_equal(after.arrival_tick, expected[1])
    assert (after.exits_today, after.last_exit_tick) == expected[2:]


@given(
    flags=st.lists(st.integers(0, 50), min_size=SLOTS, max_size=SLOTS),
    cap=st.integers(0, 4),
    cooldown=st.sampled_from([0, 1, 7, 200]),
)
def test_exits_per_day_stay_under_the_cap(flags, cap, cooldown):
    lifecycle, agents = flagged(flags)
    numbers = params(max_exits_per_day=cap, exit_cooldown_ticks=cooldown)
    found = exits(lifecycle, agents, 1400, 100, numbers)
    ticks = [t for t, _, _ in found]
    for day in (0, 1):
        assert not cap or sum(t // DAY == day for t in ticks) <= cap
    assert all(b - a >= cooldown for a, b in zip(ticks, ticks[1:], strict=False))
    in_line = sorted((flags[a], a, t) for t, a, _ in found)
    assert [t for _, _, t in in_line] == sorted(ticks)


def test_newcomers_are_due_numbered_and_spread_over_jobs():
    lifecycle, agents = town(arrival_tick=[9, 10, 11, NEVER, 10, 10], num_arrivals=7)
    is_alive = jnp.arange(SLOTS) == 4
    is_due = rule.is_due(lifecycle, is_alive, at(10))
    assert_array_equal(is_due, [True, True, False, False, False, True])
    lifecycle, number = rule.order_of_arrival(lifecycle, is_due)
    assert_array_equal(np.asarray(number)[np.asarray(is_due)], [7, 8, 9])
    assert_array_equal(lifecycle.arrival_tick, [NEVER, NEVER, 11, NEVER, 10, NEVER])
    assert lifecycle.num_arrivals == 10
    assert_array_equal(rule.job_of(jnp.array([7, 8, 9]), jnp.int32(3)), [1, 2, 0])
    assert_array_equal(rule.job_of(jnp.array([7, 8, 9]), jnp.int32(0)), [NONE] * 3)


def test_entry_cells():
    _, agents = town()
    agents = agents.replace(
        is_alive=jnp.arange(SLOTS) < 2,
        position=jnp.array([[0, 1], [5, 5], [0, 0], [0, 0], [0, 0], [0, 0]]),
    )
    entry = jnp.array([[0, 0], [0, 1], [0, 2], [NONE, NONE]])
    is_arriving = jnp.array([False, False, True, False, True, True])
    cell = rule.entry_cell(is_arriving, agents, entry)
    # The third finds no free cell and stands on the first.
    assert_array_equal(np.asarray(cell)[[2, 4, 5]], [[0, 0], [0, 2], [0, 0]])


def halton_table(rows=8):
    table = np.zeros((rows, 3), np.float32)
    for i in range(rows):
        for column, base in enumerate((2, 3, 5)):
            n, share = i + 1, 1.0
            while n:
                share /= base
                table[i, column] += (n % base) * share
                n //= base
    return jnp.array(table)


@pytest.mark.parametrize("run", [rule.personality, jax.jit(rule.personality)], ids=["plain", "jit"])
def test_personality_of_the_sequence(run):
    number = jnp.array([0, 1, 2, 8], jnp.int32)
    traits, profile = run(number, halton_table(), jnp.zeros(3), params())
    expected = [[0, -0.2, -0.36], [-0.3, 0.2, -0.12], [0.3, -0.4667, 0.12], [0, -0.2, -0.36]]
    assert_allclose(traits, expected, atol=1e-4)
    assert_array_equal(profile, [NONE] * 4)
    shifted, _ = run(number, halton_table(), jnp.array([0.5, 0.5, 0.5]), params())
    assert_allclose(shifted[0], [0.6 * (2 * 0.0 - 1), 0.6 * (5 / 3 - 1), 0.6 * 0.4], atol=1e-4)


@pytest.mark.parametrize("run", [rule.personality, jax.jit(rule.personality)], ids=["plain", "jit"])
def test_personality_by_profile(run):
    number = jnp.arange(8, dtype=jnp.int32)
    numbers = params(is_halton=False, profile_cumulative=[0.5, 0.5, 1.0, 1.0])
    traits, profile = run(number, halton_table(), jnp.zeros(3), numbers)
    # u = 1/2, 1/4, 3/4, 1/8, 5/8, 3/8, 7/8, 1/16; half of the residents are balanced.
    assert_array_equal(profile, [2, 0, 2, 0, 2, 0, 2, 0])
    assert_allclose(traits, np.array(PROFILES)[np.asarray(profile)], atol=1e-6)


def test_needs_at_arrival():
    uniform = jnp.array([[0.0, 0.5, 1 - 2**-24]], jnp.float32)
    assert_allclose(rule.needs_at_arrival(uniform, params()), [[0.6, 0.75, 0.9]], atol=1e-6)


def test_vmap_is_a_loop():
    rng = np.random.default_rng(3)
    towns = 4
    lifecycle, agents = jax.vmap(lambda _: town())(jnp.arange(towns))
    lifecycle = lifecycle.replace(
        exit_reason=jnp.array(rng.integers(0, 6, (towns, SLOTS)), jnp.int32),
        flagged_tick=jnp.array(rng.integers(0, 9, (towns, SLOTS)), jnp.int32),
    )
    draws = jnp.array(rng.integers(0, 2**32, (towns, SLOTS), dtype=np.uint32))
    moments = jax.vmap(at)(jnp.full(towns, 10, jnp.int32))
    events = jnp.array([True, False, False, False])
    args = (lifecycle, agents, events, draws, moments)
    batched = jax.vmap(rule.gate, (0, 0, 0, 0, 0, None))(*args, params())
    for i in range(towns):
        expected = gate(*jax.tree.map(lambda leaf, i=i: leaf[i], args), params())
        jax.tree.map(lambda x, y, i=i: assert_array_equal(x[i], y), batched, expected)
