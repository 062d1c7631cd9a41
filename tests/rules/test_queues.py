"""Queues: worked examples EX-QUE-1..7, cooldowns, stalls, handovers, and what never happens."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from townlet_jax.config.layout import ObjectLayout
from townlet_jax.config.params import QueueParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE
from townlet_jax.rules import queues as rule
from townlet_jax.state import empty_queues, empty_relationships
from townlet_jax.state.clock import Now

SHAPE = TownShape(num_agents=3, num_objects=2)
SLOT_ORDER = jnp.arange(3, dtype=jnp.int32)
NOBODY = jnp.zeros(3, bool)
REAL = jnp.zeros(2, bool)


def params(**tweaks):
    values = {
        "require_range": True, "range_tiles": 2, "start_range_tiles": 1, "cooldown_ticks": 60,
        "ghost_step_after": 3, "age_weight": 102, "min_hold_ticks": -1,
        "has_friend_promotion": False, "friend_promotion_margin": 0.25,
        "ghost_step_boost": 1.5, "handover_boost": 0.4, "queue_length_boost": 0.25,
    } | tweaks  # fmt: skip
    types = {bool: jnp.bool_, int: jnp.int32, float: jnp.float32}
    return QueueParams(**{name: types[type(value)](value) for name, value in values.items()})


def objects(override=(NONE, NONE), venue=(0, 1), kind=(0, 0), is_virtual=(False, False)):
    """Two rows; of the same type, at two venues."""
    blank = dict.fromkeys(ObjectLayout.__dataclass_fields__)
    return ObjectLayout(**blank).replace(
        venue=jnp.array(venue, jnp.int32),
        type=jnp.array(kind, jnp.int32),
        cooldown_override=jnp.array(override, jnp.int32),
        is_virtual=jnp.array(is_virtual),
        interact=jnp.array([[1, 1], [5, 5]], jnp.int32),
    )


def at(tick):
    tick = jnp.int32(tick)
    return Now(tick=tick, tick_of_day=tick % 1440, day=tick // 1440)


def rows(*values):
    return jnp.array(values, jnp.int32)


def queue(shape=SHAPE, **fields):
    fields = {name: jnp.asarray(value, jnp.int32) for name, value in fields.items()}
    return empty_queues(shape).replace(**fields)


request, grant, keep_up, stall, hand_over, cool_down, leave = (
    jax.jit(f)
    for f in (
        rule.request, rule.grant, rule.keep_up, rule.stall, rule.hand_over, rule.cool_down,
        rule.leave,
    )
)  # fmt: skip
both = functools.partial(pytest.mark.parametrize, ids=["jit", "eager"])
EVERYWHERE = jnp.ones(3, bool)


def ask(queues, row, tick, is_near=EVERYWHERE):
    return request(queues, rows(*row), is_near, at(tick))


def press(queues, tick, numbers, **given):
    """Calls `stall` with the defaults that a case does not care about."""
    inputs = {
        "is_hit": NOBODY, "is_exempt": REAL, "is_running": NOBODY,
        "progressed_ticks": rows(0, 0, 0), "priority": SLOT_ORDER,
    } | given  # fmt: skip
    return stall(queues, *inputs.values(), at(tick), numbers, REAL)


# Request and grant


@both("grant", [grant, rule.grant])
@pytest.mark.parametrize("weight, first", [(102, 1), (0, 0)])
def test_time_waited_today_counts_by_its_weight(grant, weight, first):
    """EX-QUE-1, EX-QUE-2."""
    queues = queue(waiting_for=[0, 0, NONE], joined_tick=[100, 103, 0])
    queues = queues.replace(waited_today_ticks=rows(0, 40, 0))
    granted, winner = grant(queues, SLOT_ORDER, at(110), params(age_weight=weight))
    assert winner.tolist() == [first, NONE]
    assert granted.holder.tolist() == [first, NONE]
    assert granted.waiting_for[first] == NONE and granted.waiting_for[1 - first] == 0


def test_the_longest_wait_is_clamped():
    queues = queue(waiting_for=[0, 0, NONE], joined_tick=[-2_000_000, -150_000, 0])
    order = rule.serving_order(queues, rows(1, 0, 2), at(0), params())
    assert order.tolist()[:2] == [1, 0], "beyond the longest wait, priority decides"


def test_equal_keys_go_by_priority():
    queues = queue(waiting_for=[1, 1, 1])
    _, winner = grant(queues, rows(2, 0, 1), at(0), params())
    assert winner.tolist() == [NONE, 1]


@both("ask_for", [request, rule.request])
def test_a_new_request_leaves_the_old_queue(ask_for):
    """EX-QUE-6."""
    queues = queue(holder=[0, 2], waiting_for=[NONE, 0, NONE], joined_tick=[0, 3, 0])
    queues, refused = ask_for(queues, rows(NONE, 1, NONE), EVERYWHERE, at(8))
    assert queues.waiting_for.tolist() == [NONE, 1, NONE]
    assert queues.joined_tick.tolist() == [0, 8, 0] and refused == 0


def test_a_new_request_gives_up_the_row_that_was_held():
    queues, _ = ask(queue(holder=[1, NONE]), (NONE, 1, NONE), 4)
    assert queues.holder.tolist() == [NONE, NONE] and queues.waiting_for[1] == 1


def test_who_holds_or_waits_keeps_the_place():
    before = queue(holder=[0, NONE], waiting_for=[NONE, 0, NONE], joined_tick=[0, 3, 0])
    after, _ = ask(before, (0, 0, NONE), 9)
    assert after.holder.tolist() == [0, NONE]
    assert after.waiting_for.tolist() == [NONE, 0, NONE] and after.joined_tick[1] == 3


def test_out_of_range_nothing_is_asked_nor_refused():
    before = queue(cooldown_until=[[50, 0, 0], [0, 0, 0]])
    after, refused = ask(before, (0, 0, NONE), 9, NOBODY)
    assert after.waiting_for.tolist() == [NONE] * 3 and refused == 0


def test_leaving_frees_rows_and_places_without_a_cooldown():
    queues = leave(
        queue(holder=[0, NONE], waiting_for=[NONE, 0, 0]), jnp.array([True, True, False])
    )
    assert queues.holder.tolist() == [NONE, NONE] and queues.waiting_for.tolist() == [NONE, NONE, 0]
    assert not queues.cooldown_until.any()


# Cooldown


def test_one_resident_and_one_shower():
    """EX-QUE-3."""
    queues, numbers, table = queue(), params(), objects()
    left, starts, ends, refusals = 0, [], [], []
    for tick in range(99):
        queues, refused = ask(queues, (NONE if left else 0, NONE, NONE), tick)
        queues, winner = grant(queues, SLOT_ORDER, at(tick), numbers)
        refusals += [tick] * int(refused)
        if winner[0] == 0:
            left = 20
            starts.append(tick)
        is_over, left = left == 1, max(left - 1, 0)
        if is_over:
            ends.append(tick)
            queues = cool_down(queues, rows(0, NONE, NONE), at(tick), numbers, table)
            queues = leave(queues, jnp.array([True, False, False]))
    assert starts == [0, 79] and ends == [19, 98]
    assert refusals == list(range(20, 79)) and queues.totals.tolist() == [59, 0, 0]


@both("cool_down", [cool_down, rule.cool_down])
def test_a_cooldown_holds_for_the_venue_and_the_type(cool_down):
    used = rows(0, NONE, 1)
    numbers = params(cooldown_ticks=5)
    apart = cool_down(queue(), used, at(10), numbers, objects())
    assert apart.cooldown_until.tolist() == [[15, 0, 0], [0, 0, 15]]
    together = cool_down(queue(), used, at(10), numbers, objects(venue=(0, 0)))
    assert together.cooldown_until.tolist() == [[15, 0, 15], [15, 0, 15]]
    other_type = cool_down(queue(), used, at(10), numbers, objects(venue=(0, 0), kind=(0, 1)))
    assert other_type.cooldown_until.tolist() == [[15, 0, 0], [0, 0, 15]]


def test_a_type_overrides_the_cooldown_and_virtual_rows_have_none():
    table = objects(override=(7, 0), is_virtual=(False, True))
    after = cool_down(queue(), rows(0, 1, NONE), at(10), params(), table)
    assert after.cooldown_until.tolist() == [[17, 0, 0], [0, 0, 0]]
    accepted, refused = ask(after, (0, NONE, NONE), 17)
    assert accepted.waiting_for[0] == 0 and refused == 0
    _, refused = ask(after, (0, NONE, NONE), 16)
    assert refused == 1


def test_without_fairness_cooldowns_are_recorded_but_refuse_nobody():
    queues = queue().replace(is_fairness_on=jnp.bool_(False))
    queues = cool_down(queues, rows(0, NONE, NONE), at(10), params(), objects())
    assert queues.cooldown_until[0, 0] == 70
    after, refused = ask(queues, (0, NONE, NONE), 11)
    assert after.waiting_for[0] == 0 and refused == 0 and not after.totals.any()
    _, refused = ask(queues.replace(is_fairness_on=jnp.bool_(True)), (0, NONE, NONE), 12)
    assert refused == 1, "switched on again, the same cooldown counts"


# Walking away


@both("keep_up", [keep_up, rule.keep_up])
def test_who_walks_away_loses_the_place_unless_running(keep_up):
    before = queue(holder=[0, 1], waiting_for=[NONE, NONE, 0], joined_tick=[0, 0, 2])
    is_near = jnp.zeros((3, 2), bool)
    is_running = jnp.array([False, True, False])
    after = keep_up(before, is_near, is_running, params())
    assert after.holder.tolist() == [NONE, 1] and after.waiting_for.tolist() == [NONE] * 3
    assert after.waited_today_ticks.tolist() == [0, 0, 0]
    stays = keep_up(before, is_near, is_running, params(require_range=False))
    assert stays.holder.tolist() == [0, 1] and stays.waited_today_ticks.tolist() == [0, 0, 1]


def test_spans_are_chebyshev():
    spans = rule.spans(jnp.array([[1, 1], [4, 2], [9, 5]], jnp.int32), objects())
    assert spans.tolist() == [[0, 4], [3, 3], [8, 4]]


# Stall and ghost step


def rotate(limit, num_ticks, is_fairness_on=True):
    """Two residents request every tick and start nothing; returns (tick, actor, intensity)."""
    queues = queue().replace(is_fairness_on=jnp.bool_(is_fairness_on))
    numbers, seen = params(ghost_step_after=limit), []
    for tick in range(num_ticks):
        queues, _ = ask(queues, (0, 0, NONE), tick)
        queues, winner = grant(queues, SLOT_ORDER, at(tick), numbers)
        queues = keep_up(queues, jnp.ones((3, 2), bool), NOBODY, numbers)
        queues, evicted, _, records = press(queues, tick, numbers, is_exempt=winner != NONE)
        queues, _ = grant(queues, SLOT_ORDER, at(tick), numbers)
        if records.is_set[0]:
            assert evicted.tolist().index(True) == records.actor[0]
            assert queues.waiting_for[records.actor[0]] == 0
            assert queues.joined_tick[records.actor[0]] == tick
            seen.append((tick, int(records.actor[0]), float(records.intensity[0])))
    return queues, seen


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_idle_holders_rotate(limit):
    """EX-QUE-4."""
    queues, seen = rotate(limit, 13)
    ticks = list(range(limit, 13, limit))
    assert seen == [(tick, i % 2, 1.5) for i, tick in enumerate(ticks)]
    assert queues.totals.tolist() == [0, len(ticks), len(ticks)]
    assert not queues.cooldown_until.any(), "an eviction costs no cooldown"


def test_without_fairness_stalls_are_counted_but_evict_nobody():
    queues, seen = rotate(1, 6, is_fairness_on=False)
    assert seen == [] and queues.stall_count[0] == 5 and not queues.totals.any()


def test_a_limit_of_zero_switches_ghost_steps_off():
    assert rotate(0, 6)[1] == []


def test_a_queue_that_empties_forgets_the_stall():
    before = queue(holder=[0, NONE], stall_count=[2, 0])
    after, *_ = press(before, 5, params())
    assert after.stall_count.tolist() == [0, 0]


def test_an_exempt_holder_neither_stalls_nor_is_hit():
    before = queue(holder=[0, NONE], waiting_for=[NONE, 0, NONE])
    is_hit = jnp.array([False, True, False])
    after, evicted, counted, _ = press(
        before, 5, params(ghost_step_after=1), is_hit=is_hit, is_exempt=jnp.array([True, False])
    )
    assert after.holder[0] == 0 and after.stall_count[0] == 0
    assert not evicted.any() and not counted.any()


def test_hits_of_others_do_not_count():
    """A complaint counts only from a resident that waits for the row."""
    before = queue(holder=[0, NONE], waiting_for=[NONE, 0, NONE])
    after, _, counted, _ = press(before, 5, params(), is_hit=jnp.array([False, True, True]))
    assert counted.tolist() == [False, True, False] and after.stall_count[0] == 2


def pushed(min_hold, num_ticks):
    """Holder is granted at 0 and starts a run of 20 ticks at 1, two waiters complain at all times.

    Returns the tick of the eviction, if any, and how many ticks of the run were left.
    """
    numbers = params(ghost_step_after=1, min_hold_ticks=min_hold)
    queues, left = queue(), 0
    for tick in range(num_ticks):
        queues, _ = ask(queues, (0, 0, 0) if tick == 0 else (NONE, 0, 0), tick)
        queues, winner = grant(queues, SLOT_ORDER, at(tick), numbers)
        left = 20 if tick == 1 else left
        runs = jnp.array([left > 0, False, False])
        queues, evicted, _, records = press(
            queues, tick, numbers, is_hit=jnp.array([False, True, True]),
            is_exempt=winner != NONE, is_running=runs,
            progressed_ticks=rows(20 - left if left else 0, 0, 0),
        )  # fmt: skip
        if evicted[0]:
            assert records.rival[0] == 1 and records.length[0] == 2
            return tick, left
        left = max(left - 1, 0)
    return None


@pytest.mark.parametrize("min_hold, tick, left", [(2, 3, 18), (0, 1, 20), (5, 6, 15)])
def test_a_running_holder_is_evicted_after_its_protected_ticks(min_hold, tick, left):
    """EX-QUE-7; the share of the price is the affordance rule's, see EX-AFF-3."""
    assert pushed(min_hold, 8) == (tick, left)


