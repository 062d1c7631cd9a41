"""Removals and arrivals: nothing of a leaver stays, and successors come in time."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tests.oracle import towns
from tests.town.operated_towns import (
    FRIDGE,
    SHAPE,
    SLOTS,
    TOWN,
    build,
    draws,
    live,
    plain_renew,
    renew,
    rows,
    values,
)
from townlet_jax.masked import LONG_AGO, NEVER, NONE
from townlet_jax.rules import employment_exits, lifecycle
from townlet_jax.state import ExitReason, empty
from townlet_jax.state.clock import now
from townlet_jax.state.events import FailReason

START = TOWN.state
LIVELY = build(
    lifecycle__spawn_delay=[1, 6],
    lifecycle__exit_cooldown_ticks=2,
    lifecycle__max_exits_per_day=5,
)
LEAVER = 1
RUNS = pytest.mark.parametrize("run", [plain_renew, renew], ids=["plain", "jit"])
OF_TOWN = {
    "generation", "home", "arrival_tick", "counters", "totals", "exits_today", "evictions_window",
    "evictions_previous", "evictions_today",
}  # fmt: skip
"""Fields of a slot that outlive its resident, or whose axes are not slots."""


def at(state, tick):
    return state.replace(clock=state.clock.replace(tick=jnp.int32(tick)))


def renewed(state, run=renew, params=None, chances=None):
    chances = draws() if chances is None else chances
    return run(state, chances, params or TOWN.params, TOWN.layout)


def full_of_life(state):
    """Fills every field of every resident with something that a vacant slot does not have."""

    def fill(leaf):
        if leaf.ndim and leaf.shape[0] == SLOTS:
            return jnp.ones_like(leaf) if leaf.dtype == bool else jnp.full_like(leaf, 3)
        return leaf

    parts = {
        name: jax.tree.map(fill, getattr(state, name))
        for name in ("needs", "use", "employment", "metrics", "relationships")
    }
    alive = state.agents.is_alive
    agents = jax.tree.map(fill, state.agents).replace(
        is_alive=alive, is_leaving=jnp.arange(SLOTS) == LEAVER
    )
    queues = state.queues.replace(
        holder=state.queues.holder.at[FRIDGE].set(LEAVER),
        waiting_for=jnp.full(SLOTS, 2),
        joined_tick=jnp.full(SLOTS, 3),
        waited_today_ticks=jnp.full(SLOTS, 3),
        cooldown_until=jnp.full_like(state.queues.cooldown_until, 99),
    )
    return state.replace(
        agents=agents,
        queues=queues,
        economy=state.economy.replace(unpaid_days=jnp.full(SLOTS, 3)),
        lifecycle=state.lifecycle.replace(
            exit_reason=jnp.full(SLOTS, 2), flagged_tick=jnp.full(SLOTS, 3)
        ),
        perturbations=state.perturbations.replace(
            is_target=jnp.ones_like(state.perturbations.is_target), agent_until=jnp.full(SLOTS, 99)
        ),
        **parts,
    )


@RUNS
def test_removal_leaves_nothing_behind(run):
    before = at(full_of_life(START), 7)
    state, renewal = renewed(before, run)
    vacant = empty(SHAPE, jax.random.key(0))
    for name in ("agents", "needs", "use", "employment", "lifecycle", "relationships", "metrics"):
        part, fresh = getattr(state, name), getattr(vacant, name)
        for field in dataclasses.fields(part):
            if field.name not in OF_TOWN and getattr(part, field.name).ndim:
                found = np.asarray(getattr(part, field.name))
                wanted = np.asarray(getattr(fresh, field.name))
                assert_array_equal(found[LEAVER], wanted[LEAVER], err_msg=field.name)
                kept = np.asarray(getattr(getattr(before, name), field.name))
                others = [2, 3] if name == "relationships" else ...
                assert_array_equal(found[2][others], kept[2][others], err_msg=field.name)
    queues, table = state.queues, state.perturbations
    assert queues.holder[FRIDGE] == NONE and queues.waiting_for[LEAVER] == NONE
    assert not queues.cooldown_until[:, LEAVER].any() and queues.waited_today_ticks[LEAVER] == 0
    assert queues.cooldown_until[0, 0] == 99 and queues.waited_today_ticks[0] == 3
    assert not table.is_target[:, LEAVER].any() and table.agent_until[LEAVER] == 0
    assert state.economy.unpaid_days[LEAVER] == 0 and state.economy.unpaid_days[0] == 3
    assert not state.relationships.is_tie[:, LEAVER].any()
    assert state.slots.slot[LEAVER] == NONE and state.slots.released_tick[1] == 7
    assert [int(x[LEAVER]) for x in renewal.failure] == [FailReason.REMOVED, 3, 3]
    assert_array_equal(renewal.removed[:4], [1, 0, 1, 1])


def test_home_and_generation_outlive_a_resident():
    state, _ = renewed(full_of_life(START))
    assert_array_equal(state.agents.home[LEAVER], [3, 3])
    assert state.agents.generation[LEAVER] == 3
    assert_array_equal(state.metrics.counters[LEAVER], [3] * 8)


def test_no_change_of_residents_changes_nothing():
    state, renewal = renewed(START)
    jax.tree.map(assert_array_equal, values(state), values(START))
    assert not renewal.spawned.any() and np.all(renewal.failure[0] == NONE)


def due(state, *slots, tick=9):
    """Empties slots and has newcomers arrive there."""
    is_gone = jnp.isin(jnp.arange(SLOTS), jnp.array(slots))
    agents = state.agents.replace(is_leaving=is_gone & state.agents.is_alive)
    arrival = jnp.where(is_gone, tick, NEVER)
    exits = state.lifecycle.replace(arrival_tick=arrival)
    return at(state.replace(agents=agents, lifecycle=exits), tick)


@RUNS
def test_newcomers(run):
    before = due(START, 1, 4)
    before = before.replace(
        metrics=before.metrics.replace(counters=jnp.full_like(before.metrics.counters, 5))
    )
    state, renewal = renewed(before, run)
    agents = state.agents
    assert_array_equal(np.flatnonzero(renewal.spawned), [1, 4])
    assert_array_equal(agents.is_alive, [True] * 5 + [False])
    assert_array_equal(agents.generation, [0, 1, 0, 0, 1, 0])
    assert_array_equal(agents.spawned_tick[jnp.array([1, 4])], [9, 9])
    assert_array_equal(agents.position[jnp.array([1, 4])], [[0, 0], [0, 1]])
    assert_array_equal(agents.home[1], START.agents.home[1])
    # Residents number 4 and 5 of the town: jobs 0 and 1, rows 4 and 5 of the sequence.
    assert_array_equal(agents.job[jnp.array([1, 4])], [0, 1])
    wanted = 0.6 * (2 * np.asarray(TOWN.layout.residents.halton[4:6]) - 1)
    assert_allclose(agents.traits[jnp.array([1, 4])], wanted, atol=1e-6)
    assert_allclose(agents.wallet[jnp.array([1, 4])], [1.5, 1.5])
    assert_allclose(state.needs.level[1], [0.75] * 3, atol=1e-6)
    # One job began at 5, before the tick of arrival; the other at 8 as well.
    assert_array_equal(state.employment.closed_day[jnp.array([1, 4])], [0, 0])
    assert_array_equal(state.slots.slot, [0, 4, 2, 3, 5, NONE])
    assert_array_equal(state.lifecycle.arrival_tick, [NEVER] * SLOTS)
    assert state.lifecycle.num_arrivals == 6
    assert_array_equal(state.metrics.counters[:, 0], [5, 0, 5, 5, 0, 5])


def test_a_newcomer_works_in_a_shift_that_begins_now():
    state, _ = renewed(due(START, 4, tick=5))
    assert (state.agents.job[4], state.employment.closed_day[4]) == (0, NONE)


def test_rent_in_force_decides_the_first_money():
    spiked = START.replace(
        perturbations=START.perturbations.replace(
            spec=START.perturbations.spec.at[0].set(0),
            magnitude=START.perturbations.magnitude.at[0].set(1.5),
            is_price_target=START.perturbations.is_price_target.at[0, 4].set(True),
        )
    )
    state, _ = renewed(due(spiked, 4))
    assert_allclose(state.agents.wallet[4], 2.25, rtol=1e-6)


def test_full_entries():
    crowded = START.replace(
        agents=START.agents.replace(position=START.agents.position.at[0].set(jnp.array([0, 1])))
    )
    state, _ = renewed(due(crowded, 3, 4, 5))
    assert_array_equal(state.agents.position[3:], [[0, 0], [0, 2], [0, 0]])


def test_forced_embedding_slots_are_reported():
    warm = START.replace(slots=START.slots.replace(released_tick=jnp.full(8, 5)))
    _, renewal = renewed(due(warm, 4))
    assert_array_equal(np.flatnonzero(renewal.slot_forced), [4])
    patient = TOWN.params.replace(
        slots=TOWN.params.slots.replace(reuse_warning_threshold=jnp.float32(0.5))
    )
    state, renewal = renewed(due(warm, 4), params=patient)
    assert not renewal.slot_forced.any() and state.slots.num_forced == 1


@pytest.mark.parametrize(("random", "arrival"), [(0, 512), (15, 527)])
def test_ex_life_1_after_the_collapse(random, arrival):
    level = jnp.zeros_like(START.needs.level).at[:, 1:].set(0.5)
    state = START.replace(
        needs=START.needs.replace(
            level=jnp.where(jnp.arange(SLOTS)[:, None] == LEAVER, level, START.needs.level),
            low_hunger_ticks=START.needs.low_hunger_ticks.at[LEAVER].set(29),
        )
    )
    state = at(state, 507)
    day = TOWN.params.replace(time=TOWN.params.time.replace(ticks_per_day=jnp.int32(1440)))
    chances = draws().replace(bits_arrival_delay=jnp.full(SLOTS, random, jnp.uint32))
    for tick in range(507, arrival + 1):
        state, (renewal, _, _, collapsed, exited) = live(state, rows(), chances, day, TOWN.layout)
        assert collapsed[LEAVER] == (tick == 507)
        assert exited[LEAVER] == (ExitReason.FAINT if tick == 507 else ExitReason.NONE)
        assert renewal.spawned[LEAVER] == (tick == arrival)
        # Still there at the end of the tick of the exit, gone from the next one on.
        assert state.agents.is_alive[LEAVER] == (tick in (507, arrival))


def test_ex_life_4():
    params = TOWN.params
    params = params.replace(time=params.time.replace(ticks_per_day=jnp.int32(1440)))
    state = START.replace(
        employment=START.employment.replace(absence_bits=jnp.array([0, 7, 0, 0, 0, 0], jnp.int32))
    )

    @jax.jit
    def review(state):
        moment = now(state.clock, params.time.ticks_per_day)
        reviewed, is_flagged, is_pending, _ = employment_exits.review(
            state.employment, state.agents, state.lifecycle.exit_reason, moment, params.employment
        )
        exits = lifecycle.flag(state.lifecycle, is_flagged, ExitReason.EMPLOYMENT_EXIT, moment)
        exits, _, exited = lifecycle.gate(
            exits,
            state.agents,
            jnp.bool_(False),
            jnp.zeros(SLOTS, jnp.uint32),
            moment,
            params.lifecycle,
        )
        return state.replace(employment=reviewed, lifecycle=exits), is_pending, exited

    state, is_pending, exited = review(at(state, 3091))
    assert_array_equal(np.flatnonzero(is_pending), [LEAVER])
    state, _, exited = review(at(state, 4530))
    assert not exited.any()
    _, _, exited = review(at(state, 4531))
    assert_array_equal(exited, [0, ExitReason.EMPLOYMENT_EXIT, 0, 0, 0, 0])


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32 - 1))
def test_slots_come_alive_again(seed):
    """INV-LIFE: caps hold, successors come in time, vacant slots hold nothing."""
    rng = np.random.default_rng(seed)
    params = LIVELY.params
    state, left, per_day = LIVELY.state, {}, {}
    for tick in range(60):
        flags = jnp.array(rng.random(SLOTS) < 0.1) & state.agents.is_alive
        moment = now(state.clock, params.time.ticks_per_day)
        exits = lifecycle.flag(state.lifecycle, flags, ExitReason.EMPLOYMENT_EXIT, moment)
        chances = draws(towns.random_draws(SHAPE, rng))
        state = state.replace(lifecycle=exits)
        state, (_, _, _, _, exited) = live(state, rows(), chances, params, LIVELY.layout)
        for a in np.flatnonzero(exited):
            left[a] = tick
            per_day[tick // 48] = per_day.get(tick // 48, 0) + 1
        alive = np.asarray(state.agents.is_alive)
        assert all(alive[a] or tick < t + 6 for a, t in left.items())
        assert max(per_day.values(), default=0) <= 5
        slot = np.asarray(state.slots.slot)
        assert len(set(slot[alive])) == alive.sum() and np.all(slot[~alive] == NONE)
        ties = np.asarray(state.relationships.is_tie)
        assert not ties[~alive].any() and not ties[:, ~alive].any()
        last_chat = np.asarray(state.relationships.last_chat_tick)
        assert np.all(last_chat[~alive] == LONG_AGO)
        assert np.all(np.asarray(state.use.affordance)[~alive] == NONE)


def test_vmap_is_a_loop():
    states = [due(START, 1, 4), due(START, 2), due(START, 5, tick=5)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    batched, renewals = jax.jit(jax.vmap(plain_renew, (0, None, None, None)))(
        stacked, draws(), TOWN.params, TOWN.layout
    )
    for i, one in enumerate(states):
        state, renewal = renewed(one)
        found = jax.tree.map(lambda leaf, i=i: leaf[i], (values(batched), renewals))
        jax.tree.map(assert_array_equal, found, (values(state), renewal))
