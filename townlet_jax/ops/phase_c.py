"""Social reward stages of a configuration: what is in force when, changing it, and approvals.

Training text §9.2. Nothing is published that the loader of the project refuses.
"""

import bisect
import contextlib
import dataclasses
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from townlet_jax.config import Config, ConfigError, build, load, read_config, read_marked
from townlet_jax.config.approval import read_approval
from townlet_jax.config.errors import Path as Keys
from townlet_jax.config.errors import dotted, suggest
from townlet_jax.config.town_params import REWARD_STAGES
from townlet_jax.config.yaml_reader import parse
from townlet_jax.ops import yaml_edit
from townlet_jax.snapshots.seal import sync

OFF = REWARD_STAGES[0]
NONE = "none"
"""Written for an override that is taken back."""
STAGE: Keys = ("features", "stages", "social_rewards")
OVERRIDE: Keys = ("training", "social_reward_stage_override")
SCHEDULE: Keys = ("training", "social_reward_schedule")


class Phase(NamedTuple):
    """From `cycle` on `stage` is in force because of the value at `source`.

    A `cycle` of None is no training at all: simulations and evaluations.
    """

    cycle: int | None
    stage: str
    source: Keys


class Edit(NamedTuple):
    """The new text of a configuration, and what it changes, in one line."""

    text: str
    summary: str


class Check(NamedTuple):
    """What `check` found: phases, and one line per reason why they may not come into force."""

    phases: list[Phase]
    faults: list[str]


def phases(config: Config) -> list[Phase]:
    """Returns the phases of a training run, the first from cycle 0 on. Training text §9.2."""
    training = config.training
    stage, source = config.features.stages.social_rewards, STAGE
    if training.social_reward_stage_override is not None:
        stage, source = training.social_reward_stage_override, OVERRIDE
    found = {0: Phase(0, stage, source)}
    for i, entry in enumerate(training.social_reward_schedule):
        found[entry.cycle] = Phase(entry.cycle, entry.stage, (*SCHEDULE, i))
    return list(found.values())


def stage_at(config: Config, cycle: int) -> str:
    """Returns the social reward stage of a cycle, counted from 0; the last phase has no end."""
    return [phase.stage for phase in phases(config) if (phase.cycle or 0) <= cycle][-1]


def parse_stage(text: str) -> str:
    """Reads a stage in upper or lower case.

    Raises:
      ValueError: names the nearest stage.
    """
    if text.upper() not in REWARD_STAGES:
        raise ValueError(f"{text!r} is no stage; {suggest(text, REWARD_STAGES)}")
    return text.upper()


def parse_entries(texts: Sequence[str]) -> dict[int, str]:
    """Reads entries such as `1:C1` as stages by cycle.

    Raises:
      ValueError: an entry of another form, a cycle given twice.
    """
    entries: dict[int, str] = {}
    for text in texts:
        cycle, colon, stage = text.partition(":")
        if not (colon and cycle.isascii() and cycle.isdecimal()):
            raise ValueError(f"{text!r} must be a cycle and a stage, as in 1:C1")
        if int(cycle) in entries:
            raise ValueError(f"{text!r}: cycle {int(cycle)} is given twice")
        entries[int(cycle)] = parse_stage(stage)
    return entries


def set_stage(path: str, stage: str) -> Edit:
    """Sets the stage of everything that no override or schedule of training decides.

    Args:
      path: configuration file; it is not written.
      stage: as `parse_stage` returns it.

    Raises:
      ConfigError: the file is not valid before or after.
    """
    before = read_config(path)[0]
    return _validated(path, yaml_edit.put(_text(path), path, STAGE, stage), before)


def set_schedule(
    path: str, override: str | None, entries: Mapping[int, str], is_clear: bool = False
) -> Edit:
    """Sets override and schedule of the stage in training.

    Args:
      path: configuration file; it is not written.
      override: a stage; `NONE` takes it back, None leaves it as it is.
      entries: stages by cycle. They are merged into the schedule, an inherited one too.
      is_clear: whether the former schedule is dropped.

    Raises:
      ConfigError: the file is not valid before or after.
    """
    before = read_config(path)[0]
    text, training = _text(path), before.training
    wanted = None if override == NONE else override
    if override is not None and wanted != training.social_reward_stage_override:
        text = yaml_edit.put(text, path, OVERRIDE, wanted)
    former = {entry.cycle: str(entry.stage) for entry in training.social_reward_schedule}
    has_own = bool(parse(text, path).data.get(SCHEDULE[0], {}).get(SCHEDULE[1]))
    if has_own and not is_clear:
        text = _merge(text, path, former, entries)
    elif entries or is_clear:
        merged = dict(entries) if is_clear else former | dict(entries)
        rows = [{"cycle": cycle, "stage": merged[cycle]} for cycle in sorted(merged)]
        text = yaml_edit.put(text, path, SCHEDULE, rows)
    return _validated(path, text, before)


