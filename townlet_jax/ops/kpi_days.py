"""The figures of each day of a run, as plain objects fit for JSON."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from townlet_jax.config.town import Town
from townlet_jax.ops.summary import CHARTER
from townlet_jax.state import Day, Relationships, TieDrop
from townlet_jax.town.metrics import DayKpi

FIGURES = tuple(f.name for f in dataclasses.fields(DayKpi) if f.name != "has_data")
"""Names of the figures, in the order of `DayKpi.has_data`."""
EXITS = {
    "faint": Day.EXIT_FAINT,
    "eviction": Day.EXIT_EVICTION,
    "employment_exit": Day.EXIT_EMPLOYMENT,
    "killed": Day.EXIT_KILLED,
    "manual_approve": Day.EXIT_APPROVED,
}
"""Exits by reason."""
Record = dict[str, Any]


def targets(town: Town) -> dict[str, tuple[float, str]]:
    """Returns what a day should reach, and on which side of the figure; most have no target."""
    cap = town.config.lifecycle.max_exits_per_day
    return {
        **CHARTER,
        "starvation_events": (0.0, "at most"),
        "repeat_avoidance_share": (0.20, "below"),
        "option_switch_rate": (0.25, "at most"),
        **({"exits_per_day": (float(cap), "at most")} if cap else {}),
        "churn_rate": (town.config.relationships.churn_alert_rate, "at most"),
    }


def first_days(town: Town) -> dict[str, int]:
    """Returns the first day, from 0, on which a figure can mean anything; 0 for all others."""
    return {"tenure_days": 3, "churn_rate": town.config.relationships.churn_warmup_days}


def day_record(
    town: Town, day: int, kpi: DayKpi, counts: np.ndarray, has_alert: np.ndarray
) -> Record:
    """Describes a day.

    Args:
      town: the loaded configuration.
      day: its number, from 0.
      kpi: figures of the day, numpy leaves `[E]`.
      counts: int32 `[E, 29]`, by `Day`.
      has_alert: bool `[E]`, whether too many ties were lost.

    Returns:
      `day`; the 17 figures, means over the towns that have cases of them; `has_data` by figure,
      whether any town has; `verdict` of the figures with a target; collapses per slot; exits by
      reason per town; the number of towns with a churn alert.
    """
    has_data = np.asarray(kpi.has_data)  # [E, 17]
    values, is_given = {}, {}
    for column, name in enumerate(FIGURES):
        known = np.asarray(getattr(kpi, name), np.float64)[has_data[:, column]]
        values[name] = round(float(known.mean()), 6) if known.size else 0.0
        is_given[name] = bool(known.size)
    exits = {reason: float(np.mean(counts[:, column])) for reason, column in EXITS.items()}
    starved = values["starvation_events"] / town.shape.num_agents
    return {
        "day": day,
        **values,
        "has_data": is_given,
        "verdict": _verdicts(town, values, is_given, day),
        "starvation_per_resident": round(starved, 6),
        "exits": {reason: round(number, 6) for reason, number in exits.items()},
        "churn_alert_towns": int(np.sum(has_alert)),
    }


def mean_record(town: Town, days: Sequence[Mapping[str, Any]]) -> Record:
    """Averages days; each figure over the days on which it has cases and is not too early.

    Args:
      town: the loaded configuration.
      days: results of `day_record`.

    Returns:
      The 17 figures, `has_data` and `verdict`, as of one day.
    """
    first = first_days(town)
    values, is_given = {}, {}
    for name in FIGURES:
        known = [
            day[name] for day in days if day["has_data"][name] and day["day"] >= first.get(name, 0)
        ]
        values[name] = round(sum(known) / len(known), 6) if known else 0.0
        is_given[name] = bool(known)
    last = max((day["day"] for day in days), default=-1)
    return {
        **values,
        "has_data": is_given,
        "verdict": _verdicts(town, values, is_given, last),
    }


def churn_record(town: Town, relationships: Relationships, num_ticks: int) -> Record:
    """Describes the running churn window and the one before it.

    Args:
      town: the loaded configuration.
      relationships: ties of fetched towns, numpy leaves `[E, ...]`.
      num_ticks: [tick] lived.

    Returns:
      The length of a window; per window its first tick, the tick after its last so far, the ties
      lost by cause over all towns, and by slot of town 0; no previous window during the first.
    """
    length = town.config.relationships.churn_window_ticks
    start = max(num_ticks - 1, 0) // length * length
    running = np.asarray(relationships.evictions_window, np.int64)
    past = np.asarray(relationships.evictions_previous, np.int64)
    return {
        "window_ticks": length,
        "window": _window(town, running, start, num_ticks),
        "previous": _window(town, past, start - length, start) if start else None,
    }


def _window(town: Town, lost: np.ndarray, start: int, end: int) -> Record:
    """Describes a churn window; `lost`: `[E, A, 4]`."""

    def by_cause(counts: np.ndarray) -> dict[str, int]:
        return {drop.name.lower(): int(counts[drop]) for drop in TieDrop}

    slots = enumerate(town.names.agents)
    return {
        "start_tick": start,
        "end_tick": end,
        **by_cause(lost.sum(axis=(0, 1))),
        "by_owner_of_town_0": {slot: by_cause(lost[0, a]) for a, slot in slots if lost[0, a].any()},
    }


def _verdicts(
    town: Town, values: Mapping[str, float], is_given: Mapping[str, bool], day: int
) -> dict[str, str]:
    """Says `met`, `not met`, `no data` or `too early` for each figure with a target."""
    first = first_days(town)
    verdicts = {}
    for name, (target, side) in targets(town).items():
        if day < first.get(name, 0):
            verdicts[name] = "too early"
        elif not is_given[name]:
            verdicts[name] = "no data"
        else:
            is_met = {
                "at least": values[name] >= target,
                "at most": values[name] <= target,
                "below": values[name] < target,
            }[side]
            verdicts[name] = "met" if is_met else "not met"
    return verdicts
