"""The plan of a day: who does what when, and how common each action is by the hour."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from townlet_jax.config.town import Town
from townlet_jax.masked import NONE
from townlet_jax.ops.evaluation import ratio
from townlet_jax.ops.evaluation_table import ending
from townlet_jax.ops.labels import resident_name
from townlet_jax.ops.palette import ALARM, INK, LOW, NEEDS, OBJECTS, TRUST
from townlet_jax.ops.plotting import (
    GREY,
    LABEL,
    LINE,
    NAME_LENGTH,
    add_axes,
    heading,
    shade_nights,
    sheet,
)
from townlet_jax.train.evaluate import HOURS, Evaluation

OPTIONS = {
    "rest": "#d3d8df", "wait": "#d3d8df", "get_fed": NEEDS["hunger"], "get_clean": NEEDS["hygiene"],
    "sleep": NEEDS["energy"], "go_to_work": "#57606a", "socialise": TRUST, "cook": "#e3b341",
}  # fmt: skip
"""Colours of the options; needs have those of the need."""
ROW = 0.36
"""[inch] of a resident."""
STRIPE = 0.62
"""Share of a row that the stripe fills."""
NAMES_AT = -3.25
"""[hour] Where names begin, left of midnight."""


def day_plan(policy: str, town: Town, evaluations: Sequence[Evaluation]) -> Figure:
    """Draws the last day of each resident of town 0, and below the shares of all actions.

    Args:
      policy: its name.
      town: the loaded configuration.
      evaluations: one per learned seed; the residents are those of the first.
    """
    first = evaluations[0]
    num_agents, day = town.shape.num_agents, first.num_days - 1
    colours = action_colours(town.names.actions)
    per_row = 8
    legend = 0.24 * -(-len(colours) // per_row)
    plan = max(num_agents * ROW, 1.0)
    height = plan + legend + 3.7
    figure = sheet(
        f"{town.config_id}: plan of day {day + 1}",
        f"policy {ending(policy, NAME_LENGTH)}, town of seed {first.seeds[0]}", 12.6, height,
    )  # fmt: skip
    upper = add_axes(figure, 1.75, 2.85, 10.35, plan)
    lower = add_axes(figure, 1.75, 0.62, 10.35, 1.65)
    _draw_residents(upper, town, first, day, list(colours.values()))
    _draw_shares(lower, evaluations, list(colours.values()))
    handles = [
        Patch(facecolor=colour, label=name.replace("_", " ")) for name, colour in colours.items()
    ]
    handles.append(Patch(facecolor="none", edgecolor=INK, linewidth=1.2, label="own shift"))
    handles.append(Patch(facecolor=ALARM, label="a need is low"))
    figure.legend(
        handles=handles, loc="upper left", ncols=len(handles) if len(handles) <= 10 else per_row,
        bbox_to_anchor=(1.62 / 12.6, 1 - 0.55 / height), frameon=False, fontsize=9,
        labelcolor=INK, handlelength=1.1, handleheight=0.9, columnspacing=1.5,
    )  # fmt: skip
    for axes in (upper, lower):
        shade_nights(axes)
        axes.set(xlim=(0, HOURS), xticks=range(0, HOURS + 1, 2))
        axes.set_xticklabels([f"{hour:02}:00" for hour in range(0, HOURS + 1, 2)])
    return figure


def action_colours(actions: Sequence[str]) -> dict[str, str]:
    """Returns a colour by action; those of the primitive level take turns with a few."""
    rest = iter(range(len(actions)))
    return {
        action: OPTIONS[action] if action in OPTIONS else OBJECTS[next(rest) % len(OBJECTS)]
        for action in actions
    }


def runs(values: np.ndarray) -> list[tuple[int, int]]:
    """Cuts an array into stretches of equal values: first index, index after the last."""
    edges = np.flatnonzero(np.diff(values)) + 1
    starts = [0, *edges.tolist()]
    return list(zip(starts, [*starts[1:], len(values)], strict=True)) if len(values) else []


def _draw_residents(
    axes: Axes, town: Town, evaluation: Evaluation, day: int, colours: list[str]
) -> None:
    """Draws a row of stripes per resident, low needs below them, and the outline of the shift."""
    length = int(town.params.time.ticks_per_day)
    watched = {name: np.asarray(value) for name, value in evaluation.watched.items()}
    is_today = watched["tick"] // length == day
    edges = np.append((watched["tick"][is_today] % length) * HOURS / length, HOURS)
    action = np.where(watched["is_alive"], watched["action"], NONE)[is_today]  # [W, A]
    is_low = (watched["level"][is_today] <= LOW).any(axis=2) & (action != NONE)
    agents, num_agents = evaluation.town.agents, action.shape[1]
    for a in range(num_agents):
        _draw_stripes(axes, a, edges, action[:, a], is_low[:, a], colours)
        name = resident_name(town.names.agents[a], int(agents.generation[a]))
        axes.text(NAMES_AT, a, name, size=9, weight="bold", color=INK, va="center")
        if agents.is_alive[a] and agents.job[a] != NONE:
            _draw_shift(axes, town, a, int(agents.job[a]))
    axes.set(ylim=(num_agents - 0.4, -0.6), yticks=[])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _draw_stripes(
    axes: Axes,
    row: int,
    edges: np.ndarray,
    action: np.ndarray,
    is_low: np.ndarray,
    colours: list[str],
) -> None:
    """Draws what a resident is set on.

    Args:
      axes: where to draw; one unit = one hour, one resident.
      row: slot of the resident.
      edges: float64 `[W + 1]` [hour], where decisions begin, and the end of the day.
      action: int32 `[W]`, NONE where nobody lives.
      is_low: bool `[W]`, whether a need is low.
      colours: by action.
    """
    bottom = row - STRIPE / 2
    style: dict[str, Any] = {"linewidth": 0, "zorder": 2}
    stretches = runs(action)
    for code, colour in enumerate(colours):
        spans = [(edges[i], edges[j] - edges[i]) for i, j in stretches if action[i] == code]
        axes.broken_barh(spans, (bottom, STRIPE), color=colour, **style)
    spans = [(edges[i], edges[j] - edges[i]) for i, j in runs(is_low) if is_low[i]]
    axes.broken_barh(spans, (bottom + STRIPE, 0.1), color=ALARM, **style)


def _draw_shift(axes: Axes, town: Town, row: int, job: int) -> None:
    """Outlines the shift of a job and names it."""
    hour = HOURS / int(town.params.time.ticks_per_day)
    start, end = (int(x[job]) for x in (town.params.employment.start, town.params.employment.end))
    place, size = (start * hour, row - STRIPE / 2 - 0.07), ((end + 1 - start) * hour, STRIPE + 0.14)
    axes.add_patch(Rectangle(place, *size, fill=False, edgecolor=INK, linewidth=1.2, zorder=4))
    axes.text(-0.14, row, town.names.jobs[job], size=8, color=GREY, va="center", ha="right")


def _draw_shares(axes: Axes, evaluations: Sequence[Evaluation], colours: list[str]) -> None:
    """Draws which share of all decisions each action has, by the hour of the day."""
    counts = np.sum([np.asarray(one.diary.options).sum(axis=0) for one in evaluations], axis=0)
    shares = ratio(counts, counts.sum(axis=1, keepdims=True))  # [24, n]
    shares = np.nan_to_num(np.concatenate([shares[-1:], shares, shares[:1]]))
    hours = np.arange(-0.5, HOURS + 1)
    axes.stackplot(hours, shares.T, colors=colours, linewidth=0.6, edgecolor="white")
    axes.set(ylim=(0, 1), yticks=(0, 0.5, 1))
    axes.set_ylabel("share", **LABEL)
    axes.grid(axis="x", color=LINE, linewidth=0.6)
    heading(axes, "all decisions", "of all towns and days, by the hour of the day")
