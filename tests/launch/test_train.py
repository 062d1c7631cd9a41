"""`train`: logs, snapshots, signals, resume, and one line for whatever is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.launch.scripts import launch
from townlet_jax.ops.training_log import read_log
from townlet_jax.snapshots import store

ROOT = Path(__file__).parents[2]
TINY = "configs/train/ppo_tiny.yaml"
SCRIPT = [sys.executable, "launch/train.py"]
SMALL = [
    "--set=training.num_towns=4", "--set=training.num_steps=4", "--set=ppo.num_mini_batches=2",
    "--set=ppo.num_epochs=1", "--set=network.feature_hidden=16", "--set=network.gru_hidden=16",
    "--set=training.updates_per_chunk=1", "--eval-towns=0",
]  # fmt: skip


def train(*args: object, script: str = "launch/train.py") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, script, *map(str, args)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([], "name a configuration"),
        ([TINY, "--mode=bc"], "mode bc is not built yet: behaviour cloning"),
        ([TINY, "--capture-dir=x"], "--capture-dir needs mode replay or mixed"),
        ([TINY, "--stages=OFF,C9"], "--stages: 'C9' is none of OFF, C1, C2, C3"),
        ([TINY, "--resume", "--workdir=no/such"], "no such folder of snapshots"),
        ([TINY, "--until=hapiness=1"], "'hapiness' is no KPI"),
        ([TINY, "--set=ppo.gama=0.9"], "did you mean 'gamma'"),
        ([TINY, "--set=training.num_towns=6"], "the next is 8"),
    ],
)
def test_bad_input_is_one_line(args, reason) -> None:
    done = launch("train", *args)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert reason in done.stderr and len(done.stderr.splitlines()) == 1


def test_an_empty_town_is_told_apart(tmp_path) -> None:
    (tmp_path / "empty.yaml").write_text("config_id: empty\n")
    done = train(tmp_path / "empty.yaml")
    assert done.returncode == 2 and "--rollout-auto-seed-agents" in done.stderr


@pytest.mark.acceptance
def test_older_commands_run(tmp_path) -> None:
    """O-008: rollout training of an empty town, with a log and without a folder."""
    (tmp_path / "empty.yaml").write_text(
        "config_id: empty\nfeatures: {systems: {observations: compact}}\n"
        "world: {grid_size: [8, 8], max_agents: 2}\nembedding_allocator: {max_slots: 64}\n"
    )
    log = tmp_path / "ppo.jsonl"
    done = train(
        "--config", tmp_path / "empty.yaml", "--mode", "rollout", "--train-ppo",
        "--rollout-ticks", 20, "--rollout-auto-seed-agents", "--epochs", 1, "--ppo_log", log,
        *SMALL, script="launch/run_training.py",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    records = list(read_log(str(log)))
    assert (records[0]["data_mode"], records[0]["rollout_ticks"]) == ("rollout", 20)
    assert records[-1]["reason"] == "done"
    again = train("--config", tmp_path / "empty.yaml", "--ppo-log", log, *SMALL)
    assert again.returncode == 2


@pytest.mark.slow
def test_a_signal_saves_and_the_run_goes_on(tmp_path) -> None:
    command = [*SCRIPT, TINY, "--updates=40", f"--workdir={tmp_path}", *SMALL, "--quiet"]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "train.jsonl"
    deadline = time.monotonic() + 300
    while not (log.is_file() and log.read_text().count("\n") >= 2):
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGTERM)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 75, told
    saved = store.steps(tmp_path / "snapshots")[-1].tick
    assert list(read_log(str(log)))[-1] | {"epoch": saved} == {
        "event": "stop", "reason": "signal", "epoch": saved, "baseline": None, "value": None,
    }  # fmt: skip
    used = train(TINY, "--updates=40", f"--workdir={tmp_path}", *SMALL)
    assert used.returncode == 2 and "add --resume" in used.stderr
    done = train(TINY, "--updates=40", f"--workdir={tmp_path}", *SMALL, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["epoch"], report["stop"]["reason"]) == (40, "done")
    epochs = [r["epoch"] for r in read_log(str(log)) if "event" not in r]
    assert epochs == list(range(1, 41))
