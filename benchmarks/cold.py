"""Seconds until the first tick of a fresh process, compilation included."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = (
    "import sys, jax; from townlet_jax.config import load; from townlet_jax.env import batch\n"
    "town = load(sys.argv[1])\n"
    "towns = batch.start(town, 0, 1)\n"
    "jax.block_until_ready(batch.advance(town, 'scripted', towns, 1))\n"
)


def measure(is_quick: bool) -> dict[str, object]:
    """Starts a process per run, without a compilation cache, and takes medians."""
    env = {**os.environ, "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    env.pop("JAX_COMPILATION_CACHE_DIR", None)
    seconds: dict[str, list[float]] = {"tiny": [], "town": []}
    for _ in range(1 if is_quick else 3):
        for name, runs in seconds.items():
            path = str(ROOT / "configs" / f"{name}.yaml")
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", CODE, path], check=True, cwd=ROOT, env=env)
            runs.append(time.perf_counter() - start)
    return {
        "seconds_to_first_tick": {
            name: round(statistics.median(runs), 2) for name, runs in seconds.items()
        },
        "spread": {
            name: [round(min(runs), 2), round(max(runs), 2)] for name, runs in seconds.items()
        },
    }
