"""Pictures of a sweep: response curves, heat maps, intervals by setting. Needs matplotlib."""

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from townlet_jax.ops.bootstrap import seed_intervals
from townlet_jax.ops.evaluation import mean
from townlet_jax.ops.intervals_plot import COLOURS, MARKERS
from townlet_jax.ops.palette import INK
from townlet_jax.ops.plotting import GREY, LABEL, LINE, add_axes, heading, number, save, sheet
from townlet_jax.ops.sweep_files import Row
from townlet_jax.ops.sweep_results import estimates, table
from townlet_jax.ops.sweep_table import short, spoken

FIGURES = (
    "kpi.self_sufficiency", "kpi.relationship_coverage", "kpi.reward.total",
    "kpi.conflicts_per_day", "queues.wait_ticks", "ties.rivalry",
)  # fmt: skip
"""What is drawn if nothing else is asked for."""
MAX_PAIRS = 6
"""Pairs of parameters that get heat maps."""
MAX_LINES = 5
"""Values of a second parameter that get a curve of their own."""
MAX_SETTINGS = 40
"""Settings in the picture of intervals."""
COLUMNS, WIDTH, HEIGHT = 3, 4.1, 2.9
"""Panels side by side, and room for each [inch]."""
LOG_RATIO = 50
"""Values that span such a ratio are drawn on a logarithmic axis."""
MIN_GAP, MAX_TICKS = 0.06, 8
"""Up to so many numbers, some closer than this share of their range, are drawn evenly spaced."""
MAP = "YlGnBu"


