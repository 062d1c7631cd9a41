"""The figures of the days: means over towns and days, verdicts, windows, and the table of them."""

import io

import numpy as np
import pytest
from rich.console import Console

from townlet_jax.config import load
from townlet_jax.ops import kpi_days
from townlet_jax.ops.kpi_table import kpi_table
from townlet_jax.state import Day, TieDrop
from townlet_jax.town.metrics import DayKpi

TOWNS = 3


@pytest.fixture
def figures() -> DayKpi:
    """Three towns; the last one had no conflict and no shift."""
    values = {name: np.full(TOWNS, 0.5, np.float32) for name in kpi_days.FIGURES}
    values["repeat_avoidance_share"] = np.array([0.5, 0.0, 0.0], np.float32)
    values["tenure_days"] = np.array([4.0, 3.0, 3.5], np.float32)
    values["exits_per_day"] = np.array([3.0, 0.0, 0.0], np.float32)
    has_data = np.ones((TOWNS, len(kpi_days.FIGURES)), bool)
    for name in ("repeat_avoidance_share", "lateness_rate"):
        has_data[2, kpi_days.FIGURES.index(name)] = False
    has_data[:, kpi_days.FIGURES.index("attendance")] = False
    return DayKpi(**values, has_data=has_data)


def record(town, figures, day=5):
    counts = np.zeros((TOWNS, len(Day)), np.int32)
    counts[0, Day.EXIT_FAINT], counts[0, Day.EXIT_KILLED] = 2, 1
    return kpi_days.day_record(town, day, figures, counts, np.array([True, False, False]))


def test_a_day_is_the_mean_of_the_towns_that_have_cases(tiny, figures):
    day = record(tiny, figures)
    assert day["day"] == 5 and set(kpi_days.FIGURES) <= day.keys()
    assert day["repeat_avoidance_share"] == 0.25 and day["has_data"]["repeat_avoidance_share"]
    assert day["attendance"] == 0.0 and not day["has_data"]["attendance"]
    assert day["tenure_days"] == 3.5 and day["exits_per_day"] == 1
    assert day["exits"]["faint"] == pytest.approx(2 / 3, abs=1e-6)
    assert day["exits"]["killed"] == pytest.approx(1 / 3, abs=1e-6)
    assert day["starvation_per_resident"] == pytest.approx(0.5 / 3, abs=1e-6)
    assert day["churn_alert_towns"] == 1


def test_verdicts(tiny, figures):
    words = record(tiny, figures)["verdict"]
    assert words.keys() == kpi_days.targets(tiny).keys()
    assert words == {
        "self_sufficiency": "not met",
        "tenure_days": "met",
        "lateness_rate": "not met",
        "relationship_coverage": "not met",
        "starvation_events": "not met",
        "repeat_avoidance_share": "not met",
        "option_switch_rate": "not met",
        "exits_per_day": "met",
        "churn_rate": "not met",
    }
    early = record(tiny, figures, day=1)["verdict"]
    assert early["tenure_days"] == early["churn_rate"] == "too early"
    figures.has_data[:] = False
    assert record(tiny, figures)["verdict"]["self_sufficiency"] == "no data"
    free = load("configs/tiny.yaml", ["lifecycle.max_exits_per_day=0"])
    assert "exits_per_day" not in kpi_days.targets(free)


def test_the_mean_leaves_out_days_without_cases_and_days_too_early(tiny, figures):
    days = [record(tiny, figures, day) for day in range(4)]
    days[0]["self_sufficiency"], days[3]["tenure_days"] = 1.0, 3.2
    days[1]["has_data"] = {**days[1]["has_data"], "option_switch_rate": False}
    days[1]["option_switch_rate"] = 0.0
    mean = kpi_days.mean_record(tiny, days)
    assert mean["self_sufficiency"] == 0.625
    assert mean["tenure_days"] == 3.2 and mean["verdict"]["tenure_days"] == "met"
    assert mean["option_switch_rate"] == 0.5
    assert not mean["has_data"]["attendance"]
    none = kpi_days.mean_record(tiny, [])
    assert not any(none["has_data"].values()) and none["verdict"]["tenure_days"] == "too early"


def test_churn_windows(tiny, newborn):
    ties = newborn.relationships
    towns = ties.replace(
        evictions_window=np.stack([ties.evictions_window] * TOWNS),
        evictions_previous=np.stack([ties.evictions_previous] * TOWNS),
    )
    towns.evictions_window[:, 0, TieDrop.DECAY] = 2
    towns.evictions_previous[1, 2, TieDrop.REFUSED] = 5
    out = kpi_days.churn_record(tiny, towns, 1300)
    assert out["window_ticks"] == 600
    window, previous = out["window"], out["previous"]
    assert (window["start_tick"], window["end_tick"], window["decay"]) == (1200, 1300, 6)
    assert window["by_owner_of_town_0"]["ada"]["decay"] == 2
    assert (previous["start_tick"], previous["end_tick"], previous["refused"]) == (600, 1200, 5)
    assert previous["by_owner_of_town_0"] == {}
    assert kpi_days.churn_record(tiny, towns, 600)["previous"] is None
    assert kpi_days.churn_record(tiny, towns, 601)["window"]["start_tick"] == 600
    assert kpi_days.churn_record(tiny, towns, 0)["window"]["end_tick"] == 0


def printed(report, width):
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(kpi_table(report, width))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits_and_names_what_it_leaves_out(tiny, figures, newborn, width):
    days = [record(tiny, figures, day) for day in range(10)]
    days[9]["chats_per_resident"] = 12345.678
    towns = newborn.relationships.replace(
        evictions_window=newborn.relationships.evictions_window[None],
        evictions_previous=newborn.relationships.evictions_previous[None],
    )
    report = {
        "kpi_days": days,
        "kpi_days_mean": kpi_days.mean_record(tiny, days),
        "kpi_targets": kpi_days.targets(tiny),
        "churn": kpi_days.churn_record(tiny, towns, 1300),
        "towns": TOWNS,
        "partial": True,
        "ticks": 1300,
    }
    text = printed(report, width)
    assert "…" not in text and max(map(len, text.splitlines())) <= width
    for words in ("day 10", "10 days in all", "repeat avoidance share", "< 0.20", "PARTIAL"):
        assert words in text
    assert "churn alerts    on 10 days, in up to 1 of 3 towns" in text
    assert " 1200-1299: " in text and " 600-1199: " in text
    assert "no day is over yet" in printed({**report, "kpi_days": []}, width)
