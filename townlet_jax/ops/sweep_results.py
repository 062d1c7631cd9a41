"""Results of a sweep as files: a line per lane, a summary per setting."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from townlet_jax.ops.bootstrap import Intervals, iqm_intervals, seed_intervals
from townlet_jax.ops.sweep_files import (
    PLAN,
    Row,
    part_path,
    read_part,
    read_progress,
    to_csv,
    write,
)
from townlet_jax.snapshots.errors import SnapshotError

RESULTS, SUMMARY = "results", "summary.csv"
LEADING = ("sweep", "setting", "seed", "lane", "status")
"""Columns before what is swept."""
_NO_FIGURES = frozenset({*LEADING, "stop_reason", "wall_sec"})


def write_all(folder: Path, about: Mapping[str, Any], rows: Sequence[Row]) -> list[Path]:
    """Writes `results.csv`, `.json`, `summary.csv`, and `results.parquet` if pyarrow is there.

    Args:
      folder: of the sweep.
      about: what is swept.
      rows: of all lanes.

    Returns:
      The files.
    """
    paths = [folder / f"{RESULTS}.csv", folder / f"{RESULTS}.json", folder / SUMMARY]
    write(paths[0], to_csv(rows))
    write(paths[1], json.dumps({"schema": 1, "about": about, "rows": rows}, indent=1) + "\n")
    write(paths[2], to_csv(summarise(rows, about["paths"])))
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return paths
    path = folder / f"{RESULTS}.parquet"
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: _column([row.get(name) for row in rows]) for name in names}
    draft = path.with_name(f".{path.name}")
    pyarrow.parquet.write_table(pyarrow.table(columns), draft)
    draft.replace(path)
    return [*paths, path]


def read_results(folder: Path) -> tuple[dict[str, Any], list[Row]]:
    """Reads the results of a sweep, also of one that is not complete.

    Args:
      folder: of the sweep.

    Returns:
      What was swept; a row per lane of the parts that are finished.

    Raises:
      SnapshotError: there is no sweep, or nothing of it is finished.
      CorruptSnapshotError: a file is not what was written.
    """
    if not folder.is_dir():
        raise SnapshotError(f"{folder}: no such folder")
    if not (folder / PLAN).exists():
        raise SnapshotError(f"{folder}: holds no sweep")
    progress = read_progress(folder)
    if not progress.parts:
        raise SnapshotError(f"{folder}: no part of this sweep is finished yet")
    rows = []
    for index, digest in sorted(progress.parts.items()):
        rows += read_part(part_path(folder, index), digest)
    return progress.about, rows


def figures_of(rows: Sequence[Row], paths: Sequence[str]) -> list[str]:
    """Returns the columns that are figures, in order: numbers that are neither names nor swept."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [
        name
        for name in names
        if name not in _NO_FIGURES
        and name not in paths
        and any(isinstance(row.get(name), int | float) for row in rows)
    ]


def table(rows: Sequence[Row], name: str) -> tuple[list[int], np.ndarray]:
    """Returns a figure by setting and seed.

    Args:
      rows: of all lanes.
      name: of the column.

    Returns:
      Settings, in order; float64 `[S, R]`, NaN where there is no figure.
    """
    settings = sorted({row["setting"] for row in rows})
    seeds = sorted({row["seed"] for row in rows})
    values = np.full((len(settings), len(seeds)), np.nan)
    places = {s: i for i, s in enumerate(settings)}, {s: i for i, s in enumerate(seeds)}
    for row in rows:
        value = row.get(name)
        if isinstance(value, int | float):
            values[places[0][row["setting"]], places[1][row["seed"]]] = value
    return settings, values


def estimates(values: np.ndarray) -> tuple[Intervals, Intervals]:
    """Returns means and interquartile means over seeds, with 95 % bootstrap intervals.

    Args:
      values: float64 `[S, R]`.
    """
    return seed_intervals(values), iqm_intervals(values)


def summarise(rows: Sequence[Row], paths: Sequence[str]) -> list[Row]:
    """Returns a row per setting and figure: mean and interquartile mean over seeds, intervals."""
    swept = {row["setting"]: {path: row.get(path) for path in paths} for row in rows}
    found = []
    for name in figures_of(rows, paths):
        settings, values = table(rows, name)
        mean, iqm = estimates(values)
        for i, setting in enumerate(settings):
            found.append(
                {
                    "setting": setting,
                    **swept[setting],
                    "figure": name,
                    "seeds": int((~np.isnan(values[i])).sum()),
                    "mean": _plain(mean.mean[i]),
                    "low": _plain(mean.low[i]),
                    "high": _plain(mean.high[i]),
                    "iqm": _plain(iqm.mean[i]),
                    "iqm_low": _plain(iqm.low[i]),
                    "iqm_high": _plain(iqm.high[i]),
                }
            )
    return sorted(found, key=lambda row: row["setting"])


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(f"{value:.9g}")


def _column(values: list[Any]) -> list[Any]:
    """Makes a column of one type: numbers, truth values or text."""
    kinds = {type(x) for x in values if x is not None}
    if kinds <= {int, float} or kinds == {bool} or kinds == {str}:
        is_real = float in kinds
        return [float(x) if is_real and x is not None else x for x in values]
    return [None if x is None else x if isinstance(x, str) else json.dumps(x) for x in values]
