"""Trains a probe on all devices there are and writes what came of it: `on_devices.py FILE WORLD`.

Devices are made up by XLA before it starts, hence a process of its own.
"""

import sys

import jax
import numpy as np

from tests.train.conftest import QUICK, params_with, raw
from tests.train.noise import NUMBERS, Noise, noise_shape
from tests.train.probes import Opposites, probe_shape
from townlet_jax.train import lanes

SIZES = {"num_towns": 16, "num_groups": 8, "num_mini_batches": 2, "updates_per_chunk": 3}
WORLDS = {
    "noise": (Noise(), noise_shape(Noise(), num_steps=8, **SIZES), NUMBERS),
    "opposites": (Opposites(), probe_shape(Opposites(), num_epochs=2, **SIZES), ()),
}


def main(path: str, name: str) -> None:
    """Does three updates of a single lane and stores every leaf and metric."""
    lanes.compiler_options = lambda *_: QUICK
    world, shape, numbers = WORLDS[name]
    params = lanes.stack_params([params_with()])
    learner = lanes.start(world, shape, [3], numbers, params)
    assert lanes.most_devices(shape, 1) == jax.device_count()
    learner, metrics = lanes.train(world, shape, learner, numbers, params)
    leaves = jax.tree_util.tree_leaves_with_path((learner, metrics))
    np.savez(path, **{jax.tree_util.keystr(place): np.asarray(raw(x)) for place, x in leaves})


if __name__ == "__main__":
    main(*sys.argv[1:])
