"""Runs a town, or thousands of them, and reports how the residents fared.

    python launch/run_simulation.py --config configs/town.yaml --tick-limit 1440

With --json the report is one JSON object on stdout: `totals` are sums over all towns, `kpi` means
over towns, `residents` those of town 0; several towns add `per_town_mean`. Town i has the seed of
town 0 plus i. --report kpi adds the 17 figures of each day (`kpi_days`), their means, targets and
verdicts, and the churn of ties. Status 1 means that the run was interrupted and the report is
partial.

With --snapshot-dir, or `snapshot.autosave` in the configuration, whole towns are saved at the
start, every `cadence_ticks` and at the end; an interrupted run then ends with status 75, and
--resume goes on as if nothing had happened. --tick-limit counts from the first start.
"""

import dataclasses
import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import Exit, UsageError, run, set_host_devices
from townlet_jax.config import Town, load
from townlet_jax.ops import closing, resuming
from townlet_jax.ops.event_file import EventFile, event_file
from townlet_jax.ops.events import Record
from townlet_jax.ops.highlights import Highlights
from townlet_jax.ops.kpi_table import kpi_table
from townlet_jax.ops.labels import labels
from townlet_jax.ops.progress import Ticker
from townlet_jax.ops.simulation import Listener, Simulation, chunks
from townlet_jax.ops.terminal import console
from townlet_jax.snapshots.saver import Saver
from townlet_jax.snapshots.towns import RestoredTowns
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
_TOWNS = flags.DEFINE_integer(
    "towns", None, "number of towns; if not given, 1", lower_bound=1, upper_bound=2**25
)
_SEED = flags.DEFINE_integer(
    "seed", None, "seed of town 0; if not given, that of the configuration", 0, 2**31 - 1
)
_POLICY = flags.DEFINE_enum(
    "policy", None, list(POLICIES), "who acts for the residents; if not given, scripted"
)
_EVENTS = flags.DEFINE_string("events", None, "JSON-lines file for what happens in town 0")
_REPORT = flags.DEFINE_enum(
    "report", "summary", ["summary", "kpi"], "summary of the run, or the figures of each day"
)
_SNAPSHOT_DIR = flags.DEFINE_string(
    "snapshot_dir",
    None,
    "folder of snapshots; if not given, snapshot.storage.root if autosave is on",
)
_RESUME = flags.DEFINE_boolean("resume", False, "go on from the newest snapshot of the folder")
_ALLOW_FALLBACK = flags.DEFINE_boolean(
    "allow_fallback", False, "resume from an older snapshot if the newest is corrupt"
)
_JSON = flags.DEFINE_boolean("json", False, "print the report as one JSON object")


def main(argv: list[str]) -> Exit:
    """Runs towns and prints the report."""
    del argv
    if not _CONFIG.value:
        raise UsageError("name a configuration, such as configs/town.yaml")
    set_host_devices(min(_num_cores(), _TOWNS.value or (_num_cores() if _RESUME.value else 1)))
    town = load(_CONFIG.value, _SET.value, _STRICT.value)
    folder = resuming.root(town, _SNAPSHOT_DIR.value)
    plan = _plan(town, folder)
    screen, highlights = console(sys.stdout), Highlights(labels(town))
    day_ticks = int(town.params.time.ticks_per_day) if _REPORT.value == "kpi" else None
    with ExitStack() as stack:
        written = plan.restored.metadata.run.get("events_bytes") if plan.restored else None
        events = stack.enter_context(event_file(_EVENTS.value, written))
        history = plan.restored.history if plan.restored else ()
        saver = stack.enter_context(Saver(town, folder, history)) if folder is not None else None
        if not _JSON.value:
            screen.print(
                closing.introduction(town, plan.policy, plan.seed, plan.num_towns, plan.limit)
            )
        for line in closing.notes(town):
            print(line, file=sys.stderr)
        listener = _listener(highlights, events, plan.num_towns)
        simulation = Simulation(
            town, plan.policy, plan.seed, plan.num_towns, listener, plan.restored
        )
        is_saved = _advance(simulation, plan, day_ticks, events, saver)
    report = simulation.report(plan.limit, day_ticks is not None)
    if saver is not None:
        report["snapshots"] = saver.report()
    if _JSON.value:
        print(json.dumps(report, indent=2))
    elif day_ticks is not None:
        screen.print(kpi_table(report, screen.width), closing.speed(report), sep="\n\n")
    else:
        screen.print(closing.closing(town, report, highlights.tell(), screen.width))
    if not is_saved:
        return Exit.CHECK_FAILED
    return Exit.DONE if not report["partial"] else Exit.STOPPED


