"""What a training run is asked to do."""

import dataclasses
from pathlib import Path

from townlet_jax.ops.early_stop import Goal

GOALS = (
    "self_sufficiency", "tenure_days", "late_share", "lateness_rate", "relationship_coverage",
    "starvation_rate", "option_switch_rate", "agent_fitness", "need_mean.hunger",
    "need_mean.hygiene", "need_mean.energy", "discounted_return", "reward.total",
)  # fmt: skip
"""KPIs that a run can be told to reach."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
      seeds: of the lanes. stages: social reward stages of arms that are compared, each with all
        seeds; none = as configured.
      workdir: folder of the run, None = nothing is saved.
      log: path of the training log, None = none; with several lanes `-<seed>` or
        `-<stage>-<seed>` is put into its name.
      log_frequency, max_log_entries: of the log.
      eval_towns, eval_days: of evaluations at checkpoints; 0 towns = none.
      goal: KPI that ends the run.
    """

    seeds: tuple[int, ...]
    stages: tuple[str, ...] = ()
    workdir: Path | None = None
    log: str | None = None
    log_frequency: int = 1
    max_log_entries: int | None = None
    eval_towns: int = 8
    eval_days: int = 2
    goal: Goal | None = None

    @property
    def lanes(self) -> list[tuple[int, str | None]]:
        """Seed and arm of every lane."""
        return [(seed, stage) for stage in self.stages or (None,) for seed in self.seeds]

    @property
    def lane_names(self) -> list[str]:
        """What tells the lanes apart."""
        return [f"{stage}-{seed}" if stage else str(seed) for seed, stage in self.lanes]


def divisor(number: int, limit: int) -> int:
    """Returns the largest divisor of a number up to a limit."""
    return max(n for n in range(1, limit + 1) if number % n == 0)
