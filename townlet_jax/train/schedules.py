"""Numbers that change in the course of a run; arithmetic only, so that all of it is traced."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.train.config import LR_SCHEDULES, TrainParams


class Controls(struct.PyTreeNode):
    """What is in force during one update.

    Attributes:
      learning_rate, entropy_coef, satisfied_level: float32. social_stage: int32.
    """

    learning_rate: jax.Array
    entropy_coef: jax.Array
    satisfied_level: jax.Array
    social_stage: jax.Array


def controls(params: TrainParams, update: jax.Array) -> Controls:
    """Reads all schedules.

    Args:
      params: of the learner.
      update: int32, updates done.
    """
    fraction = update.astype(jnp.float32) / jnp.maximum(params.num_updates, 1).astype(jnp.float32)
    return Controls(
        learning_rate=_learning_rate(params, fraction),
        entropy_coef=_entropy_coef(params, fraction),
        satisfied_level=_last(params.satisfied_fraction <= fraction, params.satisfied_level, 2.0),
        social_stage=_last(params.stage_cycles <= update, params.stages, params.base_stage),
    )


def final_controls(params: TrainParams) -> Controls:
    """Returns what is in force once a run is done."""
    return controls(params, params.num_updates)


def _learning_rate(params: TrainParams, fraction: jax.Array) -> jax.Array:
    fraction = jnp.minimum(fraction, 1.0)
    linear = 1.0 - fraction
    cosine = 0.5 * (1.0 + jnp.cos(jnp.pi * fraction))
    left = jnp.where(params.lr_schedule == LR_SCHEDULES.index("cosine"), cosine, linear)
    left = jnp.where(params.lr_schedule == LR_SCHEDULES.index("constant"), 1.0, left)
    end = params.lr_end_fraction
    end = jnp.where(params.lr_schedule == LR_SCHEDULES.index("constant"), 0.0, end)
    return params.learning_rate * (end + (1.0 - end) * left)


def _entropy_coef(params: TrainParams, fraction: jax.Array) -> jax.Array:
    """Falls geometrically; linearly where one end is 0."""
    done = jnp.clip(fraction / params.entropy_decay_fraction, 0.0, 1.0)
    first, last = params.entropy_coef, params.entropy_coef_end
    is_positive = (first > 0) & (last > 0)
    ratio = jnp.where(is_positive, last / jnp.where(is_positive, first, 1.0), 1.0)
    geometric = first * jnp.power(ratio, done)
    return jnp.where(is_positive, geometric, first + (last - first) * done)


def _last(applies: jax.Array, values: jax.Array, default: float | jax.Array) -> jax.Array:
    """Takes the value of the last entry that applies; entries are in order."""
    count = jnp.sum(applies, dtype=jnp.int32)
    default = jnp.asarray(default, values.dtype)
    return jnp.where(count > 0, values[jnp.maximum(count - 1, 0)], default)
