"""Needs: world spec section 9, profile multipliers of social spec section 2.3."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from townlet_jax.config.params import NeedsParams
from townlet_jax.masked import NONE
from townlet_jax.rules import needs as rule
from townlet_jax.state.needs import Needs

DECAY = (0.0014, 0.0010, 0.0008)
PROFILES = ((1, 1, 1), (1, 1.1, 1), (1, 1, 0.9), (0.95, 1, 1))
ALIVE = jnp.array([True, True, True, False])
FREE = jnp.full(4, NONE, jnp.int32)

decay = jax.jit(rule.decay)
both = pytest.mark.parametrize("decay", [decay, rule.decay], ids=["jit", "eager"])


def params(has_multipliers=False, decay=DECAY):
    return NeedsParams(
        decay=jnp.array(decay, jnp.float32),
        has_multipliers=jnp.bool_(has_multipliers),
        profile_multiplier=jnp.array(PROFILES, jnp.float32),
    )


def needs(*level):
    level = jnp.broadcast_to(jnp.array(level, jnp.float32), (4, 3))
    return Needs(level=level, low_hunger_ticks=jnp.arange(4, dtype=jnp.int32))


@both
def test_idle_resident_loses_decay_each_tick(decay):
    """EX-NEED-1."""
    state = needs(0.8, 0.7, 0.6)
    for _ in range(100):
        state = decay(state, ALIVE, FREE, params())
    assert_allclose(state.level[0], [0.66, 0.60, 0.52], atol=1e-5)


@both
def test_need_stops_at_zero(decay):
    """EX-NEED-2."""
    state = decay(needs(0.0005, 0.0005, 0.0005), ALIVE, FREE, params())
    assert_array_equal(state.level[0], 0)
    assert_array_equal(decay(state, ALIVE, FREE, params()).level[0], 0)


@both
def test_decay_comes_after_progress(decay):
    """EX-NEED-3."""
    state = needs(0.6, 0.6, 0.6)
    state = state.replace(level=state.level.at[:, 0].add(0.03))
    assert_allclose(decay(state, ALIVE, FREE, params()).level[0, 0], 0.6286, atol=1e-6)


@both
def test_vacant_slot_and_low_hunger_count_are_left_alone(decay):
    state = needs(0.8, 0.7, 0.6)
    after = decay(state, ALIVE, FREE, params())
    assert_array_equal(after.level[3], state.level[3])
    assert_array_equal(after.low_hunger_ticks, state.low_hunger_ticks)


@both
def test_gate_off_keeps_the_bits_of_plain_decay(decay):
    state = needs(0.8, 0.7, 0.6)
    expected = np.float32([0.8, 0.7, 0.6]) - np.float32(DECAY)
    profile = jnp.array([1, 2, 3, 0], jnp.int32)
    assert_array_equal(decay(state, ALIVE, profile, params()).level[0], expected)


@both
def test_profile_scales_decay_behind_its_gate(decay):
    state = needs(0.8, 0.7, 0.6)
    profile = jnp.array([1, 2, 3, NONE], jnp.int32)
    alive = jnp.ones(4, bool)
    lost = state.level - decay(state, alive, profile, params(has_multipliers=True)).level
    assert_allclose(lost[0], [0.0014, 0.0011, 0.0008], atol=1e-7)
    assert_allclose(lost[1], [0.0014, 0.0010, 0.00072], atol=1e-7)
    assert_allclose(lost[2], [0.00133, 0.0010, 0.0008], atol=1e-7)
    plain = np.float32([0.8, 0.7, 0.6]) - np.float32(DECAY)
    assert_array_equal(decay(state, alive, profile, params(True)).level[3], plain)


@given(st.integers(0, 2**31 - 1), st.booleans())
def test_levels_stay_in_range_and_never_rise(seed, has_multipliers):
    """INV-NEED."""
    rng = np.random.default_rng(seed)
    state = needs(0, 0, 0).replace(level=jnp.array(rng.random((4, 3)), jnp.float32))
    given_params = params(has_multipliers, rng.random(3) ** 4)
    profile = jnp.array(rng.integers(-1, 4, 4), jnp.int32)
    level = decay(state, ALIVE, profile, given_params).level
    assert jnp.all((level >= 0) & (level <= state.level))


def test_rule_equals_plain_loops():
    rng = np.random.default_rng(0)
    for case in range(40):
        state = needs(0, 0, 0).replace(level=jnp.array(rng.random((4, 3)) ** 3, jnp.float32))
        alive, profile = rng.random(4) < 0.7, rng.integers(-1, 4, 4)
        rates, is_on = rng.random(3) / 10, case % 2 == 1
        after = decay(state, jnp.array(alive), jnp.array(profile, jnp.int32), params(is_on, rates))
        for a in range(4):
            for n in range(3):
                factor = PROFILES[profile[a]][n] if is_on and profile[a] >= 0 else 1
                expected = max(0, float(state.level[a, n]) - rates[n] * factor)
                expected = expected if alive[a] else float(state.level[a, n])
                assert float(after.level[a, n]) == pytest.approx(expected, abs=1e-6)


def test_batch_equals_loop_equals_eager():
    rng = np.random.default_rng(1)
    levels = jnp.array(rng.random((16, 4, 3)), jnp.float32)
    profiles = jnp.array(rng.integers(-1, 4, (16, 4)), jnp.int32)
    base = needs(0, 0, 0)

    def run(level, profile):
        return rule.decay(base.replace(level=level), ALIVE, profile, params(True)).level

    batch = jax.jit(jax.vmap(run))(levels, profiles)
    for town in range(16):
        assert_array_equal(batch[town], jax.jit(run)(levels[town], profiles[town]))
        assert_array_equal(batch[town], run(levels[town], profiles[town]))
