"""Schema of the learner: PPO, runs, schedules, networks. Defaults of training text §7 and §8."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from townlet_jax.config.errors import Path
from townlet_jax.config.schema_base import (
    LARGE,
    Amount,
    AmountSpan,
    Flag,
    Name,
    RewardStage,
    Section,
    Ticks,
    Unit,
    UnitSpan,
)

Positive = Annotated[float, Field(gt=0, le=LARGE)]
Count = Annotated[int, Field(ge=1, le=2**30)]


class Ppo(Section):
    """Clipped surrogate, value loss and optimiser.

    Attributes:
      gamma: per tick. gae_lambda: per decision.
      entropy_coef_end: null = .003, or constant where the file gives only `entropy_coef`.
      mini_batch_size: file modes only.
    """

    learning_rate: Positive = 1e-3
    lr_end_fraction: Unit = 0.05
    lr_schedule: Literal["linear", "constant", "cosine"] = "linear"
    num_epochs: int = Field(default=3, ge=1, le=64)
    num_mini_batches: int = Field(default=4, ge=1, le=1024)
    mini_batch_size: Count = 32
    minibatch_groups: Count = 1
    gamma: Unit = 0.999
    gae_lambda: Unit = 0.95
    clip_param: Unit = 0.2
    value_clip: Unit = 0.2
    value_loss_coef: Amount = 0.5
    max_grad_norm: Amount = 0.5
    advantage_normalization: Flag = True
    entropy_coef: Amount = 0.03
    entropy_coef_end: Amount | None = None
    entropy_decay_fraction: float = Field(default=0.8, gt=0, le=1)
    target_kl: Amount = 0.03
    adv_std_floor: Amount = 0.005
    value_norm_decay: float = Field(default=0.95, ge=0, lt=1)


class StageEntry(Section):
    """From `cycle` on the social reward stage is `stage`."""

    cycle: Ticks
    stage: RewardStage


class AnnealEntry(Section):
    """One stage of an anneal run."""

    cycle: Ticks
    mode: Literal["bc", "ppo"] = "ppo"
    epochs: Count = 1
    bc_weight: Unit = 1.0


class Bc(Section):
    """Behaviour cloning; parsed now, used in a later wave."""

    manifest: Name | None = None
    learning_rate: Positive = 1e-3
    batch_size: Count = 64
    epochs: Count = 10
    weight_decay: Amount = 0.0
    device: Name = "cpu"


class Reset(Section):
    """Spread of start states: needs [level], wallet [money], staggered ages."""

    needs: UnitSpan = (0.15, 1.0)
    wallet: AmountSpan = (1.0, 4.0)
    stagger: Flag = True


TOWN_OVERRIDES = {
    "lifecycle.max_exits_per_day": 0,
    "lifecycle.exit_cooldown_ticks": 0,
    "lifecycle.arrival.needs": [0.3, 0.9],
    "lifecycle.arrival.wallet_rents": 2.5,
}
"""Town parameters that differ in training, so that untrained towns do not freeze."""


class Training(Section):
    """A run: towns M, decisions per rollout T, updates, schedules, sources.

    Attributes:
      rollout_ticks: [tick]; null = decide_every * num_steps.
      episode_ticks: age [tick] at which a town is replaced; null = the larger of 4320 and that.
      town_overrides: values by dotted path of a town parameter.
      checkpoint_every: [update]. keep: checkpoints kept.
    """

    source: Literal["replay", "rollout", "mixed", "bc", "anneal"] = "rollout"
    num_towns: Count = 16
    num_steps: Count = 32
    rollout_ticks: Annotated[int, Field(ge=1, le=100_000)] | None = None
    num_updates: Count = 250
    updates_per_chunk: Count = 10
    episode_ticks: Annotated[Ticks, Field(ge=1)] | None = None
    rollout_auto_seed_agents: Flag = False
    replay_manifest: Name | None = None
    init_from: Name | None = None
    social_reward_stage_override: RewardStage | None = None
    social_reward_schedule: Annotated[
        tuple[StageEntry, ...], Field(strict=False, max_length=8)
    ] = ()
    bc: Bc = Bc()
    anneal_schedule: Annotated[tuple[AnnealEntry, ...], Field(strict=False)] = ()
    anneal_accuracy_threshold: Unit = 0.9
    anneal_enable_policy_blend: Flag = False
    reset: Reset = Reset()
    town_overrides: dict[Name, Any] = TOWN_OVERRIDES
    checkpoint_every: Count = 50
    keep: Count = 3

    def rules(self) -> Iterator[tuple[Path, str]]:
        cycles = [entry.cycle for entry in self.social_reward_schedule]
        for i in range(1, len(cycles)):
            if cycles[i] <= cycles[i - 1]:
                fault = f"cycles must ascend, got {cycles[i]} after {cycles[i - 1]}"
                yield ("social_reward_schedule", i, "cycle"), fault


class Network(Section):
    """Widths of the shared network."""

    map_hidden: int = Field(default=64, ge=8, le=65_536)
    feature_hidden: int = Field(default=128, ge=8, le=65_536)
    gru_hidden: int = Field(default=128, ge=8, le=65_536)
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    critic: Literal["local", "central"] = "local"


class SatisfiedLevel(Section):
    """From this fraction of the updates on, needs above `level` hide their option."""

    fraction: Unit
    level: Amount


def _scheduled(value: Any) -> Any:
    """Reads a plain number as a schedule of one entry."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return [{"fraction": 0, "level": value}] if is_number else value


class Policy(Section):
    """Ticks per decision [tick], and masks on options [level]."""

    decide_every: int = Field(default=5, ge=1, le=60)
    satisfied_level: Annotated[
        tuple[SatisfiedLevel, ...],
        BeforeValidator(_scheduled),
        Field(
            strict=False,
            min_length=1,
            json_schema_extra={"says": "a level, or a list of {fraction, level}"},
        ),
    ] = (SatisfiedLevel(fraction=0.0, level=0.9), SatisfiedLevel(fraction=0.5, level=2.0))
    hard_need_level: Unit = 0.15

    def rules(self) -> Iterator[tuple[Path, str]]:
        fractions = [entry.fraction for entry in self.satisfied_level]
        for i in range(1, len(fractions)):
            if fractions[i] <= fractions[i - 1]:
                fault = f"fractions must ascend, got {fractions[i]} after {fractions[i - 1]}"
                yield ("satisfied_level", i, "fraction"), fault


class PolicyRuntime(Section):
    """Ticks [tick] for which a running option is kept; 0 = off."""

    option_commit_ticks: Ticks = 0


class EarlyStop(Section):
    """When a run ends before its last update."""

    variance_factor: Positive = 2.0
    patience: Count = 3
    window: Count = 20
    warmup_updates: Ticks = 50
    max_nonfinite: Count = 3
