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
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from launch.flags import set_cpu_defaults, set_host_devices  # noqa: E402

NO_POLICY = "no policy"
TICKS = 100
RUNS = 5


def stepping(is_quick: bool) -> dict[str, object]:
    """Returns town-ticks per second by number and size of towns, and the cost per resident."""
    set_cpu_defaults()
    set_host_devices(os.cpu_count() or 1)
    import jax
    import jax.numpy as jnp

    from townlet_jax.config import load
    from townlet_jax.config.layout import TownLayout
    from townlet_jax.config.params import TownParams
    from townlet_jax.config.town import Town
    from townlet_jax.env import batch
    from townlet_jax.state import TownState
    from townlet_jax.town.step import step

    def under_policy(town: Town, policy: str, num_towns: int) -> Callable[[int], None]:
        towns = batch.start(town, 0, num_towns)

        def run(num_ticks: int) -> None:
            nonlocal towns
            towns = jax.block_until_ready(batch.advance(town, policy, towns, num_ticks))

        return run

    def no_policy(town: Town, _: str, num_towns: int) -> Callable[[int], None]:
        """The step alone: everybody holds on to an option of its own."""
        state = batch.start(town, 0, num_towns).state
        actions = jnp.arange(town.shape.num_agents, dtype=jnp.int32) % town.shape.num_actions

        def live_one(state: TownState, params: TownParams, layout: TownLayout) -> TownState:
            return step(town.shape, state, actions, None, params, layout)[0]

        num_devices = batch.most_devices(num_towns)
        loop = batch.loop(live_one, num_devices, num_towns // num_devices)

        def run(num_ticks: int) -> None:
            nonlocal state
            state = loop(state, jnp.int32(num_ticks), town.params, town.layout)
            jax.block_until_ready(state)

        return run

    path = ROOT / "configs" / "town.yaml"
    cases = {
        f"{num_towns} towns of {num_agents}": (num_agents, num_towns, "random")
        for num_agents, num_towns in ((8, 1), (8, 64), (8, 1024), (8, 4096), (32, 256), (64, 64))
    }
    for policy in (NO_POLICY, "idle", "scripted"):
        cases[f"1024 towns of 8, {policy}"] = (8, 1024, policy)
    if is_quick:
        kept = ("1024 towns of 8", f"1024 towns of 8, {NO_POLICY}", "256 towns of 32")
        cases = {name: cases[name] for name in kept}
    runs, rates = {}, {name: [] for name in cases}
    for name, (num_agents, num_towns, policy) in cases.items():
        town = load(path, [f"world.max_agents={num_agents}"])
        runs[name] = (no_policy if policy == NO_POLICY else under_policy)(town, policy, num_towns)
        runs[name](10)
    for _ in range(RUNS):
        for name, (_, num_towns, _) in cases.items():
            start = time.perf_counter()
            runs[name](TICKS)
            rates[name].append(num_towns * TICKS / (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    small, large = medians["1024 towns of 8"] * 8, medians["256 towns of 32"] * 32
    return {
        "backend": jax.default_backend(),
        "devices": jax.device_count(),
        "town_ticks_per_second": {name: round(value) for name, value in medians.items()},
        "spread": {name: [round(min(v)), round(max(v))] for name, v in rates.items()},
        "cost_per_resident_32_over_8": round(small / large, 3),
        "state_bytes_per_town": batch.state_bytes(batch.start(load(path), 0, 1)),
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
