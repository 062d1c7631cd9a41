"""What a run prints for people: it fits, and it says what it should."""

import dataclasses
import io

import jax
import numpy as np
import pytest

from townlet_jax.config.errors import Note
from townlet_jax.ops import closing
from townlet_jax.ops.summary import Run, summarise
from townlet_jax.ops.terminal import PLAIN_WIDTH, console
from townlet_jax.state import Counter, Total
from townlet_jax.town.metrics import Kpi


def lines(renderable, width: int = PLAIN_WIDTH) -> list[str]:
    out = io.StringIO()
    screen = console(out)
    screen.width = width
    screen.print(renderable)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.fixture
def report(tiny, newborn):
    """A day in which everything is as wide as it gets."""
    newborn.agents.generation[1] = 123
    newborn.agents.wallet[:] = 99.5
    newborn.needs.level[:] = [[0.0, 0.5, 1.0]] * 3
    newborn.employment.attendance[:, 0] = [181, 181]
    newborn.metrics.num_shifts[:], newborn.metrics.num_late_shifts[:] = 10, 10
    newborn.metrics.counters[:] = 999
    newborn.metrics.counters[:, Counter.WAGE_TICKS] = 1810
    newborn.queues.waiting_for[:] = tiny.names.objects.index("shower")
    ledger = newborn.relationships
    ledger.is_tie[:] = ~np.eye(3, dtype=bool)
    ledger.trust[:], ledger.rivalry[:] = 0.5, 0.5
    newborn.metrics.totals[:] = 12_345_678
    newborn.metrics.totals[Total.EXIT_KILLED] = 0
    run = Run("scripted", 3, 1, 1440, 1440, 1440, 2.0, 30.0)
    towns = jax.tree.map(lambda leaf: leaf[None], newborn)
    figures = Kpi(*np.array([[1.0], [1.0], [0.2], [0.3]], np.float32))
    return summarise(tiny, towns, figures, run)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_nothing_wraps_or_is_cut_by_the_console(tiny, report, width: int) -> None:
    told = [("day 1 08:00", "ada and ben ate together")]
    found = lines(closing.closing(tiny, report, told, width), width)
    assert max(map(len, found)) <= width
    headers = "name hunger hygiene energy money job present late friend rival"
    assert " ".join(found[2].split()) == headers
    start = next(i for i, line in enumerate(found) if line.split()[:2] == ["name", "ate"])
    assert found[start].split()[-3:] == ["ousted", "failed", "now"]
    assert found[start + 2].split()[:2] == ["ben#123", "999"]
    doing = "waits for shower (…" if width == 80 else "waits for shower (1st)"
    assert found[start + 1].endswith(f"999 {' ' * (width > 80)}{doing}")


def test_it_says_how_the_town_fared(tiny, report) -> None:
    found = lines(closing.closing(tiny, report, []))
    text = "\n".join(found)
    assert "residents (day 2 00:00)" in found
    assert "self sufficiency       1.00  at least 0.70  met" in text
    assert "tenure days            1.00  at least 3.00  too early" in text
    assert "lateness rate          0.20  below 0.15     not met" in text
    assert "12,345,678 faint" in text and "killed" not in text
    assert "1440 ticks of 1 town in 2.00 s: 720 town-ticks/s (and 30.0 s to compile)" in found
    assert "highlights" not in found and "PARTIAL" not in text


def test_several_towns_have_means(tiny, report) -> None:
    report = {**report, "towns": 2, "per_town_mean": {**report["totals"], "arrivals": 1.5}}
    found = lines(closing.closing(tiny, report, []))
    assert "residents (town 0, day 2 00:00)" in found
    assert any(line.endswith("1.50 per town") for line in found)


def test_partial_report_says_so_first(tiny, report) -> None:
    found = lines(closing.closing(tiny, {**report, "partial": True, "ticks": 360}, []))
    assert found[0] == "PARTIAL: stopped after 360 ticks"


def test_many_and_no_residents(tiny, report) -> None:
    many = {**report, "residents": report["residents"] * 20}
    found = lines(closing.closing(tiny, many, []))
    assert "  and 28 more; --json lists all" in found
    found = lines(closing.closing(tiny, {**report, "residents": []}, []))
    assert "  nobody lives here" in found


@pytest.mark.parametrize(
    ("level", "text", "style"),
    [
        (0.0, "──────", "red"),
        (0.5, "━━━───", "yellow"),
        (1.0, "━━━━━━", "green"),
        (1.7, "━━━━━━", "green"),
    ],
)
def test_bar(level: float, text: str, style: str) -> None:
    drawn = closing.bar(level)
    assert drawn.plain == text
    assert style in {str(span.style) for span in drawn.spans} or level == 0


def test_introduction(tiny) -> None:
    found = lines(closing.introduction(tiny, "idle", 7, 64, 2880))
    text = "\n".join(found)
    assert "tiny (configs/tiny.yaml)" in found[0]
    assert "bed (3 seats), bench, counter, fridge, shower, stove" in text
    assert "shopkeeper 08:00-11:00" in text
    assert "2,880 ticks (2 days) of 64 towns from seed 7, idle residents" in text
    assert "may befall it" not in text
    assert max(map(len, found)) <= PLAIN_WIDTH


def test_only_the_first_notes_are_printed(tiny) -> None:
    town = dataclasses.replace(
        tiny, notes=tuple(Note("a.yaml", n, 1, "x", "odd") for n in range(1, 8))
    )
    found = closing.notes(town)
    assert found[0] == "note: a.yaml:1:1: x: odd"
    assert found[-1] == "note: 2 more; see launch/show_config.py"
    assert len(found) == closing.MAX_NOTES + 1
    assert len(closing.notes(dataclasses.replace(town, notes=town.notes[:5]))) == 5
