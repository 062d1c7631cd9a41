"""The tie step: social spec sections 4 and 5, worked examples and one case per branch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.rules.tie_towns import (
    ALL,
    DAY,
    FLAT,
    MAX_EDGES,
    NOBODY,
    QUICK,
    SLOTS,
    at,
    events,
    inputs,
    live,
    live_jit,
    lives,
    params,
    random_ticks,
    random_traits,
    row,
    still,
    tape,
    ties,
)
from townlet_jax.masked import LONG_AGO, NONE
from townlet_jax.rules import relationships as rule
from townlet_jax.state.relationships import TieDrop

both = pytest.mark.parametrize("live", [live_jit, live], ids=["jit", "eager"])


def tie(relationships, a=0, b=1):
    channels = (relationships.trust, relationships.familiarity, relationships.rivalry)
    return [float(channel[a, b]) for channel in channels]


def partners(relationships, a=0):
    return np.flatnonzero(relationships.is_tie[a]).tolist()


def after(*entries, live=live_jit, numbers=None, tick=7, traits=FLAT, removed=None, **what):
    """Lives one tick; returns the ties after it and its events."""
    numbers = still() if numbers is None else numbers
    return live(ties(*entries), inputs(events(**what)), tick, numbers, traits, removed)


def fade_away(relationships, numbers):
    """Lives 2160 ticks without events from tick 1 on; returns ties and evictions per tick."""
    zeros = jnp.zeros((SLOTS, SLOTS), jnp.float32)
    nothing = jnp.zeros(SLOTS, jnp.int32)

    def tick(relationships, tick):
        relationships, events = rule.step(
            relationships, (zeros,) * 3, NOBODY, nothing, FLAT, at(tick), jnp.int32(DAY), numbers,
            MAX_EDGES,
        )  # fmt: skip
        return relationships, (relationships, events.evicted)

    return jax.lax.scan(tick, relationships, jnp.arange(1, 2161, dtype=jnp.int32))[1]


fade_away = jax.jit(fade_away, compiler_options=QUICK)


# What moves a tie


@both
def test_a_good_chat_forms_two_ties(live):
    """EX-TIE-1."""
    story, happened = after(live=live, chats=[(0, 1, 0.8)])
    for a, b in ((0, 1), (1, 0)):
        assert_allclose(tie(story, a, b), (0.04, 0.08, 0), atol=1e-7)
    assert_array_equal(story.formed_tick[0, :2], [LONG_AGO, 7])
    assert_array_equal(story.last_event_tick[1, :2], [7, LONG_AGO])
    assert story.is_tie.sum() == 2
    assert_allclose(happened.settled_trust[:3], (0.04, 0.04, 0), atol=1e-7)
    assert_allclose(happened.settled_familiarity[:3], (0.08, 0.08, 0), atol=1e-7)
    story, happened = after(live=live, numbers=params(), chats=[(0, 1, 0.8)])
    assert_allclose(tie(story), (0.0399904, 0.0799904, 0), atol=1e-8)
    assert_allclose(happened.settled_trust[0], 0.04, atol=1e-8)


@both
def test_one_sum_and_one_clamp(live):
    """EX-TIE-2, EX-TIE-3, EX-TIE-4."""
    story, _ = after(live=live, conflicts=[(0, 1, 1.5)], handovers=[(1, 0)])
    assert_allclose(tie(story), (0.05, 0.05, 0.175), atol=1e-6)
    entry = (0, 1, 0, 0, 0.95)
    story, _ = after(entry, live=live, conflicts=[(0, 1, 1.75)], handovers=[(1, 0)])
    assert tie(story)[2] == 1.0
    story, _ = after(live=live, handovers=[(1, 0)])
    assert_allclose(tie(story), (0.05, 0.05, 0), atol=1e-6)


def test_nothing_remains_nothing_is_born():
    """EX-TIE-5; the cooldown is `chat.converse`'s."""
    story, happened = after(chats=[(0, 1, 0.0)])
    assert not story.is_tie.any() and not happened.evicted.any()
    assert (story.last_event_tick == LONG_AGO).all()


