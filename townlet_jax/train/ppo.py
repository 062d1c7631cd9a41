"""Recurrent PPO: a learner, and chunks of updates that stay on the device."""

from typing import Any

import jax
import jax.numpy as jnp

from townlet_jax.masked import NEVER, computed_once
from townlet_jax.train import sums, values
from townlet_jax.train.config import TrainParams, TrainShape
from townlet_jax.train.gae import gae
from townlet_jax.train.losses import is_decision
from townlet_jax.train.metrics import update_metrics
from townlet_jax.train.network import init_params
from townlet_jax.train.rollout import Rollout, rollout
from townlet_jax.train.schedules import controls
from townlet_jax.train.types import LearnerState, UpdateMetrics, undecided
from townlet_jax.train.update import OPTIMISER, Fit, Sample, update
from townlet_jax.train.world import Numbers, World

INIT, TOWNS, ORDER = 0, 1, 2
"""What a key of the learner is folded with first: parameters, fresh towns, permutations."""


def init_learner(
    world: World,
    shape: TrainShape,
    key: jax.Array,
    numbers: Numbers,
    params: TrainParams,
) -> LearnerState:
    """Makes a learner with fresh towns.

    Args:
      world: the place.
      shape: static sizes.
      key: key `[]` of the seed; it is consumed.
      numbers: of the world.
      params: of the learner.
    """
    net = init_params(shape, jax.random.fold_in(key, INIT))
    num_towns, num_agents = shape.num_towns, shape.num_agents
    index = jnp.arange(num_towns, dtype=jnp.int32)
    step = params.episode_ticks // num_towns
    return LearnerState(
        params=net,
        opt_state=OPTIMISER.init(net),
        world=_fresh(world, key, jnp.int32(NEVER), index, numbers, params),
        hidden=jnp.zeros((num_towns, num_agents, shape.gru_hidden), jnp.float32),
        is_first=jnp.ones((num_towns, num_agents), bool),
        choice=_undecided(shape, num_towns),
        town_index=index,
        town_age=jnp.where(params.reset_stagger, index * step, 0),
        value_stats=values.no_stats(),
        key=key,
        num_updates=jnp.int32(0),
    )


def train_chunk(
    world: World,
    shape: TrainShape,
    learner: LearnerState,
    numbers: Numbers,
    params: TrainParams,
    axis_name: str | None = None,
) -> tuple[LearnerState, UpdateMetrics]:
    """Does U updates.

    Args:
      world: the place.
      shape: static sizes; on several devices those of one device's share of the towns.
      learner: as it is.
      numbers: of the world.
      params: of the learner.
      axis_name: of the devices over which towns are spread; None = one device.

    Returns:
      The learner; metrics, `[U]` by name.
    """

    def body(learner: LearnerState, _: None) -> tuple[LearnerState, UpdateMetrics]:
        return train_update(world, shape, learner, numbers, params, axis_name)

    return jax.lax.scan(body, learner, None, length=shape.updates_per_chunk)


def train_update(
    world: World,
    shape: TrainShape,
    learner: LearnerState,
    numbers: Numbers,
    params: TrainParams,
    axis_name: str | None = None,
) -> tuple[LearnerState, UpdateMetrics]:
    """Does one update: fresh towns, a rollout, advantages, epochs; see `train_chunk`."""
    now = controls(params, learner.num_updates)
    learner = _renew(world, shape, learner, numbers, params)
    end, found = rollout(world, shape, learner, now, numbers, params)
    sample, stats, facts = _prepare(shape, learner, found, params, axis_name)
    key = jax.random.fold_in(jax.random.fold_in(learner.key, ORDER), learner.num_updates)
    fit = Fit(params=learner.params, opt_state=learner.opt_state, is_stopped=jnp.bool_(False))
    # Kept apart, or what is learned from would be computed otherwise on one device than on several.
    fit, sample = computed_once((fit, sample))
    fit, steps = update(
        shape, fit, sample, key, now.learning_rate, now.entropy_coef, params, axis_name
    )
    metrics = update_metrics(shape, found, steps, facts, now, axis_name)
    num_ticks = shape.num_steps * shape.decide_every
    learner = learner.replace(
        params=fit.params,
        opt_state=fit.opt_state,
        world=end.world,
        hidden=end.hidden,
        is_first=end.is_first,
        choice=end.choice,
        town_age=learner.town_age + num_ticks,
        value_stats=stats,
        num_updates=learner.num_updates + 1,
    )
    return learner, metrics


