"""Compiled steps that the tests of this folder share."""

import functools
from pathlib import Path

import jax
import pytest

from townlet_jax.config import load
from townlet_jax.env.batch import compiler_options
from townlet_jax.town.draws import draw
from townlet_jax.town.init import init
from townlet_jax.town.masks import action_mask
from townlet_jax.town.step import step
from townlet_jax.town.view import look

BUSY = Path(__file__).parents[1] / "data" / "busy.yaml"
QUICK = {**compiler_options(1), "xla_backend_optimization_level": "0"}
"""Compiles in half the time; the tests run few ticks."""


class Bench:
    """A town with its compiled functions; numbers and tables are arguments."""

    def __init__(self, path, *overrides):
        self.town = load(path, overrides)
        shape = self.shape = self.town.shape
        self.params, self.layout = self.town.params, self.town.layout
        compiled = functools.partial(jax.jit, compiler_options=QUICK)
        self.num_traces = 0

        def traced(state, actions, ops, params, layout):
            self.num_traces += 1
            return step(shape, state, actions, ops, params, layout)

        self.step = compiled(traced)
        self.init = compiled(functools.partial(init, shape))
        self.draw = compiled(functools.partial(draw, shape))
        self.mask = compiled(
            lambda state, params, layout: action_mask(
                shape, look(shape, state, params, layout), state, params, layout
            )
        )

    def start(self, seed=0):
        return self.init(jax.random.key(seed), self.params, self.layout)


@pytest.fixture(scope="session")
def busy_options():
    return Bench(BUSY, "world.action_level=option")


@pytest.fixture(scope="session")
def busy_primitives():
    return Bench(BUSY)
