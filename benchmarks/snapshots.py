"""What saving costs: a long run of 64 towns with and without a snapshot every thousand ticks."""

import os
import statistics
import tempfile
import time
from pathlib import Path

from launch.flags import set_cpu_defaults, set_host_devices
from townlet_jax.config import load
from townlet_jax.ops.simulation import Simulation, chunks
from townlet_jax.snapshots.saver import Saver

ROOT = Path(__file__).resolve().parents[1]
NUM_TOWNS, CADENCE, SAVES = 64, 1000, 5


def measure(is_quick: bool) -> dict[str, object]:
    """Lives blocks of ticks with and without saving in turn; the ratio is that of the medians.

    The last snapshot of a block is waited for, so that no block pays for another.
    """
    set_cpu_defaults()
    set_host_devices(os.cpu_count() or 1)
    town = load(ROOT / "configs" / "town.yaml")
    simulation = Simulation(town, "scripted", 0, NUM_TOWNS)

    def block(saver: Saver | None) -> float:
        start = time.perf_counter()
        for _ in range(SAVES):
            for length in chunks(CADENCE, num_towns=NUM_TOWNS):
                simulation.advance(length)
            if saver is not None:
                saver.save(simulation.towns, simulation.record())
        if saver is not None:
            saver.wait()
        return time.perf_counter() - start

    seconds: dict[str, list[float]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as folder, Saver(town, Path(folder)) as saver:
        block(saver)
        for _ in range(3 if is_quick else 16):
            seconds["without"].append(block(None))
            seconds["with"].append(block(saver))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "towns": NUM_TOWNS,
        "cadence_ticks": CADENCE,
        "seconds_per_1000_ticks": {name: round(x / SAVES, 4) for name, x in median.items()},
        "spread": {
            name: [round(min(values) / SAVES, 4), round(max(values) / SAVES, 4)]
            for name, values in seconds.items()
        },
        "cost": round(median["with"] / median["without"] - 1, 4),
    }
