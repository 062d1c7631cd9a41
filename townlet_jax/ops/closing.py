"""What a run prints for people: what the town is, and how it went."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from townlet_jax.config.town import Town
from townlet_jax.ops.census import NEEDS
from townlet_jax.ops.labels import labels
from townlet_jax.ops.summary import CHARTER, verdict
from townlet_jax.ops.terminal import PLAIN_WIDTH

MAX_RESIDENTS = 32
"""Residents listed."""
MAX_NOTES = 5
"""Notes listed."""
BAR = 6
"""Columns of a bar."""
COUNTS = 43
"""Columns of the counts in the table of deeds, gaps left out."""
Report = Mapping[str, Any]
"""What `summary.summarise` returns."""


def introduction(town: Town, policy: str, seed: int, num_towns: int, num_ticks: int) -> Panel:
    """Says what the town is and what is about to be run."""
    shape, config = town.shape, town.config
    days = num_ticks / labels(town).ticks_per_day
    span = f" ({days:.3g} days)" if days > 1 else ""
    residents = len(config.scenario.agents)
    rows = {
        "map": f"{shape.width} x {shape.height} cells",
        "residents": f"{residents} in {shape.num_agents} slots",
        "objects": _objects(town),
        "jobs": _jobs(town),
        "may befall it": ", ".join(town.names.perturbations),
        "run": f"{num_ticks:,} ticks{span} of {_plural(num_towns, 'town')} from seed {seed}, "
        f"{policy} residents",
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, text in rows.items():
        if text:
            table.add_row(name, text)
    about = config.scenario.description
    body = Group(Text(about, style="italic"), Text(), table) if about else table
    title = f"{town.config_id} ({town.path})"
    return Panel(body, title=Text(title, style="bold"), title_align="left", box=box.ROUNDED)


def notes(town: Town) -> list[str]:
    """Returns the first notes on the configuration, one line each."""
    lines = [f"note: {note}" for note in town.notes[:MAX_NOTES]]
    num_more = len(town.notes) - len(lines)
    return [*lines, f"note: {num_more} more; see launch/show_config.py"] if num_more else lines


@dataclasses.dataclass(frozen=True)
class Fit:
    """How wide tables may be.

    Attributes:
      width: columns of the screen. name: of a name. gap: between columns.
    """

    width: int
    name: int
    gap: int

    def cut(self, text: str | None, length: int | None = None) -> str:
        """Shortens a text to the columns of a name, or to `length`; None becomes a dash."""
        length = self.name if length is None else length
        if text is None:
            return "-"
        return text if len(text) <= length else text[: length - 1] + "…"


def fit(width: int) -> Fit:
    """Returns how to use so many columns; 80 are enough for the names of most residents."""
    return Fit(width, 10, 2) if width >= PLAIN_WIDTH else Fit(width, 8, 1)


def closing(
    town: Town,
    report: Report,
    highlights: Sequence[tuple[str, str]],
    width: int = PLAIN_WIDTH,
) -> Group:
    """Tells how a run went.

    Args:
      town: the loaded configuration.
      report: its figures.
      highlights: (moment, sentence) of town 0, may be empty.
      width: columns of the screen.
    """
    hours_per_tick = 24 / labels(town).ticks_per_day  # [h/tick]
    days = report["ticks"] * hours_per_tick / 24
    parts: list[RenderableType] = []
    if report["partial"]:
        parts.append(Text(f"PARTIAL: stopped after {report['ticks']} ticks", style="bold red"))
    moment = labels(town).moment(report["ticks"])
    whose = "town 0, " if report["towns"] > 1 else ""
    parts += [
        _heading(f"residents ({whose}{moment})"),
        *_residents(report, hours_per_tick, fit(width)),
    ]
    if highlights:
        parts += [_heading("highlights"), _highlights(highlights)]
    parts += [_heading("town totals"), _totals(report)]
    parts += [_heading("charter"), _charter(report["kpi"], days), Text()]
    parts.append(Text(speed(report), style="bold"))
    parts.append(Text(f"state hash {report['state_hash']}", style="dim"))
    return Group(*parts)


def speed(report: Report) -> str:
    """Returns the closing line: ticks and rate."""
    return (
        f"{report['ticks']} ticks of {_plural(report['towns'], 'town')} "
        f"in {report['run_seconds']:.2f} s: {report['ticks_per_second']:,.0f} town-ticks/s "
        f"(and {report['compile_seconds']:.1f} s to compile)"
    )


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _objects(town: Town) -> str:
    """Returns `bed x2 (8 seats), bench, cafe table (4 seats)`."""
    seats: dict[str, dict[str, int]] = {kind: {} for kind in town.names.types}
    for row, name in enumerate(town.names.objects):
        kind = town.names.types[int(town.layout.objects.type[row])]
        thing = name.partition(".")[0]
        seats[kind][thing] = seats[kind].get(thing, 0) + 1
    texts = []
    for kind, things in seats.items():
        number = f" x{len(things)}" if len(things) > 1 else ""
        total = sum(things.values())
        size = f" ({total} seats)" if total > len(things) else ""
        texts.append(f"{kind.replace('_', ' ')}{number}{size}")
    return ", ".join(texts)


def _jobs(town: Town) -> str:
    """Returns `grocer 08:00-11:00, barista 10:00-13:00`."""
    moment = labels(town).moment
    start, end = town.params.employment.start, town.params.employment.end
    return ", ".join(
        f"{name} {moment(int(start[j])).split()[-1]}-{moment(int(end[j])).split()[-1]}"
        for j, name in enumerate(town.names.jobs[: start.shape[0]])
    )


def _table(fit: Fit, **columns: str) -> Table:
    """Makes a table; each column is named and set `left` or `right`."""
    table = Table(box=None, padding=(0, fit.gap, 0, 0), pad_edge=False, header_style="dim")
    for name, side in columns.items():
        table.add_column(name, justify=side, no_wrap=True)  # type: ignore[arg-type]
    return table


def bar(level: float) -> Text:
    """Draws a level in [0, 1] as a bar, red where it is low."""
    halves = round(min(max(level, 0.0), 1.0) * BAR * 2)
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    colour = "red" if level < 0.3 else "yellow" if level < 0.55 else "green"
    return Text.assemble((filled, colour), ("─" * (BAR - len(filled)), "bright_black"))


def _residents(report: Report, hours_per_tick: float, fit: Fit) -> list[RenderableType]:
    """Returns two tables: how residents are, and what they did."""
    people = report["residents"]
    if not people:
        return [Text("  nobody lives here", style="dim")]
    shown = people[:MAX_RESIDENTS]
    num_more = len(people) - len(shown)
    more = [Text(f"  and {num_more} more; --json lists all", style="dim")] if num_more else []
    deeds = _deeds(shown, hours_per_tick, fit)
    return [_indented(_states(shown, fit)), Text(), _indented(deeds), *more]


def _indented(table: Table) -> Padding:
    return Padding(table, (0, 0, 0, 2))


def _states(people: Sequence[Report], fit: Fit) -> Table:
    """Makes the table of how residents are."""
    table = _table(
        fit,
        **{"name": "left", "hunger": "left", "hygiene": "left", "energy": "left"},
        **{"money": "right", "job": "left", "present": "right", "late": "right"},
        **{"friend": "left", "rival": "left"},
    )
    for person in people:
        present = person["attendance"]
        late = f"{person['num_late_shifts']}/{person['num_shifts']}"
        table.add_row(
            fit.cut(person["name"]),
            *(bar(person["needs"][need]) for need in NEEDS),
            f"{person['money']:.2f}",
            fit.cut(person["job"]),
            "-" if present is None else f"{present:.0%}",
            late if person["num_shifts"] else "-",
            fit.cut(person["best_friend"]),
            fit.cut(person["rival"]),
        )
    return table


def _deeds(people: Sequence[Report], hours_per_tick: float, fit: Fit) -> Table:
    """Makes the table of what residents did, and do now."""
    table = _table(
        fit,
        **{"name": "left", "ate": "right", "cooked": "right", "washed": "right"},
        **{"slept": "right", "worked": "right", "talks": "right", "ousted": "right"},
        **{"failed": "right", "now": "left"},
    )
    name = min(max(len(person["name"]) for person in people), fit.name)
    room = fit.width - 2 - name - COUNTS - 9 * fit.gap
    for person in people:
        did = person["did"]
        table.add_row(
            fit.cut(person["name"]),
            *(str(did[name]) for name in ("meals", "cooked", "showers", "sleeps")),
            f"{did['wage_ticks'] * hours_per_tick:.1f} h",
            *(str(did[name]) for name in ("good_chats", "conflicts", "failures")),
            fit.cut(person["doing"], room),
        )
    return table


def _highlights(highlights: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for moment, sentence in highlights:
        table.add_row("  " + moment, sentence)
    return table


def _totals(report: Report) -> Table:
    """Lists the run counters; of several towns the mean as well."""
    total, mean = report["totals"], report.get("per_town_mean")
    exits = {reason: n for reason, n in total["exits"].items() if n}
    rows = {
        "conversations": ("chat_success_events", "chat_failure_events"),
        "shared meals": ("shared_meal_events",),
        "queue conflicts": ("queue_conflict_events",),
        "late colleagues helped": ("late_help_events",),
        "shifts taken over": ("shift_takeover_events",),
        "arrivals": ("arrivals",),
        "squeezed past others": ("ghost_moves",),
    }
    remarks = {
        "conversations": f"{total['chat_success_events']:,} good ones, "
        f"mean quality {total['chat_quality_mean']:.2f}",
        "queue conflicts": f"intensity {total['queue_conflict_intensity_sum']:,g} in sum",
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for title, names in rows.items():
        count = sum(total[name] for name in names)
        parts = [remarks[title]] if title in remarks and count else []
        if mean is not None:
            parts.append(f"{sum(mean[name] for name in names):,.2f} per town")
        table.add_row(f"  {title}", f"{count:,}", ", ".join(parts))
    reasons = ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in exits.items())
    table.add_row("  exits", f"{sum(exits.values()):,}", reasons)
    return table


def _charter(kpi: Mapping[str, float], days: float) -> Table:
    """Compares the KPIs with their targets."""
    table = Table.grid(padding=(0, 2))
    for name, (target, side) in CHARTER.items():
        word = verdict(name, kpi[name], days)
        style = {"met": "green", "not met": "red"}.get(word, "dim")
        goal = Text(f"{side} {target:.2f}", "dim")
        title = f"  {name.replace('_', ' ')}"
        table.add_row(title, f"{kpi[name]:.2f}", goal, Text(word, style))
    return table
