"""`validate_affordances`: one line per good file, reasons for the others."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "configs/affordances").glob("*.yaml"))
GOOD = "- {id: nap, object_type: bed, duration: 5, effects: {energy: 0.1}}\n"
DOUBTFUL = GOOD + "- {type: object, id: oven, object_type: stove, position: [1, 1]}\n"


def start(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "launch/validate_affordances.py", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_shipped_manifests_are_good() -> None:
    result = start("--strict")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) == len(SHIPPED) > 0
    for line, path in zip(lines, SHIPPED, strict=True):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        name = path.relative_to(ROOT)
        assert line.startswith(f"{name}: ok, sha256 {sha256}, 6 affordances, 0 objects, ")


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_text(GOOD.replace("duration: 5", "duration: 0") + GOOD)
    result = start(str(bad), str(good), str(tmp_path / "none.yaml"))
    assert result.returncode == 1
    assert result.stdout.startswith(f"{good}: ok")
    assert f"{bad}:1:" in result.stderr and "duration" in result.stderr
    assert f"{tmp_path}/none.yaml" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("flags", "status"), [([], 0), (["--strict"], 1)])
def test_doubts_count_if_strict(tmp_path: Path, flags: list[str], status: int) -> None:
    path = tmp_path / "doubtful.yaml"
    path.write_text(DOUBTFUL)
    result = start(*flags, str(tmp_path))
    assert result.returncode == status
    assert bool(result.stdout) == (status == 0)
    assert "no object of this manifest is of type bed" in result.stderr


def test_folder_without_manifests(tmp_path: Path) -> None:
    result = start(str(tmp_path))
    line = f"validate_affordances.py: {tmp_path}: this folder holds no .yaml file\n"
    assert (result.returncode, result.stderr) == (2, line)
