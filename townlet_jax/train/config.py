"""Sizes and numbers of a training run, read from a configuration (training text §8)."""

import dataclasses
import math
from typing import Literal

import jax
import numpy as np
from flax import struct

from townlet_jax.config.document import Document
from townlet_jax.config.errors import ConfigError, Problem
from townlet_jax.config.leaves import group
from townlet_jax.config.observation_layout import Channel, observation_layout
from townlet_jax.config.reading import interpret
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_derived import decision_ticks, rollout_ticks
from townlet_jax.config.town import Town
from townlet_jax.config.town_params import REWARD_STAGES, town_params
from townlet_jax.env.core import TownNumbers
from townlet_jax.masked import NEVER

MAX_ENTRIES = 8
"""Entries of a schedule."""
LR_SCHEDULES = ("linear", "constant", "cosine")
TRACED_SECTIONS = frozenset(
    {
        "time", "movement", "queue", "queue_fairness", "conflict", "chat", "relationships",
        "rewards", "shaping", "economy", "jobs", "behavior", "employment", "lifecycle",
        "perturbations", "kpi", "personalities", "features",
    }
)  # fmt: skip
STATIC_KEYS = frozenset(
    {
        "relationships.max_edges", "conflict.rivalry.max_edges", "employment.attendance_window",
        "features.systems.observations", "features.systems.lifecycle",
        "features.seed_relationships", "queue_fairness.enabled", "economy.stove_stock_replenish",
        "economy.price_groups", "personalities.overrides",
    }
)  # fmt: skip
"""Keys of these sections that decide a size or a table; a run cannot override them."""


@dataclasses.dataclass(frozen=True)
class TrainShape:
    """Static sizes of a learner; hashable.

    Attributes:
      num_towns: M. num_agents: A. num_actions: n.
      num_steps: T, decisions per rollout. decide_every: k [tick], ticks per decision.
      updates_per_chunk: U.
      num_epochs, num_mini_batches: passes over a rollout; parts of each.
      num_groups: blocks of towns over which sums are taken first.
      channels: of the map, none where residents see no map; num_features: F.
      map_shape: of the map. rivalry_columns: columns of `rivalry_max` and `rivalry_avoid_count`.
      map_hidden, feature_hidden, gru_hidden, compute_dtype: of the network.
    """

    num_towns: int
    num_agents: int
    num_actions: int
    num_features: int
    num_steps: int = 32
    decide_every: int = 1
    updates_per_chunk: int = 10
    num_epochs: int = 3
    num_mini_batches: int = 4
    num_groups: int = 1
    channels: tuple[Channel, ...] = ()
    map_shape: tuple[int, int, int] = (0, 0, 0)
    rivalry_columns: tuple[int, int] | None = None
    map_hidden: int = 64
    feature_hidden: int = 128
    gru_hidden: int = 128
    compute_dtype: Literal["float32", "bfloat16"] = "float32"


class TrainParams(struct.PyTreeNode):
    """Numbers of a learner, all traced.

    Attributes:
      learning_rate, lr_end_fraction: float32; lr_schedule: int32, of `LR_SCHEDULES`.
      gamma: float32 per tick; gae_lambda: float32 per decision.
      clip_param, value_clip, value_loss_coef, max_grad_norm: float32.
      normalize_advantage: bool.
      entropy_coef, entropy_coef_end, entropy_decay_fraction: float32.
      target_kl, adv_std_floor, value_norm_decay: float32.
      num_updates: int32, length of the run that schedules refer to.
      satisfied_fraction, satisfied_level: float32 `[8]`, from which share of the run on needs above
        which level hide their option; unused entries have a fraction above 1.
      hard_need_level: float32 [level]. option_commit_ticks: int32 [tick].
      episode_ticks: int32 [tick], age at which a town is replaced.
      reset_needs, reset_wallet: float32 `[2]`, ranges of fresh towns [level], [money].
      reset_stagger: bool.
      stage_cycles, stages: int32 `[8]`, from which update on which social reward stage holds;
        unused entries have the cycle `NEVER`. base_stage: int32, the stage before.
    """

    learning_rate: jax.Array
    lr_end_fraction: jax.Array
    lr_schedule: jax.Array
    gamma: jax.Array
    gae_lambda: jax.Array
    clip_param: jax.Array
    value_clip: jax.Array
    value_loss_coef: jax.Array
    max_grad_norm: jax.Array
    normalize_advantage: jax.Array
    entropy_coef: jax.Array
    entropy_coef_end: jax.Array
    entropy_decay_fraction: jax.Array
    target_kl: jax.Array
    adv_std_floor: jax.Array
    value_norm_decay: jax.Array
    num_updates: jax.Array
    satisfied_fraction: jax.Array
    satisfied_level: jax.Array
    hard_need_level: jax.Array
    option_commit_ticks: jax.Array
    episode_ticks: jax.Array
    reset_needs: jax.Array
    reset_wallet: jax.Array
    reset_stagger: jax.Array
    stage_cycles: jax.Array
    stages: jax.Array
    base_stage: jax.Array


