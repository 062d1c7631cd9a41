"""Seconds until the first tick of a fresh process, compilation included, and what is compiled."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.timing import in_turn
from launch.flags import set_cpu_defaults

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = [sys.executable, "launch/run_simulation.py", "--tick-limit=1", "--json"]
CONFIGS = ("tiny", "town")


def measure(is_quick: bool) -> dict[str, Any]:
    """Starts processes without a compilation cache, and with one that holds the program.

    Processor time is that of this process alone and is left out.
    """
    set_cpu_defaults()
    with tempfile.TemporaryDirectory() as folder:

        def start(name: str, cache: str) -> None:
            env = {**os.environ, "TOWNLET_CACHE": cache}
            env.pop("JAX_COMPILATION_CACHE_DIR", None)
            command = [*SCRIPT, f"configs/{name}.yaml"]
            subprocess.run(command, check=True, cwd=ROOT, env=env, capture_output=True)

        caches = {"cold": "off", "warm": folder}
        for name in CONFIGS:
            start(name, folder)
        runs = {
            (name, kind): lambda name=name, cache=cache: start(name, cache)
            for name in CONFIGS
            for kind, cache in caches.items()
        }
        timings = in_turn(runs, 1 if is_quick else 5)
    rows = [
        {
            "benchmark": "first_tick",
            "config": name,
            "cache": kind,
            "seconds": round(timing.seconds, 2),
            "spread": [round(timing.low, 2), round(timing.high, 2)],
            **(_program(name) if kind == "cold" else {}),
        }
        for (name, kind), timing in timings.items()
    ]
    return {"rows": rows}


def _program(name: str) -> dict[str, Any]:
    """Returns equations and compile seconds of a tick of one town, and bytes of its state."""
    import jax

    from townlet_jax.config import load
    from townlet_jax.env import batch

    town = load(ROOT / "configs" / f"{name}.yaml")
    towns = batch.start(town, 0, 1)

    def live(one: batch.Towns) -> batch.Towns:
        return batch.live(town.shape, "scripted", one, town.params, town.layout)[0]

    one = jax.tree.map(lambda x: x[0], towns)
    equations = count_equations(jax.make_jaxpr(live)(one).jaxpr)
    lowered = jax.jit(live, compiler_options=batch.compiler_options(1)).lower(one)
    start = time.perf_counter()
    lowered.compile()
    return {
        "equations": equations,
        "compile_seconds": round(time.perf_counter() - start, 2),
        "bytes_per_town": batch.state_bytes(towns.state),
    }


def count_equations(jaxpr: Any) -> int:
    """Counts the equations of a program and of the programs within it."""
    from jax.extend.core import jaxprs_in_params

    inner = (x for equation in jaxpr.eqns for x in jaxprs_in_params(equation.params))
    return len(jaxpr.eqns) + sum(map(count_equations, inner))
