"""Embedding slots against the worked example, a plain-Python loop and their invariants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from townlet_jax.config.params import SlotParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import LONG_AGO, NONE
from townlet_jax.rules import slots as rule
from townlet_jax.state import Slots, empty_slots
from townlet_jax.state.clock import Now

AGENTS, SLOTS, TICKS = 4, 6, 60


def at(tick):
    tick = jnp.asarray(tick, jnp.int32)
    return Now(tick=tick, tick_of_day=tick, day=jnp.zeros_like(tick))


def params(cooldown_ticks=3, threshold=0.05):
    return SlotParams(
        cooldown_ticks=jnp.int32(cooldown_ticks), reuse_warning_threshold=jnp.float32(threshold)
    )


def fresh(num_agents=AGENTS, num_slots=SLOTS):
    return empty_slots(TownShape(num_agents=num_agents, num_slots=num_slots))


def tick(slots, leaves, arrives, now, params):
    slots, is_forced = rule.allocate(rule.release(slots, leaves, now), arrives, now, params)
    return slots, is_forced, rule.is_scarce(slots, params)


compiled = jax.jit(tick)


@jax.jit
def live(slots, leaves, arrives, params):
    """Runs one tick per row of the masks `[T, A]`."""

    def body(slots, row):
        number, leaves, arrives = row
        slots, is_forced, is_scarce = tick(slots, leaves, arrives, at(number), params)
        return slots, (slots, is_forced, is_scarce)

    numbers = jnp.arange(leaves.shape[0], dtype=jnp.int32)
    return jax.lax.scan(body, slots, (numbers, leaves, arrives))


def moves(seed, rate):
    """Draws who leaves and who arrives in each tick; a slot may do both in one tick."""
    rng = np.random.default_rng(seed)
    leaves, arrives = np.zeros((2, TICKS, AGENTS), bool)
    is_home = np.zeros(AGENTS, bool)
    for t in range(TICKS):
        leaves[t] = is_home & (rng.random(AGENTS) < rate)
        arrives[t] = (~is_home | leaves[t]) & (rng.random(AGENTS) < rate)
        is_home = (is_home & ~leaves[t]) | arrives[t]
    return leaves, arrives


def oracle(leaves, arrives, cooldown_ticks, threshold):
    """Serves newcomers in the order of the specification, written as three groups."""
    slot, released = [NONE] * AGENTS, [LONG_AGO] * SLOTS
    num_allocated, num_forced, rows = 0, 0, []
    for t in range(len(leaves)):
        for a in np.flatnonzero(leaves[t]):
            released[slot[a]], slot[a] = t, NONE
        free = [e for e in range(SLOTS) if e not in slot]
        unused = [e for e in free if released[e] == LONG_AGO]
        used = sorted((e for e in free if e not in unused), key=lambda e: (released[e], e))
        cool = [e for e in used if t - released[e] >= cooldown_ticks]
        order = unused + cool + [e for e in used if e not in cool]
        forced = [False] * AGENTS
        for a, e in zip(np.flatnonzero(arrives[t]), order, strict=False):
            slot[a], forced[a] = e, e in used and e not in cool
            num_allocated += 1
            num_forced += forced[a]
        share = np.float32(num_forced) / np.float32(max(1, num_allocated))
        is_scarce = 0 < np.float32(threshold) < share
        rows.append((list(slot), list(released), num_allocated, num_forced, forced, is_scarce))
    return rows


@pytest.mark.parametrize("run", [tick, compiled], ids=["plain", "jit"])
def test_ex_slot_1(run):
    slots, nobody, one = fresh(1, 1), jnp.array([False]), jnp.array([True])
    slots, forced, _ = run(slots, nobody, one, at(0), params())
    assert not forced[0] and slots.slot[0] == 0
    slots, _, _ = run(slots, one, nobody, at(1), params())
    assert slots.slot[0] == NONE and slots.released_tick[0] == 1
    slots, forced, is_scarce = run(slots, nobody, one, at(2), params())
    assert forced[0] and is_scarce and (slots.num_forced, slots.num_allocated) == (1, 2)
    slots, _, _ = run(slots, one, nobody, at(5), params())
    slots, forced, _ = run(slots, nobody, one, at(8), params())
    assert not forced[0] and (slots.num_forced, slots.num_allocated) == (1, 3)


def test_threshold_zero_never_warns():
    slots = fresh().replace(num_forced=jnp.int32(5), num_allocated=jnp.int32(5))
    assert not rule.is_scarce(slots, params(threshold=0.0))
    assert rule.is_scarce(slots, params(threshold=0.05))
    assert not rule.is_scarce(fresh(), params())


def test_slots_idle_for_an_age_come_after_unused_ones():
    released = jnp.array([7, LONG_AGO, 3, 2**29], jnp.int32)
    slots = fresh(1, 4).replace(released_tick=released)
    one, now = jnp.array([True]), at(2**30 - 1)
    for expected in (1, 0, 2, 3):
        # Beyond 2^28 ticks all slots have waited equally long: index 0 before 2.
        slots, forced = rule.allocate(slots, one, now, params())
        assert slots.slot[0] == expected and not forced[0]
        slots = slots.replace(
            slot=jnp.array([NONE]), released_tick=slots.released_tick.at[expected].set(2**30 - 2)
        )


@pytest.mark.parametrize("cooldown_ticks", [0, 3, 12])
@pytest.mark.parametrize("seed", range(5))
def test_oracle(seed, cooldown_ticks):
    leaves, arrives = moves(seed, rate=0.4)
    _, (history, forced, is_scarce) = live(fresh(), leaves, arrives, params(cooldown_ticks, 0.2))
    for t, row in enumerate(oracle(leaves, arrives, cooldown_ticks, 0.2)):
        found = jax.tree.map(lambda leaf, t=t: leaf[t], history)
        assert_array_equal(found.slot, row[0])
        assert_array_equal(found.released_tick, row[1])
        assert (found.num_allocated, found.num_forced) == row[2:4]
        assert_array_equal(forced[t], row[4])
        assert is_scarce[t] == row[5]


@given(seed=st.integers(0, 2**32 - 1), rate=st.sampled_from([0.1, 0.5, 1.0]))
def test_living_residents_never_share_a_slot(seed, rate):
    leaves, arrives = moves(seed, rate)
    _, (history, _, _) = live(fresh(), leaves, arrives, params())
    for slot in np.asarray(history.slot):
        held = slot[slot != NONE]
        assert len(set(held)) == len(held)
    assert np.all(np.diff(history.num_forced) >= 0)


def test_vmap_is_a_loop():
    rng = np.random.default_rng(0)
    towns = 5
    slots = Slots(
        slot=jnp.array([rng.permutation(SLOTS)[:AGENTS] for _ in range(towns)], jnp.int32),
        released_tick=jnp.array(rng.integers(0, 9, (towns, SLOTS)), jnp.int32),
        num_allocated=jnp.arange(towns, dtype=jnp.int32),
        num_forced=jnp.zeros(towns, jnp.int32),
    )
    mask = jnp.array(rng.random((towns, AGENTS)) < 0.7)
    moments = jax.vmap(at)(jnp.arange(towns, dtype=jnp.int32) + 9)
    batched = jax.vmap(tick, (0, 0, 0, 0, None))(slots, mask, mask, moments, params())
    for i in range(towns):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], (slots, mask, mask, moments))
        expected = compiled(*one, params())
        jax.tree.map(lambda x, y, i=i: assert_array_equal(x[i], y), batched, expected)