def test_a_running_holder_is_never_evicted_by_default():
    assert pushed(-1, 12) is None


# Records and handover


@both("record", [jax.jit(rule.record), rule.record])
@pytest.mark.parametrize(
    "length, conflict, handover",
    [(1, 1.5, 0.4), (2, 1.75, 0.65), (3, 2.0, 0.9), (15, 5.0, 3.9), (40, 5.0, 5.0)],
)
def test_intensity_grows_with_the_queue(record, length, conflict, handover):
    """EX-QUE-5."""
    is_set, who, numbers = jnp.array([True, False]), rows(0, 1), params()
    lengths = rows(length, length)
    for boost, expected in (
        (numbers.ghost_step_boost, conflict),
        (numbers.handover_boost, handover),
    ):
        records = record(is_set, who, who, lengths, boost, numbers)
        np.testing.assert_allclose(records.intensity, [expected, 0], rtol=1e-6)
        assert records.actor.tolist() == [0, NONE] and records.length.tolist() == [length, 0]


def friends(gain):
    """Resident 0 likes 2 better than 1 by a gain made of all three scales."""
    ties = empty_relationships(SHAPE)
    return ties.replace(
        trust=ties.trust.at[0, 2].set(gain),
        familiarity=ties.familiarity.at[0].set(0.5),
        rivalry=ties.rivalry.at[0, 1].set(0.125),
    )


