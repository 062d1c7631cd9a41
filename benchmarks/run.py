"""Benchmarks: python benchmarks/run.py stepping|cold|snapshots|ppo|blocks|sweep [--json] [--quick].

`stepping` measures town-ticks per second on all cores, without and with rewards and observations.
`cold` measures a first tick from a cold start in a process of its own, compilation included.
`snapshots` measures what it costs a run to be saved every thousand ticks.
`ppo` measures training beside the same towns under random options, and its phases.
`blocks` measures what it costs that devices do not matter: groups of towns on one device.
`sweep` measures a sweep beside a process per setting and beside compiling for every setting.
Each figure is the median of several runs, taken in turn, so that noise disturbs all alike.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> int:
    """Runs one benchmark and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["stepping", "cold", "snapshots", "ppo", "blocks", "sweep"])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer cases and runs")
    arguments = parser.parse_args()
    figures = importlib.import_module(f"benchmarks.{arguments.name}").measure(arguments.quick)
    print(json.dumps(figures) if arguments.json else json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
