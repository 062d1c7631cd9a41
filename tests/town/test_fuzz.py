"""Random actions and random admin rows for many ticks: nothing that must hold is ever broken."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.town.conftest import QUICK
from tests.town.invariants import violations
from townlet_jax.config import load
from townlet_jax.town.init import init
from townlet_jax.town.step import step

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(
    path
    for path in (ROOT / "configs").rglob("*.yaml")
    if path.parent.name not in {"affordances", "sweeps", "train"}
)
"""Configurations with a town of their own."""
LIKE_OTHERS = {"disturbed", "heldout_large", "scarce", "town_large"}
BEFORE_A_RELEASE = {
    path.stem: pytest.mark.acceptance
    for path in CONFIGS
    if path.stem in LIKE_OTHERS or path.parent.name == "scenarios"
}
"""Towns much like others here, large ones, and small ones whose course is known."""
ARGUMENTS = 7


def random_ops(key, shape):
    """Admin rows that are often, but not always, legal; nine ticks of ten have none."""
    keys = jax.random.split(key, 4)
    code = jax.random.randint(keys[0], (shape.num_ops, 1), 0, 18)
    small = jax.random.randint(keys[1], (shape.num_ops, ARGUMENTS), -1, shape.num_agents)
    large = jax.random.randint(keys[2], (shape.num_ops, ARGUMENTS), -10_500, 10_500)
    pick, rare = jax.random.uniform(keys[3], (2, shape.num_ops, 1))
    arguments = jnp.where(pick < 0.6, small, jnp.where(pick < 0.8, large % 30, large))
    rows = jnp.concatenate([code, arguments], axis=1)
    return jnp.where(rare[:1] < 0.1, rows, 0)


def fuzz(town, num_ticks, seed):
    """Returns in how many ticks each invariant was broken."""
    state, broken = program(town.shape, num_ticks)(jax.random.key(seed), town.params, town.layout)
    return state, {name: int(count) for name, count in broken.items() if count}


@functools.cache
def program(shape, num_ticks):
    """Numbers and tables are arguments, so that towns of one shape share it."""

    @functools.partial(jax.jit, compiler_options=QUICK)
    def run(key, params, layout):
        def tick(state, key):
            action_key, ops_key = jax.random.split(key)
            actions = jax.random.randint(
                action_key, (shape.num_agents,), -1, shape.num_actions + 1
            )
            ops = random_ops(ops_key, shape)
            after, events = step(shape, state, actions, ops, params, layout)
            return after, violations(state, after, events, params, layout)

        start_key, key = jax.random.split(key)
        state = init(shape, start_key, params, layout)
        state, broken = lax.scan(tick, state, jax.random.split(key, num_ticks))
        return state, jax.tree.map(lambda x: jnp.sum(x, dtype=jnp.int32), broken)

    return run


def test_a_busy_town_keeps_its_invariants():
    town = load(ROOT / "tests" / "data" / "busy.yaml")
    state, broken = fuzz(town, 3_000, seed=1)
    assert not broken
    assert int(jnp.sum(state.metrics.totals)) > 100, "hardly anything happened"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "level"),
    [
        *(
            pytest.param(path, "primitive", marks=BEFORE_A_RELEASE.get(path.stem, ()))
            for path in CONFIGS
        ),
        (ROOT / "configs" / "town.yaml", "option"),
    ],
    ids=lambda value: getattr(value, "stem", value),
)
def test_every_town_keeps_its_invariants(path, level):
    town = load(path, [f"world.action_level={level}"])
    _, broken = fuzz(town, 10_000, seed=2)
    assert not broken


@pytest.mark.slow
def test_no_row_keeps_an_idle_holder_and_a_waiter_for_long():
    """World text, INV-QUE: ghost_step_after * (movement.ghost_step_after + 1) + 1 ticks at most."""
    town = load(ROOT / "configs" / "town.yaml", ["world.action_level=primitive"])
    shape, params = town.shape, town.params
    limit = params.queues.ghost_step_after * (params.movement.ghost_step_after + 1) + 1

    def tick(carry, key):
        state, stuck = carry
        actions = jax.random.randint(key, (shape.num_agents,), 0, shape.num_actions)
        after, _ = step(shape, state, actions, None, params, town.layout)
        holder = after.queues.holder
        is_same = (holder == state.queues.holder) & (holder >= 0)
        rows = jnp.arange(shape.num_objects, dtype=jnp.int32)
        is_wanted = jnp.any(after.queues.waiting_for[None, :] == rows[:, None], axis=1)
        is_idle = after.use.affordance[jnp.maximum(holder, 0)] < 0
        stuck = jnp.where(is_same & is_wanted & is_idle, stuck + 1, 0)
        return (after, stuck), jnp.max(stuck)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def run(key):
        state = init(shape, key, params, town.layout)
        stuck = jnp.zeros(shape.num_objects, jnp.int32)
        return lax.scan(tick, (state, stuck), jax.random.split(key, 10_000))[1]

    assert np.max(run(jax.random.key(3))) <= limit