def test_an_event_without_effect_is_no_event():
    story, _ = after((0, 1, 0.5, 0, 0, 3), (1, 0, 0.5, 0, 0, 3), chats=[(0, 1, 0.0)])
    assert story.last_event_tick[0, 1] == 3
    story, _ = after((0, 1, 0.5, 0, 0, 3), chats=[(0, 1, None)])
    assert (story.formed_tick[0, 1], story.last_event_tick[0, 1]) == (3, 7)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"chats": [(0, 1, 0.8)]}, (0, 0, 0)),
        ({"chats": [(0, 1, None)]}, (0, 0, 0.05)),
        ({"conflicts": [(0, 1, 1.5)]}, (0, 0, 0.225)),
    ],
)
def test_at_stage_off_only_rivalry_moves(what, expected):
    """EX-TIE-15."""
    story, _ = after(numbers=still(stage=0), **what)
    assert_allclose(tie(story), expected, atol=1e-6)
    assert story.is_tie[0, 1] == any(expected)


def test_help_and_takeover():
    """EX-TIE-16, EX-TIE-17: 0 is erin, 1 is dawn."""
    story, _ = after(helped=[(0, 1)])
    assert_allclose(tie(story), (0.2, 0.1, 0), atol=1e-6)
    assert_allclose(tie(story, 1, 0), (0, 0.05, 0), atol=1e-6)
    story, _ = after(took=[(0, 1)])
    assert_allclose(tie(story, 1, 0), (-0.1, 0, 0.3), atol=1e-6)
    assert not story.is_tie[0, 1]


# Capacity


@both
def test_the_weakest_goes(live):
    """EX-TIE-6, EX-TIE-7."""
    numbers = still(effective_capacity=2)
    entries = [(0, 1, 0.5, 0, 0, 10), (0, 2, 0.3, 0, 0, 5)]
    story, happened = after(*entries, live=live, numbers=numbers, tick=20, meals=[(0, 3)])
    assert partners(story) == [1, 3]
    assert happened.evicted[0].tolist() == [1, 0, 0, 0]
    assert tie(story, 0, 2) == [0, 0, 0] and story.formed_tick[0, 2] == LONG_AGO
    happened = inputs(events(chats=[(0, 4, 0.8)]))
    story, happened = live(story, happened, 21, numbers)
    assert partners(story) == [1, 3]
    assert happened.evicted[0].tolist() == [0, 0, 0, 1]
    assert_allclose(tie(story, 4, 0), (0.04, 0.08, 0), atol=1e-6)
    assert_allclose(happened.settled_trust[jnp.array([0, 4])], (0, 0.04), atol=1e-6)
    assert_allclose(happened.settled_familiarity[jnp.array([0, 4])], (0, 0.08), atol=1e-6)


def test_of_equal_ties_the_older_stays():
    """EX-TIE-8."""
    entries = [(0, 1, 0.5, 0, 0, 0), (0, 2, 0.10, 0.25, 0, 5)]
    numbers = still(effective_capacity=2)
    story, happened = after(*entries, numbers=numbers, tick=9, meals=[(0, 3)])
    assert partners(story) == [1, 2]
    assert happened.evicted[0].tolist() == [0, 0, 0, 1]


def test_of_ties_of_one_age_the_lower_slot_stays():
    """EX-TIE-9."""
    numbers = still(effective_capacity=1)
    story, happened = after(numbers=numbers, meals=[(0, 3), (0, 6)])
    assert partners(story) == [3]
    assert happened.evicted[0].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("reserve", "kept"), [(0, [1, 2, 3]), (1, [1, 2, 4]), (2, [1, 2, 4]), (9, [1, 2, 4])]
)
def test_places_for_rivals(reserve, kept):
    """EX-TIE-10; a reserve that is not used up goes to the strongest."""
    entries = [(0, 1, 0.9, 0, 0), (0, 2, 0.8, 0, 0), (0, 3, 0.7, 0, 0), (0, 4, 0, 0, 0.2)]
    numbers = still(effective_capacity=3, reserve_rivals=reserve)
    story, happened = after(*entries, numbers=numbers)
    assert partners(story) == kept
    assert happened.evicted[0].tolist() == [1, 0, 0, 0]


def test_places_for_rivals_go_to_the_greatest_grudge():
    rivals = [(0, 1, 0.9, 0, 0.1), (0, 2, 0, 0, 0.3), (0, 3, 0, 0, 0.2, -1), (0, 4, 0, 0, 0.2)]
    story, _ = after(*rivals, numbers=still(effective_capacity=2, reserve_rivals=2))
    assert partners(story) == [2, 3]
    story, _ = after(*rivals, numbers=still(effective_capacity=2, reserve_rivals=1))
    assert partners(story) == [1, 2]


