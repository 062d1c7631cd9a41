"""How policies fared in many towns, as one plain object fit for JSON (training text §11)."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from townlet_jax.config.town import Town
from townlet_jax.ops.bootstrap import Intervals, intervals
from townlet_jax.ops.census import NEEDS
from townlet_jax.ops.host import state_hash
from townlet_jax.ops.kpi_days import FIGURES
from townlet_jax.ops.summary import CHARTER, verdict
from townlet_jax.town.reward import Term
from townlet_jax.train.evaluate import Noted

SCHEMA = 1
DIGITS = 6
"""Decimals of a report."""
DAILY = {
    "self_sufficiency": "share",
    "lateness_rate": "share",
    "relationship_coverage": "share",
    "conflicts_per_day": "1/day",
    "repeat_avoidance_share": "share",
    "option_switch_rate": "share",
    "chat_success_rate": "share",
    "chat_quality_mean": "share",
    "attendance": "share",
    "exits_per_day": "1/day",
}
"""Figures of `DayKpi` that are averaged over the days of a town, with their units."""
Arrays = dict[str, np.ndarray]
Report = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Figures:
    """KPIs of a policy before any mean over towns or learned seeds is taken.

    Attributes:
      policy: its name. num_days: D. town_seeds: E of them.
      seeds, hashes: of the R policies that were learned; R is 1 for a built-in one, which has none.
      units: by KPI.
      by_town: float64 `[R, E]` by KPI, NaN where a town has no cases.
      by_day: float64 `[R, E, D]` by KPI, those that a day has.
    """

    policy: str
    num_days: int
    town_seeds: tuple[int, ...]
    seeds: tuple[int, ...]
    hashes: tuple[str, ...]
    units: dict[str, str]
    by_town: Arrays
    by_day: Arrays


def figures(
    town: Town,
    policy: str,
    evaluations: Sequence[Noted],
    seeds: Sequence[int] = (),
    hashes: Sequence[str] = (),
) -> Figures:
    """Reads the KPIs of a policy.

    Args:
      town: the loaded configuration.
      policy: its name.
      evaluations: one per learned seed, all of the same towns; of a built-in policy only one.
      seeds, hashes: of the learned policies.
    """
    first = evaluations[0]
    found = [_read(town, evaluation) for evaluation in evaluations]
    units, by_town, by_day = found[0]
    return Figures(
        policy=policy,
        num_days=first.num_days,
        town_seeds=first.seeds,
        seeds=tuple(seeds),
        hashes=tuple(hashes),
        units=units,
        by_town={name: np.stack([one[1][name] for one in found]) for name in by_town},
        by_day={name: np.stack([one[2][name] for one in found]) for name in by_day},
    )


def report(
    town: Town,
    ours: Figures,
    others: Sequence[Figures] = (),
    settings: Mapping[str, Any] | None = None,
) -> Report:
    """Describes how a policy fared, and others in the same towns.

    Args:
      town: the loaded configuration.
      ours: the policy in question.
      others: policies to compare it with.
      settings: how it was evaluated; goes into the report as it is.

    Returns:
      Plain data; None stands where there are no cases.
    """
    return {
        "schema": SCHEMA,
        "policy": ours.policy,
        "config_id": town.config_id,
        "config_hash": town.identity,
        "policy_hash": state_hash(ours.hashes) if ours.hashes else None,
        **({"policy_hashes": list(ours.hashes)} if len(ours.hashes) > 1 else {}),
        "towns": len(ours.town_seeds),
        "days": ours.num_days,
        "seeds": list(ours.seeds),
        "town_seeds": list(ours.town_seeds),
        **(settings or {}),
        **_summary(ours),
        "paired": {other.policy: compare(ours, other) for other in others},
        "others": {other.policy: _summary(other) for other in others},
    }


def compare(ours: Figures, others: Figures) -> dict[str, dict[str, float | None]]:
    """Subtracts the KPIs of another policy town by town.

    Args:
      ours, others: policies that lived in the same towns for the same time.

    Returns:
      `difference`, `low`, `high` by KPI; None where no town has cases of both.

    Raises:
      ValueError: they lived in different towns, or for different times.
    """
    if (ours.town_seeds, ours.num_days) != (others.town_seeds, others.num_days):
        raise ValueError(f"{ours.policy} and {others.policy} did not live in the same towns")
    names = [name for name in ours.by_town if name in others.by_town]
    values, subtracted = (
        np.stack([policy.by_town[name] for name in names]) for policy in (ours, others)
    )
    found = intervals(values, subtracted)
    return {name: _row(found, k, "difference") for k, name in enumerate(names)}


def mean(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Averages over axes what is not NaN; NaN where nothing is left."""
    is_known = ~np.isnan(values)
    return ratio(np.where(is_known, values, 0.0).sum(axis=axis), is_known.sum(axis=axis))


def ratio(counts: np.ndarray, cases: np.ndarray) -> np.ndarray:
    """Divides; NaN where there are no cases."""
    return np.where(cases > 0, counts / np.maximum(cases, 1), np.nan)


def _summary(policy: Figures) -> Report:
    """Averages the KPIs of a policy, with intervals, and compares them with the charter."""
    found = intervals(np.stack(list(policy.by_town.values())))
    kpis = {
        name: {**_row(found, k, "mean"), "unit": policy.units[name]}
        for k, name in enumerate(policy.by_town)
    }
    by_seed = {"per_seed": _lists(policy.by_town, 1)} if len(policy.seeds) > 1 else {}
    return {
        "kpis": kpis,
        "per_town": _lists(policy.by_town, 0),
        "per_day": _lists(policy.by_day, (0, 1)),
        **by_seed,
        "charter": {name: _standing(name, kpis[name], policy.num_days) for name in CHARTER},
    }


