"""What saving costs: a long run of 64 towns with and without a snapshot every thousand ticks."""

import tempfile
from pathlib import Path

from benchmarks.machine import cores
from benchmarks.timing import in_turn
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
    set_host_devices(cores())
    town = load(ROOT / "configs" / "town.yaml")
    simulation = Simulation(town, "scripted", 0, NUM_TOWNS)

    def block(saver: Saver | None) -> None:
        for _ in range(SAVES):
            for length in chunks(CADENCE, num_towns=NUM_TOWNS):
                simulation.advance(length)
            if saver is not None:
                saver.save(simulation.towns, simulation.record())
        if saver is not None:
            saver.wait()

    with tempfile.TemporaryDirectory() as folder, Saver(town, Path(folder)) as saver:
        block(saver)
        blocks = {"without": lambda: block(None), "with": lambda: block(saver)}
        timings = in_turn(blocks, 3 if is_quick else 16)
    rows = [
        {
            "benchmark": "snapshots",
            "saved": name,
            "towns": NUM_TOWNS,
            "cadence_ticks": CADENCE,
            "seconds_per_1000_ticks": round(timing.seconds / SAVES, 4),
            "spread": [round(timing.low / SAVES, 4), round(timing.high / SAVES, 4)],
            "cpu_seconds": round(timing.cpu_seconds / SAVES, 4),
        }
        for name, timing in timings.items()
    ]
    cost = timings["with"].seconds / timings["without"].seconds - 1
    return {"ratios": {"cost_of_saving": round(cost, 4)}, "rows": rows}
