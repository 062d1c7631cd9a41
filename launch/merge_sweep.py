"""Puts the shares of a sweep together, once all of them are finished.

    python launch/merge_sweep.py out/fairness

Reads what `launch/sweep.py --share I/N --workdir out/fairness` left there for every I, and writes
results.csv, results.json, results.parquet (if pyarrow is there) and summary.csv, as a sweep in one
piece does.

Status 0: done; 2: bad usage, or shares that are missing, not finished or of different sweeps; 65: a
corrupt part.
"""

import sys
from pathlib import Path

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import Exit, UsageError, run
from townlet_jax.ops.sweep_results import write_all
from townlet_jax.ops.sweep_shares import merge
from townlet_jax.ops.sweep_table import sweep_table
from townlet_jax.ops.terminal import console

_WORKDIR = flags.DEFINE_string("workdir", None, "folder of the sweep")


def main(argv: list[str]) -> Exit:
    """Merges, writes and prints."""
    del argv
    if not _WORKDIR.value:
        raise UsageError("name the folder of a sweep")
    folder = Path(_WORKDIR.value).expanduser()
    about, rows = merge(folder)
    for path in write_all(folder, about, rows):
        print(f"wrote {path}", file=sys.stderr)
    console(sys.stdout).print(sweep_table(about, rows))
    return Exit.DONE


if __name__ == "__main__":
    run(main, positional="workdir")
