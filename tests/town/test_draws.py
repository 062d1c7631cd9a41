"""Draws and the clock: worked examples EX-CLK-1 and EX-PRI-1, ranges, independence of purposes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.town.conftest import QUICK
from townlet_jax.config.shape import TownShape
from townlet_jax.state.clock import Purpose, Stream, now, start_clock
from townlet_jax.town import draws as rule

SHAPE = TownShape(num_agents=3, num_specs=2)
CLOCK = start_clock(jax.random.key(4))
FIELDS = {
    "u_chat_success": (Stream.WORLD, Purpose.CHAT_SUCCESS),
    "u_chat_quality": (Stream.WORLD, Purpose.CHAT_QUALITY),
    "bits_arrival_delay": (Stream.WORLD, Purpose.ARRIVAL_DELAY),
    "u_arrival_needs": (Stream.WORLD, Purpose.ARRIVAL_NEEDS),
    "personality_shift": (Stream.WORLD, Purpose.PERSONALITY_SHIFT),
    "u_perturbation_roll": (Stream.EVENTS, Purpose.PERTURBATION_ROLL),
    "bits_perturbation_ticks": (Stream.EVENTS, Purpose.PERTURBATION_TICKS),
    "u_perturbation_magnitude": (Stream.EVENTS, Purpose.PERTURBATION_MAGNITUDE),
    "bits_meet": (Stream.EVENTS, Purpose.MEET_PARTICIPANTS),
}
draw = jax.jit(rule.draw, static_argnums=0, compiler_options=QUICK)


def at(tick, seed=4):
    return start_clock(jax.random.key(seed)).replace(tick=jnp.int32(tick))


@pytest.mark.parametrize("tick, day, of_day", [(0, 0, 0), (1439, 0, 1439), (1440, 1, 0)])
def test_the_day_begins_at_tick_zero(tick, day, of_day):
    """EX-CLK-1."""
    moment = now(at(tick), jnp.int32(1440))
    assert (int(moment.tick), int(moment.day), int(moment.tick_of_day)) == (tick, day, of_day)


def test_priority_is_the_inverse_of_the_permutation():
    """EX-PRI-1: agent 2 first, then 0, then 1; the bits are compared unsigned."""
    bits = jnp.array([2**31 - 1, 2**32 - 1, 5], jnp.uint32)
    assert rule._order(SHAPE, bits).tolist() == [1, 2, 0]


def test_slot_order_ignores_the_draw():
    shape = TownShape(num_agents=3, num_specs=2, tick_order="slot")
    assert draw(shape, at(7)).priority.tolist() == [0, 1, 2]


def test_priority_is_a_permutation_that_changes():
    seen = [tuple(draw(SHAPE, at(tick)).priority.tolist()) for tick in range(40)]
    assert all(sorted(order) == [0, 1, 2] for order in seen)
    assert len(set(seen)) == 6


def test_uniforms_are_multiples_of_a_power_of_two_below_one():
    bits = jnp.array([0, 255, 256, 2**32 - 1], jnp.uint32)
    assert rule.uniform(bits).tolist() == [0, 0, 2.0**-24, 1 - 2.0**-24]
    u = np.asarray(rule.uniform(jax.random.bits(jax.random.key(0), (100_000,))))
    assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.005
    np.testing.assert_array_equal(u * 2**24, np.floor(u * 2**24))


def test_every_draw_comes_from_its_own_purpose_alone():
    """So a further purpose, or a longer draw of another, never shifts it."""
    clock = at(9)
    drawn = draw(SHAPE, clock)
    assert {*vars(drawn)} == {*FIELDS, "priority"}
    for name, (stream, purpose) in FIELDS.items():
        is_constant = purpose == Purpose.PERSONALITY_SHIFT
        moment = at(rule.AT_CONSTRUCTION) if is_constant else clock
        value = getattr(drawn, name)
        bits = jax.random.bits(rule.purpose_key(moment, stream, purpose), (value.size,))
        expected = bits if name.startswith("bits") else rule.uniform(bits)
        np.testing.assert_array_equal(value.reshape(-1), expected, err_msg=name)


def test_a_longer_draw_begins_with_the_shorter_one():
    """Residents keep their draws when the town has room for more of them."""
    small, large = draw(SHAPE, at(3)), draw(TownShape(num_agents=11, num_specs=5), at(3))
    for name in FIELDS:
        one, other = getattr(small, name), getattr(large, name)
        np.testing.assert_array_equal(one, other[: one.shape[0]], err_msg=name)


def test_the_personality_shift_is_the_same_on_every_tick_of_a_town():
    shifts = {tuple(draw(SHAPE, at(tick)).personality_shift.tolist()) for tick in (0, 1, 1440)}
    assert len(shifts) == 1
    assert tuple(draw(SHAPE, at(0, seed=5)).personality_shift.tolist()) not in shifts


def test_ticks_seeds_and_streams_differ():
    drawn = [draw(SHAPE, at(tick, seed)) for tick, seed in ((0, 4), (1, 4), (0, 5))]
    for name in FIELDS:
        if name != "personality_shift":
            values = [tuple(np.ravel(getattr(d, name))) for d in drawn]
            assert len(set(values)) == 3, name
    assert {Stream.WORLD, Stream.EVENTS} == {stream for stream, _ in FIELDS.values()}
    events = {purpose for stream, purpose in FIELDS.values() if stream == Stream.EVENTS}
    assert events == rule.EVENT_PURPOSES


def test_batch_equals_loop_equals_eager():
    ticks = jnp.arange(5, dtype=jnp.int32)
    many = jax.vmap(lambda t: rule.draw(SHAPE, CLOCK.replace(tick=t)))
    batch = jax.jit(many, compiler_options=QUICK)(ticks)
    for tick in (0, 4):
        clock = CLOCK.replace(tick=jnp.int32(tick))
        for alone in (draw(SHAPE, clock), rule.draw(SHAPE, clock)):
            for one, other in zip(jax.tree.leaves(batch), jax.tree.leaves(alone), strict=True):
                np.testing.assert_array_equal(one[tick], other)
