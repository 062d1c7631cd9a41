"""One seed, one run, whatever the number of devices and processes; what becomes of one process when
the other is gone. In one file, because tests of one worker share runs.
"""

import os
import signal
import time

import pytest

from tests.distributed.conftest import finish
from tests.distributed.runs import LOST


def assert_same_runs(runs, *numbers):
    first = runs("alone", *numbers)["first"]
    for devices in numbers[1:]:
        assert first[devices]["weights"] == first["1"]["weights"]
        differing = [name for name, x in first["1"].items() if first[devices][name] != x]
        assert not differing, devices


def test_weights_actions_and_towns_are_those_of_one_device(runs):
    assert_same_runs(runs, "1", "8")


@pytest.mark.acceptance
def test_weights_actions_and_towns_are_those_of_any_number_of_devices(runs):
    assert_same_runs(runs, "1", "2", "4", "8")


def test_what_was_saved_on_eight_devices_goes_on_on_one(runs):
    second = runs("alone", "1", "8")["second"]
    assert second["8-1"] == second["8"]


@pytest.mark.acceptance
def test_lanes_live_the_same_lives_on_one_device_and_on_four(runs):
    found = runs("lanes")
    assert found["4"] == found["1"]
    assert len(found["1"]) > 5, "town, choices, ages"


def test_two_processes_learn_what_one_learns_and_end_together(runs, pair):
    """A killed process ends the other; that takes a pair of processes anyway."""
    expected = runs("alone", "1", "8")["first"]["1"]
    for found in pair.first_chunk():
        assert found["weights"] == expected["weights"]
        assert found == expected
    pair.signal(1, signal.SIGKILL)
    began = time.monotonic()
    status, out, err = finish(pair.processes[0])
    assert time.monotonic() - began < 60
    assert (status, out) == (LOST, "process 1 has died\n"), err


@pytest.mark.acceptance
@pytest.mark.parametrize(
    ("number", "how"), [(signal.SIGKILL, "has died"), (signal.SIGSTOP, "has not answered for")]
)
def test_loss_of_the_first_process_ends_the_other(pair, number, how):
    pair.first_chunk()
    pair.signal(0, number)
    began = time.monotonic()
    status, out, err = finish(pair.processes[1])
    assert time.monotonic() - began < 60
    assert status == LOST, err
    assert out.startswith(f"process 0 {how}") and out.count("\n") == 1
    assert "Traceback" not in err
    assert os.path.exists(pair.paths[0])
