"""Starts scripts in processes that have imported already what scripts need.

Importing takes ten times as long as refusing an argument. The processes are forked from one that
never computes, so that a script finds what it would find in a process of its own.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = [f"townlet_jax.ops.{name}" for name in ("simulation", "sweep", "training")]
LIMIT_S = 300


def launch(script: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Runs `launch/<script>.py` from the root, with the environment of the first call."""
    command = [str(ROOT / "launch" / f"{script}.py"), *map(str, args)]
    with TemporaryDirectory() as scratch:
        paths = [os.path.join(scratch, name) for name in ("out", "err")]
        process = _context().Process(target=_run, args=(command, *paths))
        process.start()
        process.join(LIMIT_S)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(command, LIMIT_S)
        out, err = (Path(path).read_text(encoding="utf-8") for path in paths)
    return subprocess.CompletedProcess(command, process.exitcode, out, err)


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def _run(command: list[str], out: str, err: str) -> None:
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(ROOT)
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")
