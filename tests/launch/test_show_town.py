"""`show_town`: text, picture, bad input."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.scripts import launch

ROOT = Path(__file__).resolve().parents[2]


def start(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "launch/show_town.py", *args]
    environ = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=200, env=environ
    )


def test_fresh_town_as_text_and_picture(tmp_path: Path) -> None:
    path = tmp_path / "town.png"
    result = start("configs/tiny.yaml", "--ticks", "0", "--output", str(path))
    assert result.returncode == 0
    assert result.stdout.startswith("tiny  day 1 00:00 (tick 0)\n")
    assert result.stdout.endswith(f"\nwrote {path}\n")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_queue_is_shown(tmp_path: Path) -> None:
    result = start("configs/scenarios/queue_conflict.yaml", "--ticks", "8")
    assert result.returncode == 0
    assert "shower_south: dev in front of " in result.stdout
    assert "gina and hugo: trust +0." in result.stdout


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["configs/tiny.yaml", "--output", "town.bmp"], "the ending must be one of .png"),
        (["configs/tiny.yaml", "--output", "no/such/town.png"], "no such folder"),
    ],
)
def test_bad_input_is_one_line(args: list[str], reason: str) -> None:
    result = launch("show_town", *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("show_town.py: ") and reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
