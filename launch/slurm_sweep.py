"""Runs a sweep on a cluster with SLURM: an array of jobs, and a job that puts the results together.

    python launch/slurm_sweep.py configs/town.yaml --sweep configs/sweeps/queue_fairness.yaml \\
        --workdir out/fairness --tasks 8 --sbatch=--time=2:00:00 --sbatch=--cpus-per-task=16

Each task of the array runs `launch/sweep.py --share I/N` with the same Python and the same flags as
given here; when all are done, `launch/merge_sweep.py` writes the results into --workdir, which all
nodes must see. --sbatch passes an option on to sbatch for the tasks: time, partition, account,
processors, devices. Scripts and logs are in WORKDIR/slurm. --dry-run prints the scripts and submits
nothing.

Two minutes before its time is up, a task gets a signal and saves. The same command again goes on
with tasks that failed or ran out of time; so does a task that SLURM starts again. What is finished
is not computed twice.

Status 0: submitted; 1: sbatch refused; 2: bad usage or input, or there is no sbatch.
"""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import Exit, UsageError, run
from townlet_jax.config.sweep_file import MAX_SEEDS, read_sweep

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "slurm"

_CONFIG = flags.DEFINE_string("config", None, "configuration file")
_SWEEP = flags.DEFINE_string("sweep", None, "sweep file")
_SET = flags.DEFINE_multi_string("set", [], "path=value, put on top of the configuration")
_STRICT = flags.DEFINE_boolean("strict", False, "refuse what is doubtful")
_SEEDS = flags.DEFINE_integer("seeds", None, "as of launch/sweep.py", 1, MAX_SEEDS)
_MODE = flags.DEFINE_enum("mode", None, ["simulate", "train"], "as of launch/sweep.py")
_EXACT = flags.DEFINE_boolean("exact", False, "as of launch/sweep.py")
_WORKDIR = flags.DEFINE_string("workdir", None, "folder of the sweep, on a shared file system")
_TASKS = flags.DEFINE_integer("tasks", None, "tasks of the array, at most one per setting", 1)
_SBATCH = flags.DEFINE_multi_string("sbatch", [], "an option of sbatch, such as --partition=gpu")
_DRY_RUN = flags.DEFINE_boolean("dry_run", False, "print the scripts and submit nothing")


def main(argv: list[str]) -> Exit:
    """Writes the scripts and submits them."""
    del argv
    config, swept, workdir = (_path(flag) for flag in (_CONFIG, _SWEEP, _WORKDIR))
    sweep = read_sweep(swept)
    if _TASKS.value is None:
        raise UsageError("say over how many --tasks the settings are split")
    if _TASKS.value > len(sweep.settings):
        raise UsageError(f"--tasks: the sweep has {len(sweep.settings)} setting(s) to split")
    for option in _SBATCH.value:
        if not option.startswith("-") or "\n" in option:
            raise UsageError(f"--sbatch: {option!r} is no option, such as --partition=gpu")
    folder = workdir / FOLDER
    tasks, last = _tasks(folder, sweep.name, config, swept), _merge(folder, sweep.name)
    scripts = {"tasks": tasks, "merge": last}
    if _DRY_RUN.value:
        for name, script in scripts.items():
            print(f"# {folder / name}.sh\n{script}")
        return Exit.DONE
    if shutil.which("sbatch") is None:
        raise UsageError("there is no sbatch on the PATH; --dry-run prints what it would be given")
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in scripts.items():
        (folder / f"{name}.sh").write_text(script, encoding="utf-8")
    job = _submit(folder / "tasks.sh")
    if job is None:
        return Exit.CHECK_FAILED
    then = _submit(folder / "merge.sh", f"--dependency=afterok:{job}", "--kill-on-invalid-dep=yes")
    if then is None:
        print(f"job {job} runs; merge its results with launch/merge_sweep.py", file=sys.stderr)
        return Exit.CHECK_FAILED
    print(f"job {job}: {_TASKS.value} task(s); job {then} merges them; logs are in {folder}")
    return Exit.DONE


def _path(flag: flags.FlagHolder[str | None]) -> Path:
    """Returns the file or folder that a flag names, from the root."""
    if not flag.value:
        raise UsageError(f"--{flag.name} is missing")
    return Path(flag.value).expanduser().absolute()


def _tasks(folder: Path, name: str, config: Path, swept: Path) -> str:
    """Writes the script of the array."""
    flags_of_sweep = [str(config), f"--sweep={swept}", f"--workdir={folder.parent}"]
    flags_of_sweep += [f"--set={value}" for value in _SET.value]
    for flag in (_SEEDS, _MODE):
        flags_of_sweep += [] if flag.value is None else [f"--{flag.name}={flag.value}"]
    flags_of_sweep += [f"--{flag.name}" for flag in (_STRICT, _EXACT) if flag.value]
    number = _TASKS.value
    return _script(
        [
            f"--job-name={shlex.quote(f'townlet-{name}')}",
            f"--array=1-{number}",
            f"--output={shlex.quote(f'{folder}/task-%a.log')}",
            "--open-mode=append",
            "--requeue",
            "--signal=B:TERM@120",
            *_SBATCH.value,
        ],
        f"exec {_python('sweep', *flags_of_sweep)} --share=\"$SLURM_ARRAY_TASK_ID/{number}\"",
    )


def _merge(folder: Path, name: str) -> str:
    """Writes the script of the job that puts the results together."""
    options = [
        f"--job-name={shlex.quote(f'townlet-{name}-merge')}",
        f"--output={shlex.quote(f'{folder}/merge.log')}",
    ]
    kept = ("-A", "--account", "-p", "--partition", "-q", "--qos")
    options += [option for option in _SBATCH.value if option.split("=")[0] in kept]
    return _script(options, f"exec {_python('merge_sweep', str(folder.parent))}")


def _script(options: list[str], command: str) -> str:
    lines = ["#!/usr/bin/env bash", *(f"#SBATCH {option}" for option in options)]
    return "\n".join([*lines, command, ""])


def _python(script: str, *args: str) -> str:
    return shlex.join([sys.executable, str(ROOT / "launch" / f"{script}.py"), *args])


def _submit(script: Path, *options: str) -> str | None:
    """Submits a script; returns the number of the job, None if it was refused."""
    command = ["sbatch", "--parsable", *options, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"status {done.returncode}"
        print(f"slurm_sweep.py: sbatch refused {script}: {reason}", file=sys.stderr)
        return None
    return done.stdout.strip().split(";")[0]


if __name__ == "__main__":
    run(main)
