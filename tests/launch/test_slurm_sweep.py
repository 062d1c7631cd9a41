"""`slurm_sweep` and `merge_sweep`, with a scheduler made of a script on the PATH."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.test_sweep import ROOT, TINY, refused, run

SWEEP = """
name: meal prices
seeds: 1
grid: {economy.prices.meal: [0.2, 0.3, 0.4]}
evaluate: {towns: 1, days: 1}
"""
SHORT = ["--set=time.ticks_per_day=120", "--set=jobs.shopkeeper.start_tick=20",
         "--set=jobs.shopkeeper.end_tick=60"]  # fmt: skip
SCHEDULER = r"""#!/usr/bin/env bash
# Runs a job at once: every task of its array in turn. Notes what it was given.
echo "$*" >> "$(dirname "$0")/calls"
script=${!#}
grep -q -- '--partition=none' "$script" && { echo "invalid partition" >&2; exit 1; }
array=$(sed -n 's/^#SBATCH --array=1-//p' "$script")
status=0
for ((task = 1; task <= ${array:-1}; task++)); do
  output=$(sed -n 's/^#SBATCH --output=//p' "$script" | xargs printf %s)
  [[ "${NO_WORK:-}" ]] || SLURM_ARRAY_TASK_ID=$task bash "$script" >>"${output//%a/$task}" 2>&1 \
    || status=$?
done
echo "$status" >> "$(dirname "$0")/statuses"
echo "$(wc -l < "$(dirname "$0")/calls");cluster"
"""


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sbatch").write_text(SCHEDULER)
    (folder / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(SWEEP)
    return path


def test_scripts_are_printed_and_nothing_is_written(sweep, tmp_path):
    folder = tmp_path / "out"
    done = run("slurm_sweep", TINY, "--sweep", sweep, "--workdir", folder, "--tasks=3",
               "--sbatch=--partition=cpu", "--sbatch=--cpus-per-task=4", "--seeds=2", "--dry-run",
               "--set=economy.prices.meal=1")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    tasks, merge = done.stdout.split(f"# {folder}/slurm/merge.sh\n")
    for line in ("--array=1-3", "--partition=cpu", "--cpus-per-task=4", "--signal=B:TERM@120"):
        assert f"#SBATCH {line}\n" in tasks
    assert '--seeds=2 --share="$SLURM_ARRAY_TASK_ID/3"\n' in tasks
    assert f"{sys.executable} {ROOT}/launch/sweep.py {ROOT}/{TINY} " in tasks
    assert "#SBATCH --partition=cpu\n" in merge and "cpus-per-task" not in merge
    assert f"launch/merge_sweep.py {folder}\n" in merge
    for script in (tasks, merge):
        assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    assert not folder.exists()


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--workdir=w", "--tasks=4"], "the sweep has 3 setting(s) to split"),
        (["--workdir=w"], "say over how many --tasks"),
        (["--tasks=2"], "--workdir is missing"),
        (["--workdir=w", "--tasks=2", "--sbatch=gpu"], "'gpu' is no option"),
        (["--workdir=w", "--tasks=2"], "there is no sbatch on the PATH"),
    ],
)
def test_bad_usage_is_one_line(sweep, args, reason, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert reason in refused(run("slurm_sweep", TINY, "--sweep", sweep, *args))


def test_jobs_are_submitted_and_refusals_told(sweep, tmp_path, scheduler, monkeypatch):
    monkeypatch.setenv("NO_WORK", "yes")
    args = [TINY, "--sweep", sweep, "--workdir", tmp_path / "out", "--tasks=2"]
    done = run("slurm_sweep", *args)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("job 1: 2 task(s); job 2 merges them")
    first, second = (scheduler / "calls").read_text().splitlines()
    assert first == f"--parsable {tmp_path}/out/slurm/tasks.sh"
    assert second.startswith("--parsable --dependency=afterok:1 --kill-on-invalid-dep=yes ")
    line = refused(run("slurm_sweep", *args, "--sbatch=--partition=none"), 1)
    assert line.endswith("tasks.sh: invalid partition")


@pytest.mark.slow
def test_tasks_do_their_shares_and_results_are_those_of_one_piece(sweep, tmp_path, scheduler):
    args = [TINY, "--sweep", sweep, "--exact", *SHORT]
    folder = tmp_path / "out of the way"
    done = run("slurm_sweep", *args, "--workdir", folder, "--tasks=2")
    logs = [path.read_text() for path in sorted((folder / "slurm").glob("*.log"))]
    assert done.returncode == 0, done.stderr
    assert (scheduler / "statuses").read_text() == "0\n0\n", logs
    whole = run("sweep", *args, "--workdir", tmp_path / "whole", "--quiet")
    assert whole.returncode == 0, whole.stderr
    left, right = (timeless(path / "results.csv") for path in (folder, tmp_path / "whole"))
    assert left == right and len(left) == 3
    again = run("slurm_sweep", *args, "--workdir", folder, "--tasks=2")
    assert again.returncode == 0, again.stderr
    assert "finished before" in (folder / "slurm" / "task-2.log").read_text()


def timeless(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return [{k: x for k, x in row.items() if k != "wall_sec"} for row in csv.DictReader(file)]


def test_shares_that_cannot_be_are_refused(sweep, tmp_path):
    args = [TINY, "--sweep", sweep, "--workdir", tmp_path / "out"]
    assert "'3/2' is not I/N" in refused(run("sweep", *args, "--share=3/2"))
    assert "3 setting(s) make 3 share(s) at most" in refused(run("sweep", *args, "--share=1/4"))
    assert "--share needs --workdir" in refused(run("sweep", *args[:-2], "--share=1/2"))
    assert "no such folder" in refused(run("merge_sweep", tmp_path / "none"))
