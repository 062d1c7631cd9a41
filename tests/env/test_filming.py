"""A film keeps every tick of a life, whatever the carry looks like."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.config import load
from townlet_jax.env import batch, filming
from townlet_jax.state import empty

TICKS = 20


@pytest.fixture(scope="module")
def town():
    return load("configs/tiny.yaml")


@pytest.fixture(scope="module")
def reel(town):
    """Chunks of a film of a clock that counts, and how often its function was traced."""
    traces = []

    def live_one(carry, params, layout):
        traces.append(None)
        clock = carry["state"].clock
        state = carry["state"].replace(clock=clock.replace(tick=clock.tick + 1))
        return {"state": state, "memory": carry["memory"] * 2}, state, {"memory": carry["memory"]}

    carry = {"state": empty(town.shape, jax.random.key(0)), "memory": jnp.ones(2)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filming, "CHUNK", 8)
        chunks = list(filming.film(live_one, carry, town.params, town.layout, TICKS))
    assert carry["memory"].tolist() == [1, 1], "the carry was given up"
    return chunks, len(traces)


def test_chunks_add_up(reel) -> None:
    chunks, _ = reel
    assert [len(states.clock.tick) for states, _ in chunks] == [8, 8, 4]
    ticks = np.concatenate([states.clock.tick for states, _ in chunks])
    assert ticks.tolist() == list(range(1, TICKS + 1))
    memory = np.concatenate([events["memory"][:, 0] for _, events in chunks])
    assert memory.tolist() == [2.0**t for t in range(TICKS)]


def test_everything_is_on_the_host(reel) -> None:
    for leaf in jax.tree.leaves(reel[0]):
        assert isinstance(leaf, np.ndarray) and not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def test_is_compiled_once(reel) -> None:
    # `scan` looks at its body once to learn the types and once to compile it.
    assert reel[1] <= 2


@pytest.mark.acceptance
def test_is_the_life_that_is_watched(town) -> None:
    live_one, carry = filming.built_in(town, "random", 5)
    (chunk,) = filming.film(live_one, carry, town.params, town.layout, TICKS)
    states, events = chunk
    towns, watched = batch.watch(town, "random", batch.start(town, 5, 1), TICKS)
    jax.tree.map(np.testing.assert_array_equal, events, watched)
    clock = towns.state.clock
    keys = jax.random.key_data(clock.stream_keys)
    last = towns.state.replace(clock=clock.replace(stream_keys=keys))
    jax.tree.map(lambda one, other: np.testing.assert_array_equal(one[-1], other[0]), states, last)
