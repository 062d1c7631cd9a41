"""Compares this machine with a committed sitting: python benchmarks/compare.py [FILE].

Runs the calibration and prints how many times the loops of the same process a batch of towns takes,
then and now. A ratio above 1 means slower than then, whatever the machine. It is a report: shared
machines differ by a fifth from one minute to the next, and the status is 0 whatever it says.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

BASELINE = ROOT / "docs" / "results" / "bench-cpu2.json"


def main() -> int:
    """Runs the calibration, reads the other one, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("baseline", nargs="?", type=Path, default=BASELINE, help="of run.py")
    arguments = parser.parse_args()
    try:
        then = rows_of(json.loads(arguments.baseline.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError) as error:
        parser.error(f"{arguments.baseline}: holds no calibration ({error!r})")
    from benchmarks import calibration

    for line in lines(then, {row["run"]: row for row in calibration.measure(True)["rows"]}):
        print(line)
    return 0


def rows_of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the rows of the calibration by what was run.

    Raises:
      KeyError: there are none.
    """
    return {row["run"]: row for row in found["benchmarks"]["calibration"]["rows"]}


def lines(then: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """Returns a line for each run that both sittings have."""
    told = [f"{'run':10} {'then':>8} {'now':>8} {'ratio':>6}   (times the loops)"]
    for name in (name for name in now if name in then):
        before, after = then[name]["over_loops"], now[name]["over_loops"]
        told.append(f"{name:10} {before:8.3f} {after:8.3f} {after / before:6.2f}")
    return told


if __name__ == "__main__":
    sys.exit(main())
