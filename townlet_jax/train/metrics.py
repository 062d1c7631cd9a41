"""Figures of an update, by the key of the training log (training text §10)."""

import jax
import jax.numpy as jnp

from townlet_jax.state import Total
from townlet_jax.town.options import Option
from townlet_jax.town.reward import Term
from townlet_jax.train import sums
from townlet_jax.train.config import TrainShape
from townlet_jax.train.rollout import Rollout
from townlet_jax.train.schedules import Controls
from townlet_jax.train.town_world import EXITS
from townlet_jax.train.types import UpdateMetrics

NEEDS = ("hunger", "hygiene", "energy")
CLIPS = ("tick", "day", "guard")


def update_metrics(
    shape: TrainShape,
    found: Rollout,
    steps: dict[str, jax.Array],
    facts: dict[str, jax.Array],
    controls: Controls,
    axis_name: str | None,
) -> UpdateMetrics:
    """Collects the figures of one update.

    Args:
      shape: static sizes.
      found: the rollout.
      steps: what each minibatch gave, `[num_epochs, num_mini_batches]`.
      facts: about the rollout, already in their final form.
      controls: what was in force.
      axis_name: of the devices over which towns are spread.

    Returns:
      Scalars. `steps`, `transitions` and whatever counts them over the run are sums of this update
      alone.
    """

    def total(x: jax.Array) -> jax.Array:
        flat = x.reshape(x.shape[0], -1)
        return jnp.stack(
            [sums.over_towns(flat[:, i], shape.num_groups, axis_name) for i in range(flat.shape[1])]
        )

    rows = found.transitions
    num_valid = sums.over_towns(rows.seen.is_valid, shape.num_groups, axis_name, axis=1)
    result = _of_steps(steps) | facts
    ticks = jnp.float32(shape.decide_every)
    result |= {
        "transitions": num_valid,
        "reward_mean": facts["reward_mean"] / ticks,
        "reward_std": jnp.sqrt(facts["reward_variance"]) / ticks,
        "lr": controls.learning_rate,
        "entropy_coef": controls.entropy_coef,
        "satisfied_level": controls.satisfied_level,
        "social_stage": controls.social_stage,
    }
    counted = {name: total(x) for name, x in found.stats.items()}
    result |= _of_decisions(counted, num_valid)
    if "living" in counted:
        num_towns = sums.over_towns(
            jnp.ones_like(found.stats["living"]), shape.num_groups, axis_name
        )
        result |= _of_town(counted, num_towns.astype(jnp.float32))
    return result


def _of_steps(steps: dict[str, jax.Array]) -> UpdateMetrics:
    """Means over the minibatches that were applied."""
    applied = steps["is_applied"]
    num_applied = jnp.sum(applied)
    share = 1.0 / jnp.maximum(num_applied, 1.0)

    def mean(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(applied > 0, x, 0.0)) * share

    def most(x: jax.Array) -> jax.Array:
        return jnp.max(jnp.where(applied > 0, x, 0.0))

    entropy = mean(steps["entropy"])
    spread = jnp.sqrt(mean(jnp.square(steps["entropy"] - entropy)))
    is_skipped = steps["is_finite"] < 1
    result = {
        "updates": num_applied,
        "loss_policy": mean(steps["policy"]),
        "loss_value": mean(steps["value"]),
        "loss_total": mean(steps["loss"]),
        "loss_entropy": entropy,
        "clip_fraction": mean(steps["clipped"]),
        "clip_fraction_max": most(steps["clipped"]),
        "clip_triggered_minibatches": jnp.sum((steps["clipped"] > 0) & (applied > 0)),
        "grad_norm": mean(steps["grad_norm"]),
        "grad_norm_max": most(steps["grad_norm"]),
        "kl_divergence": mean(steps["kl1"]),
        "kl_divergence_max": most(jnp.abs(steps["kl1"])),
        "approx_kl_k3": mean(steps["kl3"]),
        "batch_entropy_mean": entropy,
        "batch_entropy_std": spread,
        "entropy_normalised": mean(steps["entropy_share"]),
        "kl_stopped_epochs": jnp.sum(jnp.all((applied < 1) & ~is_skipped, axis=1)),
        "nonfinite_minibatches": jnp.sum(is_skipped),
    }
    if "rivalry_max_mean" in steps:
        result |= {
            "conflict.rivalry_max_mean_avg": jnp.mean(steps["rivalry_max_mean"]),
            "conflict.rivalry_max_max_avg": jnp.mean(steps["rivalry_max_max"]),
            "conflict.rivalry_avoid_count_mean_avg": jnp.mean(steps["avoid_count_mean"]),
            "conflict.rivalry_avoid_count_max_avg": jnp.mean(steps["avoid_count_max"]),
        }
    return result


