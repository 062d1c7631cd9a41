"""Sweeps parameters: settings x seeds x towns in one program, a line of results for each lane.

    python launch/sweep.py configs/town.yaml --sweep configs/sweeps/queue_fairness.yaml --workdir s

Any number of a town or a learner can be swept; sizes go under `static` and are looped. Lanes of
mode simulate live under a built-in policy; those of mode train are trained, then evaluated in the
unmodified town. docs/sweeps.md describes the sweep file and the results.

--workdir receives a file for each finished part, and at the end results.csv, results.json,
results.parquet (if pyarrow is there) and summary.csv; --resume goes on where a sweep was stopped or
killed. --exact runs lanes one by one, each bit for bit as a single run.

--share 2/8 runs the second eighth of the settings, into a folder of its own in --workdir, and goes
on with it if it was begun; launch/merge_sweep.py puts the shares together. launch/slurm_sweep.py
does both on a cluster.

Status 0: done; 1: interrupted without a --workdir; 2: bad usage or input; 65: a corrupt part or
snapshot; 75: stopped by a signal after what is finished was saved, --resume goes on.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import Exit, UsageError, run, set_host_devices
from townlet_jax.config.sweep import Base
from townlet_jax.config.sweep_file import MAX_SEEDS, read_sweep
from townlet_jax.ops import closing
from townlet_jax.ops.sweep import Plan, SweepRun
from townlet_jax.ops.sweep_files import PLAN
from townlet_jax.ops.sweep_results import write_all
from townlet_jax.ops.sweep_shares import share_folder
from townlet_jax.ops.sweep_table import sweep_table
from townlet_jax.ops.terminal import console

_CONFIG = flags.DEFINE_string("config", None, "configuration file")
_SWEEP = flags.DEFINE_string("sweep", None, "sweep file")
_SET = flags.DEFINE_multi_string("set", [], "path=value, put on top of the configuration")
_STRICT = flags.DEFINE_boolean("strict", False, "refuse what is doubtful")
_SEEDS = flags.DEFINE_integer(
    "seeds", None, "lanes per setting; if not given, as in the sweep file", 1, MAX_SEEDS
)
_MODE = flags.DEFINE_enum(
    "mode", None, ["simulate", "train"], "what a lane does; if not given, as in the sweep file"
)
_WORKDIR = flags.DEFINE_string("workdir", None, "folder of the sweep; without it nothing is saved")
_RESUME = flags.DEFINE_boolean("resume", False, "go on with the sweep in --workdir")
_EXACT = flags.DEFINE_boolean("exact", False, "run lanes one by one, bit for bit as single runs")
_SHARE = flags.DEFINE_string("share", None, "I/N: run the I-th of N shares of the settings")
_QUIET = flags.DEFINE_boolean("quiet", False, "show no progress")
_JSON = flags.DEFINE_boolean("json", False, "print the results as one JSON object")


def main(argv: list[str]) -> Exit:
    """Sweeps, prints and writes."""
    del argv
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    set_host_devices(num_cores or 1)
    config, file = _CONFIG.value, _SWEEP.value
    if not config:
        raise UsageError("name a configuration file, with --config")
    if not file:
        raise UsageError("name a sweep file, with --sweep")
    if _RESUME.value and not _WORKDIR.value:
        raise UsageError("--resume needs --workdir")
    sweep = read_sweep(file)
    base = Base(config, _SET.value, _STRICT.value)
    mode = _MODE.value or sweep.file.mode
    is_scripted = mode == "simulate" and sweep.file.policy == "scripted"
    if is_scripted and base.town.shape.action_level == "primitive":
        raise UsageError("policy scripted acts at the option level; use random or idle")
    workdir = Path(_WORKDIR.value).expanduser() if _WORKDIR.value else None
    share, is_resumed = _share(len(sweep.settings)), _RESUME.value
    if share is not None and workdir is not None:
        workdir = share_folder(workdir, *share)
        is_resumed = (workdir / PLAN).exists()
    plan = Plan(
        mode=mode,
        num_seeds=_SEEDS.value or sweep.file.seeds,
        workdir=workdir,
        is_exact=_EXACT.value,
        is_resumed=is_resumed,
        share=share or (0, 1),
    )
    for line in () if _QUIET.value else closing.notes(base.town):
        print(line, file=sys.stderr)
    with SweepRun(base, sweep, plan, _say) as sweeping:
        is_complete = _until_signal(sweeping.run)
        if is_complete and plan.workdir is not None:
            for path in write_all(plan.workdir, sweeping.about, sweeping.rows):
                _say(f"wrote {path}")
    if _JSON.value:
        print(json.dumps({"about": sweeping.about, "rows": sweeping.rows}, indent=1))
    elif sweeping.rows:
        screen = console(sys.stdout)
        screen.print(sweep_table(sweeping.about, sweeping.rows))
    if is_complete:
        return Exit.DONE
    return Exit.CHECK_FAILED if plan.workdir is None else Exit.STOPPED


def _share(num_settings: int) -> tuple[int, int] | None:
    """Returns which share is to be run, from 0, and of how many; None if the whole sweep is."""
    if _SHARE.value is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", _SHARE.value)
    share, number = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= share <= number:
        raise UsageError(f"--share: {_SHARE.value!r} is not I/N with I in 1...N")
    if number > num_settings:
        raise UsageError(f"--share: {num_settings} setting(s) make {num_settings} share(s) at most")
    if not _WORKDIR.value:
        raise UsageError("--share needs --workdir")
    return share - 1, number


def _say(line: str) -> None:
    """Tells how far the sweep is."""
    if not _QUIET.value:
        print(line, file=sys.stderr, flush=True)


def _until_signal(work: Callable[[Callable[[], bool]], bool]) -> bool:
    """Runs to the end, or to a signal; returns whether all is done."""
    is_stopping = False

    def heed(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopping
        if is_stopping:
            raise KeyboardInterrupt
        is_stopping = True
        print("stopping after this call; once more stops at once", file=sys.stderr)

    former = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return work(lambda: is_stopping)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    run(main)
