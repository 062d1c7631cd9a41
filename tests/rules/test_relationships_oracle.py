"""The tie store over random tapes: against plain Python, and the properties of social spec 13."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tests.rules.tie_towns import (
    FLAT,
    LENGTH,
    MAX_EDGES,
    SLOTS,
    events,
    inputs,
    live,
    live_twin,
    params,
    play,
    play_quietly,
    random_ticks,
    random_traits,
    tape,
    ties,
    twin_town,
)
from townlet_jax.masked import LONG_AGO
from townlet_jax.state.relationships import Relationships, TieDrop

seeds = st.integers(0, 2**20)
few = settings(max_examples=6)
CHANNELS = "trust", "familiarity", "rivalry"

hard = st.builds(
    params,
    effective_capacity=st.integers(0, MAX_EDGES),
    reserve_rivals=st.integers(0, 3),
    stage=st.sampled_from([0, 2]),
    has_modifiers=st.booleans(),
    rivalry_decay=st.sampled_from([1e-4, 0.02]),
    trust_decay=st.sampled_from([2.4e-4, 0.05]),
    eviction_threshold=st.sampled_from([0.01, 0.06]),
    min_rivalry=st.sampled_from([-0.25, 0]),
    churn_window_ticks=st.sampled_from([7, 50]),
)


def born_and_lost(before, state, happened):
    """Counts the ties of every tick, and those that came and went without removals."""
    num = np.concatenate([[int(before.is_tie.sum())], state.is_tie.sum(axis=(1, 2))])
    return num, np.asarray(happened.evicted.sum(axis=(1, 2)))


@few
@given(seeds, hard)
def test_store_equals_plain_python(seed, numbers):
    """INV-TIE-3: the same ties and counts, values to 1e-6, tick by tick."""
    ticks, character, start = random_ticks(seed, 60), random_traits(seed), 1400
    states, happened = play(ties(), tape(*ticks), jnp.int32(start), numbers, character)
    town = twin_town(numbers, character)
    for i, tick in enumerate(ticks):
        live_twin(town, tick, start + i)
        expected = town.state.relationships
        for name in Relationships.__dataclass_fields__:
            actual = np.asarray(getattr(states, name))[i]
            if actual.dtype.kind == "f":
                assert_allclose(actual, getattr(expected, name), atol=1e-6, err_msg=name)
            elif name != "last_chat_tick":
                assert_array_equal(actual, getattr(expected, name), err_msg=name)
        for name in ("settled_trust", "settled_familiarity", "evicted"):
            actual = np.asarray(getattr(happened, name))[i]
            assert_allclose(actual, getattr(tick.relationships, name), atol=1e-6, err_msg=name)


@few
@given(seeds, hard)
def test_ranges_and_counts(seed, numbers):
    """INV-TIE-1, INV-TIE-2, INV-CHURN."""
    played = tape(*random_ticks(seed, LENGTH))
    state, happened = play(ties(), played, jnp.int32(3), numbers, random_traits(seed))
    assert int(state.is_tie.sum(axis=2).max()) <= int(numbers.effective_capacity)
    assert not state.is_tie[:, np.arange(SLOTS), np.arange(SLOTS)].any()
    for name, low, high in (
        ("trust", -1, 1),
        ("familiarity", -1, 1),
        ("rivalry", numbers.min_rivalry, numbers.max_rivalry),
    ):
        plane = getattr(state, name)
        assert (plane >= low).all() and (plane <= high).all()
        assert not jnp.where(state.is_tie, 0, plane).any()
    size = jnp.max(jnp.abs(jnp.stack([getattr(state, name) for name in CHANNELS])), axis=0)
    assert_array_equal(size > numbers.eviction_threshold, state.is_tie)
    for stamp in (state.formed_tick, state.last_event_tick):
        assert_array_equal(stamp == LONG_AGO, ~state.is_tie)
    num, lost = born_and_lost(ties(), state, happened)
    survivors = np.asarray(state.formed_tick == (3 + np.arange(LENGTH))[:, None, None])
    refused = np.asarray(happened.evicted[..., TieDrop.REFUSED].sum(axis=1))
    born = survivors.sum(axis=(1, 2)) + refused
    assert_array_equal(num[1:], num[:-1] + born - lost)


@few
@given(seeds)
def test_slots_are_interchangeable(seed):
    """INV-TIE-4; no two strengths of the tape are equal."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(SLOTS)  # resident i moves to slot order[i]
    pairs = [tuple(map(int, rng.choice(SLOTS, 2, replace=False))) for _ in range(40)]
    qualities = rng.random(40)
    numbers = params(effective_capacity=3, has_modifiers=True)
    original = tape(*(events(chats=[(*p, q)]) for p, q in zip(pairs, qualities, strict=True)))
    moved = [(int(order[a]), int(order[b])) for a, b in pairs]
    moved = tape(*(events(chats=[(*p, q)]) for p, q in zip(moved, qualities, strict=True)))
    character = random_traits(seed)
    state, _ = play(ties(), original, jnp.int32(0), numbers, character)
    other, _ = play(ties(), moved, jnp.int32(0), numbers, character[np.argsort(order)])
    for name in (*CHANNELS, "is_tie", "formed_tick"):
        plane = np.asarray(getattr(other, name))[:, order][:, :, order]
        assert_array_equal(plane, getattr(state, name))


