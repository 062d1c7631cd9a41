"""`run_simulation --snapshot-dir --resume`: an interrupted run ends as an uninterrupted one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.launch.scripts import launch
from townlet_jax.snapshots import store

ROOT = Path(__file__).parents[2]
TINY = "configs/tiny.yaml"
SCRIPT = [sys.executable, "launch/run_simulation.py", TINY, "--json"]


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    return dict(os.environ)


def start(environ: dict[str, str], *args: object) -> subprocess.CompletedProcess[str]:
    command = [*SCRIPT, *map(str, args)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environ
    )


def report(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("args", "status", "reason"),
    [
        (["--resume"], 2, "--resume needs --snapshot-dir"),
        (["--resume", "--snapshot-dir", "{empty}"], 2, "holds no snapshot"),
        (["--resume", "--snapshot-dir", "no/such"], 2, "no/such: no such folder of snapshots"),
    ],
)
def test_bad_input_is_one_line(tmp_path, args, status, reason) -> None:
    done = launch("run_simulation", TINY, *(arg.format(empty=tmp_path) for arg in args))
    assert (done.returncode, done.stdout) == (status, "")
    assert reason in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_resumed_equals_uninterrupted(environ, tmp_path) -> None:
    """With several towns, records of town 0, figures of days, and another number of devices."""
    kept = ["--set=snapshot.autosave.retain=100", "--set=snapshot.autosave.cadence_ticks=100"]
    common = ["--towns=4", "--seed=5", "--report=kpi", *kept]
    alone = [f"--events={tmp_path / 'whole'}", f"--set=snapshot.storage.root={tmp_path / 'alone'}"]
    whole = report(start(environ, "--tick-limit=700", *alone, *common))
    assert store.steps(tmp_path / "alone")[-1].tick == 700
    root, events = tmp_path / "root", tmp_path / "events"
    saved = [f"--snapshot-dir={root}", f"--events={events}"]
    first = report(start(environ, "--tick-limit=450", *saved, *common))
    assert first["snapshots"]["newest"] == str(root / "0000000450")
    assert [step.tick for step in store.steps(root)] == [0, 100, 200, 300, 400, 450]
    with events.open("a") as file:
        file.write("what happened after the last snapshot\n")
    one_device = environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=1"}
    rest = report(start(one_device, "--tick-limit=700", "--resume", "--report=kpi", *saved, *kept))
    for key in ("state_hash", "ticks", "towns", "seed", "totals", "kpi", "kpi_days"):
        assert rest[key] == whole[key], key
    assert events.read_bytes() == (tmp_path / "whole").read_bytes()

    again = launch("run_simulation", TINY, "--tick-limit=800", f"--snapshot-dir={root}")
    assert again.returncode == 2 and "up to tick 700; add --resume" in again.stderr
    other = launch("run_simulation", TINY, "--resume", "--towns=2", *saved)
    assert other.returncode == 2 and "its num_towns is 4, not 2" in other.stderr
    events.write_bytes(b"")
    short = launch("run_simulation", TINY, "--resume", *saved)
    assert short.returncode == 2 and "is shorter than when the towns were saved" in short.stderr
    (root / "0000000700" / "config.yaml").unlink()
    resumed = ["--tick-limit=700", "--resume", f"--snapshot-dir={root}", *kept]
    corrupt = launch("run_simulation", TINY, *resumed)
    assert corrupt.returncode == 65 and "config.yaml: is missing" in corrupt.stderr
    done = start(environ, *resumed, "--allow-fallback")
    assert "passed over: " in done.stderr
    assert report(done)["state_hash"] == whole["state_hash"]


@pytest.mark.slow
def test_a_stopped_run_is_saved_and_goes_on(environ, tmp_path) -> None:
    """Twice: by SIGTERM, and when it goes on by SIGINT."""
    kept = f"--snapshot-dir={tmp_path}"
    ticks = 0
    for number, more in ((signal.SIGTERM, []), (signal.SIGINT, ["--resume"])):
        process = subprocess.Popen(
            [*SCRIPT, "--tick-limit=1000000", kept, *more],
            cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        while not store.steps(tmp_path) or store.steps(tmp_path)[-1].tick < ticks + 1000:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 75, err.decode()
        partial = json.loads(out)
        newest = store.steps(tmp_path)[-1]
        store.check(newest.path)
        assert partial["partial"] and newest.tick == partial["ticks"]
        ticks = newest.tick
    ticks += 50
    rest = report(start(environ, f"--tick-limit={ticks}", "--resume", kept))
    whole = report(start(environ, f"--tick-limit={ticks}"))
    assert rest["state_hash"] == whole["state_hash"]


@pytest.mark.acceptance
def test_a_full_disk_stops_no_town(environ, tmp_path) -> None:
    """A limit on the size of files stands for the disk: nothing larger than it can be written."""
    root = tmp_path / "root"
    report(start(environ, "--tick-limit=100", f"--snapshot-dir={root}"))
    limited = ["bash", "-c", 'ulimit -f 1; trap "" XFSZ; exec "$@"', "bash", *SCRIPT]
    args = ["--tick-limit=200", "--resume", f"--snapshot-dir={root}"]
    env = environ | {"TOWNLET_CACHE": "off"}
    done = subprocess.run(
        [*limited, *args], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1 and "snapshot was not saved" in done.stderr
    assert json.loads(done.stdout)["ticks"] == 200
    assert [step.tick for step in store.steps(root)] == [0, 100]
    for step in store.steps(root):
        store.check(step.path)