@both("hand_over", [hand_over, rule.hand_over])
@pytest.mark.parametrize("is_on, gain, winner", [(False, 0.5, 1), (True, 0.5, 2), (True, 0.125, 1)])
def test_the_next_in_line_follows_unless_a_friend_is_promoted(hand_over, is_on, gain, winner):
    before = queue(
        holder=[0, NONE], waiting_for=[NONE, 0, 0], joined_tick=[0, 3, 4], stall_count=[2, 0]
    )
    numbers = params(has_friend_promotion=is_on)
    after, records = hand_over(before, rows(0, NONE), friends(gain), SLOT_ORDER, at(9), numbers)
    assert after.holder.tolist() == [winner, NONE] and after.stall_count[0] == 0
    assert records.is_set.tolist() == [True, False]
    assert (int(records.actor[0]), int(records.rival[0])) == (0, winner)
    assert records.intensity[0] == pytest.approx(0.65) and records.length[0] == 2


def test_a_finish_without_waiters_frees_the_row_and_leaves_no_record():
    ties = empty_relationships(SHAPE)
    after, records = hand_over(
        queue(holder=[0, 1]), rows(0, NONE), ties, SLOT_ORDER, at(9), params()
    )
    assert after.holder.tolist() == [NONE, 1] and not records.is_set.any()


