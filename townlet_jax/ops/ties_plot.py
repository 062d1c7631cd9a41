"""Who likes whom: the ties of town 0 as a graph, and how strong ties are in all towns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from townlet_jax.config.town import Town
from townlet_jax.ops.census import MIN_RIVALRY
from townlet_jax.ops.evaluation_table import ending
from townlet_jax.ops.labels import resident_name
from townlet_jax.ops.palette import ACQUAINTANCE, INK, RIVALRY, TRUST, person_colour
from townlet_jax.ops.plotting import LABEL, LINE, NAME_LENGTH, add_axes, heading, sheet
from townlet_jax.train.evaluate import Evaluation

MIN_TRUST = 0.05
"""Trust from which a line is drawn."""
BINS = np.linspace(-1, 1, 41)


def ties(policy: str, town: Town, evaluations: Sequence[Evaluation]) -> Figure:
    """Draws the ties at the end.

    Args:
      policy: its name.
      town: the loaded configuration.
      evaluations: one per learned seed; the graph is of town 0 of the first.
    """
    first = evaluations[0]
    remark = f"policy {ending(policy, NAME_LENGTH)}, end of day {first.num_days}"
    figure = sheet(f"{town.config_id}: ties", remark, 12.6, 7.4)
    graph = add_axes(figure, 0.2, 0.55, 6.6, 6.1)
    _draw_graph(graph, town, first)
    strength = {
        name: np.concatenate([_of_ties(one, name) for one in evaluations])
        for name in ("trust", "familiarity", "rivalry")
    }
    num_towns = sum(len(one.seeds) for one in evaluations)
    panels = {"trust": TRUST, "familiarity": ACQUAINTANCE, "rivalry": RIVALRY}
    for i, (name, colour) in enumerate(panels.items()):
        axes = add_axes(figure, 7.75, 0.75 + (2 - i) * 2.12, 4.5, 1.4)
        _draw_histogram(axes, name, strength[name], colour)
    remark = f"directed ties of {num_towns} towns" if num_towns > 1 else "directed ties of the town"
    axes.set_xlabel(f"strength; {len(strength['trust']):,} {remark}", **LABEL)
    return figure


def _of_ties(evaluation: Evaluation, name: str) -> np.ndarray:
    """Returns a strength of all ties of all towns."""
    ledger = evaluation.relationships
    return np.asarray(getattr(ledger, name), np.float64)[np.asarray(ledger.is_tie)]


def _draw_graph(axes: Axes, town: Town, evaluation: Evaluation) -> None:
    """Draws residents on a circle; a line is the mean of both directions."""
    ledger, agents = evaluation.relationships, evaluation.town.agents
    trust, rivalry = (
        (np.asarray(x[0], np.float64) + np.asarray(x[0], np.float64).T) / 2
        for x in (ledger.trust, ledger.rivalry)
    )
    slots = np.flatnonzero(np.asarray(agents.is_alive))
    angles = np.pi / 2 - 2 * np.pi * np.arange(len(slots)) / max(len(slots), 1)
    spots = {int(a): (np.cos(t), np.sin(t)) for a, t in zip(slots, angles, strict=True)}
    pairs = [(a, b) for a in spots for b in spots if a < b]
    for a, b in sorted(pairs, key=lambda pair: trust[pair]):
        strength = min(trust[a, b], 1.0)
        if strength >= MIN_TRUST:
            style = {"linewidth": 0.6 + 5.4 * strength, "alpha": 0.22 + 0.6 * strength}
            _draw_line(axes, spots[a], spots[b], color=TRUST, zorder=2 + strength, **style)
    for a, b in pairs:
        if rivalry[a, b] >= MIN_RIVALRY or trust[a, b] < 0:
            strength = min(max(rivalry[a, b], -trust[a, b]), 1.0)
            style = {"linewidth": 1.0 + 2.2 * strength, "linestyle": (0, (3.5, 2.5))}
            _draw_line(axes, spots[a], spots[b], 0.2, color=RIVALRY, zorder=4, **style)
    size = 460 if len(slots) <= 16 else 150
    for a, (x, y) in spots.items():
        axes.scatter(x, y, s=size, color=[person_colour(a)], edgecolor="white", zorder=5)
        name = resident_name(town.names.agents[a], int(agents.generation[a]))
        side = "center" if abs(x) < 0.12 else "left" if x > 0 else "right"
        axes.text(
            x * 1.11, y * 1.11 + 0.02 * np.sign(y), name, size=10 if len(slots) <= 16 else 8,
            color=INK, ha=side, va="center", weight="bold",
        )  # fmt: skip
    axes.set(xlim=(-1.5, 1.5), ylim=(-1.3, 1.3), aspect="equal")
    axes.axis("off")
    heading(axes, "   town of seed", str(evaluation.seeds[0]))
    handles = [
        Line2D([], [], color=TRUST, linewidth=4, alpha=0.8, label="trust, the thicker the more"),
        Line2D([], [], color=RIVALRY, linewidth=2, linestyle=(0, (3.5, 2.5)),
               label="rivalry or mistrust"),
    ]  # fmt: skip
    axes.legend(
        handles=handles, loc="lower center", ncols=2, frameon=False, fontsize=9, labelcolor=INK,
        bbox_to_anchor=(0.5, -0.06),
    )  # fmt: skip


def _draw_line(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    bend: float = 0.08,
    **style: Any,
) -> None:
    arc = f"arc3,rad={bend}"
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-", connectionstyle=arc, **style))


def _draw_histogram(axes: Axes, name: str, values: np.ndarray, colour: str) -> None:
    """Draws how often each strength occurs; a line marks the mean."""
    axes.hist(np.clip(values, BINS[0], BINS[-1]), bins=BINS.tolist(), color=colour, alpha=0.85)
    axes.set(xlim=(BINS[0], BINS[-1]), xticks=np.arange(-1, 1.01, 0.5))
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.axvline(0, color=LINE, linewidth=0.8)
    average = "no ties"
    if not len(values):
        axes.set_yticks([0, 1])
    else:
        average = f"mean {values.mean():+.2f}"
        axes.axvline(values.mean(), color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
    axes.set_ylabel("ties", **LABEL)
    heading(axes, name, average)
