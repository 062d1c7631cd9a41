"""Stopping rules: hand-worked series, and a resumed run that stops where the other does."""

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.config.schema_training import EarlyStop
from townlet_jax.ops.early_stop import Goal, Stop, StopRules, parse_goal

CONFIG = EarlyStop(variance_factor=2.0, patience=2, window=3, warmup_updates=5, max_nonfinite=3)


def records(values: list[float], stages: str = "", skipped: str = "") -> list[dict[str, Any]]:
    """Makes one record per value; a letter per update names its stage, a digit what it skipped."""
    given = itertools.zip_longest(values, stages, skipped[: len(values)], fillvalue=None)
    return [
        {
            "epoch": epoch,
            "reward_variance": value,
            "social_stage": stage or "OFF",
            "nonfinite_minibatches": int(number or 0),
        }
        for epoch, (value, stage, number) in enumerate(given, start=1)
    ]


def first_stop(rules: StopRules, updates: list[dict[str, Any]]) -> Stop | None:
    return next((stop for record in updates if (stop := rules.update(record))), None)


# Updates 3 to 5 arm the baseline; more than twice of it, twice in a row, stops.
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([9, 9, 1, 3, 2, 4.1, 4.1], Stop("reward_variance", 7, 2, 4.1)),
        ([9, 9, 1, 3, 2, 4, 4, 4, 4], None),  # exactly twice
        ([9, 9, 1, 3, 2, 5, 4, 5, 4, 5], None),  # never twice in a row
        ([9, 9, 1, 3, 2, 5, 4, 5, 6], Stop("reward_variance", 9, 2, 6)),
        ([1, 1, 1, 9, 9], None),  # not armed
        ([1, 1, 1, 9, 9, 9, 9, 9], None),  # of 1, 9, 9 the median is 9
        ([2, 2, 2, 2, 2, 3, 3, 3, 3, 5, 5], Stop("reward_variance", 11, 2, 5)),  # stands still
        ([0, 0, 0, 0, 0, 1, 1, 1], None),  # nothing to compare with
    ],
)
def test_reward_variance(values: list[float], expected: Stop | None) -> None:
    assert first_stop(StopRules(CONFIG), records(values)) == expected


@pytest.mark.parametrize(
    ("values", "stages", "expected"),
    [
        # The flip at update 9 takes the median of updates 6 to 8, which is 3.
        ([2, 2, 2, 2, 2, 3, 3, 3, 5, 6, 6.1, 6.1], "a" * 8 + "b" * 4, ("reward_variance", 12, 3)),
        # Counting starts anew: 5 is above twice the old baseline, not above the new one.
        ([2, 2, 2, 2, 2, 3, 3, 5, 5, 5, 5], "a" * 8 + "b" * 3, None),
        ([2, 2, 2, 2, 2, 3, 3, 5, 7, 7], "a" * 8 + "b" * 2, ("reward_variance", 10, 3)),
        # A second flip arms again.
        ([1] * 5 + [2] * 5 + [5, 5], "a" * 5 + "b" * 5 + "c" * 2, ("reward_variance", 12, 2)),
        # A flip before the warm-up is over arms nothing.
        ([1, 1, 1, 9, 9, 9, 9, 9], "aaabbbbb", None),
    ],
)
def test_baseline_is_armed_again_before_a_flip(values, stages, expected) -> None:
    stop = first_stop(StopRules(CONFIG), records(values, stages))
    assert (stop and (stop.reason, stop.epoch, stop.baseline)) == expected


def test_window_is_full_before_it_is_used() -> None:
    config = CONFIG.model_copy(update={"warmup_updates": 0})
    rules = StopRules(config)
    assert first_stop(rules, records([1, 9])) is None
    assert rules.state()["baseline"] is None
    assert first_stop(StopRules(config), records([1, 9, 2, 5, 5])) == (
        Stop("reward_variance", 5, 2, 5)
    )


@pytest.mark.parametrize(
    ("skipped", "epoch"), [("01011", None), ("0111", 4), ("110111", 6), ("9", None)]
)
def test_nonfinite(skipped: str, epoch: int | None) -> None:
    stop = first_stop(StopRules(CONFIG), records([1.0] * len(skipped), skipped=skipped))
    assert stop == (epoch and Stop("nonfinite", epoch, 3, 3))


