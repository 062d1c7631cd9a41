"""Processes with devices of their own; XLA makes devices up before it starts."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import COMPILED

ROOT = Path(__file__).parents[2]
LIMIT_S = 400
"""After which a process of a test is killed; a busy machine compiles slowly."""


def environment(num_devices):
    """Returns what a process needs for so many devices; it compiles as users do."""
    return {
        **os.environ,
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false "
        f"--xla_force_host_platform_device_count={num_devices}",
        "JAX_COMPILATION_CACHE_DIR": str(COMPILED.with_name("devices")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
        "PYTHONPATH": str(ROOT),
    }


def start(num_devices, *command):
    """Starts a command of Python; `reap` ends it."""
    limited = ["timeout", "-k", "5", str(LIMIT_S), sys.executable, *map(str, command)]
    return subprocess.Popen(
        limited, cwd=ROOT, env=environment(num_devices), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0,
    )  # fmt: skip


def reap(*started):
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.communicate()


def finish(process):
    """Waits for the end; returns status, stdout, stderr."""
    out, err = process.communicate(timeout=LIMIT_S + 10)
    return process.returncode, out, err


def await_file(path, *running):
    """Waits for a file of one of the processes and reads it."""
    until = time.monotonic() + LIMIT_S
    while not path.exists():
        for process in running:
            assert process.poll() is None, finish(process)
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.05)
    return json.loads(path.read_text())


def free_port():
    """Returns a port that is free, as is the one after it."""
    while True:
        with socket.create_server(("localhost", 0)) as one:
            port = one.getsockname()[1]
            try:
                with socket.create_server(("localhost", port + 1)):
                    return port
            except OSError:
                continue


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Returns a function: what `tests.distributed.runs` of a kind found, run once."""
    folder, known = tmp_path_factory.mktemp("runs"), {}

    def found(*kind):
        if kind not in known:
            path = folder / f"{len(known)}.json"
            started = start(8, "-m", "tests.distributed.runs", kind[0], path, *kind[1:])
            try:
                status, _, err = finish(started)
            finally:
                reap(started)
            assert status == 0, err
            known[kind] = json.loads(path.read_text())
        return known[kind]

    return found


class Pair:
    """Two processes with four devices each that train together, for ever."""

    def __init__(self, folder):
        port = free_port()
        self.paths = [folder / f"{i}.json" for i in (0, 1)]
        self.processes = [
            start(4, "-m", "tests.distributed.runs", "shared", path, port, i)
            for i, path in enumerate(self.paths)
        ]

    def first_chunk(self):
        """Returns what each of them found after a chunk."""
        return [await_file(path, *self.processes) for path in self.paths]

    def signal(self, index, number):
        """Sends a signal to a process, past its `timeout`."""
        pid = self.processes[index].pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(child), number)


@pytest.fixture
def pair(tmp_path):
    started = Pair(tmp_path)
    yield started
    reap(*started.processes)