@dataclasses.dataclass(frozen=True)
class _Run:
    """What is run: as asked for, or as the snapshot says that it goes on from.

    Attributes:
      policy, seed, num_towns: of the towns.
      limit: [tick] at the end, from the first start.
      restored: towns to go on with, None = fresh ones.
    """

    policy: str
    seed: int
    num_towns: int
    limit: int
    restored: RestoredTowns | None


def _plan(town: Town, folder: Path | None) -> _Run:
    """Decides what to run, and brings towns back if asked to."""
    policy, seed, num_towns = _POLICY.value, _SEED.value, _TOWNS.value
    restored = None
    if _RESUME.value:
        if folder is None:
            raise UsageError(
                "--resume needs --snapshot-dir, or snapshot.autosave in the configuration"
            )
        given = {"policy": policy, "seed": seed, "num_towns": num_towns}
        restored = resuming.resume(town, folder, _ALLOW_FALLBACK.value, given)
        known = restored.metadata.run
        policy, seed, num_towns = known["policy"], known["seed"], known["num_towns"]
    elif folder is not None:
        resuming.refuse_used(folder)
    if policy is None:
        policy = "scripted"
    if policy == "scripted" and town.shape.action_level == "primitive":
        raise UsageError(
            "--policy=scripted acts at the option level, and world.action_level is primitive; "
            "use --policy=random or idle"
        )
    seed = town.seed if seed is None else seed
    return _Run(policy, seed, num_towns or 1, _limit(town), restored)


def _num_cores() -> int:
    """Returns the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _limit(town: Town) -> int:
    """Returns the ticks to run."""
    if _TICK_LIMIT.value is not None:
        return _TICK_LIMIT.value
    return town.config.scenario.ticks or int(town.params.time.ticks_per_day)


def _listener(highlights: Highlights, events: EventFile | None, num_towns: int) -> Listener | None:
    """Returns what receives the records of town 0, None where nobody wants them."""

    def listen(records: list[Record]) -> None:
        highlights.read(records)
        if events is not None:
            events.write(records)

    has_reader = not _JSON.value and _REPORT.value == "summary" and num_towns == 1
    return listen if events is not None or has_reader else None


def _advance(
    simulation: Simulation,
    run: _Run,
    day_ticks: int | None,
    events: EventFile | None,
    saver: Saver | None,
) -> bool:
    """Runs to the limit, closes days of so many ticks unless that is None, and saves the towns.

    After a first SIGINT or SIGTERM it stops at the end of the chunk. If a snapshot cannot be saved,
    stderr says so, and the towns live on.

    Returns:
      Whether nothing is lost: the limit was reached, or the towns are saved as they are now.
    """
    is_stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopping
        if is_stopping:
            raise KeyboardInterrupt
        is_stopping = True
        print("stopping after this chunk; once more stops at once", file=sys.stderr)

    def save() -> None:
        if saver is not None:
            written = None if events is None else events.num_bytes()
            saver.save(simulation.towns, simulation.record() | {"events_bytes": written})

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    cadence = None if saver is None else saver.cadence
    saved_tick = simulation.num_ticks
    try:
        if run.restored is None:
            save()  # while the program is compiled
        with Ticker(run.limit, sys.stderr) as ticker:
            done, periods = simulation.num_ticks, (day_ticks, cadence)
            for num_ticks in chunks(run.limit, *periods, num_towns=run.num_towns, done=done):
                if is_stopping:
                    break
                simulation.advance(num_ticks)
                if day_ticks is not None and simulation.num_ticks % day_ticks == 0:
                    simulation.close_day()
                if cadence is not None and simulation.num_ticks % cadence == 0:
                    save()
                    saved_tick = simulation.num_ticks
                ticker.show(simulation.num_ticks)
        if simulation.num_ticks != saved_tick:
            save()
        return simulation.num_ticks >= run.limit if saver is None else saver.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    run(main)
