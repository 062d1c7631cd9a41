"""`profile_observations`: sizes, names and costs of every variant; bad input is one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.scripts import launch

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "configs/town.yaml"


def start(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "launch/profile_observations.py", *args]
    environ = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=280, env=environ
    )


def test_sizes_and_names() -> None:
    result = start(CONFIG, "--no-cost", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    rows = {row["variant"]: row for row in report["variants"]}
    assert {name: row["size"] for name, row in rows.items()} == {
        "hybrid": 620,
        "full": 729,
        "compact": 154,
    }
    hybrid = rows["hybrid"]
    assert (hybrid["map_shape"], hybrid["feature_dim"]) == ([11, 11, 4], 136)
    assert hybrid["feature_names"][92] == "social_friend0_distance"
    assert hybrid["bytes_per_town"] == 8 * (484 + 4 * 136 + 7 + 3)
    assert len(hybrid["layout_hash"]) == 64 and "us_per_town_tick" not in hybrid


def test_a_table_with_names() -> None:
    snippet = "observations_config.social_snippet"
    wide = ["--set", f"{snippet}.embed_dim=16", "--set", f"{snippet}.top_friends=4"]
    result = start(CONFIG, "--no-cost", "--names", *wide)
    assert result.returncode == 0
    assert "hybrid" in result.stdout and "map   3  ego\n" in result.stdout
    assert "     22  rivalry_max\n" in result.stdout
    assert result.stderr.startswith("note: full is left out: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.acceptance
def test_costs() -> None:
    result = start("configs/tiny.yaml", "--json", "--towns", "16", "--ticks", "2")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["step_us_per_town_tick"] > 0
    for row in report["variants"]:
        ratio = row["us_per_town_tick"] / report["step_us_per_town_tick"]
        assert row["ratio_to_step"] == pytest.approx(ratio) and ratio > 0


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([], "name a configuration"),
        ([CONFIG, "--towns", "0"], "--towns=0"),
        (
            [CONFIG, "--set", "observations_config.social_snippet.embed_dim=32"]
            + ["--set", "observations_config.social_snippet.top_friends=6"],
            "at most 800",
        ),
    ],
)
def test_bad_input_is_one_line(args: list[str], reason: str) -> None:
    result = launch("profile_observations", *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