def _standing(name: str, kpi: Mapping[str, Any], num_days: int) -> dict[str, Any]:
    """Compares a KPI with its target; `secure` where the whole interval is on the right side."""
    target, side = CHARTER[name]
    value, low, high = kpi["mean"], kpi["low"], kpi["high"]
    word = "no data" if value is None else verdict(name, value, num_days)
    passed = {"met": True, "not met": False}.get(word)
    secure = None
    if passed is not None:
        secure = verdict(name, low if side == "at least" else high, num_days) == "met"
    return {
        "target": target,
        "side": side,
        "value": value,
        "low": low,
        "high": high,
        "passed": passed,
        "secure": secure,
        "verdict": "narrowly met" if passed and not secure else word,
    }


def _row(found: Intervals, k: int, title: str) -> dict[str, float | None]:
    return {
        title: _plain(found.mean[k]),
        "low": _plain(found.low[k]),
        "high": _plain(found.high[k]),
    }


def _lists(arrays: Arrays, axis: int | tuple[int, ...]) -> dict[str, list[float | None]]:
    return {name: [_plain(x) for x in mean(array, axis)] for name, array in arrays.items()}


def _plain(value: float) -> float | None:
    """Rounds; NaN has no place in JSON."""
    return None if math.isnan(value) else round(float(value), DIGITS)


def _read(town: Town, evaluation: Noted) -> tuple[dict[str, str], Arrays, Arrays]:
    """Reads units, KPIs `[E]` and those of single days `[E, D]`."""
    units: dict[str, str] = {}
    by_town, by_day = {}, {}

    def add(name: str, unit: str, whole: np.ndarray, daily: np.ndarray | None = None) -> None:
        units[name], by_town[name] = unit, whole
        if daily is not None:
            by_day[name] = daily

    diary, num_days = evaluation.diary, evaluation.num_days
    tenure, late_share = np.asarray(diary.tenure_late, np.float64).T
    settled = slice(1, None) if num_days > 1 else slice(None)
    for name, unit in DAILY.items():
        daily = _day_figure(evaluation, name)
        spans = {"self_sufficiency": settled, "relationship_coverage": slice(-1, None)}
        add(name, unit, mean(daily[:, spans.get(name, slice(None))], 1), daily)
        if name == "self_sufficiency":
            add("tenure_days", "day", tenure, _day_figure(evaluation, "tenure_days"))
            add("late_share", "share", late_share)
    living = np.asarray(diary.living, np.float64).sum(axis=2)  # [E, D] resident ticks
    resident_days = living / int(town.params.time.ticks_per_day)

    def add_rate(name: str, unit: str, counts: np.ndarray, cases: np.ndarray) -> None:
        add(name, unit, _rate(counts.sum(axis=1), cases.sum(axis=1)), _rate(counts, cases))

    starved = np.nan_to_num(_day_figure(evaluation, "starvation_events"))
    add_rate("starvation_rate", "1/resident-day", starved, resident_days)
    fitness = _fitness(town, evaluation)
    add("agent_fitness", "", mean(fitness, 1), fitness)
    for n, need in enumerate(NEEDS):
        levels = np.asarray(diary.needs, np.float64)[..., n].sum(axis=2)
        add_rate(f"need_mean.{need}", "level", levels, living)
    for n, need in enumerate(NEEDS):
        lows = np.asarray(diary.low_needs, np.float64)[..., n].sum(axis=2)
        add_rate(f"need_low.{need}", "share", lows, living)
    returns = np.asarray(diary.returns, np.float64)
    is_first = np.asarray(town.layout.residents.is_resident)[None, :]
    add("discounted_return", "reward", mean(np.where(is_first, returns, np.nan), 1))
    terms = np.asarray(diary.terms, np.float64)
    for term in sorted(Term, key=lambda term: term != Term.TOTAL):
        name = f"reward.{term.name.lower()}"
        add_rate(name, "reward/resident-day", terms[..., term], resident_days)
    chosen = np.asarray(diary.options, np.float64).sum(axis=1)  # [E, n]
    for code, action in enumerate(town.names.actions):
        add(f"option_share.{action}", "share", ratio(chosen[:, code], chosen.sum(axis=1)))
    return units, by_town, by_day


def _day_figure(evaluation: Noted, name: str) -> np.ndarray:
    """Returns a figure of each day, float64 `[E, D]`, NaN where it is a share of no cases."""
    days = evaluation.diary.days
    is_known = np.asarray(days.has_data)[..., FIGURES.index(name)]
    return np.where(is_known, np.asarray(getattr(days, name), np.float64), np.nan)


def _fitness(town: Town, evaluation: Noted) -> np.ndarray:
    """Returns agent fitness by day, float64 `[E, D]`; a day must end where a decision ends."""
    given = np.asarray(evaluation.diary.fitness, np.float64)
    is_noted = int(town.params.time.ticks_per_day) % evaluation.window == 0
    return given if is_noted else np.full_like(given, np.nan)


def _rate(counts: np.ndarray, cases: np.ndarray) -> np.ndarray:
    """Divides by cases that may be parts of one, NaN where there are none."""
    return np.where(cases > 0, counts / np.where(cases > 0, cases, 1.0), np.nan)