# Properties


def play(rng, num_ticks=12):
    """A random life of three residents at two rows; yields the queues after every tick."""
    numbers = params(
        ghost_step_after=int(rng.integers(0, 4)), min_hold_ticks=int(rng.integers(-1, 3)),
        cooldown_ticks=int(rng.integers(0, 6)), age_weight=int(rng.integers(0, 1025)),
    )  # fmt: skip
    queues = queue().replace(is_fairness_on=jnp.bool_(rng.random() < 0.8))
    left = np.zeros(3, int)
    for tick in range(num_ticks):
        priority = jnp.asarray(rng.permutation(3), jnp.int32)
        wants = np.where(left > 0, NONE, rng.integers(-1, 2, 3))
        queues, _ = ask(queues, wants, tick)
        queues, winner = grant(queues, priority, at(tick), numbers)
        held = np.asarray(rule.held_row(queues))
        starts = (held != NONE) & (left == 0) & (rng.random(3) < 0.5)
        left = np.where(starts, 3, left)
        near = jnp.asarray(rng.random((3, 2)) < 0.9)
        queues = keep_up(queues, near, jnp.asarray(left > 0), numbers)
        queues, evicted, _, _ = press(
            queues, tick, numbers, is_hit=jnp.asarray(rng.random(3) < 0.5),
            is_exempt=winner != NONE, is_running=jnp.asarray(left > 0),
            progressed_ticks=jnp.asarray(3 - left, jnp.int32), priority=priority,
        )  # fmt: skip
        left = np.where(evicted, 0, left)
        queues, _ = grant(queues, priority, at(tick), numbers)
        left, is_over = np.maximum(left - 1, 0), left == 1
        held = np.asarray(rule.held_row(queues))
        used = np.where(is_over, held, NONE)
        finisher = [int(np.argmax(used == o)) if (used == o).any() else NONE for o in range(2)]
        queues = cool_down(queues, rows(*used), at(tick), numbers, objects())
        queues, _ = hand_over(
            queues, rows(*finisher), empty_relationships(SHAPE), priority, at(tick), numbers
        )
        yield queues, left