def write(text: str, path: str) -> None:
    """Writes a file that shows the old text or the new one, never half of it; keeps its mode.

    Raises:
      OSError: nothing is changed.
    """
    target = Path(os.path.realpath(path) if os.path.islink(path) else path)
    if target.exists() and not target.is_file():  # a device or a pipe is not replaced
        target.write_text(text, encoding="utf-8", newline="")
        return
    with _beside(target, text) as new:
        if target.exists():
            new.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(new, target)
    sync(target.parent)


def check(path: str, approval: str | None = None) -> Check:
    """Tells which stages a configuration brings into force, and whether they are approved.

    Args:
      path: configuration file.
      approval: record as `config.approval.Approval` describes it; None = nothing is approved.

    Raises:
      ConfigError: configuration or record are not valid.
    """
    reading = read_marked(path)
    config = build(reading, path).config
    found = phases(config)
    if found[0].source != STAGE:
        found.append(Phase(None, config.features.stages.social_rewards, STAGE))
    faults, approved = [], {OFF}
    reason = "not approved; name the record of a soak with --approval"
    if approval is not None:
        record, place = read_approval(approval)
        approved |= set(record.stages)
        reason = f"not approved by {approval}, which is for {' '.join(record.stages)}"
        if record.config_id != config.config_id:
            message = f"approves {record.config_id!r}, not {config.config_id!r}"
            faults.append(str(place.problem(("config_id",), message)))
    for phase in found:
        if phase.stage not in approved:
            when = "outside training" if phase.cycle is None else f"from cycle {phase.cycle} on"
            message = f"{phase.stage} {when} is {reason}"
            faults.append(str(reading.document.problem(phase.source, message)))
    return Check(found, faults)


def table(found: Sequence[Phase]) -> str:
    """Returns phases as a table."""
    lines = ["from cycle  stage  source"]
    for cycle, stage, source in found:
        lines.append(f"{'elsewhere' if cycle is None else cycle:>10}  {stage:<5}  {dotted(source)}")
    return "\n".join(lines)


def _text(path: str) -> str:
    """Returns the text of a file that was read before, line ends as they are."""
    return Path(path).read_bytes().decode("utf-8")


def _merge(text: str, path: str, former: Mapping[int, str], entries: Mapping[int, str]) -> str:
    """Puts entries among those that the file gives, one by one, so that comments stay."""
    cycles = sorted(former)
    for cycle, stage in sorted(entries.items()):
        index = bisect.bisect_left(cycles, cycle)
        if cycle not in cycles:
            cycles.insert(index, cycle)
            row = {"cycle": cycle, "stage": stage}
            text = yaml_edit.insert(text, path, SCHEDULE, index, row)
        elif former[cycle] != stage:
            text = yaml_edit.put(text, path, (*SCHEDULE, index, "stage"), stage)
    return text


@contextlib.contextmanager
def _beside(target: Path, text: str) -> Iterator[Path]:
    """Writes a file next to another, on the disk; deletes it unless it was renamed."""
    new = target.with_name(f".{target.name}.{os.getpid()}.yaml")
    try:
        try:
            with new.open("wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            error.filename = str(target)  # the user knows nothing of the other
            raise
        yield new
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def _validated(path: str, text: str, before: Config) -> Edit:
    """Loads the new text as if it were the file, and says what is different."""
    with _beside(Path(path), text) as new:
        try:
            after = load(new).config
        except ConfigError as error:
            renamed = {os.fspath(new): path}
            problems = [
                dataclasses.replace(problem, file=renamed.get(problem.file, problem.file))
                for problem in error.problems
            ]
            raise ConfigError(problems) from None
    changes = [
        f"{dotted(key)}: {old} -> {new}"
        for key, old, new in zip(
            (STAGE, OVERRIDE, SCHEDULE), _shown(before), _shown(after), strict=True
        )
        if old != new
    ]
    return Edit(text, "; ".join(changes) or "no value changes")


def _shown(config: Config) -> tuple[str, str, str]:
    """Returns stage, override and schedule as a user writes them."""
    training = config.training
    entries = [f"{entry.cycle}:{entry.stage}" for entry in training.social_reward_schedule]
    override = training.social_reward_stage_override or NONE
    return config.features.stages.social_rewards, override, " ".join(entries) or NONE
