"""Records of the training log: what the device measured, and what only the host knows.

Keys and units: training text §10 and docs/training.md.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from townlet_jax.config.town_params import REWARD_STAGES
from townlet_jax.train.config import TrainShape

TELEMETRY_VERSION = 1.2
WHOLE = frozenset(
    {
        "updates", "transitions", "kl_stopped_epochs", "nonfinite_minibatches",
        "clip_triggered_minibatches", "adv_zero_std_batches", "reward_clip_events.tick",
        "reward_clip_events.day", "reward_clip_events.guard",
    }
)  # fmt: skip
"""Keys that count something."""
Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the records of a run have in common.

    Attributes:
      shape: sizes of the run.
      config_hash: of its configuration. seed: of the lane.
      lane: -1 outside sweeps.
    """

    shape: TrainShape
    config_hash: str
    seed: int
    lane: int = -1

    @property
    def rollout_ticks(self) -> int:
        """Ticks of a rollout [tick]."""
        return self.shape.decide_every * self.shape.num_steps

    @property
    def agent_ticks(self) -> int:
        """Resident ticks of one update; a whole number of any size."""
        return self.rollout_ticks * self.shape.num_towns * self.shape.num_agents


def records(
    metrics: Mapping[str, np.ndarray],
    facts: Facts,
    first_epoch: int,
    num_steps: int,
    seconds: float,
    compile_seconds: float | None,
) -> list[Record]:
    """Describes the updates of a chunk.

    Args:
      metrics: `[U]` by name, of one lane.
      facts: of the run.
      first_epoch: index of the first update, from 1.
      num_steps: valid rows of the run before the chunk.
      seconds: [s] that the chunk took, compiling left out.
      compile_seconds: [s], for the very first record of a run; None = not the first chunk.

    Returns:
      One record per update, without `log_stream_offset`.
    """
    num_updates = len(metrics["transitions"])
    per_update = max(seconds / num_updates, 1e-9)
    decisions = facts.shape.num_steps * facts.shape.num_towns * facts.shape.num_agents
    found = []
    for i in range(num_updates):
        values = {name: _plain(name, x[i]) for name, x in metrics.items()}
        epoch = first_epoch + i
        num_steps += values["transitions"]
        log_prob = values.pop("log_prob_mean")
        found.append(
            {
                "epoch": epoch,
                "cycle_id": epoch - 1,
                "telemetry_version": TELEMETRY_VERSION,
                "data_mode": "rollout",
                "steps": num_steps,
                "epoch_duration_sec": per_update,
                "rollout_ticks": facts.rollout_ticks,
                **values,
                **_capture(values, log_prob, facts),
                "social_stage": REWARD_STAGES[values["social_stage"]],
                "adv_min_std": values["adv_std"],
                "num_towns": facts.shape.num_towns,
                "num_agents": facts.shape.num_agents,
                "agent_ticks_total": epoch * facts.agent_ticks,
                "off_policy": False,
                "config_hash": facts.config_hash,
                "seed": facts.seed,
                "lane": facts.lane,
                "steps_per_second": decisions / per_update,
                "agent_ticks_per_second": facts.agent_ticks / per_update,
            }
        )
    if compile_seconds is not None and first_epoch == 1:
        found[0]["compile_sec"] = compile_seconds
    return found


def _capture(values: Record, log_prob: float, facts: Facts) -> Record:
    """Describes the rollout as the metrics file of a capture does, a sample per resident slot."""
    num_samples = facts.shape.num_towns * facts.shape.num_agents
    mean = values["reward_mean"] * facts.shape.decide_every
    total = mean * values["transitions"]
    return {
        "baseline_sample_count": num_samples,
        "baseline_reward_mean": mean,
        "baseline_reward_sum": total,
        "baseline_reward_sum_mean": total / num_samples,
        "baseline_log_prob_mean": log_prob,
    }


def _plain(name: str, x: np.ndarray) -> Any:
    is_whole = name in WHOLE or np.issubdtype(x.dtype, np.integer)
    return int(x) if is_whole else float(x)
