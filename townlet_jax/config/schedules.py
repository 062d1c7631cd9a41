"""Schedules of scenarios, spelled out as intents. World text §6.5."""

import numpy as np

from townlet_jax.config.errors import Path, suggest
from townlet_jax.config.leaves import Tables
from townlet_jax.config.limits import MAX_SCHEDULE_ROWS
from townlet_jax.config.manifest import Manifest
from townlet_jax.config.objects import Objects, standing_fault
from townlet_jax.config.report import Report
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_scenario import ScheduleRow
from townlet_jax.config.ways import Targets
from townlet_jax.masked import NONE

KINDS = ("wait", "move", "request", "start", "blocked", "release", "chat", "use", "request_blocked")
"""Intent kinds by code."""


class Compiler:
    """Turns schedule rows into intents, and reports what they get wrong."""

    def __init__(
        self,
        config: Config,
        manifest: Manifest,
        objects: Objects,
        is_walkable: np.ndarray,
        targets: Targets,
        report: Report,
    ):
        """Takes what rows may refer to; `targets` gets a row for each cell somebody moves to."""
        self._agents = [agent.id for agent in config.scenario.agents]
        self._affordances = manifest.affordances
        self._objects = objects
        self._is_walkable = is_walkable
        self._targets = targets
        self._report = report

    def intent(self, row: ScheduleRow, path: Path, agent: str) -> tuple[int, int, int]:
        """Returns (kind, target, affordance) of one row.

        Args:
          row: the row.
          path: its place in the configuration.
          agent: whose schedule it is.
        """
        kind = KINDS.index(row.kind)
        if row.kind in ("wait", "release"):
            return kind, NONE, NONE
        if row.kind == "move":
            return kind, self._cell(row, path), NONE
        if row.kind == "chat":
            return kind, self._partner(row, path, agent), NONE
        if row.kind == "request" and row.blocked:
            kind = KINDS.index("request_blocked")
        target = self._row(row, path)
        does_start = row.kind in ("start", "use") and target != NONE
        if not does_start and row.affordance not in (None, *self._affordances):
            fault = f"unknown affordance {row.affordance!r}"
            known = suggest(row.affordance, self._affordances)
            self._report.doubt((*path, "affordance"), f"{fault}; {known}")
        return kind, target, self._affordance(row, path, target) if does_start else NONE

    def _cell(self, row: ScheduleRow, path: Path) -> int:
        assert row.position is not None  # the schema asks for it
        fault = standing_fault(self._is_walkable, row.position)
        if fault is not None:
            self._report.error((*path, "position"), fault)
            return NONE
        return self._targets.index(row.position)

    def _partner(self, row: ScheduleRow, path: Path, agent: str) -> int:
        if row.target_agent == agent:
            self._report.error((*path, "target_agent"), f"{agent!r} cannot talk to itself")
        known = row.target_agent in self._agents
        return self._agents.index(row.target_agent) if known and row.target_agent else NONE

    def _row(self, row: ScheduleRow, path: Path) -> int:
        known = self._objects.row_of
        if row.object not in known:
            fault = f"unknown object {row.object!r}; {suggest(row.object, known)}"
            self._report.error((*path, "object"), fault)
            return NONE
        return known[row.object]

    def _affordance(self, row: ScheduleRow, path: Path, target: int) -> int:
        """Returns the affordance to start; where none is named, the first the object offers."""
        kind = self._objects.types[self._objects.type[target]]
        names = list(self._affordances)
        offered = [name for name in names if kind in self._affordances[name].object_type]
        if row.affordance in offered:
            return names.index(row.affordance)
        if row.affordance is None:
            return names.index(offered[0]) if offered else NONE
        what = f"does not fit a {kind}" if row.affordance in names else "is unknown"
        known = offered if row.affordance in names else names
        fault = f"affordance {row.affordance!r} {what}, so nothing starts"
        self._report.doubt((*path, "affordance"), f"{fault}; {suggest(row.affordance, known)}")
        return NONE


def schedule_tables(config: Config, compiler: Compiler, num_agents: int, report: Report) -> Tables:
    """Spells out all schedules.

    Args:
      config: the configuration.
      compiler: of the rows.
      num_agents: A.
      report: receives faults.

    Returns:
      The arrays of `ScheduleLayout`; L is the longest schedule, at least 1.
    """
    rows: list[list[tuple[int, int, int]]] = [[] for _ in range(num_agents)]
    for a, agent in enumerate(config.scenario.agents):
        path = ("scenario", "agents", a, "schedule")
        length = sum(row.repeat for row in agent.schedule)
        if length > MAX_SCHEDULE_ROWS:
            fault = f"{length} rows with repeats, at most {MAX_SCHEDULE_ROWS} are allowed"
            report.error(path, fault)
            continue
        for i, row in enumerate(agent.schedule):
            rows[a] += [compiler.intent(row, (*path, i), agent.id)] * row.repeat
    lengths = np.array([max(1, len(own)) for own in rows], np.int32)
    table = np.full((num_agents, lengths.max(), 3), (KINDS.index("wait"), NONE, NONE), np.int32)
    for a, own in enumerate(rows):
        table[a, : len(own)] = np.reshape(own, (-1, 3))
    return {"has_schedule": np.array([bool(own) for own in rows]), "length": lengths, "rows": table}
