"""Comings, goings, admin rows and the table of perturbations against the oracle, tick by tick."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.oracle import admin as admin_twin
from tests.oracle import lifecycle as lifecycle_twin
from tests.oracle import perturbations as perturbations_twin
from tests.oracle import towns, twin
from tests.oracle.compare import differences
from tests.oracle.events import empty_events
from tests.town.operated_towns import FRIDGE, SHAPE, SLOTS, build, draws, live
from townlet_jax.rules import lifecycle
from townlet_jax.state import ExitReason
from townlet_jax.state.clock import now
from townlet_jax.town import manual_events
from townlet_jax.town.orders import Op

TOWN = build(
    lifecycle__spawn_delay=[1, 6],
    lifecycle__exit_cooldown_ticks=4,
    lifecycle__max_exits_per_day=4,
    slots__cooldown_ticks=30,
    perturbations__max_concurrent_events=3,
    perturbations__per_agent_cooldown_ticks=6,
    perturbations__max_events_per_window=2,
    perturbations__window_ticks=20,
    perturbations__prob_per_day=[4, 3, 2, 10, 8, 40],
)
# Decided by the employment rule, which the ticks below leave out.
ELSEWHERE = ("employment.status", "employment.pending_tick")


def twin_live(state, ops, chances):
    """Runs the same phases as `live` in plain Python."""
    town = twin.look(SHAPE, twin.from_state(state), TOWN.params, TOWN.layout, chances)
    town.events = empty_events(SHAPE)
    exits, level = town.state.lifecycle, town.state.needs.level
    if town.tick > 0 and town.tick_of_day == 0:
        exits.exits_today = 0
    lifecycle_twin.remove(town)
    lifecycle_twin.arrive(town)
    admin_twin.apply(town, ops)
    perturbations_twin.update(town)
    for a in range(SLOTS):
        is_low = (
            town.state.agents.is_alive[a] and level[a, 0] <= town.params.lifecycle.collapse_hunger
        )
        ticks = town.state.needs.low_hunger_ticks
        ticks[a] = ticks[a] + 1 if is_low else 0
    lifecycle_twin.collapse(town)
    lifecycle_twin.gate(town)
    town.state.clock.tick += 1
    return town.state, town.events


def random_row(rng, state):
    """Draws an admin row; about half of them can be carried out."""
    code = int(rng.integers(1, 17)) if rng.random() < 0.95 else int(rng.integers(-3, 30))
    a, b, c, d = (int(x) for x in rng.integers(-1, 7, 4))
    cell = rng.integers(-1, 8, 2).tolist()
    ids = [*np.asarray(state.perturbations.event_id).tolist(), 3]
    args = {
        Op.SPAWN: [a, *cell, d % 4 - 1],
        Op.TELEPORT: [a, *cell],
        Op.SET_NEED: [a, b % 5 - 1, int(rng.choice([0, 200, 300, 5000, 10000, 10001, -4]))],
        Op.SET_PRICE: [a, int(rng.integers(-999, 20000))],
        Op.FORCE_CHAT: [a, b, int(rng.integers(-10, 12000))],
        Op.ARRANGE_MEET: [a, b, c % 5 - 1, d],
        Op.SET_REL: [a, b, c % 5 - 1, int(rng.integers(-12000, 12000))],
        Op.TRIGGER: [c, d % 4 - 1, d, int(rng.integers(-1, 20000)), a, b, c % 5 - 1],
        Op.CANCEL: [int(rng.choice(ids))],
        Op.SET_MORTALITY: [int(rng.random() < 0.8)],
    }.get(code, [a, b, c, d])
    return [code, *args, *[0] * (7 - len(args))]


def shaken(state, rng):
    """Starts runs, flags residents and lists some for review, as the rest of a tick would."""
    slot = int(rng.integers(SLOTS))
    is_slot = (jnp.arange(SLOTS) == slot) & state.agents.is_alive
    dice = rng.random()
    if dice < 0.1:
        moment = now(state.clock, TOWN.params.time.ticks_per_day)
        exits = lifecycle.flag(state.lifecycle, is_slot, ExitReason.EMPLOYMENT_EXIT, moment)
        return state.replace(lifecycle=exits)
    if dice < 0.2:
        pending = jnp.where(is_slot, 3, state.employment.pending_tick)
        return state.replace(employment=state.employment.replace(pending_tick=pending))
    if dice < 0.5 and is_slot.any():
        runs = jnp.where(is_slot, int(rng.integers(0, 3)), -1).astype(jnp.int32)
        use = state.use.replace(
            obj=jnp.where(is_slot, FRIDGE, -1),
            affordance=runs,
            remaining_ticks=jnp.where(is_slot, 5, 0),
        )
        queues = state.queues.replace(holder=state.queues.holder.at[FRIDGE].set(slot))
        return state.replace(use=use, queues=queues)
    return state


def pairs(expected, renewal, orders, events, collapsed, exited):
    """Yields what the oracle says happened beside what did."""
    yield expected.op_ok, orders.op_ok
    yield expected.lifecycle.exited, exited
    yield expected.lifecycle.collapsed, collapsed
    yield expected.lifecycle.spawned, renewal.spawned | orders.spawned
    yield expected.lifecycle.slot_forced, renewal.slot_forced | orders.slot_forced
    yield expected.economy.price_changed, orders.price_changed
    yield expected.employment.exit_requested, orders.is_approved
    yield expected.employment.exit_deferred, orders.is_deferred
    merged = manual_events.merge(orders.perturbed, events)
    for name, value in vars(expected.perturbations).items():
        yield value, getattr(merged, name)


@pytest.mark.parametrize("seed", range(6))
def test_lockstep(seed):
    rng, state = np.random.default_rng(seed), TOWN.state
    num_done = num_refused = 0
    for _ in range(100):
        state = shaken(state, rng)
        ops = np.zeros((SHAPE.num_ops, 8), np.int32)
        for q in range(SHAPE.num_ops):
            if rng.random() < 0.3:
                ops[q] = random_row(rng, state)
        source = towns.random_draws(SHAPE, rng)
        wanted, expected = twin_live(state, ops, source)
        state, happened = live(state, jnp.array(ops), draws(source), TOWN.params, TOWN.layout)
        lines = differences(wanted, state)
        assert not [line for line in lines if not line.startswith(ELSEWHERE)]
        for left, right in pairs(expected, *happened):
            np.testing.assert_array_equal(left, right)
        ok = np.asarray(happened[1].op_ok)[ops[:, 0] != 0]
        num_done, num_refused = num_done + ok.sum(), num_refused + (~ok).sum()
    assert num_done > 50 and num_refused > 50
    assert state.lifecycle.num_arrivals > 15 and state.perturbations.next_id > 20
