"""One seed, one run: whatever the number of devices."""

import pytest


def assert_same_runs(runs, *numbers):
    first = runs("alone", *numbers)["first"]
    for devices in numbers[1:]:
        assert first[devices]["weights"] == first["1"]["weights"]
        differing = [name for name, x in first["1"].items() if first[devices][name] != x]
        assert not differing, devices


def test_weights_actions_and_towns_are_those_of_one_device(runs):
    assert_same_runs(runs, "1", "8")


@pytest.mark.slow
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
