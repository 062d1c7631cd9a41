"""Compiled observations that the tests of this folder share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests.town.conftest import BUSY, QUICK
from townlet_jax.config import load
from townlet_jax.config.observation_layout import observation_layout
from townlet_jax.town.observe import observe


class Viewer:
    """A town and what its residents see."""

    def __init__(self, path, *overrides):
        self.town = load(path, overrides)
        self.shape = self.town.shape
        self.params, self.layout = self.town.params, self.town.layout
        self.spec = observation_layout(self.shape)
        one = functools.partial(observe, self.shape)
        self.one = jax.jit(one, compiler_options=QUICK)
        many = jax.vmap(one, in_axes=(0, 0, None, None))
        self.many = jax.jit(many, compiler_options=QUICK)

    def look(self, state, context_reset=None, params=None):
        """Observes one town; numpy."""
        reset = state.agents.is_alive if context_reset is None else context_reset
        seen = self.one(state, reset, self.params if params is None else params, self.layout)
        return jax.device_get(seen)

    def named(self, state, resident=0, params=None):
        """Returns the features of one resident by name."""
        row = self.look(state, params=params).features[resident]
        return dict(zip(self.spec.names, map(float, row), strict=True))


@functools.cache
def busy(variant="hybrid", level="option"):
    return Viewer(BUSY, f"features.systems.observations={variant}", f"world.action_level={level}")


def live(bench, num_ticks, every, seed=0):
    """Lives random ticks; yields (state, context_reset) after every so many of them."""
    rng = np.random.default_rng(seed)
    shape = bench.shape
    state = bench.start(seed)
    ops = jnp.zeros((shape.num_ops, 8), jnp.int32)
    for tick in range(1, num_ticks + 1):
        legal = np.asarray(bench.mask(state, bench.params, bench.layout))
        actions = [rng.choice(np.flatnonzero(row)) for row in legal]
        state, events = bench.step(
            state, jnp.asarray(actions, jnp.int32), ops, bench.params, bench.layout
        )
        if tick % every == 0:
            yield state, events.lifecycle.context_reset


def stacked(trees):
    """Makes one batch of several states; numpy, but for the keys."""

    def stack(*leaves):
        is_key = jnp.issubdtype(leaves[0].dtype, jax.dtypes.prng_key)
        return jnp.stack(leaves) if is_key else np.stack(leaves)

    return jax.tree.map(stack, *trees)


def put(state, a, **changes):
    """Sets fields of one resident: `group__field=value`."""
    for path, value in changes.items():
        group, field = path.split("__")
        old = getattr(state, group)
        new = getattr(old, field).at[a].set(value)
        state = state.replace(**{group: old.replace(**{field: new})})
    return state


def tie(state, a, b, trust=0.0, familiarity=0.0, rivalry=0.0, formed=0):
    """Sets a tie; floats may be any number."""
    return put(
        state,
        (a, b),
        relationships__is_tie=True,
        relationships__trust=trust,
        relationships__familiarity=familiarity,
        relationships__rivalry=rivalry,
        relationships__formed_tick=formed,
    )


def at_tick(state, tick):
    return state.replace(clock=state.clock.replace(tick=jnp.int32(tick)))
