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
NUM_TOWNS, CADENCE = 64, 1000


def measure(is_quick: bool) -> dict[str, object]:
    """Runs in turn with and without, and takes medians; the first run of each is not counted."""
    set_cpu_defaults()
    set_host_devices(os.cpu_count() or 1)
    num_ticks, num_runs = (2_000, 2) if is_quick else (10_000, 6)
    overrides = [f"snapshot.autosave.cadence_ticks={CADENCE}"]
    town = load(ROOT / "configs" / "town.yaml", overrides)
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(num_runs):
        for name, runs in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                simulation = Simulation(town, "scripted", 0, NUM_TOWNS)
                start = time.perf_counter()
                with Saver(town, Path(folder)) as saver:
                    for length in chunks(num_ticks, CADENCE, num_towns=NUM_TOWNS):
                        simulation.advance(length)
                        if name == "with" and simulation.num_ticks % CADENCE == 0:
                            saver.save(simulation.towns, simulation.record())
                    saver.wait()
                runs.append(time.perf_counter() - start)
    pairs = zip(*(runs[1:] for runs in seconds.values()), strict=True)
    ratios = [with_ / without for without, with_ in pairs]
    return {
        "towns": NUM_TOWNS,
        "ticks": num_ticks,
        "cadence_ticks": CADENCE,
        "seconds": {name: [round(x, 3) for x in runs[1:]] for name, runs in seconds.items()},
        "cost": round(statistics.median(ratios) - 1, 4),
        "spread": [round(min(ratios) - 1, 4), round(max(ratios) - 1, 4)],
    }