def train_shape(town: Town, config: Config | None = None) -> TrainShape:
    """Reads the sizes of a run.

    Args:
      town: the loaded configuration.
      config: of the run, where a policy is to act in another town; None = that of the town.

    Raises:
      ConfigError: towns cannot be split as asked for; names the next number that can.
    """
    config = town.config if config is None else config
    spec = observation_layout(town.shape)
    training, ppo = config.training, config.ppo
    k = decision_ticks(config)
    num_groups = ppo.minibatch_groups
    num_mini_batches = ppo.num_mini_batches
    if training.num_towns < num_groups * num_mini_batches:
        num_mini_batches = math.gcd(training.num_towns // num_groups or 1, num_mini_batches)
    unit = num_groups * num_mini_batches
    if training.num_towns % unit:
        following = -(-training.num_towns // unit) * unit
        message = (
            f"must be a multiple of minibatch_groups * num_mini_batches = {unit}, got "
            f"{training.num_towns}; the next is {following}"
        )
        raise ConfigError([Problem(town.path, 1, 1, "training.num_towns", message)])
    if config.network.critic != "local":
        message = "central is not built yet; use local"
        raise ConfigError([Problem(town.path, 1, 1, "network.critic", message)])
    names = spec.names
    return TrainShape(
        num_towns=training.num_towns,
        num_agents=town.shape.num_agents,
        num_actions=town.shape.num_actions,
        num_features=spec.num_features,
        num_steps=rollout_ticks(config) // k,
        decide_every=k,
        updates_per_chunk=min(training.updates_per_chunk, training.num_updates),
        num_epochs=ppo.num_epochs,
        num_mini_batches=num_mini_batches,
        num_groups=num_groups,
        channels=spec.channels,
        map_shape=spec.map_shape,
        rivalry_columns=(names.index("rivalry_max"), names.index("rivalry_avoid_count")),
        map_hidden=config.network.map_hidden,
        feature_hidden=config.network.feature_hidden,
        gru_hidden=config.network.gru_hidden,
        compute_dtype=config.network.compute_dtype,
    )


def train_params(config: Config) -> TrainParams:
    """Reads the numbers of a run."""
    ppo, training, policy = config.ppo, config.training, config.policy
    override = training.social_reward_stage_override
    base = config.features.stages.social_rewards if override is None else override
    schedule = training.social_reward_schedule
    levels = policy.satisfied_level[-MAX_ENTRIES:]
    return group(
        TrainParams,
        **{
            name: np.float32(getattr(ppo, name))
            for name in (
                "learning_rate", "lr_end_fraction", "gamma", "gae_lambda", "clip_param",
                "value_clip", "value_loss_coef", "max_grad_norm", "entropy_coef",
                "entropy_coef_end", "entropy_decay_fraction", "target_kl", "adv_std_floor",
                "value_norm_decay",
            )
        },
        lr_schedule=LR_SCHEDULES.index(ppo.lr_schedule),
        normalize_advantage=bool(ppo.advantage_normalization),
        num_updates=training.num_updates,
        satisfied_fraction=_filled([entry.fraction for entry in levels], 2.0, np.float32),
        satisfied_level=_filled([entry.level for entry in levels], 2.0, np.float32),
        hard_need_level=np.float32(policy.hard_need_level),
        option_commit_ticks=config.policy_runtime.option_commit_ticks,
        episode_ticks=training.episode_ticks,
        reset_needs=np.array(training.reset.needs, np.float32),
        reset_wallet=np.array(training.reset.wallet, np.float32),
        reset_stagger=bool(training.reset.stagger),
        stage_cycles=_filled([entry.cycle for entry in schedule], NEVER, np.int32),
        stages=_filled([REWARD_STAGES.index(entry.stage) for entry in schedule], 0, np.int32),
        base_stage=REWARD_STAGES.index(base),
    )  # fmt: skip


def training_numbers(town: Town) -> TownNumbers:
    """Returns numbers and tables of the towns that are trained in: `training.town_overrides` hold.

    Args:
      town: the loaded configuration.

    Raises:
      ConfigError: an override has an unknown path or a wrong value, or names no traced number.
    """
    overrides = town.config.training.town_overrides
    data = town.config.model_dump(mode="json")
    problems = []
    for path, value in overrides.items():
        if path.split(".")[0] not in TRACED_SECTIONS or path in STATIC_KEYS:
            message = "is no number of a town that may change in training"
            key = f"training.town_overrides.{path}"
            problems.append(Problem(town.path, 1, 1, key, message))
            continue
        _put(data, path.split("."), value)
    if problems:
        raise ConfigError(problems)
    config = interpret(Document(f"{town.path}: training.town_overrides", data)).config
    base = dict(zip(town.names.price_keys, town.params.economy.price_base.tolist(), strict=False))
    given = config.economy.prices
    prices = {key: given.get(key, price) for key, price in base.items()}
    return town_params(config, prices), town.layout


def _put(data: dict, keys: list[str], value: object) -> None:
    for key in keys[:-1]:
        data = data.setdefault(key, {})
    data[keys[-1]] = value


def _filled(values: list, fill: float, dtype: type) -> np.ndarray:
    """Returns values filled up to `MAX_ENTRIES`."""
    table: np.ndarray = np.full(MAX_ENTRIES, fill, dtype)
    table[: len(values)] = values
    return table
