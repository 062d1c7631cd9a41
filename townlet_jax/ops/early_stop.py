"""When a training run ends before its last update. Training text §9.3.

The trainer feeds one record per update and the figures of each evaluation; nothing here looks at a
clock or a device, and what is remembered is plain data. A run that is resumed with it therefore
stops at the same update as one that was never interrupted.
"""

import dataclasses
import statistics
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from townlet_jax.config.errors import suggest
from townlet_jax.config.schema_training import EarlyStop

STATUS: dict[str, int | None] = {
    "done": 0,
    "until": 0,
    "reward_variance": 3,
    "nonfinite": 4,
    "signal": 75,
    "regression": None,
}
"""Exit status by reason; None = only recorded, training goes on."""
REGRESSION_FACTOR = 0.7
"""An evaluation is worse than this times the best one: a regression."""
MAX_REGRESSIONS = 2
FALLING = frozenset(
    {
        "avoidance_events",
        "churn_rate",
        "conflict_intensity",
        "conflicts_per_day",
        "exits_per_day",
        "late_share",
        "lateness_rate",
        "option_switch_rate",
        "repeat_avoidance_share",
        "starvation_events",
        "starvation_rate",
    }
)
"""KPIs that are better when they are lower."""


@dataclasses.dataclass(frozen=True)
class Stop:
    """Why a run ends, or is looked at.

    Attributes:
      reason: a key of `STATUS`.
      epoch: index of the update, from 1, that decided it.
      baseline, value: what was compared, None where nothing was.
    """

    reason: str
    epoch: int
    baseline: float | None = None
    value: float | None = None

    @property
    def status(self) -> int | None:
        """Exit status of the run; None = training goes on."""
        return STATUS[self.reason]

    def record(self) -> dict[str, Any]:
        """Returns the line of the training log."""
        event = "hold" if self.status is None else "stop"
        return {"event": event, **dataclasses.asdict(self)}


class Goal(NamedTuple):
    """A KPI that ends the run when it is reached: from below, or from above for `FALLING` ones."""

    name: str
    value: float

    def is_reached(self, value: float) -> bool:
        """Tells whether a value is good enough."""
        return value <= self.value if self.name in FALLING else value >= self.value


def parse_goal(text: str, names: Collection[str]) -> Goal:
    """Reads `NAME=VALUE`, as `--until` takes it.

    Args:
      text: such as `self_sufficiency=0.8`.
      names: KPIs of an evaluation.

    Raises:
      ValueError: another form, or an unknown name; says the nearest.
    """
    name, _, written = text.partition("=")
    try:
        value = float(written)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise ValueError(f"{text!r} must have the form NAME=VALUE, as in self_sufficiency=0.8")
    if name not in names:
        raise ValueError(f"{name!r} is no KPI; {suggest(name, names)}")
    return Goal(name, value)


@dataclasses.dataclass
class _Memory:
    """Everything that the rules remember.

    Attributes:
      values: reward variance of the last `window` updates.
      baseline: of the reward variance; None = not armed yet.
      stage: social reward stage of the last update.
      num_above, num_skipped: consecutive updates above the baseline; with a skipped minibatch.
      best: self-sufficiency of the best evaluation. num_worse: consecutive regressions.
    """

    values: list[float] = dataclasses.field(default_factory=list)
    baseline: float | None = None
    stage: str | None = None
    num_above: int = 0
    num_skipped: int = 0
    best: float | None = None
    num_worse: int = 0


class StopRules:
    """The rules that end a run early.

    The baseline of the reward variance is the median over the last `window` updates. It is taken
    once `warmup_updates` are over and the window is full, and again from the updates before each
    flip of the social reward stage; in between it stands still. Without variance there is nothing
    to compare, so a baseline of 0 stops nothing.
    """

    def __init__(self, config: EarlyStop, goal: Goal | None = None):
        self._config = config
        self._goal = goal
        self._memory = _Memory()

    def update(self, record: Mapping[str, Any], is_finite: bool = True) -> Stop | None:
        """Takes in one update, in order.

        Args:
          record: `epoch`, `reward_variance`, `nonfinite_minibatches` and `social_stage` are read.
          is_finite: whether all parameters are finite.
        """
        nonfinite, variance = self._skipped(record, is_finite), self._variance(record)
        return nonfinite or variance

    def evaluated(self, epoch: int, kpis: Mapping[str, float]) -> Stop | None:
        """Takes in one evaluation.

        Args:
          epoch: of the last update before it.
          kpis: means by name; `self_sufficiency` and the goal are read.
        """
        memory, value = self._memory, float(kpis["self_sufficiency"])
        best = memory.best
        is_worse = best is not None and value < REGRESSION_FACTOR * best
        memory.num_worse = memory.num_worse + 1 if is_worse else 0
        memory.best = value if best is None else max(best, value)
        if self._goal is not None and self._goal.is_reached(kpis[self._goal.name]):
            return Stop("until", epoch, self._goal.value, float(kpis[self._goal.name]))
        if memory.num_worse < MAX_REGRESSIONS:
            return None
        memory.num_worse = 0
        return Stop("regression", epoch, best, value)

    def state(self) -> dict[str, Any]:
        """Returns what is remembered, fit for JSON; a copy."""
        return dataclasses.asdict(self._memory)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Remembers what `state` returned.

        Raises:
          ValueError: it has other keys.
        """
        names = {field.name for field in dataclasses.fields(_Memory)}
        if state.keys() != names:
            faults = " ".join(sorted(state.keys() ^ names))
            raise ValueError(f"state of the stopping rules: missing or unknown {faults}")
        self._memory = _Memory(**{**state, "values": list(state["values"])})

    def _skipped(self, record: Mapping[str, Any], is_finite: bool) -> Stop | None:
        memory, limit = self._memory, self._config.max_nonfinite
        has_skipped = record["nonfinite_minibatches"] > 0
        memory.num_skipped = memory.num_skipped + 1 if has_skipped else 0
        if not is_finite:
            return Stop("nonfinite", record["epoch"])
        if memory.num_skipped < limit:
            return None
        return Stop("nonfinite", record["epoch"], limit, memory.num_skipped)

    def _variance(self, record: Mapping[str, Any]) -> Stop | None:
        memory, config = self._memory, self._config
        value, stage = float(record["reward_variance"]), record["social_stage"]
        if memory.baseline is not None and stage != memory.stage:
            memory.baseline, memory.num_above = statistics.median(memory.values), 0
        memory.stage = stage
        limit = config.variance_factor * (memory.baseline or 0.0)
        memory.num_above = memory.num_above + 1 if 0 < limit < value else 0
        memory.values = [*memory.values, value][-config.window :]
        is_warm = record["epoch"] >= config.warmup_updates and len(memory.values) == config.window
        if memory.baseline is None and is_warm:
            memory.baseline = statistics.median(memory.values)
        if memory.num_above < config.patience:
            return None
        return Stop("reward_variance", record["epoch"], memory.baseline, value)
