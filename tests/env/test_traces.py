"""A trace shows the lives that a batch lives, setting by setting and seed by seed."""

import jax
import numpy as np
import pytest

from townlet_jax.config import load
from townlet_jax.env import batch
from townlet_jax.env.traces import trace

TINY = "configs/tiny.yaml"
SEEDS = (3, 8)
EVERY = 15


def note(state):
    return {"level": state.needs.level, "position": state.agents.position}


@pytest.mark.acceptance
def test_is_the_life_of_a_batch() -> None:
    town, hungry = load(TINY), load(TINY, ["rewards.decay_rates.hunger=0.003"])
    notes = trace([town, hungry], ["random", "idle"], SEEDS, 40, note, EVERY)
    assert notes["level"].shape[:3] == (2, 2, 2), "settings, seeds, frames of 15 and 30 ticks"
    for e, seed in enumerate(SEEDS):
        towns = batch.start(town, seed, 1)
        for frame in range(2):
            towns = batch.advance(town, "random", towns, EVERY)
            kept = jax.tree.map(lambda x, e=e, f=frame: x[0, e, f], notes)
            alone = jax.device_get(jax.tree.map(lambda x: x[0], note(towns.state)))
            jax.tree.map(np.testing.assert_array_equal, kept, alone)
    first, second = notes["level"][1, :, 0], notes["level"][1, :, 1]
    np.testing.assert_allclose((first - second)[..., 0], 0.003 * EVERY, atol=1e-5)
    np.testing.assert_array_equal(notes["position"][1, :, 0], notes["position"][1, :, 1])


def test_refuses_what_cannot_be_one_program() -> None:
    town = load(TINY)
    with pytest.raises(ValueError, match="another shape"):
        trace([town, load(TINY, ["relationships.max_edges=2"])], "idle", SEEDS, 10, note)
    with pytest.raises(ValueError, match="2 policies for 1 settings"):
        trace([town], ["idle", "random"], SEEDS, 10, note)
    with pytest.raises(ValueError, match="no frame of 15 ticks"):
        trace([town], "idle", SEEDS, 10, note, EVERY)
