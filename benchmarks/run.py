"""Benchmarks: python benchmarks/run.py stepping|cold [--json] [--quick].

`stepping` measures town-ticks per second without observations: random options, all cores.
`cold` measures a first tick from a cold start in a process of its own, compilation included.
Each figure is the median of several runs, taken in turn, so that noise disturbs all alike.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from launch.flags import set_cpu_defaults, set_host_devices  # noqa: E402

TICKS = 100
RUNS = 5


def stepping(is_quick: bool) -> dict[str, object]:
    """Returns town-ticks per second by number and size of towns, and the cost per resident."""
    set_cpu_defaults()
    set_host_devices(os.cpu_count() or 1)
    import jax

    from townlet_jax.config import load
    from townlet_jax.env import batch

    path = ROOT / "configs" / "town.yaml"
    cases = {
        f"{num_towns} towns of {num_agents}": (num_agents, num_towns, "random")
        for num_agents, num_towns in ((8, 1), (8, 64), (8, 1024), (8, 4096), (32, 256), (64, 64))
    }
    for policy in ("idle", "scripted"):
        cases[f"1024 towns of 8, {policy}"] = (8, 1024, policy)
    if is_quick:
        kept = ("1024 towns of 8", "1024 towns of 8, idle", "256 towns of 32")
        cases = {name: cases[name] for name in kept}
    towns, rates = {}, {name: [] for name in cases}
    for name, (num_agents, num_towns, policy) in cases.items():
        town = load(path, [f"world.max_agents={num_agents}"])
        started = batch.advance(town, policy, batch.start(town, 0, num_towns), 10)
        towns[name] = town, jax.block_until_ready(started)
    for _ in range(RUNS):
        for name, (_, num_towns, policy) in cases.items():
            town, state = towns[name]
            start = time.perf_counter()
            towns[name] = town, jax.block_until_ready(batch.advance(town, policy, state, TICKS))
            rates[name].append(num_towns * TICKS / (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    small, large = medians["1024 towns of 8"] * 8, medians["256 towns of 32"] * 32
    return {
        "backend": jax.default_backend(),
        "devices": jax.device_count(),
        "town_ticks_per_second": {name: round(value) for name, value in medians.items()},
        "spread": {name: [round(min(v)), round(max(v))] for name, v in rates.items()},
        "cost_per_resident_32_over_8": round(small / large, 3),
        "state_bytes_per_town": batch.state_bytes(towns["1024 towns of 8"][1]) // 1024,
    }


def cold(is_quick: bool) -> dict[str, object]:
    """Returns seconds until the first tick of a fresh process without a compilation cache."""
    code = (
        "import sys, jax; from townlet_jax.config import load; from townlet_jax.env import batch\n"
        "town = load(sys.argv[1])\n"
        "towns = batch.start(town, 0, 1)\n"
        "jax.block_until_ready(batch.advance(town, 'scripted', towns, 1))\n"
    )
    seconds: dict[str, float] = {}
    for name in ("tiny", "town"):
        runs = []
        for _ in range(1 if is_quick else 3):
            start = time.perf_counter()
            env = {**os.environ, "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
            env.pop("JAX_COMPILATION_CACHE_DIR", None)
            path = str(ROOT / "configs" / f"{name}.yaml")
            subprocess.run([sys.executable, "-c", code, path], check=True, cwd=ROOT, env=env)
            runs.append(time.perf_counter() - start)
        seconds[name] = round(statistics.median(runs), 2)
    return {"seconds_to_first_tick": seconds}


def main() -> int:
    """Runs one benchmark and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["stepping", "cold"])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer cases and runs")
    arguments = parser.parse_args()
    figures = {"stepping": stepping, "cold": cold}[arguments.name](arguments.quick)
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
