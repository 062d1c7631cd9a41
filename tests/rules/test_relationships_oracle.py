"""The tie store over random tapes: against plain Python, and the properties of social spec 13."""

import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tests.rules.tie_towns import (
    FLAT,
    MAX_EDGES,
    SLOTS,
    events,
    inputs,
    live_jit,
    live_twin,
    lives,
    params,
    random_ticks,
    random_traits,
    ties,
    twin_town,
)
from townlet_jax.masked import LONG_AGO
from townlet_jax.state.relationships import Relationships, TieDrop

seeds = st.integers(0, 2**20)
few = settings(max_examples=6)
CHANNELS = "trust", "familiarity", "rivalry"


def play(start, ticks, first, numbers, traits=FLAT):
    """Lives ticks; returns the ties after and the events of every tick, stacked."""
    _, *story = zip(*lives(start, ticks, first, numbers, traits), strict=True)
    return [jax.tree.map(lambda *x: np.stack(x), *each) for each in story]


def settled_town(seed, numbers, num_ticks=40):
    """Returns the ties of a town that has lived through random ticks, and the next tick."""
    ticks = random_ticks(seed, num_ticks)
    state, _ = play(ties(), ticks, 0, numbers, random_traits(seed))
    return jax.tree.map(lambda x: x[-1], state), num_ticks


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


@few
@given(seeds, hard)
def test_store_equals_plain_python(seed, numbers):
    """INV-TIE-3: the same ties and counts, values to 1e-6, tick by tick."""
    ticks, character, start = random_ticks(seed, 60), random_traits(seed), 1400
    town = twin_town(numbers, character)
    for (tick, state, happened), twin_tick in zip(
        lives(ties(), ticks, start, numbers, character), ticks, strict=True
    ):
        live_twin(town, twin_tick, tick)
        for name in Relationships.__dataclass_fields__:
            actual, expected = getattr(state, name), getattr(town.state.relationships, name)
            if actual.dtype.kind == "f":
                assert_allclose(actual, expected, atol=1e-6, err_msg=name)
            else:
                assert_array_equal(actual, expected, err_msg=name)
        for name in ("settled_trust", "settled_familiarity", "evicted"):
            expected = getattr(twin_tick.relationships, name)
            assert_allclose(getattr(happened, name), expected, atol=1e-6, err_msg=name)


@few
@given(seeds, hard)
def test_ranges_and_counts(seed, numbers):
    """INV-TIE-1, INV-TIE-2, INV-CHURN."""
    first, ticks = 3, random_ticks(seed, 80)
    state, happened = play(ties(), ticks, first, numbers, random_traits(seed))
    assert state.is_tie.sum(axis=2).max() <= int(numbers.effective_capacity)
    assert not state.is_tie[:, np.arange(SLOTS), np.arange(SLOTS)].any()
    low, high = float(numbers.min_rivalry), float(numbers.max_rivalry)
    for name, least, most in zip(CHANNELS, (-1, -1, low), (1, 1, high), strict=True):
        plane = getattr(state, name)
        assert (plane >= least).all() and (plane <= most).all()
        assert not plane[~state.is_tie].any()
    size = np.max([np.abs(getattr(state, name)) for name in CHANNELS], axis=0)
    assert_array_equal(size > numbers.eviction_threshold, state.is_tie)
    for stamp in (state.formed_tick, state.last_event_tick):
        assert_array_equal(stamp == LONG_AGO, ~state.is_tie)
    num_ties = state.is_tie.sum(axis=(1, 2))
    is_newborn = state.formed_tick == np.arange(first, first + len(ticks))[:, None, None]
    num_born = is_newborn.sum(axis=(1, 2)) + happened.evicted[..., TieDrop.REFUSED].sum(axis=1)
    num_lost = happened.evicted.sum(axis=(1, 2))
    assert_array_equal(np.diff(num_ties, prepend=0), num_born - num_lost)


