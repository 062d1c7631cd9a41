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

from tests.launch.scripts import launch

ROOT = Path(__file__).parents[2]
TINY = "configs/tiny.yaml"
SCRIPT = [sys.executable, "launch/sweep.py"]
SHORT = [
    "--set=time.ticks_per_day=120", "--set=jobs.shopkeeper.start_tick=20",
    "--set=jobs.shopkeeper.end_tick=60",
]  # fmt: skip
"""Short days, which are quickly lived."""
MANY = """
name: many
seeds: 2
chunk: 1
grid: {queue_fairness.cooldown_ticks: {linspace: [0, 80, 41]}}
evaluate: {towns: 1, days: 2}
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
        pytest.param(
            "grid: {network.gru_hidden: [16]}",
            "is static: it decides gru_hidden",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "grid: {queue_fairness.cooldown_ticks: [1, 700]}",
            "must be an int in 0...600, got 700",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "grid: {ppo.entropy_coef: [0.01]}",
            "has no effect on what the lanes of this sweep do",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_bad_input_is_one_line(write, text, reason) -> None:
    assert reason in refused(launch("sweep", TINY, "--sweep", write(text)))


@pytest.mark.slow
def test_a_folder_that_is_damaged_or_used(write, tmp_path) -> None:
    from townlet_jax.ops.sweep_files import SweepFolder, part_path

    text = write("grid: {queue_fairness.cooldown_ticks: [1]}")
    folder = tmp_path / "out"
    with SweepFolder(folder, "k", {"name": "a", "paths": []}, False) as opened:
        opened.finish(0, [{"setting": 0, "seed": 0, "status": "done", "kpi.x": 1.0}])
    used = refused(run("sweep", TINY, "--sweep", text, "--workdir", folder))
    assert "add --resume" in used
    part_path(folder, 0).write_text("setting")
    assert "delete it to have it computed again" in refused(run("plot_sweep", folder), 65)


@pytest.mark.slow
def test_usage_is_told(tmp_path) -> None:
    assert "name a sweep file, with --sweep" in refused(run("sweep", TINY))
    told = refused(run("plot_sweep", tmp_path / "none"))
    assert "no such folder" in told


@pytest.mark.acceptance
def test_a_killed_sweep_loses_nothing_that_is_finished(write, tmp_path) -> None:
    """SIGKILL between parts; resumed, the results equal those of an uninterrupted sweep."""
    args = [TINY, "--sweep", str(write(MANY)), *SHORT]
    folder = tmp_path / "killed"
    running = subprocess.Popen(
        [*SCRIPT, *args, f"--workdir={folder}"], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 850
    while not (folder / "part-2.csv").exists():
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait(60)
    assert running.returncode == -signal.SIGKILL
    listed = json.loads((folder / "sweep.json").read_text())["parts"]
    kept = {path.name: path.read_bytes() for path in folder.glob("part-*.csv")}
    assert 2 <= len(listed) < 41
    done = run("sweep", *args, "--workdir", folder, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("finished before, 2 lanes") == len(listed)
    for part in listed:
        name = f"part-{part}.csv"
        assert (folder / name).read_bytes() == kept[name], "it is not computed again"
    whole = run("sweep", *args, f"--workdir={tmp_path / 'whole'}", "--quiet")
    assert whole.returncode == 0, whole.stderr
    left, right = (_rows(path / "results.csv") for path in (folder, tmp_path / "whole"))
    assert left == right and len(left) == len(json.loads(done.stdout)["rows"]) == 82
    drawn = run("plot_sweep", folder, "--figures=ties.trust,kpi.self_sufficiency")
    assert drawn.returncode == 0, drawn.stderr
    assert (folder / "report.html").stat().st_size > 10_000


def _rows(path: Path) -> list[dict[str, str]]:
    """Reads results, without how long they took."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: x for name, x in row.items() if name != "wall_sec"} for row in rows]
