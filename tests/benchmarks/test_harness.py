"""The harness of the benchmarks: turns, rates, one line for bad usage, a report of ratios."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks.timing import in_turn

ROOT = Path(__file__).parents[2]


def test_runs_take_turns():
    order = []
    runs = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    timings = in_turn(runs, 3)
    assert order == ["a", "b"] * 3
    timing = timings["a"]
    assert 0 < timing.low <= timing.seconds <= timing.high
    rates = timing.rates(10)
    assert rates["spread"][0] <= rates["per_second"] <= rates["spread"][1]


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ([], "NAME"),
        (["steping"], "invalid choice: 'steping'"),
        (["stepping", "--output", "no/such/file.json"], "no/such: no such folder"),
    ],
)
def test_bad_usage_is_told_in_the_last_line(args, reason):
    done = run("run.py", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_a_baseline_without_calibration_is_told(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text("{}")
    done = run("compare.py", path)
    assert done.returncode == 2 and "holds no calibration" in done.stderr.splitlines()[-1]


def run(script, *args):
    command = [sys.executable, f"benchmarks/{script}", *map(str, args)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_ratios_are_those_of_what_both_ran():
    rows = [{"run": "step", "over_loops": 2.0}, {"run": "gone", "over_loops": 1.0}]
    then = compare.rows_of({"benchmarks": {"calibration": {"rows": rows}}})
    told = compare.lines(then, {"step": {"over_loops": 3.0}, "new": {"over_loops": 1.0}})
    assert len(told) == 2 and told[1].split() == ["step", "2.000", "3.000", "1.50"]
