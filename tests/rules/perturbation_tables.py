"""Small tables of perturbations: builders shared by their tests, all of one shape."""

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config.layout import PerturbationKind, PerturbationLayout
from townlet_jax.config.params import PerturbationParams
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE
from townlet_jax.rules import perturbations as rule
from townlet_jax.state.clock import Now

SPIKE, BLACKOUT, OUTAGE, MEET = PerturbationKind
AGENTS, SPECS, ROWS, KEYS = 5, 4, 3, 2
SHAPE = TownShape(num_agents=AGENTS, num_specs=SPECS, num_perturbations=ROWS, num_price_keys=KEYS)


def at(tick):
    tick = jnp.asarray(tick, jnp.int32)
    return Now(tick=tick, tick_of_day=tick, day=jnp.zeros_like(tick))


def params(**changes):
    values = dict(
        max_concurrent_events=1,
        global_cooldown_ticks=0,
        per_agent_cooldown_ticks=0,
        grace_window_ticks=60,
        window_ticks=1440,
        max_events_per_window=1,
        prob_per_day=[0.0] * SPECS,
        cooldown_ticks=[0] * SPECS,
        duration=[[1, 1]] * SPECS,
        magnitude=[[1.0, 1.0]] * SPECS,
    )
    values |= changes
    is_float = ("prob_per_day", "magnitude")
    kinds = {name: jnp.float32 if name in is_float else jnp.int32 for name in values}
    return PerturbationParams(**{n: jnp.array(v, kinds[n]) for n, v in values.items()})


def layout(kinds=(SPIKE, BLACKOUT, OUTAGE, MEET), is_top_rivals=True, participants=2):
    kinds = list(kinds) + [NONE] * (SPECS - len(kinds))
    return PerturbationLayout(
        kind=jnp.array(kinds, jnp.int32),
        price_targets=jnp.array([[kind == SPIKE, False] for kind in kinds]),
        location=jnp.array([10 + p if k == MEET else NONE for p, k in enumerate(kinds)]),
        is_top_rivals=jnp.full(SPECS, is_top_rivals),
        max_participants=jnp.full(SPECS, participants, jnp.int32),
    )


def chances(roll=0.0, ticks=0, magnitude=0.0, meet=0):
    return rule.Chances(
        roll=jnp.zeros(SPECS, jnp.float32) + jnp.float32(roll),
        ticks=jnp.zeros(SPECS, jnp.uint32) + jnp.uint32(ticks),
        magnitude=jnp.zeros(SPECS, jnp.float32) + jnp.float32(magnitude),
        meet=jnp.zeros(AGENTS, jnp.uint32) + jnp.array(meet, jnp.uint32),
    )


def rivals(**pairs):
    """Makes rivalry `[A, A]` from names like r01=.5: what 0 feels about 1."""
    matrix = np.zeros((AGENTS, AGENTS), np.float32)
    for name, value in pairs.items():
        matrix[int(name[1]), int(name[2])] = value
    return jnp.array(matrix)


def tick(table, chances, rivalry, now, params, layout):
    everybody = jnp.ones(AGENTS, bool)
    day = jnp.int32(1440)
    return rule.update(table, chances, everybody, rivalry, now, day, params, layout)


compiled = jax.jit(tick)


def random_setting(rng):
    numbers = dict(
        max_concurrent_events=int(rng.integers(1, 4)),
        global_cooldown_ticks=int(rng.choice([0, 0, 3])),
        per_agent_cooldown_ticks=int(rng.choice([0, 4])),
        grace_window_ticks=int(rng.integers(0, 5)),
        window_ticks=int(rng.integers(1, 12)),
        max_events_per_window=int(rng.integers(0, 4)),
        prob_per_day=rng.choice([0, 500.0, 1440.0], SPECS).tolist(),
        cooldown_ticks=rng.integers(0, 5, SPECS).tolist(),
        duration=[
            [low, low + int(rng.integers(0, 4))] for low in rng.integers(0, 4, SPECS).tolist()
        ],
        magnitude=[[1.0, 2.0]] * SPECS,
    )
    kinds = [PerturbationKind(k) if k >= 0 else NONE for k in rng.integers(-1, 4, SPECS)]
    kinds[0] = MEET
    top, most = rng.random(SPECS) < 0.5, rng.integers(2, 5, SPECS)
    arrays = layout(kinds).replace(
        is_top_rivals=jnp.array(top), max_participants=jnp.array(most, jnp.int32)
    )
    return numbers, arrays, dict(kind=kinds, top=top, most=most)