def test_parameters_that_are_not_finite_stop_at_once() -> None:
    stop = StopRules(CONFIG).update(records([1.0])[0], is_finite=False)
    assert stop == Stop("nonfinite", 1) and stop.status == 4


def test_nonfinite_is_worse_than_variance() -> None:
    rules = StopRules(CONFIG)
    stop = first_stop(rules, records([2, 2, 2, 2, 2, 9, 9], skipped="0000111"))
    assert stop == Stop("nonfinite", 7, 3, 3)
    assert rules.state()["num_above"] == 2


def test_regression_is_recorded_only() -> None:
    rules = StopRules(CONFIG)
    series = [0.5, 0.8, 0.55, 0.57, 0.55, 0.55, 0.55]
    found = [rules.evaluated(10 * i, {"self_sufficiency": v}) for i, v in enumerate(series)]
    assert found == [None, None, None, None, None, Stop("regression", 50, 0.8, 0.55), None]
    hold = found[5]
    assert hold is not None and hold.status is None
    assert hold.record() == {
        "event": "hold", "reason": "regression", "epoch": 50, "baseline": 0.8, "value": 0.55
    }  # fmt: skip


@pytest.mark.parametrize(
    ("goal", "value", "is_reached"),
    [
        (Goal("self_sufficiency", 0.8), 0.8, True),
        (Goal("self_sufficiency", 0.8), 0.79, False),
        (Goal("lateness_rate", 0.15), 0.15, True),
        (Goal("lateness_rate", 0.15), 0.16, False),
    ],
)
def test_goal_ends_the_run(goal: Goal, value: float, is_reached: bool) -> None:
    kpis = {"self_sufficiency": 0.1, goal.name: value}
    stop = StopRules(CONFIG, goal).evaluated(50, kpis)
    assert stop == (Stop("until", 50, goal.value, value) if is_reached else None)
    assert stop is None or stop.status == 0


def test_goal_is_read() -> None:
    assert parse_goal("attendance=.5", ["attendance"]) == Goal("attendance", 0.5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("attendance", "must have the form NAME=VALUE"),
        ("attendance=high", "must have the form"),
        ("attendance=nan", "must have the form"),
        ("attendence=.5", "'attendence' is no KPI; did you mean 'attendance'"),
    ],
)
def test_bad_goal(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_goal(text, ["attendance", "self_sufficiency"])


@pytest.mark.parametrize(
    ("reason", "status"), [("done", 0), ("reward_variance", 3), ("signal", 75)]
)
def test_stop_record(reason: str, status: int) -> None:
    stop = Stop(reason, 9)
    assert stop.status == status
    expected = {"event": "stop", "reason": reason, "epoch": 9, "baseline": None, "value": None}
    assert stop.record() == expected


@given(seed=st.integers(0, 10**6), cut=st.integers(0, 40))
def test_resumed_stops_where_uninterrupted_does(seed: int, cut: int) -> None:
    """Everything that any rule says, update by update, and the state at the end."""
    draw = random.Random(seed)
    updates = records(
        [draw.choice([1.0, 1.5, 2.5, 4.0]) for _ in range(40)],
        "".join(sorted(draw.choices("abc", k=40))),
        "".join(draw.choices("001", k=40)),
    )
    kpis = [{"self_sufficiency": draw.random()} for _ in updates]

    def live(rules: StopRules, start: int, end: int) -> list[tuple[Stop | None, Stop | None]]:
        pairs = list(zip(updates, kpis, strict=True))[start:end]
        return [(rules.update(r), rules.evaluated(r["epoch"], k)) for r, k in pairs]

    whole, first, second = StopRules(CONFIG), StopRules(CONFIG), StopRules(CONFIG)
    expected = live(whole, 0, 40)
    found = live(first, 0, cut)
    second.restore(json.loads(json.dumps(first.state())))
    first.update(updates[0])  # the state that was taken does not change
    assert found + live(second, cut, 40) == expected
    assert second.state() == whole.state()


def test_other_state_is_refused() -> None:
    state = StopRules(CONFIG).state()
    state["streak"] = state.pop("num_above")
    with pytest.raises(ValueError, match="missing or unknown num_above streak$"):
        StopRules(CONFIG).restore(state)