@few
@given(seeds)
def test_slots_are_interchangeable(seed):
    """INV-TIE-4; no two strengths of the tape are equal."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(SLOTS)  # resident i moves to slot order[i]
    chats = [(*map(int, rng.choice(SLOTS, 2, replace=False)), rng.random()) for _ in range(40)]
    moved = [(int(order[a]), int(order[b]), quality) for a, b, quality in chats]
    numbers = params(effective_capacity=3, has_modifiers=True)
    character = random_traits(seed)
    state, _ = play(ties(), [events(chats=[c]) for c in chats], 0, numbers, character)
    character = character[np.argsort(order)]
    other, _ = play(ties(), [events(chats=[c]) for c in moved], 0, numbers, character)
    for name in (*CHANNELS, "is_tie", "formed_tick"):
        plane = getattr(other, name)[:, order][:, :, order]
        assert_array_equal(plane, getattr(state, name))


@few
@given(seeds)
def test_feelings_are_mutual_while_all_is_mutual(seed):
    """INV-TIE-5."""
    kind = random_ticks(seed, 20, is_kind=True)
    state, happened = play(ties(), kind, 0, params(), random_traits(seed))
    num_lost = happened.evicted[..., [TieDrop.CAPACITY, TieDrop.REFUSED]].sum(axis=(1, 2))
    for name in CHANNELS:
        plane = getattr(state, name)[num_lost.cumsum() == 0]
        assert_array_equal(plane, np.swapaxes(plane, 1, 2))


@few
@given(seeds)
def test_modifiers_without_traits_change_nothing(seed):
    """INV-TIE-7."""
    ticks, gated = random_ticks(seed, 40), params(has_modifiers=True)
    plain, _ = play(ties(), ticks, 0, params())
    flat, _ = play(ties(), ticks, 0, gated)
    ignored, _ = play(ties(), ticks, 0, params(), random_traits(seed))
    assert_array_equal(flat.is_tie, plain.is_tie)
    for name in CHANNELS:
        assert_allclose(getattr(flat, name), getattr(plain, name), atol=1e-6)
        assert_array_equal(getattr(ignored, name), getattr(plain, name))


@few
@given(seeds, st.integers(0, MAX_EDGES))
def test_lowered_capacity_keeps_the_strongest(seed, capacity):
    """INV-TIE-8, by the same compiled function."""
    full, tick = settled_town(seed, params())
    state, _ = live_jit(full, inputs(events()), tick, params(effective_capacity=capacity))
    strength = np.abs(full.trust) + np.abs(full.familiarity) + np.abs(full.rivalry)
    for a in range(SLOTS):
        partners = np.flatnonzero(full.is_tie[a])
        order = sorted(partners, key=lambda b: (-strength[a, b], full.formed_tick[a, b], b))
        assert set(np.flatnonzero(state.is_tie[a])) <= set(order[:capacity])
        strong = [b for b in order[:capacity] if strength[a, b] > 0.1]
        assert set(strong) <= set(np.flatnonzero(state.is_tie[a]))


@few
@given(seeds)
def test_without_events_everything_is_forgotten(seed):
    """INV-TIE-9."""
    full, tick = settled_town(seed, params())
    numbers = params(trust_decay=0.05, familiarity_decay=0.06, rivalry_decay=0.01)
    state, _ = play(full, [events()] * 110, tick, numbers)
    strength = sum(np.abs(getattr(state, name)) for name in CHANNELS)
    assert (np.diff(strength, axis=0) <= 0).all()
    assert state.is_tie[0].any() and not state.is_tie[-1].any()


@few
@given(seeds)
def test_stage_off_never_warms(seed):
    """INV-TIE-10."""
    full, tick = settled_town(seed, params())
    state, _ = play(full, random_ticks(seed + 1, 30), tick, params(stage=0), random_traits(seed))
    for name in ("trust", "familiarity"):
        sizes = np.abs(np.concatenate([getattr(full, name)[None], getattr(state, name)]))
        assert (np.diff(sizes, axis=0) <= 0).all()


def test_resumed_equals_uninterrupted():
    """INV-TIE-11: the ties, through host memory, are all there is."""
    ticks, traits, numbers = random_ticks(1, 90), random_traits(1), params(effective_capacity=3)
    straight, _ = play(ties(), ticks, 1400, numbers, traits)
    saved = jax.tree.map(lambda x: np.array(x[46]), straight)
    resumed, _ = play(saved, ticks[47:], 1447, numbers, traits)
    jax.tree.map(lambda x, y: assert_array_equal(x[47:], y), straight, resumed)
