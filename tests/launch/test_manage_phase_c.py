"""`manage_phase_c`: edits, dry runs, checks; bad usage is one line."""

import subprocess
from pathlib import Path

import pytest

from tests.launch.scripts import launch
from townlet_jax.config import load

ROOT = Path(__file__).resolve().parents[2]
TOWN = "configs/town.yaml"
EXAMPLE = ["--override", "OFF", "--schedule", "0:OFF", "--schedule", "1:C1"]
APPROVAL = """
config_id: town_small
stages: [C1]
approved_by: Ada
date: 2026-01-31
report: No drift in 12 cycles.
"""


def start(*args: object) -> subprocess.CompletedProcess[str]:
    return launch("manage_phase_c", *args)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "town.yaml"
    path.write_bytes((ROOT / TOWN).read_bytes())
    return path


def test_dry_run_prints_the_edited_file(tmp_path: Path) -> None:
    before = (ROOT / TOWN).read_text()
    result = start("schedule", TOWN, *EXAMPLE, "--output", "-")
    assert result.returncode == 0
    assert result.stdout.startswith(before) and (ROOT / TOWN).read_text() == before
    assert result.stderr == (
        f"{TOWN}: training.social_reward_stage_override: none -> OFF; "
        "training.social_reward_schedule: none -> 0:OFF 1:C1\n"
    )
    path = tmp_path / "edited.yaml"
    path.write_text(result.stdout)
    training = load(path).config.training
    assert training.social_reward_stage_override == "OFF"
    assert [(e.cycle, e.stage) for e in training.social_reward_schedule] == [(0, "OFF"), (1, "C1")]


def test_stage_is_set_in_place_and_needs_approval(copy: Path, tmp_path: Path) -> None:
    result = start("set-stage", copy, "--stage", "C1", "--in-place")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == f"{copy}: features.stages.social_rewards: OFF -> C1\n"
    assert load(copy).config.features.stages.social_rewards == "C1"
    result = start("check", copy)
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1].split() == ["0", "C1", "features.stages.social_rewards"]
    assert result.stderr.startswith(f"{copy}:") and result.stderr.count("\n") == 1
    approval = tmp_path / "approval.yaml"
    approval.write_text(APPROVAL)
    result = start("check", copy, "--approval", approval)
    assert (result.returncode, result.stderr) == (0, "")


def test_output_names_another_file(copy: Path, tmp_path: Path) -> None:
    before = copy.read_text()
    other = tmp_path / "other.yaml"
    result = start("schedule", copy, "--schedule=3:C2", "--clear", "--output", other)
    assert (result.returncode, result.stdout) == (0, "")
    assert copy.read_text() == before
    assert load(other).config.training.social_reward_schedule[0].cycle == 3


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([], "name a verb: set-stage, schedule, check"),
        (["set_stage", TOWN], "'set_stage' is no verb; did you mean 'set-stage'?"),
        (["set-stage", TOWN, "--stage=C1", "--in-place", "--output=-"], "needs either"),
        (["set-stage", TOWN, "--stage=C7", "--output=-"], "--stage: 'C7' is no stage; did you"),
        (["set-stage", TOWN, "--stage=C1", "--clear"], "set-stage has no --clear"),
        (["schedule", TOWN, "--output=-"], "schedule needs --override, --schedule or --clear"),
        (["schedule", TOWN, "--schedule=0:C1", "--schedule=0:C2", "--output=-"], "given twice"),
        (["set-stage", "no.yaml", "--stage=C1", "--in-place"], "no.yaml:1:1: cannot be read"),
        (["set-stage", TOWN, "--stage=C1", "--output=no/such.yaml"], "no/such.yaml: No such file"),
    ],
)
def test_bad_usage_is_one_line(args: list[str], reason: str) -> None:
    result = start(*args)
    assert (result.returncode, result.stdout) == (2, "")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
