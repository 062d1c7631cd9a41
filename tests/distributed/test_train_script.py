"""`train` in several processes: one line for what is wrong, a loss that resume makes good."""

import json
import os
import signal
import time

import pytest

from tests.distributed.conftest import LIMIT_S, finish, free_port, reap, start
from townlet_jax.snapshots import metadata, store

PPO = "configs/train/ppo_tiny.yaml"
SIZES = [
    "--set=training.num_towns=8", "--set=ppo.minibatch_groups=4", "--set=ppo.num_mini_batches=2",
    "--set=ppo.num_epochs=1", "--set=training.num_steps=4", "--set=network.map_hidden=16",
    "--set=network.feature_hidden=64", "--set=network.gru_hidden=64",
    "--set=training.updates_per_chunk=1", "--set=training.num_updates=12",
    "--set=training.checkpoint_every=3", "--eval-towns=2", "--eval-days=1",
]  # fmt: skip


def train(num_devices, workdir, *args):
    command = ["launch/train.py", PPO, *SIZES, f"--workdir={workdir}", *args]
    return start(num_devices, *command)


def both(workdir, *args):
    """Starts two processes with two devices each."""
    place = [f"--coordinator=localhost:{free_port()}", "--num-processes=2"]
    return [train(2, workdir, *args, *place, f"--process-id={i}") for i in (0, 1)]


def newest(workdir):
    return store.steps(workdir / "snapshots")[-1]


def result(workdir):
    """Returns what a run came to: the hash of its policy, its log of updates without times."""
    step = newest(workdir)
    log = [json.loads(line) for line in (workdir / "train.jsonl").read_text().splitlines()]
    timed = ("epoch_duration_sec", "steps_per_second", "agent_ticks_per_second", "compile_sec")
    updates = [record for record in log if "event" not in record]
    records = [{k: x for k, x in record.items() if k not in timed} for record in updates]
    return step.tick, metadata.read(step.path).run["policy_hashes"], records


def await_file_of_update(workdir, tick, *running):
    until = time.monotonic() + LIMIT_S
    while not (workdir / "snapshots").is_dir() or newest_tick(workdir) < tick:
        for process in running:
            assert process.poll() is None, finish(process)
        assert time.monotonic() < until
        time.sleep(0.05)


def newest_tick(workdir):
    found = store.steps(workdir / "snapshots")
    return found[-1].tick if found else -1


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--process-id=0"], "--process-id go together"),
        (["--coordinator=here", "--num-processes=2", "--process-id=0"], "is not HOST:PORT"),
        (["--coordinator=a:1", "--num-processes=2", "--process-id=2"], "is not one of 0 to 1"),
    ],
)
def test_a_place_that_cannot_be_is_one_line(tmp_path, args, reason):
    status, out, err = finish(train(1, tmp_path, *args))
    assert (status, out) == (2, "")
    assert reason in err and err.count("\n") == 1


@pytest.mark.acceptance
def test_a_run_that_lost_a_process_resumes_to_what_one_process_does(tmp_path):
    workdir = tmp_path / "shared"
    started = both(workdir)
    try:
        await_file_of_update(workdir, 3, *started)
        os.killpg(started[1].pid, signal.SIGKILL)
        status, out, err = finish(started[0])
        last = err.splitlines()[-1]
        assert (status, out) == (75, ""), err
        assert last.startswith("train.py: process 1 has died") and "--resume goes on" in last
        assert "Traceback" not in err
    finally:
        reap(*started)
    started = both(workdir, "--resume", "--quiet")
    try:
        ends = [finish(process) for process in started]
    finally:
        reap(*started)
    assert [end[0] for end in ends] == [0, 0], ends
    assert ends[1][1:] == ("", "")
    alone = tmp_path / "alone"
    status, _, err = finish(train(1, alone, "--quiet"))
    assert status == 0, err
    assert result(workdir) == result(alone)
    assert newest(workdir).tick == 12
