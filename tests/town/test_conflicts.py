"""Avoidance in a town: where everybody stands decides, as in the plain-Python twin."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from numpy.testing import assert_array_equal

from tests.oracle import compare, events, towns, twin
from tests.oracle import conflicts as oracle
from tests.oracle.tables import Resident, Spec, Thing
from tests.rules.tie_towns import QUICK
from townlet_jax.config.layout import PerturbationKind
from townlet_jax.masked import NONE
from townlet_jax.rules import perturbations, utilities
from townlet_jax.state import TownState
from townlet_jax.state.clock import now
from townlet_jax.state.conflicts import Conflicts
from townlet_jax.state.events import ConflictEvents, QueueRecords
from townlet_jax.town import conflicts
from townlet_jax.town.tick import Tick

SLOTS, DAY = 6, 1440
TOWN = towns.build(
    [Resident((i, 0), profile=i - 1 if i < 4 else NONE) for i in range(SLOTS)],
    [
        Thing("showers", "shower", (4, 4), seats=2, venue="bath"),
        Thing("shower", "shower", (5, 5), venue="home"),
        Thing("fridge", "fridge", (4, 5), venue="home", stock={"meals": 3}),
        Thing("bed", "bed", (5, 4)),
        Thing("counter", "counter", (4, 4)),
    ],
    specs=[Spec(PerturbationKind.BLACKOUT), Spec(PerturbationKind.OUTAGE)],
    size=(10, 10),
)
ROWS = TOWN.shape.num_objects
PARAMS, LAYOUT = jax.tree.map(jnp.asarray, (TOWN.params, TOWN.layout))


def avoid(state, spawned, records, params):
    """Runs the phase with what it reads of the phases before it."""
    moment = now(state.clock, params.time.ticks_per_day)
    is_on = utilities.is_on(perturbations.active_kinds(state.perturbations, LAYOUT.perturbations))
    nobody = jnp.zeros(SLOTS, bool)
    state, out = conflicts.avoid(
        state,
        SimpleNamespace(spawned=spawned),
        SimpleNamespace(spawned=nobody),
        SimpleNamespace(is_on=is_on),
        SimpleNamespace(conflicts=records),
        Tick(TOWN.shape, moment, None, params, LAYOUT),
    )
    return state.conflicts, out


avoid_jit = jax.jit(avoid, compiler_options=QUICK)


def random_state(rng):
    """A crowded corner; everybody is in one queue at most."""
    state = twin.clone(TOWN.state)
    state.clock.tick = int(rng.integers(0, 3) * DAY + rng.integers(0, 3))
    agents, queues, ties = state.agents, state.queues, state.relationships
    agents.position[:] = rng.integers(2, 8, (SLOTS, 2))
    agents.is_alive[:], agents.is_leaving[:] = rng.random(SLOTS) < 0.95, rng.random(SLOTS) < 0.05
    state.lifecycle.exit_reason[:] = rng.random(SLOTS) < 0.05
    state.needs.level[:] = rng.choice([0.12, 0.3, 0.5, 0.7], (SLOTS, 3))
    queues.waiting_for[:] = np.where(rng.random(SLOTS) < 0.5, rng.integers(0, ROWS, SLOTS), NONE)
    idle = np.flatnonzero(queues.waiting_for == NONE)
    for o, a in zip(rng.permutation(ROWS)[:3], rng.permutation(idle), strict=False):
        queues.holder[o] = a
        if rng.random() < 0.5:
            state.use.affordance[a], state.use.obj[a] = 0, o
    queues.cooldown_until[:] = rng.integers(-8, 3, (ROWS, SLOTS)) + state.clock.tick
    queues.is_fairness_on = bool(rng.random() < 0.8)
    ties.is_tie[:] = (rng.random((SLOTS, SLOTS)) < 0.8) & ~np.eye(SLOTS, dtype=bool)
    ties.rivalry[:] = np.where(ties.is_tie, rng.choice([0.5, 0.75, 0.9, 1], (SLOTS, SLOTS)), 0)
    if rng.random() < 0.3:
        state.perturbations.spec[0] = rng.integers(0, 2)
    last = state.conflicts.last_avoid_tick
    last[:] = state.clock.tick - rng.choice([1, 119, 120, 2**20], SLOTS)
    past = rng.integers(0, 3, (SLOTS, SLOTS))
    state.conflicts.avoided_today[:] = past + past.T
    state.conflicts.conflict_today[:] = past + past.T > 2
    return state


def random_inputs(seed):
    """A state, who arrived, and two conflicts."""
    rng = np.random.default_rng(seed)
    state = random_state(rng)
    spawned = state.agents.is_alive & (rng.random(SLOTS) < 0.1)
    records = twin.clone(events.empty_events(TOWN.shape).conflicts)
    a, b, c = rng.permutation(SLOTS)[:3]
    records.is_set[:2], records.actor[:2], records.rival[:2] = True, (a, b), (b, c)
    tweaks = PARAMS.queues.replace(require_range=jnp.bool_(rng.random() < 0.8))
    gate = PARAMS.relationships.replace(has_profile_tolerance=jnp.bool_(rng.random() < 0.5))
    return state, spawned, records, PARAMS.replace(queues=tweaks, relationships=gate)


def arrays(state, spawned, records, params):
    state, records = twin.to_arrays(state, TownState), twin.to_arrays(records, QueueRecords)
    return jax.tree.map(jnp.asarray, (state, spawned, records, params))


def test_agrees_with_the_twin_on_random_towns():
    num_avoided = 0
    for seed in range(120):
        state, spawned, records, params = random_inputs(seed)
        out = jax.device_get(avoid_jit(*arrays(state, spawned, records, params)))
        town = twin.look(TOWN.shape, twin.clone(state), params, TOWN.layout)
        town.events = events.empty_events(TOWN.shape)
        town.events.conflicts = records
        oracle.roll_day(town)
        for a in np.flatnonzero(spawned | ~state.agents.is_alive):
            oracle.forget(town, a)
        oracle.avoid(town)
        lines = compare.differences(out[0], town.state.conflicts)
        lines += compare.differences(out[1], town.events.conflict)
        assert not lines, f"seed {seed}: {lines[:4]}"
        num_avoided += int(out[1].avoided.sum())
    assert num_avoided > 20, "the cases must be worth something"


def test_pairs_are_symmetric_and_a_batch_equals_a_loop():
    cases = [arrays(*random_inputs(seed)) for seed in (3, 5)]
    many = jax.tree.map(lambda *x: jnp.stack(x), *cases)
    together = jax.jit(jax.vmap(avoid), compiler_options=QUICK)(*many)
    for i, case in enumerate(cases):
        alone = avoid_jit(*case)
        jax.tree.map(assert_array_equal, jax.tree.map(lambda x, i=i: x[i], together), alone)
        pairs, out = alone
        assert isinstance(pairs, Conflicts) and isinstance(out, ConflictEvents)
        assert_array_equal(pairs.avoided_today, pairs.avoided_today.T)
        assert_array_equal(pairs.conflict_today, pairs.conflict_today.T)
        assert not out.avoided[out.rival == NONE].any()
