"""Where a tick goes, kernel by kernel, as the profiler of the library saw it.

A loop of many towns on one device is traced, which slows small kernels most. Each kernel is named
with its time per town and tick and with the line of the town that it was compiled from: the
innermost one outside `masked.py`, whose helpers serve all rules, and the rule that called it.
"""

import collections
import gzip
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.stepping import Case, loop_of
from launch.flags import set_cpu_defaults, set_host_devices

CASES = {
    "step": Case(towns=512),
    "hybrid": Case(towns=512, observation="hybrid", has_rewards=True),
    "step, 64 slots": Case(towns=64, residents=64),
}
TICKS, MOST_NAMED = 20, 25
"""Ticks that are traced, and kernels that are named of each case."""
PACKAGE = "/townlet_jax/"
TABLES = ("FileNames", "FunctionNames", "FileLocations", "StackFrames")
"""Sections of a printed program that say where its instructions come from."""


def measure(is_quick: bool) -> dict[str, Any]:
    """Profiles the cases on one device, the first two if in a hurry."""
    set_cpu_defaults()
    set_host_devices(1)
    rows = []
    for name, case in list(CASES.items())[: 2 if is_quick else None]:
        times, compiled = _profile(case)
        sources = Sources(compiled.as_text())
        total = sum(times.values())
        ordered = sorted(times.items(), key=lambda item: -item[1])
        per_town = 1 / (TICKS * case.towns)
        rows.append(
            {
                "benchmark": "kernels",
                "case": name,
                "towns": case.towns,
                "residents": case.residents,
                "kernels": len(times),
                "operations_per_town": round(compiled.cost_analysis()["flops"] / case.towns),
                "ns_per_town": round(total * per_town),
                "median_ns_per_town": round(ordered[len(ordered) // 2][1] * per_town, 1),
                "share_of_ten_largest": round(sum(x for _, x in ordered[:10]) / total, 3),
                "largest": [
                    {"ns_per_town": round(x * per_town), "line": sources.line(kernel)}
                    for kernel, x in ordered[:MOST_NAMED]
                ],
            }
        )
    return {"rows": rows}


def _profile(case: Case) -> tuple[dict[str, float], Any]:
    """Returns nanoseconds by kernel in `TICKS` ticks, and the compiled program."""
    import jax
    import jax.numpy as jnp

    loop, carry, numbers = loop_of(case, num_devices=1)
    compiled = loop.lower(carry, jnp.int32(1), *numbers).compile()
    carry = jax.block_until_ready(loop(carry, jnp.int32(TICKS), *numbers))
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(loop(carry, jnp.int32(TICKS), *numbers))
        (path,) = Path(folder).rglob("*.trace.json.gz")
        with gzip.open(path) as file:
            events = json.load(file)["traceEvents"]
    # A program is told with its instructions; the threads that wait for it are told, too.
    known = set(re.findall(r"^ +(?:ROOT )?%?([\w.\-]+) = ", compiled.as_text(), re.MULTILINE))
    times: collections.Counter[str] = collections.Counter()
    calls: collections.Counter[str] = collections.Counter()
    for event in events:
        if event.get("ph") == "X" and event["name"] in known:
            times[event["name"]] += 1000 * event["dur"]
            calls[event["name"]] += 1
    # What is called less often than once a tick is not part of it, and loops contain others.
    parts = (x for x in times if calls[x] >= TICKS and not x.startswith("while"))
    return {kernel: times[kernel] for kernel in parts}, compiled


class Sources:
    """Lines of the source by kernel of a printed program."""

    def __init__(self, program: str):
        """Reads the tables of a program.

        Args:
          program: text of a compiled program.
        """
        self._tables: dict[str, dict[int, str]] = {name: {} for name in TABLES}
        current: dict[int, str] | None = None
        for text in program.splitlines():
            current = self._tables.get(text, current)
            found = re.match(r"(\d+) (.*)", text)
            if current is not None and found:
                current[int(found[1])] = found[2]
        kernels = r"([\w.\-]+) = [^\n]*stack_frame_id=(\d+)"
        self._frames = {name: int(frame) for name, frame in re.findall(kernels, program)}

    def line(self, kernel: str) -> str:
        """Returns `file:line < file:line`, what a kernel computes and for whom, or nothing."""
        lines = [x for x in self._stack(self._frames.get(kernel, 0)) if PACKAGE in x]
        lines = [x.partition(PACKAGE)[2] for x in lines]
        own = [x for x in lines if not x.startswith(("masked.py", "env/"))]
        return " < ".join((own or lines)[:2])

    def _stack(self, frame: int) -> Iterator[str]:
        """Yields `file:line` from the innermost call outwards."""
        while frame:
            entry = _numbers(self._tables["StackFrames"][frame])
            place = _numbers(self._tables["FileLocations"][entry["file_location_id"]])
            file = self._tables["FileNames"][place["file_name_id"]].strip('"')
            yield f"{file}:{place['line']}"
            parent = entry.get("parent_frame_id", 0)
            frame = 0 if parent == frame else parent


def _numbers(entry: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", entry)}
