"""What it costs many towns that one of them is watched: its events are kept and told."""

from pathlib import Path
from typing import Any

from benchmarks.machine import cores
from benchmarks.timing import in_turn
from launch.flags import set_cpu_defaults, set_host_devices

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "town.yaml"
TOWNS, TICKS, RUNS = 1024, 360, 7


def measure(is_quick: bool) -> dict[str, Any]:
    """Lives the same ticks of two batches in turn, of which one has a listener."""
    set_cpu_defaults()
    set_host_devices(cores())
    import jax

    from townlet_jax.config import load
    from townlet_jax.ops.simulation import Simulation

    town = load(CONFIG)
    heard: list[Any] = []
    batches = {
        "nobody": Simulation(town, "scripted", 0, TOWNS),
        "one town": Simulation(town, "scripted", 0, TOWNS, listener=heard.extend),
    }

    def live(batch: Simulation) -> None:
        batch.advance(TICKS)
        jax.block_until_ready(batch.towns)

    for batch in batches.values():
        live(batch)
    timings = in_turn(
        {name: lambda batch=batch: live(batch) for name, batch in batches.items()},
        3 if is_quick else RUNS,
    )
    rows = []
    for name, timing in timings.items():
        rates = timing.rates(TOWNS * TICKS)
        rows.append(
            {
                "benchmark": "watching",
                "watched": name,
                "towns": TOWNS,
                "residents": town.shape.num_agents,
                "town_ticks_per_second": rates.pop("per_second"),
                **rates,
            }
        )
    cost = timings["one town"].seconds / timings["nobody"].seconds - 1
    ratios = {
        "cost_of_watching": round(cost, 4),
        "records_per_tick": round(len(heard) / (TICKS * (1 + (3 if is_quick else RUNS))), 2),
    }
    return {"ratios": ratios, "rows": rows}
