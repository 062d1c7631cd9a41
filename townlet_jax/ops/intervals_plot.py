"""KPIs with intervals, for each policy of a report."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from townlet_jax.ops.evaluation import Report
from townlet_jax.ops.evaluation_table import ending
from townlet_jax.ops.palette import INK, TRUST
from townlet_jax.ops.plotting import GREY, LINE, NAME_LENGTH, add_axes, heading, number, sheet
from townlet_jax.ops.summary import CHARTER

COLOURS = ("#24292f", "#d1793f", "#3f7cac", "#8e6bb5", "#2f8f9d", "#9a7b3c")
"""Of policies, in turn."""
MARKERS = "osD^vP"
SHARES = (
    "self_sufficiency", "relationship_coverage", "attendance", "lateness_rate",
    "need_mean.hunger", "need_mean.hygiene", "need_mean.energy",
    "need_low.hunger", "need_low.hygiene", "need_low.energy",
    "chat_success_rate", "chat_quality_mean", "option_switch_rate", "repeat_avoidance_share",
)  # fmt: skip
"""KPIs in [0, 1], from above."""
OTHERS = {
    "tenure_days": "tenure [day]",
    "discounted_return": "discounted return [reward]",
    "reward.total": "reward per resident and day",
    "agent_fitness": "agent fitness",
    "conflicts_per_day": "queue conflicts per day",
    "exits_per_day": "exits per day",
    "starvation_rate": "collapses per resident and day",
}
"""KPIs with a scale of their own."""
ROW = 0.36
"""[inch]"""
Kpis = Mapping[str, Mapping[str, Any]]


def interval_panels(report: Report) -> Figure:
    """Draws the KPIs of all policies of a report, shares on the left, all others on the right.

    Args:
      report: of `evaluation.report`.
    """
    policies: dict[str, Kpis] = {report["policy"]: report["kpis"]}
    policies |= {name: other["kpis"] for name, other in report["others"].items()}
    span = f"{number(report['towns'], 'town')}, {number(report['days'], 'day')}"
    remark = f"{span}; means with 95 % intervals"
    height = len(SHARES) * ROW + 1.9
    figure = sheet(f"{report['config_id']}: policies", remark, 12.6, height)
    axes = add_axes(figure, 2.1, 0.75, 5.0, len(SHARES) * ROW)
    _draw_rows(axes, SHARES, policies)
    axes.set(xlim=(-0.02, 1.02))
    axes.set_yticks(range(len(SHARES)), [_title(name) for name in SHARES], color=INK)
    _draw_targets(axes)
    heading(axes, "shares and levels")
    room = len(SHARES) * ROW / len(OTHERS)
    for i, (name, title) in enumerate(OTHERS.items()):
        bottom = 0.75 + (len(OTHERS) - 1 - i) * room
        panel = add_axes(figure, 9.75, bottom + 0.21, 2.5, room - 0.3)
        _draw_rows(panel, (name,), policies)
        panel.set_yticks([0], [title], color=INK)
        if i == 0:
            heading(panel, "other figures")
        panel.margins(x=0.12)
        panel.locator_params(axis="x", nbins=4)
        panel.tick_params(labelsize=8)
    handles = [
        Line2D([], [], color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)],
               linewidth=1.6, label=ending(name, NAME_LENGTH))
        for i, name in enumerate(policies)
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="upper right", ncols=len(handles), frameon=False, fontsize=9.5,
        bbox_to_anchor=(1 - 0.25 / 12.6, 1 - 0.55 / height), labelcolor=INK,
    )  # fmt: skip
    return figure


def _draw_rows(axes: Axes, names: tuple[str, ...], policies: Mapping[str, Kpis]) -> None:
    """Draws one row per KPI; policies lie above each other in it."""
    step = min(0.24, 0.66 / max(len(policies), 1))
    for i, kpis in enumerate(policies.values()):
        shift = (i - (len(policies) - 1) / 2) * step
        colour = COLOURS[i % len(COLOURS)]
        for row, name in enumerate(names):
            kpi = kpis[name]
            if kpi["mean"] is None:
                continue
            y = row + shift
            axes.plot([kpi["low"], kpi["high"]], [y, y], color=colour, linewidth=2, alpha=0.75)
            axes.plot(
                [kpi["mean"]], [y], color=colour, marker=MARKERS[i % len(MARKERS)], markersize=5,
                markeredgecolor="white", markeredgewidth=0.6,
            )  # fmt: skip
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", color=LINE, linewidth=0.6)
    axes.tick_params(axis="y", length=0, labelsize=9)
    for row in range(1, len(names)):
        axes.axhline(row - 0.5, color=LINE, linewidth=0.5)


def _draw_targets(axes: Axes) -> None:
    """Marks the targets of the charter: a bar, and the side on which a figure should be."""
    for row, name in enumerate(SHARES):
        if name not in CHARTER:
            continue
        target, side = CHARTER[name]
        is_least = side == "at least"
        span = (target, 1.02) if is_least else (-0.02, target)
        axes.fill_between(span, row - 0.5, row + 0.5, color=TRUST, alpha=0.09, linewidth=0)
        axes.plot([target] * 2, [row - 0.5, row + 0.5], color=TRUST, linewidth=1.4, alpha=0.7)
    axes.text(
        0, -0.085, "green: where the charter wants it", transform=axes.transAxes, size=8.5,
        color=GREY, va="top",
    )  # fmt: skip


def _title(name: str) -> str:
    kind, _, need = name.partition(".")
    return f"{kind.replace('_', ' ')} {need}".strip()
