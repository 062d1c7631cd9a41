"""A small town for tests of comings, goings and admin rows, and a tick that does nothing else."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np

from tests.oracle import towns, twin
from tests.oracle.tables import Job, Resident, Spec, Thing
from townlet_jax.config.layout import PerturbationKind
from townlet_jax.masked import NONE
from townlet_jax.rules import lifecycle, perturbations
from townlet_jax.state.clock import now
from townlet_jax.town import admin, manual_events, population
from townlet_jax.town.draws import Draws
from townlet_jax.town.tick import Tick

SLOTS, RESIDENTS = 6, 4
DAY = 48
FRIDGE, SHOWER, BENCH = 0, 1, 2
SPIKE_SPEC, BLACKOUT_SPEC, OUTAGE_SPEC, RIVALS_SPEC, RANDOM_SPEC, DISABLED_SPEC = range(6)

_TILES = ("........", "........", "..#.....", "........", "........", "........")
WALL, FLOOR = (2, 2), (6, 4)


def build(**tweaks):
    """Makes a town of four residents in six slots at tick 0; `tweaks` as of the oracle's towns."""
    made = towns.build(
        [Resident((1 + i, 1), job=i % 2, wallet=1.0 + i) for i in range(RESIDENTS)],
        [
            Thing("fridge", "fridge", (3, 3), stock={"meals": 50}),
            Thing("shower", "shower", (5, 3)),
            Thing("bench", "bench", (5, 5)),
        ],
        [Job(5, 20), Job(8, 30)],
        [
            Spec(PerturbationKind.PRICE_SPIKE, 0, 3, (1, 6), (1.2, 1.8), ("meal", "rent")),
            Spec(PerturbationKind.BLACKOUT, 0, 2, (1, 5)),
            Spec(PerturbationKind.OUTAGE, 0, 0, (2, 4)),
            Spec(PerturbationKind.ARRANGED_MEET, 0, 1, (1, 5), location=BENCH),
            Spec(
                PerturbationKind.ARRANGED_MEET,
                ticks=(3, 5),
                location=FRIDGE,
                is_top_rivals=False,
                participants=3,
            ),
            Spec(NONE),
        ],
        tiles=_TILES,
        entry=((0, 0), (0, 1), (0, 2)),
        slots=SLOTS,
        ties=[(0, 1, 0.1, 0.2, 0.4), (1, 0, 0.0, 0.1, 0.2), (2, 3, 0.0, 0.0, 0.5)],
        **(dict(time__ticks_per_day=DAY, perturbations__grace_window_ticks=2) | tweaks),
    )
    made.shape = dataclasses.replace(made.shape, num_slots=8, num_perturbations=4)
    state = twin.to_arrays(towns.initial_state(made.shape, made.params, made.layout))
    state = state.replace(relationships=twin.to_arrays(made.state).relationships)
    arrays = (state, made.params, made.layout)
    made.state, made.params, made.layout = jax.tree.map(jnp.asarray, arrays)
    return made


TOWN = build()
SHAPE = TOWN.shape


def draws(source=None):
    """Makes `Draws` of the oracle's; by default every uniform is .5 and every bit 0."""
    source = towns.quiet_draws(SHAPE) if source is None else source
    return Draws(**{name: jnp.asarray(value) for name, value in vars(source).items()})


def tick_of(state, chances, params, layout):
    return Tick(SHAPE, now(state.clock, params.time.ticks_per_day), chances, params, layout)


def rows(*given):
    """Pads admin rows to int32 `[Q, 8]`."""
    ops = np.zeros((SHAPE.num_ops, 8), np.int32)
    for q, row in enumerate(given):
        ops[q, : len(row)] = row
    return jnp.array(ops)


def plain_renew(state, chances, params, layout):
    return population.renew(state, tick_of(state, chances, params, layout))


def plain_apply(state, ops, chances, params, layout):
    return admin.apply(state, ops, tick_of(state, chances, params, layout))


def plain_live(state, ops, chances, params, layout):
    """Runs what comes and goes in a tick: P2, P3, the table of P4, collapse and gate of P11."""
    tick = tick_of(state, chances, params, layout)
    state = state.replace(lifecycle=lifecycle.roll_day(state.lifecycle, tick.now))
    state, renewal = population.renew(state, tick)
    state, orders = admin.apply(state, ops, tick)
    table, events = perturbations.update(
        state.perturbations,
        manual_events.chances(tick),
        state.agents.is_alive,
        state.relationships.rivalry,
        tick.now,
        params.time.ticks_per_day,
        params.perturbations,
        layout.perturbations,
    )
    alive = state.agents.is_alive
    exits, needs, collapsed = lifecycle.collapse(
        state.lifecycle, state.needs, alive, tick.now, params.lifecycle
    )
    is_city_event = perturbations.is_city_event(table, layout.perturbations, tick.now)
    exits, agents, exited = lifecycle.gate(
        exits, state.agents, is_city_event, chances.bits_arrival_delay, tick.now, params.lifecycle
    )
    state = state.replace(
        agents=agents,
        needs=needs,
        lifecycle=exits,
        perturbations=table,
        clock=state.clock.replace(tick=tick.now.tick + 1),
    )
    return state, (renewal, orders, events, collapsed, exited)


renew = jax.jit(plain_renew)
apply = jax.jit(chex.assert_max_traces(plain_apply, n=1))
"""Refuses to be traced again: no value of a row, state or parameter may cause that."""
live = jax.jit(plain_live)


def apply_to(state, *ops, run=None, **changes):
    """Applies rows to a state under the town's own numbers; returns state, orders and `op_ok`."""
    params = changes.get("params", TOWN.params)
    chances = changes.get("draws", draws())
    state, orders = (run or apply)(state, rows(*ops), chances, params, TOWN.layout)
    return state, orders, [bool(ok) for ok in orders.op_ok[: len(ops)]]


def values(state):
    """Returns the arrays of a state; keys of random streams have no equality of their own."""
    keys = jax.random.key_data(state.clock.stream_keys)
    return state.replace(clock=state.clock.replace(stream_keys=keys))
