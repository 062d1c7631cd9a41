"""Runs a town, or thousands of them, and reports how the residents fared.

    python launch/run_simulation.py --config configs/town.yaml --tick-limit 1440

With --json the report is one JSON object on stdout: `totals` are sums over all towns, `kpi` means
over towns, `residents` those of town 0; several towns add `per_town_mean`. Town i has the seed of
town 0 plus i. --report kpi adds the 17 figures of each day (`kpi_days`), their means, targets and
verdicts, and the churn of ties. Status 1 means that the run was interrupted and the report is
partial.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import Exit, UsageError, run, set_host_devices
from townlet_jax.config import Town, load
from townlet_jax.ops import closing
from townlet_jax.ops.events import Record
from townlet_jax.ops.highlights import Highlights
from townlet_jax.ops.kpi_table import kpi_table
from townlet_jax.ops.labels import labels
from townlet_jax.ops.progress import Ticker
from townlet_jax.ops.simulation import Listener, Simulation, chunks
from townlet_jax.ops.terminal import console
from townlet_jax.town.policies import POLICIES

_CONFIG = flags.DEFINE_string("config", None, "configuration file")
_SET = flags.DEFINE_multi_string("set", [], "path=value, put on top of the file")
_STRICT = flags.DEFINE_boolean("strict", False, "refuse what is doubtful")
_TICK_LIMIT = flags.DEFINE_integer(
    "tick_limit",
    None,
    "ticks to run; if not given, the length of the scenario, or one day",
    lower_bound=0,
    upper_bound=2**30 - 1,
)
_TOWNS = flags.DEFINE_integer("towns", 1, "number of towns", lower_bound=1, upper_bound=2**25)
_SEED = flags.DEFINE_integer(
    "seed", None, "seed of town 0; if not given, that of the configuration", 0, 2**31 - 1
)
_POLICY = flags.DEFINE_enum("policy", "scripted", list(POLICIES), "who acts for the residents")
_EVENTS = flags.DEFINE_string("events", None, "JSON-lines file for what happens in town 0")
_REPORT = flags.DEFINE_enum(
    "report", "summary", ["summary", "kpi"], "summary of the run, or the figures of each day"
)
_JSON = flags.DEFINE_boolean("json", False, "print the report as one JSON object")


def main(argv: list[str]) -> Exit:
    """Runs towns and prints the report."""
    del argv
    if not _CONFIG.value:
        raise UsageError("name a configuration, such as configs/town.yaml")
    set_host_devices(min(_num_cores(), _TOWNS.value))
    town = load(_CONFIG.value, _SET.value, _STRICT.value)
    if _POLICY.value == "scripted" and town.shape.action_level == "primitive":
        raise UsageError(
            "--policy=scripted acts at the option level, and world.action_level is primitive; "
            "use --policy=random or idle"
        )
    seed, limit = _seed(town), _limit(town)
    screen, highlights = console(sys.stdout), Highlights(labels(town))
    with _listener(highlights) as listener:
        if not _JSON.value:
            screen.print(closing.introduction(town, _POLICY.value, seed, _TOWNS.value, limit))
        for line in closing.notes(town):
            print(line, file=sys.stderr)
        simulation = Simulation(town, _POLICY.value, seed, _TOWNS.value, listener)
        has_days = _REPORT.value == "kpi"
        day_ticks = int(town.params.time.ticks_per_day) if has_days else None
        _advance(simulation, limit, day_ticks)
    report = simulation.report(limit, has_days)
    if _JSON.value:
        print(json.dumps(report, indent=2))
    elif has_days:
        screen.print(kpi_table(report, screen.width), closing.speed(report), sep="\n\n")
    else:
        screen.print(closing.closing(town, report, highlights.tell(), screen.width))
    return Exit.CHECK_FAILED if report["partial"] else Exit.DONE


def _num_cores() -> int:
    """Returns the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _seed(town: Town) -> int:
    """Returns the seed of town 0."""
    return town.seed if _SEED.value is None else _SEED.value


def _limit(town: Town) -> int:
    """Returns the ticks to run."""
    if _TICK_LIMIT.value is not None:
        return _TICK_LIMIT.value
    return town.config.scenario.ticks or int(town.params.time.ticks_per_day)


@contextmanager
def _listener(highlights: Highlights) -> Iterator[Listener | None]:
    """Yields what receives the records of town 0, None where nobody wants them.

    The file is opened before the town is run, so that a bad name costs no time.
    """
    with ExitStack() as stack:
        path = _EVENTS.value
        file = stack.enter_context(open(path, "w", encoding="utf-8")) if path else None

        def listen(records: list[Record]) -> None:
            highlights.read(records)
            if file is not None:
                file.writelines(json.dumps(record) + "\n" for record in records)

        has_reader = not _JSON.value and _REPORT.value == "summary" and _TOWNS.value == 1
        yield listen if file is not None or has_reader else None


def _advance(simulation: Simulation, limit: int, day_ticks: int | None) -> None:
    """Runs to the limit, and closes days of so many ticks unless that is None.

    After a first SIGINT or SIGTERM it stops at the end of the chunk.
    """
    is_stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopping
        if is_stopping:
            raise KeyboardInterrupt
        is_stopping = True
        print("stopping after this chunk; once more stops at once", file=sys.stderr)

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Ticker(limit, sys.stderr) as ticker:
            for num_ticks in chunks(limit, day_ticks):
                if is_stopping:
                    break
                simulation.advance(num_ticks)
                if day_ticks is not None and simulation.num_ticks % day_ticks == 0:
                    simulation.close_day()
                ticker.show(simulation.num_ticks)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    run(main)
