"""What events do to ties: social spec sections 2.2 and 3."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.rules.tie_towns import (
    ALL,
    FLAT,
    QUICK,
    SLOTS,
    events,
    inputs,
    params,
    random_ticks,
    random_traits,
    row,
    tape,
)
from townlet_jax.rules import tie_deltas as rule
from townlet_jax.state.relationships import TieEvent

deltas = jax.jit(rule.deltas, compiler_options=QUICK)
both = pytest.mark.parametrize("deltas", [deltas, rule.deltas], ids=["jit", "eager"])
GATED = params(has_modifiers=True)


def traits(extroversion=0.0, forgiveness=0.0, ambition=0.0):
    """Gives resident 0 traits; all others have none."""
    return FLAT.at[0].set(jnp.array([extroversion, forgiveness, ambition], jnp.float32))


def between(delta, a=0, b=1):
    return [float(channel[a, b]) for channel in delta]


def happen(deltas, *, numbers=GATED, character=FLAT, **what):
    return deltas(*inputs(events(**what)), ALL, character, numbers)


@both
@pytest.mark.parametrize(
    ("forgiveness", "expected"), [(1, (-0.2, -0.1, 0.15)), (-1, (-0.6, -0.3, 0.45))]
)
def test_forgiveness_softens_what_hurts(deltas, forgiveness, expected):
    """EX-PSN-1."""
    table = params().deltas.at[TieEvent.SHARED_MEAL].set(jnp.array([-0.4, -0.2, 0.3]))
    numbers = params(has_modifiers=True, deltas=table)
    delta = happen(
        deltas, numbers=numbers, character=traits(forgiveness=forgiveness), meals=[(0, 1)]
    )
    assert_allclose(between(delta), expected, atol=1e-6)
    assert_allclose(between(delta, 1, 0), (-0.4, -0.2, 0.3), atol=1e-6)


@both
def test_forgiveness_leaves_reconciliation_alone(deltas):
    """EX-PSN-2."""
    delta = happen(deltas, character=traits(forgiveness=1), handovers=[(0, 1)])
    assert_allclose(between(delta), (0.05, 0.05, -0.05), atol=1e-6)


@both
@pytest.mark.parametrize(("extroversion", "familiarity"), [(1, 0.07), (-1, 0.03)])
@pytest.mark.parametrize("pair", [(0, 1), (1, 0)])
def test_extroversion_warms_a_good_chat(deltas, extroversion, familiarity, pair):
    """EX-PSN-3; whoever speaks."""
    delta = happen(deltas, character=traits(extroversion=extroversion), chats=[(*pair, 0.5)])
    assert_allclose(between(delta), (0.025, familiarity, 0), atol=1e-6)


@both
def test_a_failed_chat_is_not_warmed(deltas):
    delta = happen(deltas, character=traits(extroversion=1), chats=[(0, 1, None)])
    assert_allclose(between(delta), (0, -0.05, 0.05), atol=1e-6)


@both
@pytest.mark.parametrize(("forgiveness", "rivalry"), [(0, 0.195), (1, 0.0975)])
def test_ambition_sharpens_conflicts(deltas, forgiveness, rivalry):
    """EX-PSN-4."""
    character = traits(forgiveness=forgiveness, ambition=1)
    delta = happen(deltas, character=character, conflicts=[(0, 1, 1.0)])
    assert_allclose(between(delta), (0, 0, rivalry), atol=1e-6)


@both
def test_ambition_sharpens_taken_shifts(deltas):
    """EX-PSN-5: resident 1 was absent, resident 0 worked."""
    delta = happen(deltas, character=traits(ambition=0.5), took=[(1, 0)])
    assert_allclose(between(delta), (-0.10, 0, 0.345), atol=1e-6)


@both
def test_ambition_does_not_sharpen_failed_chats(deltas):
    delta = happen(deltas, character=traits(ambition=1), chats=[(0, 1, None)])
    assert_allclose(between(delta), (0, -0.05, 0.05), atol=1e-6)


@both
def test_closed_gate_ignores_traits_bit_for_bit(deltas):
    """EX-PSN-7, INV-TIE-7."""
    for happened in map(inputs, random_ticks(7, 8)):
        plain = deltas(*happened, ALL, FLAT, params())
        assert_array_equal(deltas(*happened, ALL, random_traits(7), params()), plain)
        assert_allclose(deltas(*happened, ALL, FLAT, GATED), plain, atol=1e-7)


@both
def test_who_feels_what(deltas):
    """EX-TIE-16, EX-TIE-17: helps and taken shifts are one-sided, everything else is mutual."""
    delta = happen(deltas, helped=[(0, 1)], took=[(2, 3)], meals=[(4, 5)], handovers=[(6, 7)])
    assert_allclose(between(delta, 0, 1), (0.20, 0.10, -0.10), atol=1e-6)
    assert_allclose(between(delta, 1, 0), (0, 0.05, 0), atol=1e-6)
    assert_allclose(between(delta, 2, 3), (0, 0, 0))
    assert_allclose(between(delta, 3, 2), (-0.10, 0, 0.30), atol=1e-6)
    for pair in ((4, 5), (5, 4)):
        assert_allclose(between(delta, *pair), (0.10, 0.25, 0), atol=1e-6)
    for pair in ((6, 7), (7, 6)):
        assert_allclose(between(delta, *pair), (0.05, 0.05, -0.05), atol=1e-6)


@both
def test_events_of_one_tick_add_up(deltas):
    """EX-TIE-2, EX-TIE-3; also where the actor of one record is the rival of the other."""
    for handover in ((0, 1), (1, 0)):
        delta = happen(deltas, handovers=[handover], conflicts=[(0, 1, 1.5)])
        assert_allclose(between(delta), (0.05, 0.05, 0.175), atol=1e-6)
        assert_array_equal(between(delta), between(delta, 1, 0))
    delta = happen(deltas, handovers=[(0, 1)], conflicts=[(0, 1, 1.75)])
    assert_allclose(between(delta)[2], 0.2125, atol=1e-6)


@both
def test_a_town_without_events_moves_nothing(deltas):
    assert_array_equal(jnp.stack(happen(deltas, character=random_traits(1))), 0)


@both
def test_vacant_slots_take_no_part(deltas):
    happened = inputs(
        events(chats=[(0, 1, 0.5)], conflicts=[(2, 1, 1.5)], helped=[(1, 3)], meals=[(0, 1)])
    )
    delta = jnp.stack(deltas(*happened, ALL.at[1].set(False), random_traits(2), GATED))
    assert_array_equal(delta, 0)


def test_order_of_records_does_not_matter():
    """INV-TIE-6."""
    order = np.array([2, 0, 3, 1])
    for e in random_ticks(3, 10):
        happened = inputs(e)
        shuffled = [jax.tree.map(lambda x: x[order], records) for records in happened[1:3]]
        moved = happened[0], *shuffled, *happened[3:]
        assert_array_equal(
            jnp.stack(deltas(*moved, ALL, random_traits(3), GATED)),
            jnp.stack(deltas(*happened, ALL, random_traits(3), GATED)),
        )


def test_kind_ticks_are_mutual_bit_for_bit():
    """INV-TIE-5."""
    for e in random_ticks(4, 10, is_kind=True):
        delta = jnp.stack(deltas(*inputs(e), ALL, random_traits(4), params()))
        assert_array_equal(delta, jnp.swapaxes(delta, 1, 2))


def test_batch_equals_loop():
    """INV-RNG: the same bits jitted, not jitted, alone and in a batch."""
    batch = tape(*random_ticks(5, 6))
    character = jnp.stack([random_traits(s) for s in range(6)])
    many = jax.vmap(rule.deltas, in_axes=(0,) * 6 + (None, 0, None))
    many = jax.jit(many, compiler_options=QUICK)
    together = jnp.stack(many(*batch, ALL, character, GATED), axis=1)
    for i in range(6):
        alone = row(batch, i)
        assert_array_equal(together[i], jnp.stack(deltas(*alone, ALL, character[i], GATED)))
        assert_array_equal(together[i], jnp.stack(rule.deltas(*alone, ALL, character[i], GATED)))
    assert together.shape == (6, 3, SLOTS, SLOTS)
