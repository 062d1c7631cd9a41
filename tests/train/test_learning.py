"""Whether the trainer learns to live in a small and hurried town, in about two minutes."""

from pathlib import Path

import numpy as np
import pytest

from townlet_jax.config import load
from townlet_jax.train import lanes
from townlet_jax.train.config import train_params, train_shape, training_numbers
from townlet_jax.train.town_world import TownWorld

HURRIED = Path(__file__).parent / "data" / "hurried.yaml"
NEEDS = ("hunger", "hygiene", "energy")
NUM_UPDATES = 60
SIZES = (
    "training.num_towns=16",
    "training.num_steps=43",
    f"training.num_updates={NUM_UPDATES}",
    "training.updates_per_chunk=20",
    "training.episode_ticks=1440",
    "network.feature_hidden=64",
    "network.gru_hidden=48",
    "ppo.gamma=0.997",
)
"""2,064 decisions per update; 720 ticks are two days."""
END = slice(-10, None)


@pytest.fixture(scope="module")
def trained():
    """Metrics `[3, U]` of three lanes: two seeds that learn, and the first of them unable to."""
    town = load(HURRIED, SIZES)
    world, shape, numbers = TownWorld(town.shape), train_shape(town), training_numbers(town)
    able = train_params(town.config)
    unable = able.replace(learning_rate=np.float32(0))
    params = lanes.stack_params([able, able, unable])
    learner = lanes.start(world, shape, [0, 1, 0], numbers, params)
    chunks = []
    for _ in range(NUM_UPDATES // shape.updates_per_chunk):
        learner, metrics = lanes.train(world, shape, learner, numbers, params)
        chunks.append({name: np.asarray(x) for name, x in metrics.items()})
    return {name: np.concatenate([c[name] for c in chunks], axis=1) for name in chunks[0]}


@pytest.mark.slow
def test_few_die_in_the_end(trained):
    deaths = trained["deaths_per_1k"]
    start, end = deaths[:, :5].mean(1), deaths[:, END].mean(1)
    assert (end[:2] <= start[:2] / 5).all()
    assert end[2] > start[2] / 5, "without learning as many die as ever"


@pytest.mark.slow
def test_no_need_is_given_up(trained):
    levels = np.stack([trained[f"need_mean.{name}"][:, END].mean(1) for name in NEEDS])
    assert (levels[:, :2] > 0.5).all()
    assert (levels[:, 2] < 0.5).any(), "without learning some need is"
