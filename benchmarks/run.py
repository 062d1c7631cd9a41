"""Benchmarks: python benchmarks/run.py NAME... [--json] [--output FILE] [--quick].

`stepping` measures town-ticks per second on all cores, without and with rewards and observations.
`kernels` profiles the compiled tick kernel by kernel, with the lines they come from.
`phases` measures each phase of a tick alone, beside the bytes that it must move.
`first_tick` measures a first tick of a fresh process, with and without a warm compilation cache.
`ppo` measures training beside the same towns under random options, and its phases.
`blocks` measures what it costs that devices do not matter: groups of towns on one device.
`sweep` measures a sweep beside a process per setting and beside compiling for every setting.
`snapshots` measures what it costs a run to be saved every thousand ticks.
`watching` measures what it costs many towns that one of them is watched.
`calibration` measures one small case, by which two sittings can be compared.

Each figure is the median of several runs, taken in turn, so that noise disturbs all alike. What the
machine can do is measured in the same process. Every benchmark has a process of its own.

A file gets the calibration as well, by which `compare.py` compares it with another sitting. What it
holds of other benchmarks stays.
"""

import argparse
import importlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

NAMES = (
    "stepping", "kernels", "phases", "first_tick", "ppo", "blocks", "sweep", "snapshots",
    "watching", "calibration",
)  # fmt: skip


def main() -> int:
    """Runs benchmarks and prints or writes their rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--output", type=Path, help="file for the JSON object, written or updated")
    parser.add_argument("--quick", action="store_true", help="fewer cases and runs")
    arguments = parser.parse_args()
    if arguments.output is not None and not arguments.output.parent.is_dir():
        parser.error(f"--output: {arguments.output.parent}: no such folder")
    names, former = list(dict.fromkeys(arguments.names)), {}
    if arguments.output is not None:
        names += [name for name in ("calibration",) if name not in names]
        try:
            former = _former(arguments.output)
        except (OSError, ValueError, KeyError, TypeError) as error:
            parser.error(f"--output: {arguments.output}: not of this program ({error!r})")
    if len(names) == 1:
        found = {names[0]: _measure(names[0], arguments.quick)}
    else:
        found = {name: _apart(name, arguments.quick) for name in names}
    whole = {"schema": 1, "benchmarks": found}
    if arguments.output is not None:
        kept = {"schema": 1, "benchmarks": {**former, **found}}
        arguments.output.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(whole) if arguments.json else json.dumps(whole, indent=2))
    return 0


def _former(path: Path) -> dict[str, Any]:
    """Returns the benchmarks that a file holds, none if it does not exist."""
    if not path.exists():
        return {}
    held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    return dict(held)


def _measure(name: str, is_quick: bool) -> dict[str, Any]:
    """Runs a benchmark in this process."""
    found: dict[str, Any] = importlib.import_module(f"benchmarks.{name}").measure(is_quick)
    from benchmarks.machine import facts
    from benchmarks.timing import peak_bytes

    date = datetime.now(UTC).date().isoformat()
    return {"date": date, "machine": facts(), **found, "peak_bytes": peak_bytes()}


def _apart(name: str, is_quick: bool) -> dict[str, Any]:
    """Runs a benchmark in a process of its own: devices are made before jax starts."""
    print(f"{name} ...", file=sys.stderr)
    command = [sys.executable, __file__, name, "--json", *(["--quick"] if is_quick else [])]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)["benchmarks"][name]
    return found


if __name__ == "__main__":
    sys.exit(main())