@dataclasses.dataclass(frozen=True)
class Swept:
    """Results to draw.

    Attributes:
      about: what is swept. rows: of all lanes that are finite.
      figures: columns to draw.
    """

    about: Mapping[str, Any]
    rows: Sequence[Row]
    figures: Sequence[str]

    def remark(self, has_intervals: bool = True) -> str:
        """Returns what stands in the corner of a picture."""
        about = self.about
        seeds = number(about["num_seeds"], "seed")
        what = f"{seeds}, 95 % intervals of their mean" if has_intervals else f"means of {seeds}"
        return f"{about['config_id']}, {about['policy']}; {what}"

    def values(self, path: str) -> list[Any]:
        """Returns the values of a parameter: numbers in order, others as they come."""
        found: list[Any] = []
        for row in self.rows:
            if row.get(path) not in found:
                found.append(row.get(path))
        return sorted(found) if all(map(_is_number, found)) else found

    def varied(self) -> list[str]:
        """Returns the parameters that have several values."""
        return [path for path in self.about["paths"] if len(self.values(path)) > 1]

    def balanced(self, paths: Sequence[str]) -> "Swept":
        """Returns the results in which values of some parameters differ by nothing else.

        A single point beside a grid would shift the mean of the values that it has. What the other
        parameters are must therefore occur with as many values of these as anything does.
        """
        others = [path for path in self.varied() if path not in paths]
        cells: dict[str, set[str]] = {}
        names = [(_key(row, others), _key(row, paths)) for row in self.rows]
        for group, cell in names:
            cells.setdefault(group, set()).add(cell)
        most = max(map(len, cells.values()))
        rows = [
            row
            for row, (group, _) in zip(self.rows, names, strict=True)
            if len(cells[group]) == most
        ]
        return dataclasses.replace(self, rows=rows)

    def is_crossed(self, a: str, b: str) -> bool:
        """Tells whether two parameters vary together, not only one while the other stays."""
        cells = {_key(row, (a, b)) for row in self.rows}
        return len(cells) >= len(self.values(a)) + len(self.values(b))

    def by_seed(self, name: str, where: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Averages a figure over settings; float64 `[V, R]`.

        Args:
          name: column.
          where: what parameters must be, V conditions on the same parameters.
        """
        seeds = sorted({row["seed"] for row in self.rows})
        paths = list(where[0])
        cells: dict[tuple[str, int], list[float]] = {}
        for row in self.rows:
            if row.get(name) is not None:
                cells.setdefault((_key(row, paths), row["seed"]), []).append(row[name])
        found = np.full((len(where), len(seeds)), np.nan)
        for v, wanted in enumerate(where):
            for r, seed in enumerate(seeds):
                own = cells.get((_key(wanted, paths), seed))
                if own:
                    found[v, r] = np.mean(own)
        return found


def draw_all(swept: Swept) -> dict[str, Callable[[], Figure]]:
    """Returns by file name what draws each picture."""
    varied = swept.varied()
    pictures: dict[str, Callable[[], Figure]] = {
        f"response_{_file(path)}.png": functools.partial(response, swept, path) for path in varied
    }
    pairs = (pair for pair in itertools.combinations(varied, 2) if swept.is_crossed(*pair))
    for a, b in itertools.islice(pairs, MAX_PAIRS):
        name = f"heat_{_file(a)}_{_file(b)}.png"
        pictures[name] = functools.partial(heat, swept, a, b)
    return pictures | {"intervals.png": functools.partial(intervals, swept)}


def save_all(swept: Swept, folder: Path) -> list[Path]:
    """Draws everything into a folder; returns the files."""
    paths = []
    for name, draw in draw_all(swept).items():
        path = folder / name
        save(draw(), path)
        paths.append(path)
    return paths


def response(swept: Swept, path: str) -> Figure:
    """Draws figures over the values of one parameter.

    With one other parameter of few values, each of these has a curve of its own; otherwise the
    figures are means over all other parameters.
    """
    others = [other for other in swept.varied() if other != path]
    by = others[0] if len(others) == 1 and len(swept.values(others[0])) <= MAX_LINES else None
    lines: list[Any] = [None] if by is None else swept.values(by)
    values = swept.values(path)
    figure, panels = _panels(swept, path, len(swept.figures), has_legend=by is not None)
    place, ticks = _scale(values)
    even = swept.balanced([path] if by is None else [path, by])
    for axes, name in zip(panels, swept.figures, strict=True):
        for i, line in enumerate(lines):
            fixed: dict[str, Any] = {} if by is None else {by: line}
            found = seed_intervals(even.by_seed(name, [{path: v, **fixed} for v in values]))
            colour = COLOURS[(i + 1) % len(COLOURS)]
            label = None if by is None else f"{short(by, swept.varied())} {spoken(line)}"
            axes.fill_between(place, found.low, found.high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(
                place, found.mean, color=colour, marker=MARKERS[i % len(MARKERS)], markersize=4.5,
                linewidth=1.6, label=label, markeredgecolor="white", markeredgewidth=0.5,
            )  # fmt: skip
        _finish_axis(axes, values, place, ticks)
        axes.set_xlabel(short(path, swept.varied()), **LABEL)
        heading(axes, _title(name))
    if by is not None:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="upper right", ncols=len(lines), frameon=False, fontsize=9,
            bbox_to_anchor=(1 - 0.2 / figure.get_figwidth(), 1 - 0.5 / figure.get_figheight()),
            labelcolor=INK,
        )  # fmt: skip
    return figure


def heat(swept: Swept, a: str, b: str) -> Figure:
    """Draws figures over the values of two parameters, means over everything else."""
    rows, columns = swept.values(a), swept.values(b)
    title = f"{short(a, swept.varied())} and {short(b, swept.varied())}"
    figure, panels = _panels(swept, title, len(swept.figures), has_intervals=False)
    even = swept.balanced([a, b])
    cells = [{a: x, b: y} for x in rows for y in columns]
    for axes, name in zip(panels, swept.figures, strict=True):
        means = mean(even.by_seed(name, cells), 1).reshape(len(rows), len(columns))
        image = axes.imshow(means, cmap=MAP, aspect="auto", origin="lower")
        axes.set_xticks(range(len(columns)), [spoken(y) for y in columns], rotation=_tilt(columns))
        axes.set_yticks(range(len(rows)), [spoken(x) for x in rows])
        axes.set_xlabel(short(b, swept.varied()), **LABEL)
        axes.set_ylabel(short(a, swept.varied()), **LABEL)
        if means.size <= 36:
            _write_cells(axes, means, image)
        heading(axes, _title(name))
    return figure


def intervals(swept: Swept) -> Figure:
    """Draws each setting with its mean and interval, a panel per figure."""
    everything, _ = table(swept.rows, swept.figures[0])
    settings = everything[:MAX_SETTINGS]
    varied = swept.varied()
    values = {row["setting"]: [row.get(path) for path in varied] for row in swept.rows}
    labels = [", ".join(spoken(x) for x in values[setting]) or "base" for setting in settings]
    names = ", ".join(short(path, varied) for path in varied)
    room, left = 2.05, 0.5 + 0.072 * max(map(len, [*labels, names[:30]]))
    height = 0.23 * len(settings) + 1.75
    width = max(left + room * len(swept.figures) + 0.3, 8.0)
    which = f"{len(settings)} of {len(everything)} " if len(everything) > len(settings) else ""
    figure = sheet(f"{swept.about['name']}: {which}settings", swept.remark(), width, height)
    for i, name in enumerate(swept.figures):
        axes = add_axes(figure, left + i * room, 0.6, room - 0.3, height - 1.75)
        _, all_values = table(swept.rows, name)
        average, iqm = estimates(all_values[: len(settings)])
        rows = np.arange(len(settings))
        axes.hlines(rows, average.low, average.high, color=COLOURS[2], linewidth=2, alpha=0.75)
        dots = axes.plot(average.mean, rows, "o", color=COLOURS[2], markersize=4.5)
        dots[0].set_markeredgecolor("white")
        axes.plot(iqm.mean, rows, "|", color=COLOURS[1], markersize=8)
        axes.set_ylim(len(settings) - 0.5, -0.5)
        axes.set_yticks(rows, labels if i == 0 else [""] * len(settings), color=INK)
        axes.grid(axis="x", color=LINE, linewidth=0.6)
        axes.tick_params(axis="y", length=0, labelsize=8)
        axes.locator_params(axis="x", nbins=4)
        heading(axes, _title(name))
    remark = "dot: mean, bar: interquartile mean over seeds"
    figure.text(0.35 / width, 0.18 / height, f"{names}   |   {remark}", size=8.5, color=GREY)
    return figure


def _panels(
    swept: Swept, title: str, count: int, has_legend: bool = False, has_intervals: bool = True
) -> tuple[Figure, list[Axes]]:
    """Makes a sheet with panels in rows."""
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    # A long path and the remark stand in one line.
    width, top = max(columns * WIDTH + 0.2, 5.2 + 0.14 * len(title)), 0.95 + 0.25 * has_legend
    height = rows * HEIGHT + top
    figure = sheet(title, swept.remark(has_intervals), width, height)
    panels = []
    for i in range(count):
        row, column = divmod(i, columns)
        bottom = height - top - (row + 1) * HEIGHT + 0.8
        panels.append(add_axes(figure, column * WIDTH + 0.8, bottom, WIDTH - 1.0, HEIGHT - 1.1))
    return figure, panels


def _scale(values: Sequence[Any]) -> tuple[list[float], list[str] | None]:
    """Returns where values lie on an axis; evenly and with labels where numbers would not do."""
    if all(map(_is_number, values)):
        numbers = [float(x) for x in values]
        gaps = np.diff(numbers)
        is_log = numbers[0] > 0 and numbers[-1] / numbers[0] >= LOG_RATIO
        is_crowded = not is_log and len(gaps) > 0 and gaps.min() < MIN_GAP * gaps.sum()
        if not is_crowded or len(values) > MAX_TICKS:
            return numbers, None
    return list(map(float, range(len(values)))), [spoken(x) for x in values]


def _finish_axis(
    axes: Axes, values: Sequence[Any], place: Sequence[float], ticks: Sequence[str] | None
) -> None:
    axes.grid(color=LINE, linewidth=0.6)
    if ticks is not None:
        axes.set_xticks(place, ticks)
        axes.margins(x=0.15)
    elif min(place) > 0 and max(place) / min(place) >= LOG_RATIO:
        axes.set_xlim(min(place) / 1.25, max(place) * 1.25)  # also where there is nothing to draw
        axes.set_xscale("log")
        axes.tick_params(which="minor", length=0)
    elif len(values) <= MAX_TICKS:
        axes.set_xticks(place, [spoken(x) for x in values])


def _write_cells(axes: Axes, means: np.ndarray, image: Any) -> None:
    """Writes the numbers into the cells of a heat map."""
    digits = _digits(means)
    for (i, j), value in np.ndenumerate(means):
        if not np.isnan(value):
            colour = "white" if image.norm(value) > 0.6 else INK
            axes.text(j, i, f"{value:.{digits}g}", size=8, ha="center", va="center", color=colour)


def _digits(means: np.ndarray) -> int:
    """Returns with how many digits numbers can be told apart, three at least and five at most."""
    known = means[~np.isnan(means)]
    if not known.size or known.min() == known.max():
        return 3
    largest, span = np.abs(known).max(), known.max() - known.min()
    return int(np.clip(np.ceil(np.log10(largest / span)) + 2, 3, 5))


def _tilt(values: Sequence[Any]) -> int:
    return 30 if sum(len(spoken(x)) + 2 for x in values) > 32 else 0


def _key(values: Mapping[str, Any], paths: Sequence[str]) -> str:
    """Returns what values of parameters can be told apart by."""
    return repr([values.get(path) for path in paths])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _title(name: str) -> str:
    return name.removeprefix("kpi.").replace("_", " ").replace(".", " ")


def _file(path: str) -> str:
    return re.sub(r"\W+", "_", path).strip("_")