def test_capacity_is_clipped():
    entries = [(0, b, 0.1 * b, 0, 0) for b in range(1, SLOTS)]
    for capacity, kept in ((99, [2, 3, 4, 5, 6, 7]), (0, []), (-3, [])):
        story, happened = after(*entries, numbers=still(effective_capacity=capacity))
        assert partners(story) == kept
        assert happened.evicted[0, TieDrop.CAPACITY] == SLOTS - 1 - len(kept)


def test_a_tie_that_is_too_much_and_too_faint_counts_once():
    entries = [(0, 1, 0.5, 0, 0), (0, 2, 0.005, 0, 0), (0, 3, 0.004, 0, 0)]
    _, happened = after(*entries, numbers=still(effective_capacity=2))
    assert happened.evicted[0].tolist() == [1, 1, 0, 0]


# Fading


def test_fading():
    """EX-TIE-11 to EX-TIE-14."""
    start = ties(
        (0, 1, 0.5, 0.5, 0), (1, 0, -0.5, 0, 0), (1, 2, 0, 0, 0.22505), (2, 0, 0, 0.0101, 0)
    )
    story, evicted = jax.device_get(fade_away(start, params()))
    assert_allclose(story.trust[1439, 0, 1], 0.3539, atol=1e-4)
    assert_allclose(story.familiarity[1439, 0, 1], 0.4206, atol=1e-4)
    assert_allclose(story.trust[0, 1, 0], -0.49988, atol=1e-6)
    assert np.argwhere(evicted).tolist() == [[82, 2, TieDrop.DECAY], [2150, 1, TieDrop.DECAY]]
    assert story.is_tie[2149, 1, 2] and not story.is_tie[2150, 1, 2]
    assert story.is_tie[81, 2, 0] and not story.is_tie[82, 2, 0]
    assert_array_equal(story.last_event_tick[81, 2, 0], 0)
    assert_array_equal(story.last_event_tick[82, 2, 0], LONG_AGO)


def test_grudges_end():
    """EX-TIE-18."""
    numbers = params(rivalry_decay=0.01, deltas=params().deltas.at[3, 2].set(0.05))
    ticks = [events(conflicts=[(0, 1, 1.5)] if tick < 10 else ()) for tick in range(1, 50)]
    rivalry = {tick: story.rivalry[0, 1] for tick, story, _ in lives(ties(), ticks, 1, numbers)}
    assert_allclose([rivalry[9], rivalry[19], rivalry[49]], [0.585, 0.485, 0.185], atol=1e-5)


def test_forgiving_holders_forget_faster():
    """EX-PSN-6."""
    forgiving = FLAT.at[0, 1].set(1.0)
    entries = [(0, 1, 0, 0, 0.2), (1, 0, 0, 0, 0.2)]
    story, _ = after(*entries, numbers=params(has_modifiers=True), traits=forgiving)
    assert_allclose([story.rivalry[0, 1], story.rivalry[1, 0]], [0.19985, 0.1999], atol=1e-7)
    story, _ = after(*entries, numbers=params(), traits=forgiving)
    assert_allclose([story.rivalry[0, 1], story.rivalry[1, 0]], [0.1999, 0.1999], atol=1e-7)


def test_friendly_rivalry_fades_towards_zero():
    numbers = still(rivalry_decay=0.1, min_rivalry=-0.5)
    story, _ = after((0, 1, 0, 0, -0.3), (0, 2, 0, 0, -0.05), (0, 3, 0, 0, 0.3), numbers=numbers)
    assert_allclose(story.rivalry[0, 1:4], [-0.2, 0, 0.2], atol=1e-6)
    assert partners(story) == [1, 3]


# Leaving and administration


remove = jax.jit(rule.remove, compiler_options=QUICK)


def test_leaving_counts_for_those_who_held_on():
    """EX-TIE-19."""
    start = ties(*[(a, 2, 0.5, 0, 0) for a in (0, 1, 5)], (2, 0, 0.5, 0, 0), (3, 4, 0.5, 0, 0))
    start = start.replace(last_chat_tick=start.last_chat_tick.at[:, :].set(3))
    story, removed = remove(start, ~ALL.at[2].set(False))
    assert removed.tolist() == [1, 1, 0, 0, 0, 1, 0, 0]
    assert np.argwhere(story.is_tie).tolist() == [[3, 4]]
    assert (story.last_chat_tick == 3).sum() == (SLOTS - 1) ** 2
    assert (story.last_chat_tick[2] == LONG_AGO).all()
    story, happened = live_jit(story, inputs(events()), 7, still(), FLAT, removed)
    assert happened.evicted[:, TieDrop.REMOVED].tolist() == removed.tolist()
    assert happened.evicted.sum() == 3
    assert story.evictions_window.sum() == 3


