"""Conversations: social spec section 6, worked examples, and a Python matching beside the rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tests.rules.tie_towns import ALL, FLAT, NOBODY, QUICK, SLOTS, at, numbers, row, ties
from townlet_jax.masked import LONG_AGO, NONE
from townlet_jax.rules import chat as rule

STRANGERS = ties()
LEVEL = jnp.full(SLOTS, 0.7, jnp.float32)
NO = jnp.zeros(SLOTS, bool)
HALF = jnp.full(SLOTS, 0.5, jnp.float32)
ZERO = jnp.zeros(SLOTS, jnp.float32)
SLOT_ORDER = jnp.arange(SLOTS, dtype=jnp.int32)
TOGETHER = jnp.zeros((SLOTS, 2), jnp.int32)
EVERYBODY = ~jnp.eye(SLOTS, dtype=bool)
PARAMS = numbers("chat")

eligible_jit = jax.jit(rule.eligible, compiler_options=QUICK)
converse_jit = jax.jit(rule.converse, compiler_options=QUICK)
outcome_jit = jax.jit(rule.outcome, compiler_options=QUICK)
both = pytest.mark.parametrize("converse", [converse_jit, rule.converse], ids=["jit", "eager"])


def full(default, values):
    """Puts values by slot into an array of defaults."""
    out = np.array(default)
    for slot, value in values.items():
        out[slot] = value
    return jnp.asarray(out)


def may_talk(
    a=0, b=1, *, converse=None, free=ALL, where=TOGETHER, blocked=NO, working=NO, venue=NOBODY,
    relationships=STRANGERS, level=LEVEL, tick=100, eligible=eligible_jit, **changes,
):  # fmt: skip
    params = numbers("chat", **changes)
    plane = eligible(free, where, blocked, working, venue, relationships, level, at(tick), params)
    assert not np.diagonal(plane).any()
    assert_array_equal(plane, plane.T)
    return bool(plane[a, b])


def talk(
    targets, converse=converse_jit, *, priority=SLOT_ORDER, eligible=EVERYBODY, where=TOGETHER,
    relationships=STRANGERS, traits=FLAT, u_success=ZERO, u_quality=HALF, forced=NOBODY,
    forced_quality=ZERO, tick=10,
):  # fmt: skip
    """Talks; targets by speaker, NONE = the nearest."""
    return converse(
        relationships, full(NO, dict.fromkeys(targets, True)), full(NOBODY, targets), eligible,
        where, traits, priority, u_success, u_quality, forced, forced_quality, at(tick), PARAMS,
    )  # fmt: skip


def placed(*order):
    """Makes the priorities of the first residents; the others come after them."""
    return full(SLOT_ORDER, dict(enumerate(order)))


# Outcome


def both_ways(trust, familiarity):
    return ties((0, 1, trust, familiarity, 0), (1, 0, trust, familiarity, 0))


@pytest.mark.parametrize(
    ("relationships", "prob"),
    [
        (STRANGERS, 0.7),
        (ties((1, 0, 0.5, 0.5, 0)), 0.8855),
        (ties((0, 1, 0.5, 0.5, 0)), 0.7),  # what the speaker feels does not count
        (ties((1, 0, -1, 0, 0)), 0.49),
        (ties((1, 0, 1, 1, 0)), 1.0),
        (both_ways(0.3, 0.4), 0.824),
    ],
)
@pytest.mark.parametrize("outcome", [outcome_jit, rule.outcome], ids=["jit", "eager"])
def test_the_listener_decides_the_success(outcome, relationships, prob):
    """EX-TALK-1, EX-TALK-2, EX-TALK-3."""
    partner = full(NOBODY, {0: 1})
    assert_allclose(outcome(relationships, partner, FLAT, HALF, PARAMS)[0][0], prob, atol=5e-5)
    for u, is_success in ((prob - 0.001, True), (prob + 0.001, False)):
        draws = jnp.full(SLOTS, u, jnp.float32)
        _, chat, did = talk({0: 1}, relationships=relationships, u_success=draws)
        assert chat.listener[0] == 1
        assert chat.is_success[0] == did[0] == is_success


def test_strangers_talk_moderately_well():
    """EX-TALK-1."""
    for u, quality in ((0, 0.4), (0.5, 0.6), (0.9999, 0.8)):
        draws = jnp.full(SLOTS, u, jnp.float32)
        assert_allclose(talk({0: 1}, u_quality=draws)[1].quality[0], quality, atol=1e-4)


def test_friends_and_extroverts_talk_better():
    """EX-TALK-3; one quality, of the view of the speaker."""
    extroverts = FLAT.at[:2, 0].set(0.6)
    for u, quality in ((0, 0.53), (0.5, 0.73), (0.9999, 0.93)):
        _, chat, _ = talk(
            {0: 1},
            relationships=both_ways(0.3, 0.4),
            traits=extroverts,
            u_quality=jnp.full(SLOTS, u, jnp.float32),
        )
        assert_allclose(chat.quality, [quality, *[0] * 7], atol=1e-4)
    _, chat, _ = talk({0: 1}, relationships=ties((1, 0, 1, 1, 0)))
    assert_allclose(chat.quality[0], 0.6, atol=1e-6)


def test_a_failed_chat_is_a_chat():
    story, chat, did = talk({0: 1}, u_success=jnp.full(SLOTS, 0.9, jnp.float32))
    assert chat.listener.tolist() == [1, *[NONE] * 7]
    assert not chat.is_success.any() and not did.any()
    assert_allclose(chat.quality[0], 0.6, atol=1e-6)
    assert np.argwhere(story.last_chat_tick == 10).tolist() == [[0, 1], [1, 0]]
    assert (story.last_chat_tick == LONG_AGO).sum() == SLOTS * SLOTS - 2


# Pairing


@both
def test_only_the_best_placed_proposal(converse):
    """EX-TALK-4."""
    story, chat, did = talk({0: 1, 1: 2, 2: 3}, converse, priority=placed(2, 1, 0, 3))
    assert chat.listener[:4].tolist() == [NONE, NONE, 3, NONE]
    assert did[:4].tolist() == [False, False, True, False]
    assert np.argwhere(story.last_chat_tick == 10).tolist() == [[2, 3], [3, 2]]


@both
def test_mutual_proposals_make_one_chat(converse):
    """EX-TALK-5."""
    _, chat, did = talk({0: 1, 1: 0}, converse, priority=placed(1, 0))
    assert chat.listener[:2].tolist() == [NONE, 0]
    assert did[:2].tolist() == [False, True]


@both
def test_losers_may_try_again_at_once(converse):
    """EX-TALK-6."""
    priority = placed(0, 3, 1, 2)
    story, chat, _ = talk({0: 1, 2: 1, 3: 4}, converse, priority=priority)
    assert chat.listener[:5].tolist() == [1, NONE, NONE, 4, NONE]
    assert not may_talk(0, 1, relationships=story, tick=11)
    assert may_talk(2, 1, relationships=story, tick=11)


def test_the_nearest_is_asked_and_of_these_the_best_placed():
    where = full(TOGETHER, {1: (3, 3), 2: (0, 2), 3: (2, 0), 4: (2, 2), 5: (9, 9)})
    where = full(where, {6: (9, 0), 7: (0, 9)})
    for order, listener in (((0, 1, 2, 3, 4), 2), ((0, 1, 4, 2, 3), 3), ((0, 1, 4, 3, 2), 4)):
        _, chat, _ = talk({0: NONE}, where=where, priority=placed(*order))
        assert chat.listener[0] == listener
    alone = EVERYBODY & (SLOT_ORDER == 5)[None, :]
    assert talk({0: NONE}, where=where, eligible=alone | alone.T)[1].listener[0] == 5


def test_a_target_that_is_not_eligible_is_not_replaced():
    eligible = EVERYBODY.at[0, 1].set(False).at[1, 0].set(False)
    story, chat, did = talk({0: 1}, eligible=eligible)
    assert (chat.listener == NONE).all() and not did.any()
    assert (story.last_chat_tick == LONG_AGO).all()
    assert not chat.quality.any()


def test_forced_chats_come_first():
    draws = jnp.full(SLOTS, 0.999, jnp.float32)
    _, chat, did = talk(
        {0: 1, 2: 1, 5: 6},
        priority=placed(0, 4, 1),
        eligible=EVERYBODY & (SLOT_ORDER > 4)[None, :] & (SLOT_ORDER > 4)[:, None],
        u_success=draws,
        forced=full(NOBODY, {1: 2}),
        forced_quality=full(ZERO, {1: 0.8}),
    )
    assert chat.listener.tolist() == [NONE, 2, NONE, NONE, NONE, 6, NONE, NONE]
    assert did.tolist() == [False, True, *[False] * 6]
    assert_allclose(chat.quality[1], 0.8)


def test_of_forced_chats_that_share_a_resident_one_takes_place():
    forced = full(NOBODY, {1: 2, 2: 0})
    for order, listeners in (((0, 1, 2), [NONE, 2, NONE]), ((0, 2, 1), [NONE, NONE, 0])):
        _, chat, _ = talk({0: 1}, priority=placed(*order), forced=forced)
        assert chat.listener[:3].tolist() == listeners


# Who may talk


def test_cooldown():
    """EX-TALK-7; EX-TIE-5: a chat that leaves no tie counts too."""
    story, _, _ = talk({0: 1}, tick=10)
    assert not story.is_tie.any()
    assert [may_talk(relationships=story, tick=t) for t in (10, 69, 70)] == [False, False, True]
    assert may_talk(0, 2, relationships=story, tick=10)
    assert may_talk(relationships=story, tick=10, pair_cooldown_ticks=0)


@pytest.mark.parametrize("eligible", [eligible_jit, rule.eligible], ids=["jit", "eager"])
def test_range(eligible):
    """EX-TALK-8."""
    for cell, expected in (((2, 2), True), ((3, 0), False), ((0, 3), False)):
        where = full(TOGETHER, {1: cell})
        assert may_talk(where=where, eligible=eligible) == expected


def test_at_work_only_with_guests():
    """EX-TALK-9."""
    barista = full(NO, {0: True})
    cases = (({0: 1, 1: 1}, True), ({0: 1}, False), ({0: 1, 1: 2}, False), ({}, False))
    for venue, expected in cases:
        assert may_talk(working=barista, venue=full(NOBODY, venue)) == expected
    assert may_talk(venue=full(NOBODY, {0: 1, 1: 2}))


def test_who_sleeps_or_is_gone_does_not_talk():
    assert not may_talk(blocked=full(NO, {1: True}))
    assert not may_talk(free=full(ALL, {0: False}))


def test_rivals_avoid_each_other():
    for rivalry, level, expected in ((0.69, {}, True), (0.71, {}, False), (0.71, {0: 0.9}, True)):
        enemies = ties((0, 1, 0, 0, rivalry))
        assert may_talk(relationships=enemies, level=full(LEVEL, level)) == expected
        assert may_talk(relationships=ties((1, 0, 0, 0, rivalry))) == (rivalry < 0.7)


# Properties


def random_talk(seed):
    """Draws the inputs of a tick."""
    rng = np.random.default_rng(seed)
    eligible = np.triu(rng.random((SLOTS, SLOTS)) < rng.choice([0.2, 0.6, 1]), 1)
    forced = np.full(SLOTS, NONE, np.int32)
    if rng.random() < 0.3:
        speaker, listener = rng.permutation(SLOTS)[:2]
        forced[speaker] = listener
    target = np.where(rng.random(SLOTS) < 0.5, rng.integers(0, SLOTS, SLOTS), NONE)
    u_success, u_quality, quality = rng.random((3, SLOTS)).astype(np.float32)
    trust, familiarity = rng.uniform(-1, 1, (2, SLOTS, SLOTS)).astype(np.float32)
    return dict(
        relationships=STRANGERS.replace(trust=trust, familiarity=familiarity),
        wants=rng.random(SLOTS) < rng.choice([0.2, 0.7, 1]),
        target=target.astype(np.int32),
        eligible=eligible | eligible.T,
        position=rng.integers(0, 5, (SLOTS, 2)).astype(np.int32),
        traits=rng.uniform(-1, 1, (SLOTS, 3)).astype(np.float32),
        priority=rng.permutation(SLOTS).astype(np.int32),
        u_success=u_success,
        u_quality=u_quality,
        forced_listener=forced,
        forced_quality=quality,
    )


def matching(case):
    """Pairs residents up in plain Python: dict of listeners by speaker, and all proposals."""
    order, proposals = list(np.argsort(case["priority"])), {}
    for s in order:
        near = [b for b in order if case["eligible"][s, b] and case["target"][s] in (NONE, b)]
        if near and case["wants"][s]:
            offset = np.abs(case["position"] - case["position"][s]).max(axis=1)
            proposals[s] = min(near, key=lambda b: offset[b])
    forced = {s: b for s, b in enumerate(case["forced_listener"]) if b != NONE}
    proposals = forced | {s: b for s, b in proposals.items() if s not in forced}
    # Whoever comes first touches both; a later proposal that meets a touched resident is lost.
    accepted, touched = {}, set()
    for s, b in proposals.items():
        if not {s, b} & touched:
            accepted[s] = b
        touched |= {s, b}
    return accepted, proposals


@given(st.integers(0, 2**32 - 1))
def test_agrees_with_a_python_matching(seed):
    """INV-CHAT."""
    case = random_talk(seed)
    story, chat, did = jax.device_get(converse_jit(**case, now=at(5), params=PARAMS))
    pairs = {s: b for s, b in enumerate(chat.listener.tolist()) if b != NONE}
    accepted, proposals = matching(case)
    assert pairs == accepted
    assert bool(pairs) == bool(proposals)
    touched = [*pairs, *pairs.values()]
    assert len(touched) == len(set(touched))
    is_forced = case["forced_listener"] != NONE
    assert all(case["eligible"][s, b] for s, b in pairs.items() if not is_forced[s])
    assert all(
        did[s] and chat.quality[s] == case["forced_quality"][s] for s in np.flatnonzero(is_forced)
    )
    assert ((chat.quality >= 0) & (chat.quality <= 1)).all()
    assert_array_equal(chat.is_success, did)
    spoke = {(s, b) for s, b in np.argwhere(story.last_chat_tick == 5).tolist()}
    assert spoke == {*pairs.items(), *((b, s) for s, b in pairs.items())}


def test_no_pair_talks_twice_within_the_cooldown():
    """INV-CHAT."""
    story, last = STRANGERS, {}
    wish = dict.fromkeys(range(SLOTS), NONE)
    params = numbers("chat", pair_cooldown_ticks=7)
    for tick in range(40):
        plane = eligible_jit(ALL, TOGETHER, NO, NO, NOBODY, story, LEVEL, at(tick), params)
        story, chat, _ = talk(wish, eligible=plane, relationships=story, tick=tick)
        for s, b in enumerate(chat.listener.tolist()):
            if b != NONE:
                assert tick - last.get(frozenset((s, b)), -99) >= 7
                last[frozenset((s, b))] = tick
    assert len(last) > SLOTS


def test_batch_equals_loop():
    """The same bits jitted, not jitted, alone and in a batch."""
    cases = [random_talk(seed) for seed in range(4)]
    batch = jax.tree.map(lambda *x: np.stack(x), *cases)
    many = jax.vmap(lambda case: rule.converse(**case, now=at(5), params=PARAMS))
    together = jax.jit(many, compiler_options=QUICK)(batch)
    for i, case in enumerate(cases):
        case = jax.tree.map(jnp.asarray, case)
        for converse in (converse_jit, rule.converse):
            alone = converse(**case, now=at(5), params=PARAMS)
            jax.tree.map(assert_array_equal, row(together, i), alone)