def _prepare(
    shape: TrainShape,
    learner: LearnerState,
    found: Rollout,
    params: TrainParams,
    axis_name: str | None,
) -> tuple[Sample, Any, dict[str, jax.Array]]:
    """Estimates advantages and normalises them and the values.

    Returns:
      What is learned from; the statistics of values; facts about it by name, for the metrics.
    """
    rows = found.transitions
    is_valid = rows.seen.is_valid
    decides = is_decision(rows.seen.mask, is_valid)
    window_discount = jnp.power(params.gamma, jnp.float32(shape.decide_every))
    discount = jnp.where(rows.is_terminated, 0.0, window_discount)
    trace = jnp.concatenate([is_valid[1:], jnp.ones_like(is_valid[:1])]).astype(jnp.float32)
    following = jnp.concatenate([rows.value[1:], found.bootstrap[None]])
    advantage, target = gae(
        rows.reward, discount, trace, rows.value, following, params.gae_lambda
    )

    def mean(x: jax.Array, weight: jax.Array) -> jax.Array:
        return sums.mean(x, weight, shape.num_groups, axis_name, axis=1)

    target_mean, target_square = mean(target, is_valid), mean(jnp.square(target), is_valid)
    has_any = sums.over_towns(is_valid, shape.num_groups, axis_name, axis=1) > 0
    stats = values.gather(
        learner.value_stats, target_mean, target_square, has_any, params.value_norm_decay
    )
    center, sigma = values.scale(stats)
    adv_mean = mean(advantage, decides)
    adv_std = jnp.sqrt(mean(jnp.square(advantage - adv_mean), decides))
    floor = params.adv_std_floor * sigma
    normal = (advantage - adv_mean) / jnp.maximum(jnp.maximum(adv_std, floor), 1e-8)
    normal = jnp.where(params.normalize_advantage, normal, advantage / sigma)
    sample = Sample(
        seen=rows.seen,
        is_first=rows.is_first,
        action=rows.action,
        old_log_prob=rows.log_prob,
        advantage=jnp.where(decides, normal, 0.0),
        target=(target - center) / sigma,
        old_value=(rows.value - center) / sigma,
        hidden=found.hidden,
    )
    facts = _facts(rows, target, sample.advantage, decides, mean)
    facts |= {
        "adv_mean": adv_mean,
        "adv_std": adv_std,
        "adv_zero_std_batches": (adv_std < floor).astype(jnp.float32),
        "return_mean": target_mean,
        "return_std": jnp.sqrt(jnp.maximum(target_square - jnp.square(target_mean), 0.0)),
        "value_sigma": sigma,
    }
    return sample, stats, facts


def _facts(
    rows: Any, target: jax.Array, advantage: jax.Array, decides: jax.Array, mean: Any
) -> dict[str, jax.Array]:
    """Describes a rollout: rewards, values, and how well the values explain the targets."""
    is_valid = rows.seen.is_valid

    def variance(x: jax.Array, weight: jax.Array) -> jax.Array:
        return mean(jnp.square(x - mean(x, weight)), weight)

    reward_mean, reward_variance = mean(rows.reward, is_valid), variance(rows.reward, is_valid)
    target_variance = variance(target, is_valid)
    missed = variance(target - rows.value, is_valid)
    explained = 1.0 - missed / jnp.where(target_variance > 0, target_variance, 1.0)
    centered = rows.reward - mean(rows.reward, decides)
    scatter = mean(jnp.square(centered), decides) * variance(advantage, decides)
    together = mean(centered * (advantage - mean(advantage, decides)), decides)
    return {
        "reward_mean": reward_mean,
        "reward_variance": reward_variance,
        "value_mean": mean(rows.value, is_valid),
        "log_prob_mean": mean(rows.log_prob, is_valid),
        "explained_variance": jnp.where(target_variance > 0, explained, 0.0),
        "reward_advantage_corr": jnp.where(
            scatter > 0, together / jnp.sqrt(jnp.where(scatter > 0, scatter, 1.0)), 0.0
        ),
    }


def _renew(
    world: World,
    shape: TrainShape,
    learner: LearnerState,
    numbers: Numbers,
    params: TrainParams,
) -> LearnerState:
    """Replaces towns that reached their age by fresh ones; both are computed, one is selected."""
    num_towns = learner.town_index.shape[0]
    fresh = (
        _fresh(world, learner.key, learner.num_updates, learner.town_index, numbers, params),
        jnp.zeros_like(learner.hidden),
        jnp.ones_like(learner.is_first),
        _undecided(shape, num_towns),
        jnp.zeros_like(learner.town_age),
    )
    kept = (learner.world, learner.hidden, learner.is_first, learner.choice, learner.town_age)
    is_old = learner.town_age >= params.episode_ticks

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(is_old.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    state, hidden, is_first, choice, age = jax.tree.map(choose, fresh, kept)
    return learner.replace(
        world=state, hidden=hidden, is_first=is_first, choice=choice, town_age=age
    )


def _fresh(
    world: World,
    key: jax.Array,
    update: jax.Array,
    index: jax.Array,
    numbers: Numbers,
    params: TrainParams,
) -> Any:
    """Starts towns; `index`: int32 `[M]`. Each has a key of its own."""
    key = jax.random.fold_in(jax.random.fold_in(key, TOWNS), update)
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, index)
    return jax.vmap(world.reset, in_axes=(0, None, None))(keys, numbers, params)


def _undecided(shape: TrainShape, num_towns: int) -> Any:
    blank = undecided(shape.num_agents)
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (num_towns, *x.shape)), blank)
