"""Avoidance against its worked examples: who keeps away, from whom, and how often."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.rules.test_queues import objects as object_rows
from tests.rules.tie_towns import QUICK, at
from townlet_jax.config.params import AvoidanceParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import LONG_AGO, NONE
from townlet_jax.rules import conflict as rule
from townlet_jax.state.conflicts import empty_conflicts
from townlet_jax.state.events import QueueRecords

SLOTS, DAY = 4, 1440
SHOWER, FRIDGE, OTHER_SHOWER, TWIN_SHOWER = range(4)
OBJECTS = object_rows(
    override=(NONE,) * 4, venue=(0, 1, 2, 0), kind=(0, 1, 0, 0), is_virtual=(False,) * 4
).replace(
    serves=jnp.array([[0, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]], bool),
    requires=jnp.zeros((4, 2), bool),
    interact=jnp.zeros((4, 2), jnp.int32),
)
PARAMS = AvoidanceParams(cooldown_ticks=jnp.int32(120), override_deficit=jnp.float32(0.85))
DIRTY = (0.8, 0.4, 0.8)
"""Needs of somebody who wants a shower."""


def inputs(row=(FRIDGE, SHOWER, NONE, NONE), rivals=((0, 1, 0.8),), level=DIRTY, threshold=0.7):
    """Resident 0 would shower if it were not for resident 1; the others are out of it."""
    grudge = np.full((SLOTS, SLOTS), -np.inf, np.float32)
    for a, b, value in rivals:
        grudge[b, a] = value
    return {
        "is_free": jnp.arange(SLOTS) == 0,
        "level": jnp.asarray(np.tile(np.float32(level), (SLOTS, 1))),
        "row": jnp.array(row, jnp.int32),
        "against": jnp.zeros((SLOTS, SLOTS), jnp.int32),
        "grudge": jnp.asarray(grudge),
        "limit": jnp.full(SLOTS, threshold, jnp.float32),
    }


def fresh():
    return empty_conflicts(TownShape(num_agents=SLOTS))


def avoid(conflicts, tick, row, **given):
    place = rule.places(row, OBJECTS)
    return rule.avoid(conflicts, **given, place=place, now=at(tick), params=PARAMS)


avoid_jit = jax.jit(avoid, compiler_options=QUICK)
both = pytest.mark.parametrize("avoid", [avoid_jit, avoid], ids=["jit", "eager"])


@both
def test_avd_1_a_rival_in_the_shower(avoid):
    conflicts, events = avoid(fresh(), 50, **inputs())
    assert events.avoided.tolist() == [True, False, False, False]
    assert events.rival.tolist() == [1, NONE, NONE, NONE]
    assert conflicts.last_avoid_tick.tolist() == [50, *[LONG_AGO] * 3]
    assert np.argwhere(conflicts.avoided_today).tolist() == [[0, 1], [1, 0]]
    assert not avoid(conflicts, 169, **inputs())[1].avoided.any()
    again, events = avoid(conflicts, 170, **inputs())
    assert events.avoided[0] and again.avoided_today[1, 0] == 2


def test_avd_2_who_stands_in_that_queue_does_not_avoid_it():
    for own in (SHOWER, TWIN_SHOWER):
        given = inputs(row=(own, SHOWER, NONE, NONE))
        assert not avoid_jit(fresh(), 50, **given)[1].avoided.any()
    given = inputs(row=(OTHER_SHOWER, SHOWER, NONE, NONE))
    assert avoid_jit(fresh(), 50, **given)[1].avoided[0], "another venue is another queue"


def test_avd_3_a_starving_resident_has_no_choice():
    assert not avoid_jit(fresh(), 50, **inputs(level=(0.10, 0.05, 0.8)))[1].avoided.any()
    assert not avoid_jit(fresh(), 50, **inputs(level=(0.9, 0.4, 0.1)))[1].avoided.any()
    assert avoid_jit(fresh(), 50, **inputs(level=(0.9, 0.16, 0.9)))[1].avoided[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"level": (0.3, 0.4, 0.8)},
        {"level": (0.4, 0.4, 0.8)},
        {"row": (FRIDGE, NONE, NONE, NONE)},
        {"row": (FRIDGE, FRIDGE, NONE, NONE)},
        {"rivals": ((1, 0, 0.8),)},
        {"rivals": ((0, 2, 0.8),)},
        {"rivals": ((0, 1, 0.69),)},
    ],
    ids=lambda changes: str(*changes.items()),
)
def test_nothing_to_avoid(changes):
    """Another need is lower, or comes first; the rival is elsewhere; the grudge is not hers."""
    assert not avoid_jit(fresh(), 50, **inputs(**changes))[1].avoided.any()


def test_a_queue_that_takes_no_request_is_not_avoided():
    for name, value in (("against", 2), ("is_free", 0)):
        given = inputs()
        given[name] = jnp.full_like(given[name], value)
        assert not avoid_jit(fresh(), 50, **given)[1].avoided.any()


def test_the_worst_rival_is_named_and_of_equals_the_lowest_slot():
    row = (NONE, SHOWER, TWIN_SHOWER, OTHER_SHOWER)
    rivals = ((0, 1, 0.8), (0, 2, 0.9), (0, 3, 0.9))
    assert avoid_jit(fresh(), 0, **inputs(row=row, rivals=rivals))[1].rival[0] == 2
    negative = ((0, 1, -0.3), (0, 2, -0.2))
    given = inputs(row=(NONE, SHOWER, SHOWER, NONE), rivals=negative, threshold=-0.5)
    assert avoid_jit(fresh(), 0, **given)[1].rival[0] == 2


def test_at_most_twelve_a_day():
    given = inputs()

    def tick(conflicts, number):
        conflicts, events = avoid(conflicts, number, **given)
        return conflicts, events.avoided[0]

    # XLA for CPU hoists such a small loop, and knows no barriers there: no options.
    run = jax.jit(functools.partial(jax.lax.scan, tick))
    conflicts, avoided = run(fresh(), jnp.arange(DAY, dtype=jnp.int32))
    assert int(avoided.sum()) == 12 == conflicts.avoided_today[0, 1]


def records(*pairs):
    pad = [NONE] * (3 - len(pairs))
    actor, rival = (jnp.array([*(p[i] for p in pairs), *pad], jnp.int32) for i in range(2))
    return QueueRecords(
        is_set=actor != NONE,
        actor=actor,
        rival=rival,
        length=jnp.zeros(3, jnp.int32),
        intensity=jnp.zeros(3, jnp.float32),
    )


def test_a_quarrel_marks_the_pair_for_the_day():
    conflicts = rule.quarrel(rule.quarrel(fresh(), records((3, 1), (1, 0))), records((0, 1)))
    assert np.argwhere(conflicts.conflict_today).tolist() == [[0, 1], [1, 0], [1, 3], [3, 1]]


def test_days_and_lives_are_forgotten():
    ones = jnp.ones((SLOTS, SLOTS), jnp.int32)
    past = fresh().replace(
        last_avoid_tick=jnp.full(SLOTS, 7, jnp.int32), conflict_today=ones > 0, avoided_today=ones
    )
    is_new = jnp.array([False, True, False, False])
    out = rule.forget(past, is_new, at(DAY - 1))
    stays = ~(np.asarray(is_new)[:, None] | np.asarray(is_new)[None, :])
    assert_array_equal(out.conflict_today, stays)
    assert_array_equal(out.avoided_today, stays)
    assert out.last_avoid_tick.tolist() == [7, LONG_AGO, 7, 7]
    out = rule.forget(past, is_new, at(DAY))
    assert not out.conflict_today.any() and not out.avoided_today.any()
    assert out.last_avoid_tick.tolist() == [7, LONG_AGO, 7, 7], "cooldowns outlast midnight"