@settings(max_examples=12)
@given(st.integers(0, 2**31 - 1))
def test_places_stay_consistent(seed):
    """INV-QUE."""
    totals = np.zeros(3, int)
    for queues, left in play(np.random.default_rng(seed)):
        holder, waiting = np.asarray(queues.holder), np.asarray(queues.waiting_for)
        held = [int(h) for h in holder if h != NONE]
        assert len(held) == len(set(held)), "a resident holds two rows"
        assert not any(waiting[h] != NONE for h in held), "a holder waits"
        assert all(holder[row] != NONE for row in waiting if row != NONE), "a free row has waiters"
        assert all(a in held for a in np.flatnonzero(left)), "who runs holds a row"
        now = np.asarray(queues.totals)
        assert (now >= totals).all()
        assert queues.is_fairness_on or not now.any()
        totals = now


def test_batch_equals_loop_equals_eager():
    rng = np.random.default_rng(4)
    num_towns = 12
    base = queue(holder=[0, NONE])
    waiting = np.column_stack([np.full(num_towns, NONE), rng.integers(-1, 2, (num_towns, 2))])
    batch = {
        "waiting_for": jnp.asarray(waiting, jnp.int32),
        "joined_tick": jnp.asarray(rng.integers(0, 9, (num_towns, 3)), jnp.int32),
        "stall_count": jnp.asarray(rng.integers(0, 4, (num_towns, 2)), jnp.int32),
    }  # fmt: skip
    numbers = params(min_hold_ticks=1)

    def run(fields):
        inputs = (jnp.array([False, True, True]), REAL, NOBODY, rows(0, 0, 0), rows(2, 0, 1))
        stalled, *events = rule.stall(base.replace(**fields), *inputs, at(9), numbers, REAL)
        return rule.grant(stalled, rows(2, 0, 1), at(9), numbers), events

    together, single = jax.jit(jax.vmap(run))(batch), jax.jit(run)
    for town in range(num_towns):
        fields = {name: x[town] for name, x in batch.items()}
        for alone in (single(fields), run(fields)):
            for one, other in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
                np.testing.assert_array_equal(one[town], other)
