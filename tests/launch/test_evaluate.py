"""`evaluate`: bad input is one line; reports, pictures and learned policies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.scripts import launch

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = [sys.executable, "launch/evaluate.py"]
TINY = "configs/tiny.yaml"
NOTE = "note: configs/affordances/core.yaml:50:3: [4]: no object of this town offers eat_out\n"
# Stands in for learned policies and for the towns they live in.
STUB = """
import runpy, sys, types
from tests.ops.evaluations import made_up
from townlet_jax.snapshots import policies
from townlet_jax.train import evaluate

def load(path, town):
    assert path == "LICENSE"
    return [
        types.SimpleNamespace(
            shape="S", params=seed, policy_hash=f"{seed:064x}", name=f"run seed {seed}", seed=seed,
            path=path, stage=None, numbers="N",
        )
        for seed in (3, 4, 5)
    ]

def live(town, mind, seeds, num_days, **form):
    assert list(seeds) == [10000, 10001]
    if mind.name == "network":
        assert form["shape"] == "S" and form["stage"] == "C1" and mind.is_greedy
        assert form["policy"] == "N"
    else:
        assert form == {"stage": "C1"}
    return made_up(town, len(seeds), num_days, seed=form.get("params", 0))

policies.load = load
policies.config_file = lambda path: "configs/tiny.yaml"
evaluate.evaluate = live
sys.argv = ["evaluate.py", *sys.argv[1:]]
runpy.run_path("launch/evaluate.py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    return {**os.environ, "JAX_PLATFORMS": "cpu"}


def start(environ: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return run([*SCRIPT, *args], environ)


def run(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environ
    )


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([TINY, "--policy", "scriptd"], "neither a policy nor a path; did you mean scripted?"),
        ([TINY, "--policy", "checkpoint:no/such"], "built in are scripted, random, idle"),
        ([TINY, "--against", "idle,scripted"], "scripted is named twice"),
        ([TINY, "--set", "world.action_level=primitive"], "use random or idle"),
        ([TINY, "--out", "LICENSE"], "LICENSE: File exists"),
        ([], "name a configuration"),
        (["--policy", "LICENSE"], "LICENSE: holds no snapshot of a training run"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(args: list[str], reason: str) -> None:
    result = launch("evaluate", *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_matplotlib_nothing_is_run(environ, tmp_path: Path) -> None:
    code = f"import sys; sys.modules['matplotlib'] = None; {STUB}"
    args = ["--policy", "LICENSE", "--towns", "2", "--stage", "C1", "--greedy"]
    folder = tmp_path / "out"
    result = run([sys.executable, "-c", code, *args, "--output", str(folder)], environ)
    assert (result.returncode, result.stdout) == (2, "")
    assert "pip install 'townlet-jax[analysis]'" in result.stderr and not folder.exists()
    result = run([sys.executable, "-c", code, *args], environ)
    assert (result.returncode, result.stderr.count("\n")) == (0, 4)
    assert "LICENSE in tiny  2 towns of 5 days, from seed 10000, 3 learned seeds" in result.stdout


def test_learned_policies(environ, tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUB, TINY, "--towns", "2", "--stage", "C1", "--greedy"]
    command += ["--json", "--policy", "checkpoint:LICENSE", "--days", "2"]
    result = run([*command, "--against", "idle", "--output", str(tmp_path / "a/b")], environ)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["policy"], report["seeds"], report["days"]) == ("LICENSE", [3, 4, 5], 2)
    assert len(report["policy_hashes"]) == 3 and len(report["per_seed"]["attendance"]) == 3
    assert (report["stage"], report["greedy"]) == ("C1", True)
    assert report["paired"].keys() == report["others"].keys() == {"idle"}
    written = {path.name for path in (tmp_path / "a/b").iterdir()}
    pictures = {"needs.png", "day_plan.png", "ties.png", "intervals.png"}
    assert written == {"report.json", "report.csv", *pictures}
    assert json.loads((tmp_path / "a/b/report.json").read_text()) == report
    lines = result.stderr.removeprefix(NOTE).splitlines()
    assert lines[0] == "LICENSE, seed 3: 2 town(s), 2 day(s)" and len(lines) == 4 + 6

    alone = run([*command, "--lane", "1", "--check"], environ)
    report = json.loads(alone.stdout)
    assert (report["policy"], report["seeds"]) == ("run seed 4", [4])
    assert report["policy_hash"].endswith("4")
    is_missed = any(row["passed"] is False for row in report["charter"].values())
    assert is_missed and alone.returncode == 1
    beyond = run([*command, "--lane", "3"], environ)
    assert (beyond.returncode, beyond.stdout) == (2, "")
    assert "lane must be in 0...2, got 3" in beyond.stderr


@pytest.mark.acceptance
def test_towns(environ, tmp_path: Path) -> None:
    args = [TINY, "--policy", "idle", "--towns", "2", "--days", "1"]
    result = start(environ, *args, "--json", "--out", str(tmp_path))
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["policy"], report["policy_hash"], report["seeds"]) == ("idle", None, [])
    assert report["town_seeds"] == [10000, 10001] and report["paired"] == {}
    assert report["kpis"]["option_share.rest"]["mean"] == 1
    assert report["kpis"]["self_sufficiency"]["mean"] == 0
    assert report["charter"]["self_sufficiency"]["passed"] is False
    assert report["charter"]["tenure_days"]["verdict"] == "too early"
    assert (tmp_path / "day_plan.png").read_bytes().startswith(b"\x89PNG")
    again = start(environ, *args, "--check")
    assert again.returncode == 1 and "not met" in again.stdout
    assert max(map(len, again.stdout.splitlines())) <= 100
