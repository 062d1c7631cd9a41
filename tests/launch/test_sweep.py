"""`sweep` and `plot_sweep`: results, resume after a kill, and one line for whatever is wrong."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from townlet_jax.snapshots import store

ROOT = Path(__file__).parents[2]
TINY, PPO = "configs/tiny.yaml", "configs/train/ppo_tiny.yaml"
SCRIPT = [sys.executable, "launch/sweep.py"]
SMALL = [
    "--set=training.num_towns=4", "--set=training.num_steps=4", "--set=ppo.num_mini_batches=2",
    "--set=ppo.num_epochs=1", "--set=network.feature_hidden=16", "--set=network.gru_hidden=16",
    "--set=network.map_hidden=16", "--set=training.updates_per_chunk=1",
    "--set=training.num_updates=12", "--set=training.checkpoint_every=3",
]  # fmt: skip
TRAINED = """
name: rates
mode: train
seeds: 2
chunk: 1
grid: {ppo.learning_rate: [1.0e-3, 1.0e-4], rewards.social.C1_chat_base: [0.02]}
evaluate: {towns: 1, days: 1}
"""


def run(script: str, *args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, f"launch/{script}.py", *map(str, args)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)


def refused(done: subprocess.CompletedProcess[str], status: int = 2) -> str:
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1 and "Traceback" not in done.stderr, lines
    return lines[0]


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "sweep.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("grid: {queue_fairnes.cooldown_ticks: [1]}", "did you mean 'queue_fairness.cooldown_tic"),
        ("grid: {network.gru_hidden: [16]}", "is static: it decides gru_hidden"),
        ("grid: {queue_fairness.cooldown_ticks: [1, 700]}", "must be an int in 0...600, got 700"),
        ("grid: {ppo.gamma: [0.9]}", "has no effect on what the lanes of this sweep do"),
    ],
)
def test_bad_input_is_one_line(write, text, reason) -> None:
    assert reason in refused(run("sweep", TINY, "--sweep", write(text)))


def test_a_folder_that_is_damaged_or_used(write, tmp_path) -> None:
    from townlet_jax.ops.sweep_files import SweepFolder, part_path

    text = write("grid: {queue_fairness.cooldown_ticks: [1]}")
    folder = tmp_path / "out"
    with SweepFolder(folder, "k", {"name": "a", "paths": []}, False) as opened:
        opened.finish(0, [{"setting": 0, "seed": 0, "status": "done", "kpi.x": 1.0}])
    used = refused(run("sweep", TINY, "--sweep", text, "--workdir", folder))
    assert "add --resume" in used
    args = (TINY, "--sweep", text, "--workdir", folder, "--resume")
    assert "is another sweep" in refused(run("sweep", *args))
    part_path(folder, 0).write_text("setting")
    assert "delete it to have it computed again" in refused(run("plot_sweep", folder), 65)


def test_usage_is_told(tmp_path) -> None:
    assert "name a sweep file, with --sweep" in refused(run("sweep", TINY))
    told = refused(run("plot_sweep", tmp_path / "none"))
    assert "no such folder" in told


@pytest.mark.slow
def test_a_killed_sweep_loses_nothing_that_is_finished(write, tmp_path) -> None:
    """SIGKILL in the second part; resumed, the results equal those of an uninterrupted sweep."""
    args = [PPO, "--sweep", str(write(TRAINED)), *SMALL]
    folder = tmp_path / "killed"
    command = [*SCRIPT, *args, f"--workdir={folder}"]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 850
    while not (_saved(folder / "running" / "1") or running.poll() is not None):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=60)
    assert running.returncode == -signal.SIGKILL
    kept = (folder / "part-0.csv").read_text()
    assert len(kept.splitlines()) == 3 and not (folder / "part-1.csv").exists()
    done = run("sweep", *args, f"--workdir={folder}", "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert "part 0: finished before, 2 lanes" in done.stderr
    assert (folder / "part-0.csv").read_text() == kept
    whole = run("sweep", *args, f"--workdir={tmp_path / 'whole'}", "--quiet")
    assert whole.returncode == 0, whole.stderr
    left, right = (
        [_timeless(row) for row in csv.DictReader((path / "results.csv").open())]
        for path in (folder, tmp_path / "whole")
    )
    assert left == right and len(left) == 4
    assert json.loads(done.stdout)["rows"][0]["updates"] == 12
    drawn = run("plot_sweep", folder, "--figures=return_mean,kpi.self_sufficiency")
    assert drawn.returncode == 0, drawn.stderr
    assert (folder / "report.html").stat().st_size > 10_000


def _saved(folder: Path) -> bool:
    return folder.is_dir() and bool(store.steps(folder))


def _timeless(row: dict[str, str]) -> dict[str, str]:
    return {name: x for name, x in row.items() if name != "wall_sec"}
