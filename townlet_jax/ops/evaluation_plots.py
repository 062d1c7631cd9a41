"""Pictures of an evaluation: needs over the days, and KPIs with intervals. Needs matplotlib.

The plan of a day is drawn in `day_plot`, ties in `ties_plot`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from townlet_jax.config.town import Town
from townlet_jax.ops.census import NEEDS
from townlet_jax.ops.day_plot import day_plan
from townlet_jax.ops.evaluation import Report, mean, ratio
from townlet_jax.ops.evaluation_table import ending
from townlet_jax.ops.intervals_plot import interval_panels
from townlet_jax.ops.kpi_days import FIGURES
from townlet_jax.ops.palette import ALARM, INK, TRUST
from townlet_jax.ops.palette import LOW as LOW_LEVEL
from townlet_jax.ops.palette import NEEDS as NEED_COLOURS
from townlet_jax.ops.plotting import (
    GREY,
    LABEL,
    LINE,
    NAME_LENGTH,
    add_axes,
    heading,
    number,
    save,
    shade_nights,
    sheet,
)
from townlet_jax.ops.summary import CHARTER
from townlet_jax.ops.ties_plot import ties
from townlet_jax.train.evaluate import HOURS, Evaluation

SPREAD = 10, 90
"""Percentiles of towns between which a band lies."""
MIN_HEIGHT = 0.02
"""[level] Where a label may be at the lowest."""


def draw_all(
    town: Town, evaluations: Sequence[Evaluation], report: Report
) -> dict[str, Callable[[], Figure]]:
    """Returns by file name what draws each picture.

    Args:
      town: the loaded configuration.
      evaluations: of the policy in question, one per learned seed.
      report: of `evaluation.report`.
    """
    policy = report["policy"]
    return {
        "needs.png": lambda: needs(policy, town, evaluations),
        "day_plan.png": lambda: day_plan(policy, town, evaluations),
        "ties.png": lambda: ties(policy, town, evaluations),
        "intervals.png": lambda: interval_panels(report),
    }


def save_all(
    folder: Path, town: Town, evaluations: Sequence[Evaluation], report: Report
) -> list[Path]:
    """Writes all pictures into a folder that exists; returns their paths."""
    paths = []
    for name, draw in draw_all(town, evaluations, report).items():
        paths.append(folder / name)
        save(draw(), paths[-1])
    return paths


def needs(policy: str, town: Town, evaluations: Sequence[Evaluation]) -> Figure:
    """Draws the mean level of each need by the hour, and the self-sufficiency of each day.

    Args:
      policy: its name.
      town: the loaded configuration.
      evaluations: one per learned seed.
    """
    num_days = evaluations[0].num_days
    num_towns = len(evaluations[0].seeds)
    span = f"{number(num_towns, 'town')}, {number(num_days, 'day')}"
    remark = f"policy {ending(policy, NAME_LENGTH)}, {span}"
    if len(evaluations) > 1:
        remark += f", {len(evaluations)} learned seeds"
    width = 6.0 + min(max(num_days, 2), 7) * 1.0
    figure = sheet(f"{town.config_id}: needs", remark, width, 6.6)
    upper = add_axes(figure, 0.75, 2.75, width - 1.85, 3.0)
    lower = add_axes(figure, 0.75, 0.55, width - 1.85, 1.35)
    _draw_levels(upper, _levels(evaluations))
    _draw_sufficiency(lower, _sufficiency(evaluations))
    days = (np.arange(num_days) + 0.5) * HOURS
    for axes in (upper, lower):
        shade_nights(axes, num_days)
        axes.set_xlim(0, num_days * HOURS)
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        axes.set_xticks(days, [f"day {day + 1}" for day in range(num_days)])
        axes.tick_params(axis="x", length=0)
        for day in range(1, num_days):
            axes.axvline(day * HOURS, color=LINE, linewidth=0.8, zorder=1)
    return figure


def _draw_levels(axes: Axes, level: np.ndarray) -> None:
    """Draws a curve per need, `[R * E, D * 24, 3]`, with a band where there are several towns."""
    num_towns, num_hours, _ = level.shape
    hours, means = np.arange(num_hours) + 0.5, mean(level, 0)
    ends = _apart(np.nan_to_num(means[-1]).tolist(), 0.07)
    for n, need in enumerate(NEEDS):
        colour = NEED_COLOURS[need]
        if num_towns > 1:
            low, high = _band(level[:, :, n])
            axes.fill_between(hours, low, high, color=colour, alpha=0.16, linewidth=0)
        axes.plot(hours, means[:, n], color=colour, linewidth=1.9)
        style: dict[str, Any] = {"color": colour, "size": 9.5, "weight": "bold", "va": "center"}
        axes.text(num_hours * 1.01, ends[n], need, **style)
    axes.axhline(LOW_LEVEL, color=ALARM, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.text(0, LOW_LEVEL - 0.015, " low", color=ALARM, size=8.5, va="top")
    band = f"; the band holds {SPREAD[1] - SPREAD[0]} % of the towns" if num_towns > 1 else ""
    heading(axes, "needs", f"mean level by the hour{band}")
    axes.set(ylim=(0, 1), yticks=np.arange(0, 1.01, 0.25))
    axes.set_ylabel("level", **LABEL)


def _draw_sufficiency(axes: Axes, share: np.ndarray) -> None:
    """Draws a dot per town and day, `[R * E, D]`, and the mean of each day."""
    num_days = share.shape[1]
    days = (np.arange(num_days) + 0.5) * HOURS
    beside = np.random.default_rng(0).uniform(-0.16, 0.16, share.shape) * HOURS
    style: dict[str, Any] = {"color": TRUST, "linewidth": 0, "alpha": 0.28, "zorder": 2}
    axes.scatter(days + beside, share, s=26, **style)
    axes.plot(days, mean(share, 0), color=INK, linewidth=1.2, marker="D", markersize=6)
    target = CHARTER["self_sufficiency"][0]
    axes.axhline(target, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.text(num_days * HOURS * 1.01, target, "charter", color=GREY, size=8.5, va="center")
    remark = "share of residents with no low need all day; a dot is a town, a diamond the mean"
    heading(axes, "self-sufficiency", remark)
    axes.set(ylim=(-0.06, 1.06), yticks=(0, 0.5, 1))
    axes.set_ylabel("share", **LABEL)


def _band(values: np.ndarray) -> np.ndarray:
    """Returns low and high by hour of `[R * E, D * 24]`; no band where nobody lived anywhere."""
    is_known = ~np.isnan(values).all(axis=0)
    band = np.full((2, values.shape[1]), np.nan)
    if is_known.any():
        band[:, is_known] = np.nanpercentile(values[:, is_known], SPREAD, axis=0)
    return band


def _levels(evaluations: Sequence[Evaluation]) -> np.ndarray:
    """Returns mean levels, float64 `[R * E, D * 24, 3]`, NaN where nobody lived."""
    rows = []
    for evaluation in evaluations:
        sums = np.asarray(evaluation.diary.needs, np.float64)  # [E, D, 24, 3]
        living = np.asarray(evaluation.diary.living)[..., None]
        rows.append(ratio(sums, living).reshape(sums.shape[0], -1, len(NEEDS)))
    return np.concatenate(rows)


def _sufficiency(evaluations: Sequence[Evaluation]) -> np.ndarray:
    """Returns the share of each day, float64 `[R * E, D]`, NaN where a day is not over."""
    column = FIGURES.index("self_sufficiency")
    days = [evaluation.diary.days for evaluation in evaluations]
    values = [np.asarray(day.self_sufficiency, np.float64) for day in days]
    is_known = [np.asarray(day.has_data)[..., column] for day in days]
    return np.concatenate(
        [np.where(known, value, np.nan) for known, value in zip(is_known, values, strict=True)]
    )


def _apart(heights: list[float], gap: float) -> list[float]:
    """Moves labels apart that would cover each other, as little as needed."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = [max(height, MIN_HEIGHT) for height in heights]
    for below, above in zip(order, order[1:], strict=False):
        placed[above] = max(placed[above], placed[below] + gap)
    excess = max(0.0, placed[order[-1]] - max(heights)) / 2
    return [height - min(excess, placed[order[0]] - MIN_HEIGHT) for height in placed]
