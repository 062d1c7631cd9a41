"""The figures of the days of a run, as a table for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from townlet_jax.ops.kpi_days import FIGURES
from townlet_jax.ops.terminal import PLAIN_WIDTH

FIXED_COLUMNS = 56
"""Columns of everything but the days."""
DAY_COLUMNS = 8
"""Columns of a day."""
SIGNS = {"at least": ">=", "at most": "<=", "below": "<"}
STYLES = {"met": "green", "not met": "red"}
Report = Mapping[str, Any]
"""What `Simulation.report` returns, with `kpi_days`."""


def kpi_table(report: Report, width: int = PLAIN_WIDTH) -> Group:
    """Shows the figures of the last days, their mean over all days, the targets and the verdicts.

    Args:
      report: figures of a run.
      width: columns of the screen.
    """
    days: Sequence[Report] = report["kpi_days"]
    parts: list[RenderableType] = [Text("\ndays", style="bold")]
    if report["partial"]:
        parts[:0] = [Text(f"PARTIAL: stopped after {report['ticks']} ticks", style="bold red")]
    if not days:
        return Group(*parts, Text("  no day is over yet", style="dim"))
    shown = days[-max(1, (width - FIXED_COLUMNS) // DAY_COLUMNS) :]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("  figure", no_wrap=True)
    for day in shown:
        table.add_column(f"day {day['day'] + 1}", justify="right", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    table.add_column("target", no_wrap=True)
    table.add_column("", no_wrap=True)
    for name in FIGURES:
        table.add_row(*_row(name, shown, report))
    parts.append(table)
    if len(shown) < len(days):
        more = f"  {len(days)} days in all, of which the mean is; --json lists each"
        parts.append(Text(more, style="dim"))
    return Group(*parts, *_churn(report))


def _row(name: str, shown: Sequence[Report], report: Report) -> list[RenderableType]:
    """Makes the row of a figure."""
    mean, target = report["kpi_days_mean"], report["kpi_targets"].get(name)
    cells: list[RenderableType] = [f"  {name.replace('_', ' ')}"]
    cells += [_number(day, name) for day in (*shown, mean)]
    cells.append(Text(f"{SIGNS[target[1]]} {target[0]:.2f}" if target else "", "dim"))
    word = mean["verdict"].get(name, "")
    return [*cells, Text(word, STYLES.get(word, "dim"))]


def _number(record: Report, name: str) -> Text:
    """Writes a figure, a dash where there are no cases; red where the target was missed."""
    if not record["has_data"][name]:
        return Text("-", "dim")
    style = "red" if record["verdict"].get(name) == "not met" else ""
    value = record[name]
    return Text(f"{value:.1f}" if value >= 1000 else f"{value:.2f}", style)


def _churn(report: Report) -> list[Text]:
    """Tells of alerts, and of the ties lost in the running window and in the one before [tick]."""
    num_towns = report["towns"]
    alerts = [day for day in report["kpi_days"] if day["churn_alert_towns"]]
    if alerts:
        worst = max(day["churn_alert_towns"] for day in alerts)
        days = "1 day" if len(alerts) == 1 else f"{len(alerts)} days"
        word = f"on {days}, in up to {worst} of {num_towns} towns"
    else:
        word = "none"
    lines = [Text(f"\n  churn alerts    {word}", style="red" if alerts else "")]
    for title, name in (("churn window", "window"), ("the one before", "previous")):
        window = report["churn"][name]
        if window is not None:
            lost = ", ".join(
                f"{window[cause]:,} {cause}"
                for cause in ("capacity", "decay", "removed", "refused")
            )
            span = f"{window['start_tick']}-{window['end_tick'] - 1}"
            lines.append(Text(f"  {title:<14}  {span}: {lost}", style="dim"))
    return lines
