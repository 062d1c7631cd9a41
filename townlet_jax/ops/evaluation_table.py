"""How policies fared, as a table for people and as CSV."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from townlet_jax.ops.kpi_table import SIGNS
from townlet_jax.ops.terminal import PLAIN_WIDTH

STYLES = {"met": "green", "narrowly met": "yellow", "not met": "red"}
GAP = 2
"""Columns between two others."""
NAME, OWN, PAIRED = 25, 49, 26
"""Columns of a name, of all that is said of the policy itself, and of a paired difference."""
Report = Mapping[str, Any]
"""What `evaluation.report` returns."""


def evaluation_table(report: Report, width: int = PLAIN_WIDTH) -> Group:
    """Shows each KPI with its interval, target and verdict, and how it differs from others'.

    Args:
      report: how a policy fared.
      width: columns of the screen.
    """
    others = list(report["paired"])
    room, number = width + GAP - NAME, max(1, (width + GAP - NAME) // PAIRED)
    beside = others if len(others) * PAIRED <= room - OWN else []
    parts: list[RenderableType] = [_title(report), _table(report, beside, has_own=True)]
    for start in range(0, 0 if beside else len(others), number):
        parts += [Text(), _table(report, others[start : start + number], has_own=False)]
    text = "95 % intervals"
    if others:
        text += "; differences are ours minus theirs, town by town"
    return Group(*parts, Text(text, style="dim"))


def write_csv(report: Report, path: Path) -> None:
    """Writes one line per KPI; what there is no figure for is left empty."""
    others = list(report["paired"])
    header = ["kpi", "unit", "mean", "low", "high", "target", "side", "verdict"]
    for other in others:
        header += [f"{other} mean", *(f"minus {other} {end}" for end in ("mean", "low", "high"))]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        for name, kpi in report["kpis"].items():
            standing = report["charter"].get(name, {})
            row = [name, kpi["unit"], kpi["mean"], kpi["low"], kpi["high"]]
            row += [standing.get(key) for key in ("target", "side", "verdict")]
            for other in others:
                row.append(report["others"][other]["kpis"].get(name, {}).get("mean"))
                gap = report["paired"][other].get(name, {})
                row += [gap.get(key) for key in ("difference", "low", "high")]
            table.writerow(row)


def _title(report: Report) -> Text:
    number = len(report["seeds"])
    whose = f", {number} learned seeds" if number > 1 else ""
    towns = f"{report['towns']} town{'s' * (report['towns'] > 1)}"
    days = f"{report['days']} day{'s' * (report['days'] > 1)}"
    title = Text(f"{report['policy']} in {report['config_id']}", style="bold")
    return title.append(f"  {towns} of {days}, from seed {report['town_seeds'][0]}{whose}", "dim")


def _table(report: Report, others: Sequence[str], *, has_own: bool) -> Table:
    """Makes a table of the policy itself or of nothing but names, and of differences."""
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("figure", no_wrap=True)
    if has_own:
        table.add_column("mean", justify="right", no_wrap=True)
        table.add_column("interval", no_wrap=True)
        table.add_column("target", no_wrap=True)
        table.add_column("", no_wrap=True)
    for other in others:
        table.add_column(Text(f"minus {ending(other, PAIRED - GAP - 6)}"), no_wrap=True)
    for name in report["kpis"]:
        cells: list[RenderableType] = [Text(_spoken(name))]
        if has_own:
            cells += _own(report, name)
        for other in others:
            cells.append(_gap(report["paired"][other].get(name)))
        table.add_row(*cells)
    return table


def _own(report: Report, name: str) -> list[RenderableType]:
    """Writes mean, interval, target and verdict of a KPI."""
    kpi, standing = report["kpis"][name], report["charter"].get(name)
    if kpi["mean"] is None:
        cells: list[RenderableType] = [Text("-", "dim"), ""]
    else:
        cells = [Text(_number(kpi["mean"])), Text(_span(kpi), "dim")]
    if standing is None:
        return [*cells, "", ""]
    word = standing["verdict"]
    goal = Text(f"{SIGNS[standing['side']]} {standing['target']:.2f}", "dim")
    return [*cells, goal, Text(word, STYLES.get(word, "dim"))]


def _gap(gap: Report | None) -> Text:
    """Writes a difference; one that its interval tells from 0 stands out."""
    if gap is None or gap["difference"] is None:
        return Text("-", "dim")
    is_clear = gap["low"] > 0 or gap["high"] < 0
    text = f"{_number(gap['difference'], '+'):>6}"
    return Text(text, "bold" if is_clear else "dim").append(f"  {_span(gap, '+')}", "dim")


def _span(row: Report, sign: str = "") -> str:
    return f"[{_number(row['low'], sign)}, {_number(row['high'], sign)}]"


def _number(value: float, sign: str = "") -> str:
    decimals = 3 - sum(abs(value) >= limit for limit in (10, 100, 1_000))
    return f"{value:{sign}.{decimals}f}"


def ending(name: str, length: int) -> str:
    """Shortens the name of a policy; of a path the end says most."""
    return name if len(name) <= length else "…" + name[1 - length :]


def _spoken(name: str) -> str:
    text = name.replace("_", " ").replace(".", " ")
    return text if len(text) <= NAME - GAP else text[: NAME - GAP - 1] + "…"
