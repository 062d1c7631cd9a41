"""Decisions: windows, completion, newcomers."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from tests.town.conftest import QUICK
from townlet_jax.masked import NONE
from townlet_jax.state import events as tables
from townlet_jax.state.events import FailReason
from townlet_jax.town import decide as rule
from townlet_jax.town.options import Option

FRIDGE, STOVE, SHOWER, BED = 2, 3, 4, 0
USE_SHOWER, EAT, COOK, SLEEP, EAT_OUT, WORK = range(6)


def clockwork(key, view, state, mask, params, layout):
    """Chooses option `tick mod 7`, so that a choice shows when it was made."""
    del key, params, layout, view
    return jnp.full(mask.shape[0], state.clock.tick % 7, jnp.int32)


@pytest.fixture(scope="module")
def town(busy_options):
    shape, layout = busy_options.shape, busy_options.layout
    options = functools.partial(jax.jit, compiler_options=QUICK)
    decide = options(functools.partial(rule.decide, shape, clockwork))
    settle = options(functools.partial(rule.settle, shape))

    def at(tick):
        start = busy_options.start()
        return start.replace(clock=start.clock.replace(tick=jnp.int32(tick)))

    return SimpleNamespace(
        shape=shape, params=busy_options.params, layout=layout, at=at, decide=decide,
        settle=settle,
    )  # fmt: skip


def blank(kind, **fields):
    return kind(**(dict.fromkeys(kind.__dataclass_fields__) | fields))


def events(finished=NONE, row=NONE, failed=NONE, talked=False, spawned=False):
    """What happened to resident 0; nothing to anybody else."""

    def first(value, rest=NONE):
        return jnp.full(6, rest, jnp.int32).at[0].set(value)

    reasons = jnp.full((5, 6), NONE, jnp.int32).at[2, 0].set(failed)
    return blank(
        tables.TickEvents,
        affordances=blank(
            tables.AffordanceEvents, finished=first(finished), finished_obj=first(row),
            failed=reasons,
        ),
        chat=blank(tables.ChatEvents, listener=first(1 if talked else NONE)),
        lifecycle=blank(tables.LifecycleEvents, spawned=jnp.arange(6) < int(spawned)),
    )  # fmt: skip


def test_nobody_has_decided_before_the_first_tick(town):
    decision = rule.undecided(town.shape)
    assert decision.action.tolist() == [Option.REST] * 6 and not decision.is_done.any()


@pytest.mark.parametrize("window", [1, 4, 5])
def test_a_choice_holds_for_its_window(town, window):
    behavior = town.params.behavior.replace(decide_every=jnp.int32(window))
    params = town.params.replace(behavior=behavior)
    decision, seen = rule.undecided(town.shape), []
    for tick in range(10):
        decision, action = town.decide(decision, town.at(tick), params, town.layout)
        seen.append(int(action[0]))
    assert seen == [tick // window * window % 7 for tick in range(10)]


def test_between_decisions_a_town_restored_midway_keeps_its_choice(town):
    held = rule.Decision(action=jnp.full(6, 3, jnp.int32), is_done=jnp.zeros(6, bool))
    decision, action = town.decide(held, town.at(7), town.params, town.layout)
    assert action.tolist() == [3] * 6 and decision.action.tolist() == [3] * 6


def test_a_completed_choice_rests_until_the_next_decision(town):
    """`decide_every` is 5."""
    done = jnp.arange(6) == 2
    held = rule.Decision(action=jnp.full(6, Option.SLEEP, jnp.int32), is_done=done)
    decision, action = town.decide(held, town.at(8), town.params, town.layout)
    assert action[2] == Option.REST and action[1] == Option.SLEEP and decision.is_done[2]
    decision, action = town.decide(decision, town.at(10), town.params, town.layout)
    assert (action == 3).all() and not decision.is_done.any()


@pytest.mark.parametrize(
    "option, happened, is_done",
    [
        (Option.GET_FED, dict(finished=EAT, row=FRIDGE), True),
        (Option.GET_FED, dict(finished=COOK, row=STOVE), False),  # the meal is still to be eaten
        (Option.GET_FED, dict(failed=FailReason.INSUFFICIENT_STOCK), True),
        (Option.GET_FED, dict(failed=FailReason.ABANDONED), False),
        (Option.GET_FED, dict(finished=USE_SHOWER, row=SHOWER), False),
        (Option.GET_CLEAN, dict(finished=USE_SHOWER, row=SHOWER), True),
        (Option.SLEEP, dict(finished=SLEEP, row=BED), True),
        (Option.SLEEP, dict(talked=True), False),
        (Option.COOK, dict(finished=COOK, row=STOVE), True),
        (Option.SOCIALISE, dict(talked=True), True),
        (Option.SOCIALISE, dict(failed=FailReason.POWER_OFF), False),
        (Option.GO_TO_WORK, dict(failed=FailReason.PRECONDITION_FAILED), False),
        (Option.REST, dict(finished=EAT, row=FRIDGE, talked=True), False),
    ],
)
def test_what_completes_an_option(town, option, happened, is_done):
    held = rule.Decision(action=jnp.full(6, option, jnp.int32), is_done=jnp.zeros(6, bool))
    after = town.settle(held, town.at(41), events(**happened), town.params, town.layout)
    assert after.is_done[:5].tolist() == [is_done] + [False] * 4
    assert (after.action == option).all()


@pytest.mark.parametrize("tick, is_done", [(91, False), (92, True)])
def test_work_is_completed_after_the_last_tick_of_the_shift(town, tick, is_done):
    """The shift of resident 0 ends at 90; `settle` sees the clock of the following tick."""
    work = jnp.full(6, Option.GO_TO_WORK, jnp.int32)
    held = rule.Decision(action=work, is_done=jnp.zeros(6, bool))
    after = town.settle(held, town.at(tick), events(), town.params, town.layout)
    assert after.is_done[0] == is_done and not after.is_done[1], "resident 1 works until 120"
    assert after.is_done[5], "without a job there is nothing to do"


def test_newcomers_rest_until_the_next_decision(town):
    held = rule.Decision(action=jnp.full(6, Option.SLEEP, jnp.int32), is_done=jnp.zeros(6, bool))
    after = town.settle(held, town.at(7), events(spawned=True), town.params, town.layout)
    _, action = town.decide(after, town.at(7), town.params, town.layout)
    assert action.tolist() == [Option.REST] + [Option.SLEEP] * 5


def test_at_the_primitive_level_every_tick_decides(town, busy_primitives):
    shape, params, layout = busy_primitives.shape, busy_primitives.params, busy_primitives.layout
    decide = jax.jit(functools.partial(rule.decide, shape, clockwork), compiler_options=QUICK)
    start, decision = busy_primitives.start(), rule.undecided(shape)
    for tick in range(3):
        state = start.replace(clock=start.clock.replace(tick=jnp.int32(tick)))
        decision, action = decide(decision, state, params, layout)
        assert (action == tick).all()
        settled = rule.settle(shape, decision, state, events(spawned=True), params, layout)
        assert settled is decision
