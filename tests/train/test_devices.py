import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
LIMIT_S = 240


@functools.cache
def trained(folder, num_devices, world):
    """Returns every leaf of a learner after three updates on so many devices, by its path."""
    path = folder / f"{world}-{num_devices}.npz"
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={num_devices}"
    command = [sys.executable, "-m", "tests.train.on_devices", str(path), world]
    subprocess.run(
        command, check=True, cwd=ROOT, env={**os.environ, "XLA_FLAGS": flags}, timeout=LIMIT_S
    )
    with np.load(path) as file:
        return dict(file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("devices")


@pytest.mark.parametrize("num_devices", [2, 8])
@pytest.mark.parametrize("world", ["noise", "opposites"])
def test_devices_live_the_same_lives(folder, num_devices, world):
    alone, spread = (trained(folder, n, world) for n in (1, num_devices))
    assert alone.keys() == spread.keys()
    for name, x in alone.items():
        if np.issubdtype(x.dtype, np.floating):
            np.testing.assert_allclose(spread[name], x, rtol=1e-3, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(spread[name], x, err_msg=name)


@pytest.mark.parametrize("num_devices", [2, 8])
@pytest.mark.parametrize("world", ["noise", "opposites"])
def test_devices_learn_the_same_bits(folder, num_devices, world):
    alone, spread = (trained(folder, n, world) for n in (1, num_devices))
    unequal = [name for name, x in alone.items() if not np.array_equal(x, spread[name])]
    assert not unequal
