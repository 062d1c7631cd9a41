"""The harness of the benchmarks: turns, rates, one line for bad usage, a report of ratios."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks import run as bench
from benchmarks.kernels import Sources
from benchmarks.machine import device_bandwidth
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


def test_a_file_of_something_else_is_not_overwritten(tmp_path):
    path = tmp_path / "notes.json"
    path.write_text("[1]")
    done = run("run.py", "calibration", "--output", path)
    assert done.returncode == 2 and "not of this program" in done.stderr.splitlines()[-1]
    assert path.read_text() == "[1]"


def test_a_file_keeps_other_benchmarks_and_gets_a_calibration(tmp_path, monkeypatch, capsys):
    path = tmp_path / "bench.json"
    path.write_text('{"benchmarks": {"sweep": {"rows": [1]}, "ppo": {"rows": [2]}}}')
    monkeypatch.setattr("benchmarks.run._apart", lambda name, _: {"rows": [name]})
    monkeypatch.setattr(sys, "argv", ["run.py", "ppo", "ppo", "--output", str(path)])
    assert bench.main() == 0
    held = json.loads(path.read_text())["benchmarks"]
    assert {name: x["rows"] for name, x in held.items()} == {
        "sweep": [1], "ppo": ["ppo"], "calibration": ["calibration"],
    }  # fmt: skip
    assert set(json.loads(capsys.readouterr().out)["benchmarks"]) == {"ppo", "calibration"}


def test_bandwidth_of_a_device_is_that_of_its_memory():
    assert 1e8 < device_bandwidth() < 1e14


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


PROGRAM = """HloModule jit_run

FileNames
1 "/somewhere/townlet_jax/masked.py"
2 "/somewhere/townlet_jax/rules/chat.py"
3 "/somewhere/main.py"

FileLocations
1 {file_name_id=1 function_name_id=1 line=204 end_line=204}
2 {file_name_id=2 function_name_id=2 line=153 end_line=153}
3 {file_name_id=3 function_name_id=3 line=7 end_line=7}

StackFrames
1 {file_location_id=3 parent_frame_id=1}
2 {file_location_id=2 parent_frame_id=1}
3 {file_location_id=1 parent_frame_id=2}

ENTRY %main {
  %sum = s32[8]{0} reduce(%x), metadata={op_name="jit(run)" stack_frame_id=3}
  ROOT %copy = s32[8]{0} copy(%sum), metadata={op_name="jit(run)" stack_frame_id=1}
}
"""


def test_a_kernel_is_named_by_the_line_of_its_rule():
    sources = Sources(PROGRAM)
    assert sources.line("sum") == "rules/chat.py:153"
    assert sources.line("copy") == sources.line("unknown") == ""