@few
@given(seeds)
def test_feelings_are_mutual_while_all_is_mutual(seed):
    """INV-TIE-5."""
    numbers = params(effective_capacity=MAX_EDGES)
    kind = random_ticks(seed, 20, is_kind=True)
    state, happened = play(ties(), tape(*kind), jnp.int32(0), numbers, random_traits(seed))
    lost = np.cumsum(happened.evicted[..., TieDrop.CAPACITY].sum(axis=1))
    lost += np.cumsum(happened.evicted[..., TieDrop.REFUSED].sum(axis=1))
    for name in CHANNELS:
        plane = np.asarray(getattr(state, name))[lost == 0]
        assert_array_equal(plane, np.swapaxes(plane, 1, 2))


@few
@given(seeds)
def test_modifiers_without_traits_change_nothing(seed):
    """INV-TIE-7."""
    played = tape(*random_ticks(seed, LENGTH))
    plain, _ = play(ties(), played, jnp.int32(0), params(), FLAT)
    gated, _ = play(ties(), played, jnp.int32(0), params(has_modifiers=True), FLAT)
    ignored, _ = play(ties(), played, jnp.int32(0), params(), random_traits(seed))
    assert_array_equal(gated.is_tie, plain.is_tie)
    for name in CHANNELS:
        assert_allclose(getattr(gated, name), getattr(plain, name), atol=1e-5)
        assert_array_equal(getattr(ignored, name), getattr(plain, name))


@few
@given(seeds, st.integers(0, MAX_EDGES))
def test_lowered_capacity_keeps_the_strongest(seed, capacity):
    """INV-TIE-8, by the same compiled function."""
    states, _ = play(
        ties(), tape(*random_ticks(seed, 50)), jnp.int32(0), params(), random_traits(seed)
    )
    full = jax.tree.map(lambda x: x[-1], states)
    numbers = params(effective_capacity=capacity, trust_decay=0, familiarity_decay=0)
    states, _ = play(full, tape(), jnp.int32(LENGTH), numbers, FLAT)
    strength = sum(np.abs(np.asarray(getattr(full, name))) for name in CHANNELS)
    for a in range(SLOTS):
        partners = np.flatnonzero(full.is_tie[a])
        order = sorted(partners, key=lambda b: (-strength[a, b], full.formed_tick[a, b], b))
        assert set(np.flatnonzero(states.is_tie[0][a])) == set(order[:capacity])


@few
@given(seeds)
def test_without_events_everything_is_forgotten(seed):
    """INV-TIE-9."""
    full = jax.tree.map(
        lambda x: x[-1],
        play(ties(), tape(*random_ticks(seed, 50)), jnp.int32(0), params(), FLAT)[0],
    )
    numbers = params(trust_decay=0.05, familiarity_decay=0.03, rivalry_decay=0.01)
    state, _ = play_quietly(full, 2 * LENGTH, numbers)
    strength = sum(np.abs(np.asarray(getattr(state, name))) for name in CHANNELS)
    assert (np.diff(strength, axis=0) <= 0).all()
    assert not state.is_tie[-1].any()


@few
@given(seeds)
def test_stage_off_never_warms(seed):
    """INV-TIE-10."""
    full = jax.tree.map(
        lambda x: x[-1],
        play(ties(), tape(*random_ticks(seed, 50)), jnp.int32(0), params(), FLAT)[0],
    )
    state, _ = play(
        full, tape(*random_ticks(seed + 1, 50)), jnp.int32(50), params(stage=0), random_traits(seed)
    )
    for name in ("trust", "familiarity"):
        assert (np.diff(np.abs(np.asarray(getattr(state, name))), axis=0) <= 0).all()


def test_resumed_equals_uninterrupted():
    """INV-TIE-11: a state, through host memory, is all there is."""
    played, traits, numbers = tape(*random_ticks(1, LENGTH)), random_traits(1), params()
    straight, _ = play(ties(), played, jnp.int32(1380), numbers, traits)
    at, run = 47, jax.jit(live)
    state = jax.tree.map(lambda x: jnp.asarray(np.array(x[at])), straight)
    for i in range(at + 1, LENGTH):
        happened = jax.tree.map(lambda x: jnp.asarray(x[i]), played)
        state, _ = run(state, happened, jnp.int32(1380 + i), numbers, traits)
    for name in Relationships.__dataclass_fields__:
        assert_array_equal(getattr(state, name), getattr(straight, name)[-1])


@pytest.mark.parametrize("has_modifiers", [False, True])
def test_batch_equals_loop(has_modifiers):
    """INV-RNG: the same bits jitted, not jitted, alone and in a batch."""
    numbers = params(has_modifiers=has_modifiers, effective_capacity=3, reserve_rivals=1)
    towns = range(3)
    full = [
        jax.tree.map(
            lambda x: x[-1],
            play(ties(), tape(*random_ticks(s, 30)), jnp.int32(0), numbers, random_traits(s))[0],
        )
        for s in towns
    ]
    happened = [inputs(random_ticks(100 + s, 1)[0]) for s in towns]
    traits = [random_traits(s) for s in towns]
    stacked = [jax.tree.map(lambda *x: jnp.stack(x), *each) for each in (full, happened, traits)]
    many = jax.jit(jax.vmap(live, in_axes=(0, 0, None, None, 0)))
    together = many(*stacked[:2], jnp.int32(40), numbers, stacked[2])
    for s in towns:
        arguments = full[s], happened[s], jnp.int32(40), numbers, traits[s]
        for alone in (jax.jit(live)(*arguments), live(*arguments)):
            jax.tree.map(lambda x, y: assert_array_equal(x[s], y), together, alone)
