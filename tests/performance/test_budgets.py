"""Budgets that are exact: sizes, equations, traces, and no transfer while towns live."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax import monitoring

from benchmarks.first_tick import count_equations
from townlet_jax.config import load
from townlet_jax.env import batch
from townlet_jax.state.rewards import empty_rewards
from townlet_jax.town.observe import observe
from townlet_jax.town.reward import reward

CONFIGS = Path(__file__).parents[2] / "configs"
MAX_BYTES = 8 * 1024
"""Of the state of a standard town [B]; memory and, at the latest on a GPU, speed follow it."""
MAX_EQUATIONS = 11_000
"""Of a traced tick: policy, step, reward and observation; compile time follows."""
TRACE = "/jax/core/compile/jaxpr_trace_duration"


def ticking(town):
    """Returns a tick of one town with reward and observation, and where it begins."""
    shape = town.shape

    def live(state, decision, rewards):
        towns = batch.Towns(state=state, decision=decision)
        towns, events = batch.live(shape, "scripted", towns, town.params, town.layout)
        rewards, earned = reward(rewards, towns.state, events, town.params)
        seen = observe(shape, towns.state, events.lifecycle.context_reset, town.params, town.layout)
        return towns, rewards, earned, seen

    one = jax.eval_shape(lambda x: jax.tree.map(lambda leaf: leaf[0], x), batch.forms(town, 1))
    return live, (one.state, one.decision, empty_rewards(shape))


@pytest.mark.parametrize(
    "observation",
    ["hybrid", *(pytest.param(name, marks=pytest.mark.slow) for name in ("full", "compact"))],
)
def test_a_tick_has_few_equations(observation):
    town = load(CONFIGS / "town.yaml", [f"features.systems.observations={observation}"])
    live, given = ticking(town)
    number = count_equations(jax.make_jaxpr(live)(*given).jaxpr)
    assert number <= MAX_EQUATIONS


def test_a_standard_town_is_small():
    forms = batch.forms(load(CONFIGS / "town.yaml"), 1)
    sizes = [x.size * x.dtype.itemsize for x in jax.tree.leaves(forms.state)]
    assert sum(sizes) <= MAX_BYTES


@pytest.fixture(scope="module")
def towns():
    """Returns a town, and two of it, on the devices."""
    town = load(CONFIGS / "tiny.yaml")
    return town, batch.advance(town, "random", batch.start(town, 0, 2), 1)


def test_other_numbers_seeds_and_lengths_trace_nothing(towns):
    traced = []

    def heard(event, _seconds, **_about):
        if event == TRACE:
            traced.append(event)

    town, lived = towns
    other = load(CONFIGS / "tiny.yaml", ["queue_fairness.cooldown_ticks=7"])
    ticks = jnp.int32(3)
    started = batch.start(other, 5, 2)
    run = batch._runner(town.shape, "random", batch.most_devices(2), False)
    monitoring.register_event_duration_secs_listener(heard)
    try:
        run(started, ticks, other.params, other.layout)
        jax.jit(lambda x: x + 1)(ticks)
    finally:
        monitoring.unregister_event_duration_listener(heard)
    assert len(traced) == 1, "only what was traced on purpose"


def test_nothing_is_transferred_while_towns_live(towns):
    town, _ = towns
    started, ticks = batch.start(town, 3, 2), jnp.int32(20)
    run = batch._runner(town.shape, "random", batch.most_devices(2), False)
    with jax.transfer_guard("disallow"):
        lived = run(started, ticks, town.params, town.layout)
        lived = jax.block_until_ready(run(lived, ticks, town.params, town.layout))
    assert int(lived.state.clock.tick[0]) == 40
    with jax.transfer_guard("disallow"), pytest.raises(Exception, match="Disallowed"):
        run(lived, 20, town.params, town.layout)
