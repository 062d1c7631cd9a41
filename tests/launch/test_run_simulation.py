"""`run_simulation`: bad input is one line; runs, reports and interrupts at full cost are slow."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.scripts import launch

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = [sys.executable, "launch/run_simulation.py"]
TINY = "configs/tiny.yaml"
TOTALS = {
    "queue_conflict_events", "queue_conflict_intensity_sum", "shared_meal_events",
    "late_help_events", "shift_takeover_events", "chat_success_events", "chat_failure_events",
    "chat_quality_mean", "exits", "arrivals", "ghost_moves",
}  # fmt: skip
KPIS = {"self_sufficiency", "tenure_days", "lateness_rate", "relationship_coverage"}


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    return {**os.environ, "JAX_PLATFORMS": "cpu"}


def start(environ: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SCRIPT, *args], cwd=ROOT, capture_output=True, text=True, timeout=300, env=environ
    )


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([TINY, "--tick-limit", "-1"], "-1 is not an integer in the range"),
        ([TINY, "--report", "hourly"], "value should be one of <summary|kpi>"),
        ([TINY, "--policy", "wild"], "value should be one of <scripted|random|idle>"),
        ([TINY, "--towns", "0"], "0 is not an integer in the range"),
        ([TINY, "--set", "world.action_level=primitive"], "use --policy=random or idle"),
        (["no/such.yaml"], "no/such.yaml:1:1: cannot be read"),
        ([TINY, "--json", "--events", "no/such/file.jsonl"], "no/such/file.jsonl: No such file"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(args: list[str], reason: str) -> None:
    result = launch("run_simulation", *args)
    assert (result.returncode, result.stdout) == (2, "")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_no_ticks_is_a_report_too(environ) -> None:
    result = start(environ, "--config", TINY, "--tick-limit", "0", "--json", "--seed", "4")
    assert result.returncode == 0
    report = json.loads(result.stdout)
    assert (report["config_id"], report["seed"], report["ticks"]) == ("tiny", 4, 0)
    assert report["totals"].keys() == TOTALS
    assert report["kpi"].keys() == KPIS
    assert [person["name"] for person in report["residents"]] == ["ada", "ben", "cleo"]
    assert not report["partial"]


def test_no_day_is_over_yet(environ) -> None:
    result = start(environ, TINY, "--tick-limit", "0", "--json", "--report", "kpi")
    report = json.loads(result.stdout)
    assert report["kpi_days"] == [] and report["kpi"].keys() == KPIS
    assert not any(report["kpi_days_mean"]["has_data"].values())
    assert report["kpi_targets"]["churn_rate"] == [0.2, "at most"]
    assert report["churn"]["window"]["end_tick"] == 0


@pytest.mark.slow
def test_days(environ) -> None:
    """Days are those of the town, whole ones only; reading them changes nothing."""
    args = (TINY, "--towns", "4", "--tick-limit", "4400")
    plain = json.loads(start(environ, *args, "--json").stdout)
    report = json.loads(start(environ, *args, "--json", "--report", "kpi").stdout)
    assert report["state_hash"] == plain["state_hash"] and plain.keys() < report.keys()
    days = report["kpi_days"]
    assert [day["day"] for day in days] == [0, 1, 2]
    chats = sum(day["chats_per_resident"] for day in days) * 3 * 4 / 2
    total = report["totals"]["chat_success_events"] + report["totals"]["chat_failure_events"]
    assert 0 < chats <= total + 1e-3
    assert report["churn"]["window"]["start_tick"] == 4200
    told = start(environ, *args, "--report", "kpi").stdout
    assert "day 3" in told and "town-ticks/s" in told and "highlights" not in told
    assert max(map(len, told.splitlines())) <= 100


@pytest.mark.slow
def test_runs(environ, tmp_path: Path) -> None:
    """The same seed gives the same town, watched or not; another seed another one."""
    events = tmp_path / "events.jsonl"
    args = (TINY, "--tick-limit", "300", "--policy", "random")
    first = json.loads(start(environ, *args, "--json").stdout)
    other = json.loads(start(environ, *args, "--json", "--seed", "1").stdout)
    assert first["state_hash"] == first["town_0_hash"]
    assert first["state_hash"] != other["state_hash"]
    assert first["ticks"] == 300
    assert first["ticks_per_second"] > 0 < first["compile_seconds"]

    several = start(environ, *args, "--json", "--towns", "4", "--events", str(events))
    report = json.loads(several.stdout)
    assert report["town_0_hash"] == first["state_hash"] != report["state_hash"]
    assert report["residents"] == first["residents"]
    assert report["per_town_mean"].keys() == TOTALS
    records = [json.loads(line) for line in events.read_text().splitlines()]
    assert {"tick", "event"} <= records[0].keys()
    num_moves = sum(record["event"] == "movement_ghost_step" for record in records)
    assert num_moves == first["totals"]["ghost_moves"]

    told = start(environ, *args)
    assert told.returncode == 0
    assert "highlights" in told.stdout
    assert f"state hash {first['state_hash']}" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 100


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_gives_a_partial_report(environ, number: signal.Signals) -> None:
    args = (TINY, "--tick-limit", "1000000000", "--policy", "idle", "--json")
    environ = {**environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*SCRIPT, *args],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if " of 1000000000 ticks" in line:
                break
        process.send_signal(number)
        out, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "stopping after this chunk" in errors and "Traceback" not in errors
    report = json.loads(out)
    assert report["partial"] and 0 < report["ticks"] < 10**9
    assert report["ticks"] % 360 == 0
