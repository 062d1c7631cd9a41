"""`play`: text, page, bad input."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.scripts import launch

ROOT = Path(__file__).resolve().parents[2]


def start(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "launch/play.py", *args]
    environ = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=200, env=environ
    )


@pytest.mark.slow
def test_text_and_page_of_the_same_town(tmp_path: Path) -> None:
    tiny = ("--config", "configs/tiny.yaml", "--seed", "3", "--ticks", "300")
    result = start("scripted", *tiny, "--frames", "3")
    assert result.returncode == 0
    titles = [line for line in result.stdout.splitlines() if line.startswith("tiny  day")]
    assert titles == [f"tiny  day 1 0{h}:{m} (tick {t})" for h, m, t in _MOMENTS]
    assert " had a good talk" in result.stdout and "\x1b" not in result.stdout
    path = tmp_path / "town.html"
    result = start("scripted", *tiny, "--html", str(path))
    assert result.returncode == 0
    assert result.stdout.startswith(f"wrote {path}: 0.")
    assert "300 ticks of tiny, 300 frames" in result.stdout
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert list(tmp_path.iterdir()) == [path]


_MOMENTS = [(1, "40", 100), (3, "20", 200), (5, "00", 300)]


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["scriptd"], "--policy=scriptd: there is no such trained run; did you mean scripted?"),
        (["configs"], "configs: holds no snapshot of a training run"),
        (["idle", "--html", "no/such/town.html"], "no such folder"),
        (["idle", "--html", "configs"], "is a folder"),
        (["idle", "--html", "town.html", "--frames", "3"], "--frames is for text"),
        (["idle", "--ticks", "3", "--days", "1"], "either --ticks or --days"),
        (["configs/tiny.yaml", "--config", "configs/town.yaml"], "two configurations"),
        (
            ["scripted", "--config", "configs/tiny.yaml", "--set", "world.action_level=primitive"],
            "acts at the option level",
        ),
    ],
)
def test_bad_input_is_one_line(args: list[str], reason: str) -> None:
    result = launch("play", *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("play.py: ") and reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
