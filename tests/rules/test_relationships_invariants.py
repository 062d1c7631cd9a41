"""The tie step under random events: social spec section 13, and the oracle beside it."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tests.oracle.compare import differences
from tests.rules.tie_towns import (
    DAY,
    FLAT,
    MAX_EDGES,
    NO_LOSSES,
    NOBODY,
    QUICK,
    SLOTS,
    at,
    live_twin,
    lives,
    params,
    random_ticks,
    random_traits,
    row,
    ties,
    twin_town,
)
from townlet_jax.rules import relationships as rule
from townlet_jax.state.relationships import TieDrop

TICKS = 16
SEEDS = st.integers(0, 2**32 - 1)
CHANNELS = ("trust", "familiarity", "rivalry")
num_traces = 0


def play(relationships, delta, start, traits, numbers):
    """Steps through a tape of deltas, float32 `[TICKS, 3, A, A]`; returns all ties and events."""
    global num_traces
    num_traces += 1

    def tick(carry, delta):
        relationships, tick = carry
        relationships, events = rule.step(
            relationships, tuple(delta), NOBODY, NO_LOSSES, traits, at(tick), jnp.int32(DAY),
            numbers, MAX_EDGES,
        )  # fmt: skip
        return (relationships, tick + 1), (relationships, events)

    return jax.lax.scan(tick, (relationships, start), delta)[1]


play_jit = jax.jit(play, compiler_options=QUICK)


def played(relationships, delta, numbers, start=1, traits=FLAT):
    return jax.device_get(play_jit(relationships, delta, jnp.int32(start), traits, numbers))


def random_delta(seed, share=0.15, size=0.6):
    """Draws deltas that are all different, so that no two ties are equally strong."""
    rng = np.random.default_rng(seed)
    delta = rng.uniform(-size, size, (TICKS, 3, SLOTS, SLOTS))
    is_touched = (rng.random((TICKS, 1, SLOTS, SLOTS)) < share) & ~np.eye(SLOTS, dtype=bool)
    return np.where(is_touched, delta, 0).astype(np.float32)


NOTHING = np.zeros((TICKS, 3, SLOTS, SLOTS), np.float32)


def random_numbers(seed):
    rng = np.random.default_rng([seed, 2])
    return params(
        stage=rng.integers(0, 6),
        effective_capacity=rng.integers(0, MAX_EDGES + 2),
        reserve_rivals=rng.choice([0, 0, 1, 3]),
        trust_decay=rng.choice([0, 0.01, 0.3]),
        familiarity_decay=rng.choice([0, 0.01, 0.3]),
        rivalry_decay=rng.choice([0, 0.01, 0.1]),
        eviction_threshold=rng.choice([0, 0.01, 0.2]),
        min_rivalry=rng.choice([0, -0.3]),
        max_rivalry=rng.choice([0.8, 1]),
        has_modifiers=rng.random() < 0.5,
        churn_window_ticks=5,
    )


def planes(relationships):
    return np.stack([getattr(relationships, name) for name in CHANNELS], axis=-3)


@given(SEEDS)
def test_bounds(seed):
    """INV-TIE-1, INV-TIE-2, INV-CHURN."""
    numbers = random_numbers(seed)
    story, events = played(ties(), random_delta(seed), numbers, traits=random_traits(seed))
    num_ties = story.is_tie.sum(axis=2)
    assert (num_ties <= min(max(int(numbers.effective_capacity), 0), MAX_EDGES)).all()
    assert not story.is_tie[:, np.arange(SLOTS), np.arange(SLOTS)].any()
    values = planes(story)
    low = np.array([-1, -1, numbers.min_rivalry])[:, None, None]
    high = np.array([1, 1, numbers.max_rivalry])[:, None, None]
    is_tie = np.broadcast_to(story.is_tie[:, None], values.shape)
    assert (values[~is_tie] == 0).all()
    assert ((values >= low) & (values <= high) | ~is_tie).all()
    strongest = np.abs(values).max(axis=1)
    assert (strongest[story.is_tie] > numbers.eviction_threshold).all()
    assert ((story.formed_tick >= 1) == story.is_tie).all()
    assert (story.last_event_tick >= story.formed_tick)[story.is_tie].all()
    ticks = np.arange(1, TICKS + 1)[:, None, None]
    num_born = (story.formed_tick == ticks).sum(axis=2) + events.evicted[..., TieDrop.REFUSED]
    num_before = np.concatenate([np.zeros((1, SLOTS), np.int32), num_ties[:-1]])
    assert_array_equal(num_ties, num_before + num_born - events.evicted.sum(axis=2))
    assert_array_equal(story.evictions_today[-1], events.evicted.sum(axis=0))
    assert_array_equal(story.tie_ticks_today[-1], num_ties.sum())
    assert_array_equal(story.evictions_window[9], events.evicted[9])  # tick 10 starts a window
    assert_array_equal(story.evictions_previous[9], events.evicted[4:9].sum(axis=0))


@given(SEEDS)
def test_slots_are_only_names(seed):
    """INV-TIE-4."""
    order = np.random.default_rng([seed, 3]).permutation(SLOTS)
    numbers, traits = random_numbers(seed), random_traits(seed)
    delta = random_delta(seed, size=0.1)  # too small for two ties to meet at a clamp
    story, events = played(ties(), delta, numbers, traits=traits)
    renamed = delta[:, :, order][:, :, :, order]
    other, other_events = played(ties(), renamed, numbers, traits=traits[order])
    assert_array_equal(planes(other), planes(story)[:, :, order][:, :, :, order])
    assert_array_equal(other.is_tie, story.is_tie[:, order][:, :, order])
    assert_array_equal(other_events.evicted, events.evicted[:, order])


@settings(max_examples=10)
@given(SEEDS)
def test_kind_towns_are_mutual(seed):
    """INV-TIE-5; six residents have room for all ties."""
    for _, story, _ in lives(ties(), random_ticks(seed, 6, is_kind=True, residents=6), 1, params()):
        assert_array_equal(planes(story), np.swapaxes(planes(story), 1, 2))


@settings(max_examples=10)
@given(SEEDS)
def test_the_gate_of_the_modifiers(seed):
    """INV-TIE-7, EX-PSN-7."""
    ticks, traits = random_ticks(seed, 5, residents=6), random_traits(seed)
    off = [s for _, s, _ in lives(ties(), ticks, 1, params())]
    coloured = [s for _, s, _ in lives(ties(), ticks, 1, params(), traits)]
    gated = [s for _, s, _ in lives(ties(), ticks, 1, params(has_modifiers=True))]
    for x, y, z in zip(off, coloured, gated, strict=True):
        jax.tree.map(assert_array_equal, x, y)
        assert_array_equal(x.is_tie, z.is_tie)
        assert_allclose(planes(x), planes(z), atol=1e-7 * len(ticks))


@given(SEEDS, st.integers(0, MAX_EDGES))
def test_lower_capacity_leaves_the_strongest(seed, capacity):
    """INV-TIE-8."""
    story = played(ties(), random_delta(seed, 0.3), params())[0]
    full = row(story, -1)
    traces = num_traces
    less = played(full, NOTHING, params(effective_capacity=capacity), start=TICKS + 1)[0]
    assert num_traces == traces
    strength = np.abs(planes(full)).sum(axis=0)
    for a in range(SLOTS):
        partners = np.flatnonzero(full.is_tie[a]).tolist()
        kept = sorted(partners, key=lambda b: -strength[a, b])[:capacity]
        assert_array_equal(np.flatnonzero(less.is_tie[0, a]), sorted(kept))


@given(SEEDS, st.booleans())
def test_without_events_everything_is_forgotten(seed, is_negative):
    """INV-TIE-9."""
    numbers = params(
        trust_decay=0.2,
        familiarity_decay=0.3,
        rivalry_decay=0.05,
        eviction_threshold=0.02,
        min_rivalry=-0.5 if is_negative else 0,
        has_modifiers=True,
    )
    traits = random_traits(seed)
    story = played(ties(), random_delta(seed), numbers, traits=traits)[0]
    now, start = row(story, -1), TICKS + 1
    for _ in range(4):
        story = played(now, NOTHING, numbers, start, traits)[0]
        before = np.concatenate([planes(now)[None], planes(story)[:-1]])
        assert (np.abs(planes(story)) <= np.abs(before)).all()
        now, start = row(story, -1), start + TICKS
    assert not now.is_tie.any()


@given(SEEDS)
def test_at_stage_off_friendship_never_grows(seed):
    """INV-TIE-10."""
    traits = random_traits(seed)
    friends = row(played(ties(), random_delta(seed), params())[0], -1)
    numbers = random_numbers(seed).replace(stage=jnp.int32(0))
    story = played(friends, random_delta(seed + 1), numbers, TICKS + 1, traits)[0]
    values = np.concatenate([planes(friends)[None], planes(story)])[:, :2]
    assert (np.abs(values[1:]) <= np.abs(values[:-1])).all()


@settings(max_examples=10)
@given(SEEDS)
def test_agrees_with_the_oracle(seed):
    """INV-TIE-3."""
    numbers, traits = random_numbers(seed), random_traits(seed)
    town, ticks = twin_town(numbers, traits), random_ticks(seed, 4)
    start = 4 * (seed % 2) + DAY - 2
    for (tick, story, events), happened in zip(
        lives(ties(), ticks, start, numbers, traits), ticks, strict=True
    ):
        live_twin(town, happened, tick)
        lines = differences(story, town.state.relationships)
        lines += differences(events, happened.relationships)
        assert not lines, f"tick {tick}: " + "; ".join(lines[:5])
