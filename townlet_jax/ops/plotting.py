"""What all plots of an evaluation share: paper, ink, nights, headings. Needs matplotlib."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from townlet_jax.ops.palette import INK

GREY, LINE, NIGHT = "#57606a", "#d0d7de", "#eef1f6"
"""Colours of secondary text, of rules, and of nights."""
DPI = 130
NIGHTS = ((0, 6), (22, 24))
"""[hour of day]"""
NAME_LENGTH = 32
"""Characters of the name of a policy."""
LABEL: dict[str, Any] = {"size": 9, "color": GREY}
TITLE_INCHES = 0.36
"""[inch] from the upper edge to the middle of the title."""


def sheet(title: str, remark: str, width: float, height: float) -> Figure:
    """Makes an empty figure with a title on the left and a remark on the right.

    Args:
      title, remark: texts.
      width, height: [inch]
    """
    figure = Figure(figsize=(width, height), facecolor="white")
    top, left, right = 1 - TITLE_INCHES / height, 0.35 / width, 1 - 0.35 / width
    figure.text(left, top, title, size=15, weight="bold", color=INK, va="center")
    figure.text(right, top, remark, size=9.5, color=GREY, va="center", ha="right")
    return figure


def add_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Adds axes placed in inches from the lower left corner, with light borders."""
    total_width, total_height = figure.get_size_inches()
    place = (left / total_width, bottom / total_height, width / total_width, height / total_height)
    axes = figure.add_axes(place)
    for side, spine in axes.spines.items():
        spine.set(color=LINE, visible=side in ("left", "bottom"))
    axes.tick_params(colors=GREY, labelsize=8.5, length=3, width=0.6)
    axes.set_axisbelow(True)
    return axes


def heading(axes: Axes, text: str, remark: str = "") -> None:
    """Writes what axes show above them, and a remark in grey behind it."""
    title = axes.set_title(text, size=10.5, weight="bold", color=INK, loc="left", pad=7)
    if remark:
        axes.annotate(
            remark, (1, 0), xytext=(8, 0.5), xycoords=title, textcoords="offset points",
            size=9, color=GREY, va="bottom",
        )  # fmt: skip


def shade_nights(axes: Axes, num_days: int = 1, unit: float = 1.0) -> None:
    """Shades the nights of some days; `unit`: of an hour on the axis."""
    for day in range(num_days):
        for start, end in NIGHTS:
            edges = ((24 * day + hour) * unit for hour in (start, end))
            axes.axvspan(*edges, color=NIGHT, zorder=0, linewidth=0)


def number(count: int, noun: str) -> str:
    """Returns `1 town`, `2 towns`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG file."""
    figure.savefig(path, format="png", dpi=DPI)
