"""The fault scripts, short; by hand they run as long as their flags say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "args", "seen"),
    [
        ("kill_during_save.py", ["--kills", "15"], "saved"),
        ("corrupt.py", ["--trials", "200"], "refused"),
        pytest.param(
            "resume.py",
            ["--trials", "4", "--ticks", "300", "--config", "configs/tiny.yaml"],
            "trials",
            marks=pytest.mark.acceptance,
        ),
    ],
)
def test_nothing_is_lost(script: str, args: list[str], seen: str) -> None:
    command = [sys.executable, f"tests/faults/{script}", *args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["faults"] == [] and report[seen]
