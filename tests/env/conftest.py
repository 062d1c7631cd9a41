"""One compiled environment that the tests of this folder share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.config import load
from townlet_jax.env.batch import compiler_options
from townlet_jax.env.core import TownEnv
from townlet_jax.env.registry import shipped_config

QUICK = {**compiler_options(1), "xla_backend_optimization_level": "0"}
"""Compiles in half the time; the tests run few ticks."""
MORTAL = (
    "lifecycle.collapse.hunger_level=0.9",
    "lifecycle.collapse.ticks=3",
    "lifecycle.spawn_delay_ticks=[2, 4]",
    "lifecycle.max_exits_per_day=0",
    "lifecycle.exit_cooldown_ticks=0",
)
"""Residents faint within minutes, and others move in."""
EPISODE_TICKS = 12


class Play:
    """An environment with its compiled functions; numbers and tables are arguments."""

    def __init__(self, town, **options):
        self.env = TownEnv.of(town, **options)
        self.num_traces = 0
        compiled = functools.partial(jax.jit, compiler_options=QUICK)

        def step(*args):
            self.num_traces += 1
            return self.env.step(*args)

        self._reset, self._step = compiled(self.env.reset), compiled(step)

    def reset(self, seed=0, params=None):
        return self._reset(jax.random.key(seed), params or self.env.default_params)

    def step(self, state, actions, seed=0, params=None):
        actions = jnp.asarray(np.asarray(actions, np.int32))
        params = params or self.env.default_params
        return self._step(jax.random.key(seed), state, actions, params)

    def run(self, num_ticks, seed=0, params=None):
        """Returns the outcomes of ticks under random actions, legal or not."""
        chance = np.random.default_rng(seed)
        _, state = self.reset(seed, params)
        outcomes = []
        for tick in range(num_ticks):
            actions = chance.integers(-1, self.env.num_actions + 1, self.env.num_agents)
            outcomes.append(self.step(state, actions, 1000 + tick, params))
            state = outcomes[-1][1]
        return outcomes


def assert_same(left, right):
    left, right = (jax.tree.map(raw, x) for x in (left, right))
    jax.tree.map(np.testing.assert_array_equal, left, right)


def raw(x):
    return jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x


@pytest.fixture(scope="session")
def mortal_town():
    return load(shipped_config("tiny.yaml"), MORTAL)


@pytest.fixture(scope="session")
def play(mortal_town):
    return Play(mortal_town, episode_ticks=EPISODE_TICKS)
