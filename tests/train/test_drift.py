"""Learning has not drifted: three updates give what they once gave, within 5 %."""

import json

import pytest

from tests.train.drift import CASES, GOLDEN, measure

FLOORS = {
    "kl": 2e-3,
    "loss_policy": 5e-3,
    "adv_mean": 0.05,
    "corr": 0.05,
    "chat": 0.5,
    "clip": 0.05,
}
"""Absolute differences that are allowed where a figure is small or counts few cases."""


@pytest.mark.acceptance
@pytest.mark.parametrize("case", CASES)
def test_figures_are_those_of_the_golden_run(case):
    golden = json.loads((GOLDEN / f"{case}.json").read_text())
    found = measure(case)
    assert found.keys() == golden.keys()
    faults = []
    for name, values in golden.items():
        floor = max([limit for part, limit in FLOORS.items() if part in name], default=0.02)
        for update, (old, new) in enumerate(zip(values, found[name], strict=True)):
            if abs(new - old) > max(0.05 * abs(old), floor):
                faults.append(f"{name}[{update}]: {new}, was {old}")
    assert not faults, "\n".join(faults)


def test_a_scheduled_scenario_learns_nothing_and_counts_everything():
    golden = json.loads((GOLDEN / "queue_conflict.json").read_text())
    assert golden["transitions"] == [0, 0, 0] and golden["loss_total"] == [0, 0, 0]
    assert min(golden["queue_conflict_events"]) > 100 and min(golden["shared_meal_events"]) >= 0
