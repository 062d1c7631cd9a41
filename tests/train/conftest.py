"""A small town to learn in, and compiled functions that the tests of this folder share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.config import load
from townlet_jax.env.batch import compiler_options
from townlet_jax.env.registry import shipped_config
from townlet_jax.train import ppo, schedules
from townlet_jax.train.config import train_params, train_shape, training_numbers
from townlet_jax.train.rollout import rollout
from townlet_jax.train.town_world import TownWorld

QUICK = {**compiler_options(1), "xla_backend_optimization_level": "0"}
"""Compiles in half the time; the tests run few updates."""
SMALL = (
    "world.action_level=option",
    "features.systems.observations=compact",
    "network.map_hidden=16",
    "network.feature_hidden=16",
    "network.gru_hidden=16",
    "training.num_towns=4",
    "training.num_steps=4",
    "training.num_updates=8",
    "training.updates_per_chunk=2",
    "ppo.num_epochs=2",
    "ppo.num_mini_batches=2",
)
MORTAL = (
    "lifecycle.collapse.hunger_level=0.9",
    "lifecycle.collapse.ticks=3",
    "lifecycle.spawn_delay_ticks=[2, 4]",
)
"""Residents faint within minutes, and others move in."""


class Trainer:
    """A learner of a world with its compiled functions; numbers are arguments."""

    def __init__(self, world, shape, numbers, params):
        self.world, self.shape = world, shape
        self.numbers, self.params = numbers, params
        self.num_traces = 0
        compiled = functools.partial(jax.jit, compiler_options=QUICK)

        def chunk(*args):
            self.num_traces += 1
            return ppo.train_chunk(world, shape, *args)

        def act(learner, numbers, params):
            now = schedules.controls(params, learner.num_updates)
            return rollout(world, shape, learner, now, numbers, params)

        self._init = compiled(functools.partial(ppo.init_learner, world, shape))
        self._chunk, self._act = compiled(chunk), compiled(act)

    def init(self, seed=0, params=None, numbers=None):
        return self._init(jax.random.key(seed), numbers or self.numbers, params or self.params)

    def chunk(self, learner, params=None, numbers=None):
        return self._chunk(learner, numbers or self.numbers, params or self.params)

    def act(self, learner, params=None, numbers=None):
        """Returns what acts, and the rollout that the next update will be made from."""
        return self._act(learner, numbers or self.numbers, params or self.params)


def assert_same(left, right):
    left, right = (jax.tree.map(raw, x) for x in (left, right))
    jax.tree.map(np.testing.assert_array_equal, left, right)


def raw(x):
    return jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x


@functools.cache
def small_town(*overrides):
    return load(shipped_config("tiny.yaml"), (*SMALL, *overrides))


def params_with(*overrides, **numbers):
    """Returns the numbers of a learner, some of them changed."""
    params = train_params(small_town(*overrides).config)
    kinds = {name: getattr(params, name).dtype for name in numbers}
    return params.replace(**{name: kinds[name].type(x) for name, x in numbers.items()})


@pytest.fixture(scope="session")
def town():
    return small_town()


@pytest.fixture(scope="session")
def params(town):
    return train_params(town.config)


@pytest.fixture(scope="session")
def trainer(town, params):
    """The town with a small network: four towns, four decisions, two updates in a chunk."""
    world = TownWorld(town.shape)
    return Trainer(world, train_shape(town), training_numbers(town), params)


@pytest.fixture(scope="session")
def mortal_numbers():
    return training_numbers(small_town(*MORTAL))
