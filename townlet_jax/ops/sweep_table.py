"""Results of a sweep as a table for people."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from townlet_jax.ops.sweep_files import Row
from townlet_jax.ops.sweep_results import estimates, table

SHOWN = {
    "kpi.self_sufficiency": "self-suff.",
    "kpi.relationship_coverage": "coverage",
    "kpi.conflicts_per_day": "conflicts",
    "kpi.reward.total": "reward",
    "ties.number": "ties",
}
"""Figures in the table, and what they are called there."""
MAX_ROWS = 24
"""Settings that are shown."""


def sweep_table(about: Mapping[str, Any], rows: Sequence[Row]) -> Group:
    """Shows means over seeds with half their 95 % intervals, a line per setting.

    A figure that is the same everywhere is left out, unless all are.

    Args:
      about: what is swept.
      rows: of all lanes.
    """
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    paths = about["paths"]
    for path in paths:
        shown.add_column(short(path, paths).replace("_", " "), overflow="fold")
    cells = {title: _cells(rows, name) for name, title in SHOWN.items()}
    varied = {title: column for title, column in cells.items() if len(set(column)) > 1} or cells
    for title in varied:
        shown.add_column(title, justify="right", no_wrap=True)
    settings = sorted({row["setting"] for row in rows})
    swept = {row["setting"]: [row.get(path) for path in paths] for row in rows}
    for i, setting in enumerate(settings[:MAX_ROWS]):
        shown.add_row(
            *(spoken(x) for x in swept[setting]), *(column[i] for column in varied.values())
        )
    parts: list[Any] = [shown]
    if len(settings) > MAX_ROWS:
        parts.append(Text(f"and {len(settings) - MAX_ROWS} more settings", style="dim"))
    number = about["num_seeds"]
    bad = sum(row["status"] != "done" for row in rows)
    remark = f"means over {number} seed{'s' * (number > 1)}, ± half the 95 % interval of the seeds"
    parts.append(Text(remark + (f"; {bad} lanes were not finite" if bad else ""), style="dim"))
    return Group(*parts)


def short(path: str, paths: Sequence[str]) -> str:
    """Returns the last part of a path, or all of it where another one ends alike."""
    name = path.rpartition(".")[2]
    return path if sum(other.endswith(f".{name}") for other in paths) > 1 else name


def spoken(value: Any) -> str:
    """Writes a swept value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _cells(rows: Sequence[Row], name: str) -> list[str]:
    _, values = table(rows, name)
    mean, _ = estimates(values)
    return [
        "-" if np.isnan(m) else f"{m:.3g} ±{(high - low) / 2:.2g}"
        for m, low, high in zip(mean.mean, mean.low, mean.high, strict=True)
    ]