def test_who_leaves_together_loses_nothing():
    start = ties((1, 2, 0.5, 0, 0), (2, 1, 0.5, 0, 0), (0, 1, 0.5, 0, 0))
    story, removed = remove(start, ~ALL.at[1:3].set(False))
    assert removed.tolist() == [1, *[0] * 7] and not story.is_tie.any()


set_tie = jax.jit(rule.set_tie, compiler_options=QUICK)


def written(start, channel, value, holder=0, partner=1, **changes):
    index = (jnp.int32(x) for x in (holder, partner, channel))
    return set_tie(start, *index, jnp.float32(value), at(9), params(**changes))


def test_set_tie():
    story = written(ties(), 0, -0.4)
    assert_allclose(tie(story), (-0.4, 0, 0))
    assert story.is_tie.sum() == 1
    assert (story.formed_tick[0, 1], story.last_event_tick[0, 1]) == (9, 9)
    story = written(ties((0, 1, 0.5, 0, 0, 3)), 1, 7)
    assert tie(story) == [0.5, 1, 0]
    assert (story.formed_tick[0, 1], story.last_event_tick[0, 1]) == (3, 9)
    assert tie(written(story, 2, -1))[2] == 0
    assert_allclose(tie(written(story, 2, 1, max_rivalry=0.8))[2], 0.8)
    assert not written(ties(), 2, -1).is_tie.any()
    assert not written(ties(), 0, 0.5, holder=NONE).is_tie.any()


def test_operators_calm_rivals_down():
    start = ties((0, 1, 0.1, 0, 0.5, 3), (1, 0, 0, 0, 0.0005, 3), (0, 2, 0, 0, 0.5, 3))
    pair = np.zeros((SLOTS, SLOTS), bool)
    pair[0, 1] = pair[1, 0] = True
    story = jax.jit(rule.fade_rivalry)(start, pair, jnp.int32(1000), params())
    assert_allclose([tie(story, *p)[2] for p in ((0, 1), (1, 0), (0, 2))], [0.4, 0, 0.5], atol=1e-6)
    assert (story.last_event_tick[0, 1], story.is_tie.sum()) == (3, 3)
    reset = jax.jit(rule.reset_rivalry)
    story = reset(start, pair, params())
    assert_allclose([tie(story, *p)[2] for p in ((0, 1), (1, 0), (0, 2))], [0, 0, 0.5])
    story = reset(start, pair, params(min_rivalry=0.1))
    assert_allclose(story.rivalry[0, :2], [0, 0.1])


def test_avoid_level():
    profile = jnp.array([NONE, 0, 1, 2, 3], jnp.int32)
    level = jax.jit(rule.avoid_level, compiler_options=QUICK)
    own = level(profile, params(has_profile_tolerance=True))
    assert_allclose(own, [0.7, 0.7, 0.7, 0.7, 0.98], atol=1e-6)
    own = level(profile, params(has_profile_tolerance=True, max_rivalry=0.9))
    assert_allclose(own, [0.7, 0.7, 0.7, 0.7, 0.9], atol=1e-6)
    assert_allclose(level(profile, params()), np.float32([0.7] * 5))


# Batches


def test_batch_equals_loop():
    """The same bits jitted, not jitted, alone and in a batch."""
    towns = [story for _, story, _ in lives(ties(), random_ticks(1, 4), 1, params())]
    batch = jax.tree.map(lambda *x: jnp.stack(x), *towns)
    happened = tape(*random_ticks(2, 4))
    traits = jnp.stack([random_traits(i) for i in range(4)])
    numbers = params(has_modifiers=True, effective_capacity=3, reserve_rivals=1)
    many = jax.vmap(live, in_axes=(0, 0, None, None, 0))
    many = jax.jit(many, compiler_options=QUICK)
    together = many(batch, happened, jnp.int32(9), numbers, traits)
    for i in range(4):
        one = row((batch, happened), i)
        for play in (live_jit, live):
            alone = play(*one, 9, numbers, traits[i])
            jax.tree.map(assert_array_equal, row(together, i), alone)
