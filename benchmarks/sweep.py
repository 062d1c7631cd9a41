"""A sweep in one program, beside a process per setting and beside compiling for every setting."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import cores

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "configs/tiny.yaml"
PATH, DEFAULT = "queue_fairness.cooldown_ticks", 60
SETTINGS, SEEDS, DAYS = 256, 4, 10
QUICK_SETTINGS = 64
RUNS = 3
"""Settings that are run in a process of their own, and compiled for on their own."""
REJIT = """
import json, sys, time
sys.path.insert(0, ".")
from launch.flags import set_cpu_defaults, set_host_devices
set_cpu_defaults(); set_host_devices(int(sys.argv[5]))
import jax
from townlet_jax.config import load
from townlet_jax.ops.evaluation import figures
from townlet_jax.train import evaluate
seconds = []
for value in json.loads(sys.argv[1]):
    jax.clear_caches(); evaluate._runner.cache_clear()
    start = time.perf_counter()
    town = load(sys.argv[2], [f"{sys.argv[3]}={value}"])
    days, seeds = json.loads(sys.argv[4])
    mind = evaluate.Mind("scripted")
    figures(town, "scripted", [evaluate.evaluate(town, mind, range(10_000, 10_000 + seeds), days)])
    seconds.append(time.perf_counter() - start)
print(json.dumps(seconds))
"""


def measure(is_quick: bool) -> dict[str, object]:
    """Times the sweep as a whole, and some of its settings in the two other ways.

    The sweep starts cold: start-up, checks, compiling, running, writing. A process per setting
    finds its program in the compilation cache; `cold` is what the first takes, which does not.
    """
    number = QUICK_SETTINGS if is_quick else SETTINGS
    values = [round(i * 600 / (number - 1)) for i in range(number)]
    some = values[:: max(1, number // RUNS)][:RUNS]
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder) / "sweep.yaml"
        sweep.write_text(
            f"name: benchmark\ngrid: {{{PATH}: {values}}}\nseeds: {SEEDS}\n"
            f"evaluate: {{towns: 1, days: {DAYS}}}\n"
        )
        args = [CONFIG, f"--sweep={sweep}", f"--workdir={folder}/out", "--quiet"]
        whole = _seconds("launch/sweep.py", args, f"{folder}/cold")
        single = [
            _seconds("launch/evaluate.py", _single(value), f"{folder}/warm")
            for value in [DEFAULT, *some]
        ]
        rejit = _rejit(some)
    cold, *warm = single
    process, compiled = statistics.median(warm), statistics.median(rejit)
    row = {
        "benchmark": "sweep",
        "config": CONFIG,
        "settings": number,
        "seeds": SEEDS,
        "days": DAYS,
        "sweep_seconds": round(whole, 1),
        "town_ticks_per_second": round(number * SEEDS * DAYS * 1440 / whole),
        "process_seconds": round(process, 2),
        "process_spread": [round(min(warm), 2), round(max(warm), 2)],
        "process_cold_seconds": round(cold, 2),
        "rejit_seconds": round(compiled, 2),
        "rejit_spread": [round(min(rejit), 2), round(max(rejit), 2)],
    }
    ratios = {
        "processes_over_sweep": round(process * number / whole, 1),
        "cold_processes_over_sweep": round(cold * number / whole, 1),
        "rejit_over_sweep": round(compiled * number / whole, 1),
    }
    return {"ratios": ratios, "rows": [row]}


def _single(value: int) -> list[str]:
    """Returns the arguments of an evaluation of one setting, in the towns of all its seeds."""
    return [CONFIG, f"--towns={SEEDS}", f"--days={DAYS}", f"--set={PATH}={value}", "--json"]


def _seconds(script: str, args: list[str], cache: str) -> float:
    """Times a process; `cache`: folder of compiled programs."""
    env = {**os.environ, "TOWNLET_CACHE": cache}
    env.pop("JAX_COMPILATION_CACHE_DIR", None)
    start = time.perf_counter()
    command = [sys.executable, script, *args]
    subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)
    return time.perf_counter() - start


def _rejit(values: list[int]) -> list[float]:
    """Times loading, compiling and running for each value in one process, without a cache."""
    given = [json.dumps(values), CONFIG, PATH, json.dumps([DAYS, SEEDS]), str(cores())]
    env = {name: x for name, x in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", REJIT, *given],
        cwd=ROOT, env=env, check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: list[float] = json.loads(done.stdout)
    return found