def _of_decisions(counted: dict[str, jax.Array], num_valid: jax.Array) -> UpdateMetrics:
    """Shares of decisions."""
    valid = jnp.maximum(num_valid, 1).astype(jnp.float32)
    decisions = counted["decisions"][0].astype(jnp.float32)
    some = jnp.maximum(decisions, 1.0)
    options = counted["options"].astype(jnp.float32)
    result = {
        "decision_fraction": decisions / valid,
        "legal_mean": counted["legal"][0].astype(jnp.float32) / valid,
        "mask_satisfied_fraction": counted["hidden_options"][0].astype(jnp.float32) / valid,
        "option_switch_rate": counted["switches"][0].astype(jnp.float32) / some,
        "option_completed_rate": counted["completions"][0].astype(jnp.float32) / valid,
    }
    for code in range(options.shape[0]):
        is_named = options.shape[0] == len(Option)
        name = Option(code).name.lower() if is_named else str(code)
        result[f"option_hist.{name}"] = options[code] / valid
    return result


def _of_town(counted: dict[str, jax.Array], num_towns: jax.Array) -> UpdateMetrics:
    """What residents went through."""
    living = jnp.maximum(counted["living"][0], 1).astype(jnp.float32)
    totals = counted["totals"].astype(jnp.float32)
    chats = totals[Total.CHAT_SUCCESS]
    quality = totals[Total.CHAT_QUALITY_1024THS] / 1024 / jnp.maximum(chats, 1.0)
    clips = counted["clip_events"]
    result = {
        "reward_clip_fraction": clips[0].astype(jnp.float32) / living,
        "deaths_per_1k": 1000 * counted["collapses"][0].astype(jnp.float32) / living,
        "exits_per_1k": 1000 * jnp.sum(totals[EXITS]) / living,
        "arrivals_per_1k": 1000 * totals[Total.ARRIVALS] / living,
        "queue_conflict_events": totals[Total.CONFLICTS] / num_towns,
        "queue_conflict_intensity_sum": totals[Total.INTENSITY_QUARTERS] / 4 / num_towns,
        "shared_meal_events": totals[Total.SHARED_MEALS] / num_towns,
        "late_help_events": totals[Total.HELPED] / num_towns,
        "shift_takeover_events": totals[Total.TOOK] / num_towns,
        "chat_success_events": chats / num_towns,
        "chat_failure_events": totals[Total.CHAT_FAILURE] / num_towns,
        "chat_quality_mean": quality,
        "wallet_mean": counted["wallets"][0]
        / jnp.maximum(counted["num_alive"][0], 1).astype(jnp.float32),
    }
    for name in ("self_sufficiency", "relationship_coverage", "lateness_rate"):
        result[name] = counted[name][0] / num_towns
    for i, name in enumerate(CLIPS):
        result[f"reward_clip_events.{name}"] = clips[i]
    for i, name in enumerate(NEEDS):
        result[f"need_mean.{name}"] = counted["needs"][i] / living
        result[f"need_low.{name}"] = counted["low_needs"][i].astype(jnp.float32) / living
    for term in Term:
        mean = counted["terms"][term] / living
        variance = counted["squared_terms"][term] / living - jnp.square(mean)
        result[f"reward.{term.name.lower()}_mean"] = mean
        result[f"reward.{term.name.lower()}_std"] = jnp.sqrt(jnp.maximum(variance, 0.0))
    return result
