"""Employment exits: world spec section 12.1, employment, approve and defer."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.rules.employment_towns import DAY, SLOTS, at, params, town
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NEVER, NONE
from townlet_jax.rules import employment_exits as rule
from townlet_jax.state.agents import ExitReason
from townlet_jax.state.employment import empty_employment

STAYS = jnp.zeros(SLOTS, jnp.int32)

review_jit = jax.jit(rule.review)
both = pytest.mark.parametrize("review", [review_jit, rule.review], ids=["jit", "eager"])


def staff(bits=(), since=()):
    """Makes six residents with a job, with the given absence bits and pending ticks."""
    employment, agents = town(*[0] * SLOTS)
    bits = [*bits, *[0] * (SLOTS - len(bits))]
    since = [*since, *[NEVER] * (SLOTS - len(since))]
    employment = employment.replace(
        absence_bits=jnp.array(bits, jnp.int32), pending_tick=jnp.array(since, jnp.int32)
    )
    return employment, agents


def set_slots(mask):
    return np.flatnonzero(mask).tolist()


@both
def test_three_absent_days_of_seven_are_too_many(review):
    employment, agents = staff([0b1000011, 0b0010101, 0b0000011, 0b1111111])
    employment, is_flagged, is_pending, overflow = review(
        employment, agents, STAYS, at(500), params()
    )
    assert set_slots(is_pending) == [0, 1, 3]
    assert employment.pending_tick[:4].tolist() == [500, 500, NEVER, 500]
    assert not jnp.any(is_flagged) and int(overflow) == 0
    employment, _, is_pending, _ = review(employment, agents, STAYS, at(501), params())
    assert not jnp.any(is_pending)
    assert employment.pending_tick[:4].tolist() == [500, 500, NEVER, 500]


@both
@pytest.mark.parametrize("change", [{"max_absent_shifts": 0}, {"enforce_job_loop": False}])
def test_exits_can_be_switched_off(review, change):
    employment, agents = staff([127, 0], [NEVER, 0])
    changed = params(**change)
    _, is_flagged, is_pending, _ = review(employment, agents, STAYS, at(2000), changed)
    assert not jnp.any(is_pending)
    # Without a limit nobody is added; without the job loop nobody leaves either.
    assert set_slots(is_flagged) == ([1] if "max_absent_shifts" in change else [])


@both
def test_only_staying_residents_with_a_job_are_listed(review):
    employment, agents = staff([127] * 6)
    agents = agents.replace(
        is_alive=agents.is_alive.at[0].set(False), job=agents.job.at[1].set(NONE)
    )
    reason = STAYS.at[2].set(ExitReason.FAINT)
    employment = rule.approve(employment, jnp.arange(SLOTS) == 3)
    _, _, is_pending, _ = review(employment, agents, reason, at(500), params())
    assert set_slots(is_pending) == [4, 5]


@both
@pytest.mark.parametrize(("limit", "expected"), [(0, 0), (2, 3), (3, 0)])
def test_overflow_tells_the_length_of_the_list(review, limit, expected):
    """O-082: raised in the tick that makes the list too long, not while it stays so."""
    employment, agents = staff([7, 7], [NEVER, NEVER, 400])
    small = params(exit_queue_limit=limit)
    employment, _, is_pending, overflow = review(employment, agents, STAYS, at(500), small)
    assert set_slots(is_pending) == [0, 1]
    assert int(overflow) == expected
    _, _, _, overflow = review(employment, agents, STAYS, at(501), small)
    assert int(overflow) == 0


@both
def test_first_come_first_served_within_the_daily_cap(review):
    since = [30, 10, 30, 20, 30]
    employment, agents = staff(since=since)
    one_day = params(exit_review_window=DAY)
    employment, is_flagged, _, _ = review(employment, agents, STAYS, at(DAY + 9), one_day)
    assert not jnp.any(is_flagged)
    reason, flagged = STAYS, []
    for tick in (DAY + 30, DAY + 31):
        employment, is_flagged, _, _ = review(employment, agents, reason, at(tick), one_day)
        reason = jnp.where(is_flagged, ExitReason.EMPLOYMENT_EXIT, reason)
        flagged.append(set_slots(is_flagged))
    assert flagged == [[1, 3], []]
    assert int(employment.exits_today) == 2
    employment = employment.replace(exits_today=jnp.int32(0))
    employment, is_flagged, _, _ = review(employment, agents, reason, at(2 * DAY), one_day)
    assert set_slots(is_flagged) == [0, 2]
    assert set_slots(employment.pending_tick != NEVER) == [4]


@both
def test_cap_zero_is_no_cap(review):
    employment, agents = staff(since=[0] * 6)
    employment, is_flagged, _, _ = review(
        employment, agents, STAYS, at(DAY), params(daily_exit_cap=0)
    )
    assert jnp.all(is_flagged) and int(employment.exits_today) == 6


@both
def test_flagged_resident_is_not_listed_again(review):
    employment, agents = staff([7], [0])
    employment, is_flagged, _, _ = review(employment, agents, STAYS, at(DAY), params())
    assert set_slots(is_flagged) == [0]
    reason = STAYS.at[0].set(ExitReason.EMPLOYMENT_EXIT)
    employment, is_flagged, is_pending, _ = review(
        employment, agents, reason, at(DAY + 1), params()
    )
    assert not jnp.any(is_flagged | is_pending)


@both
def test_resident_that_leaves_otherwise_keeps_its_place_on_the_list(review):
    """A collapse that is called off (mortality switched off) does not restart the review."""
    employment, agents = staff([7], [0])
    reason = STAYS.at[0].set(ExitReason.FAINT)
    employment, is_flagged, _, _ = review(employment, agents, reason, at(DAY), params())
    assert not jnp.any(is_flagged)
    _, is_flagged, _, _ = review(employment, agents, STAYS, at(DAY + 1), params())
    assert set_slots(is_flagged) == [0]


@both
def test_deferred_resident_starts_from_zero(review):
    employment, agents = staff([7, 7], [0, 0])
    employment = rule.defer(employment, jnp.arange(SLOTS) == 0)
    assert employment.absence_bits[:2].tolist() == [0, 7]
    assert employment.pending_tick[:2].tolist() == [NEVER, 0]
    _, is_flagged, is_pending, _ = review(employment, agents, STAYS, at(DAY), params())
    assert set_slots(is_flagged) == [1]
    assert not jnp.any(is_pending)


def test_approved_resident_is_off_the_list():
    employment, _ = staff([7, 7], [0, 0])
    employment = rule.approve(employment, jnp.arange(SLOTS) == 0)
    assert employment.is_exit_approved[:2].tolist() == [True, False]
    assert employment.pending_tick[:2].tolist() == [NEVER, 0]
    assert employment.absence_bits[:2].tolist() == [7, 7]


def test_cleared_slot_equals_a_vacant_one():
    fresh = empty_employment(TownShape(num_agents=SLOTS, attendance_window=3))
    used = jax.tree.map(lambda x: (~x if x.dtype == bool else x + 1).astype(x.dtype), fresh)
    kept = np.arange(SLOTS) >= 2
    after = jax.jit(rule.clear)(used, jnp.array(~kept))
    assert int(after.exits_today) == 1
    used, fresh, after = (tree.replace(exits_today=None) for tree in (used, fresh, after))
    pick = lambda mask, tree: jax.tree.map(lambda x: x[mask], tree)  # noqa: E731
    chex.assert_trees_all_equal(pick(kept, after), pick(kept, used))
    chex.assert_trees_all_equal(pick(~kept, after), pick(~kept, fresh))


def test_batch_equals_loop():
    rng = np.random.default_rng(0)
    _, agents = staff()
    towns = 16
    bits = jnp.array(rng.integers(0, 128, (towns, SLOTS)), jnp.int32)
    since = jnp.array(rng.choice([0, 5, 50, NEVER], (towns, SLOTS)), jnp.int32)
    reason = jnp.array(rng.choice([0, 0, 0, 1], (towns, SLOTS)), jnp.int32)

    small = params(exit_review_window=30, exit_queue_limit=3)

    def run(bits, since, reason):
        employment = staff()[0].replace(absence_bits=bits, pending_tick=since)
        return rule.review(employment, agents, reason, at(60), small)

    batch = jax.jit(jax.vmap(run))(bits, since, reason)
    single = jax.jit(run)
    for e in range(towns):
        alone = single(bits[e], since[e], reason[e])
        chex.assert_trees_all_equal(jax.tree.map(lambda x, e=e: x[e], batch), alone)
    assert jnp.any(batch[1]) and jnp.any(batch[2]) and jnp.any(batch[3])
    assert_array_equal(batch[1] & batch[2], False)
