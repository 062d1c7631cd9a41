"""Figures of a run."""

import json

import jax
import numpy as np
import pytest

from townlet_jax.ops.summary import CHARTER, Run, per_town_mean, summarise, totals, verdict
from townlet_jax.state import Total
from townlet_jax.town.metrics import Kpi

COUNTS = {Total.CONFLICTS: 3, Total.INTENSITY_QUARTERS: 22, Total.CHAT_SUCCESS: 2,
          Total.CHAT_QUALITY_1024THS: 1536, Total.EXIT_EVICTION: 1, Total.TOOK: 4}  # fmt: skip


def counts(num_towns: int) -> np.ndarray:
    table = np.zeros((num_towns, len(Total)), np.int32)
    for total, number in COUNTS.items():
        table[0, total] = number
    return table


def test_totals_are_sums_over_towns() -> None:
    table = counts(2)
    table[1] = table[0]
    found = totals(table)
    assert found["queue_conflict_events"] == 6
    assert found["queue_conflict_intensity_sum"] == 11.0
    assert found["shift_takeover_events"] == 8
    assert found["chat_quality_mean"] == 0.75
    assert found["exits"] == {
        "faint": 0, "eviction": 2, "employment_exit": 0, "killed": 0, "manual_approve": 0,
    }  # fmt: skip


def test_totals_do_not_overflow() -> None:
    table = np.full((3, len(Total)), 2**31 - 1, np.int32)
    assert totals(table)["arrivals"] == 3 * (2**31 - 1)


def test_no_chat_has_no_quality() -> None:
    assert totals(np.zeros((1, len(Total)), np.int32))["chat_quality_mean"] == 0.0


def test_per_town_mean() -> None:
    mean = per_town_mean(totals(counts(4)), 4)
    assert mean["queue_conflict_events"] == 0.75
    assert mean["exits"]["eviction"] == 0.25
    assert mean["chat_quality_mean"] == 0.75


@pytest.mark.parametrize(
    ("name", "value", "days", "word"),
    [
        ("self_sufficiency", 0.7, 1, "met"),
        ("self_sufficiency", 0.69, 1, "not met"),
        ("self_sufficiency", 0.0, 0.9, "too early"),
        ("tenure_days", 2.9, 2.9, "too early"),
        ("tenure_days", 3.0, 3, "met"),
        ("lateness_rate", 0.15, 1, "not met"),
        ("lateness_rate", 0.14, 1, "met"),
    ],
)
def test_verdict(name: str, value: float, days: float, word: str) -> None:
    assert verdict(name, value, days) == word


@pytest.fixture
def run() -> Run:
    return Run("idle", seed=5, num_towns=2, num_ticks=300, num_lived_ticks=300, limit=400,
               run_seconds=0.5, compile_seconds=1.25)  # fmt: skip


def test_summary(tiny, newborn, run) -> None:
    towns = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), newborn)
    towns.agents.is_alive[1] = False
    figures = Kpi(*(np.array([0.5, 1.0], np.float32) for _ in CHARTER))
    report = json.loads(json.dumps(summarise(tiny, towns, figures, run)))
    assert (report["config_id"], report["seed"], report["towns"]) == ("tiny", 5, 2)
    assert (report["ticks"], report["partial"], report["ticks_per_second"]) == (300, True, 1200)
    assert report["kpi"] == dict.fromkeys(CHARTER, 0.75)
    assert [person["name"] for person in report["residents"]] == ["ada", "ben", "cleo"]
    assert len(report["state_hash"]) == len(report["town_0_hash"]) == 64
    assert report["state_hash"] != report["town_0_hash"]
    assert report["per_town_mean"].keys() == report["totals"].keys()
    assert any("eat_out" in note for note in report["notes"])


def test_one_town_has_one_hash_and_no_means(tiny, newborn) -> None:
    alone = jax.tree.map(lambda leaf: leaf[None], newborn)
    run = Run("idle", 0, 1, 0, 0, 0, 0.0, 0.0)
    report = summarise(tiny, alone, Kpi(*np.zeros((4, 1), np.float32)), run)
    assert report["state_hash"] == report["town_0_hash"]
    assert "per_town_mean" not in report
    assert (report["partial"], report["ticks_per_second"]) == (False, 0.0)
