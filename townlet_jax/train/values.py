"""Normalisation of values: the head predicts in standard deviations of the targets."""

import jax
import jax.numpy as jnp

from townlet_jax.train.types import ValueStats

MIN_VARIANCE = 1e-4


def no_stats() -> ValueStats:
    """Makes the statistics before the first update."""
    return ValueStats(mean=jnp.float32(0), square=jnp.float32(0), weight=jnp.float32(0))


def scale(stats: ValueStats) -> tuple[jax.Array, jax.Array]:
    """Returns mean and standard deviation of targets, float32 each; 0 and 1 before any."""
    weight = jnp.maximum(stats.weight, 1e-8)
    mean = stats.mean / weight
    variance = jnp.maximum(stats.square / weight - mean * mean, MIN_VARIANCE)
    has_any = stats.weight > 0
    return jnp.where(has_any, mean, 0.0), jnp.where(has_any, jnp.sqrt(variance), 1.0)


def gather(
    stats: ValueStats, mean: jax.Array, square: jax.Array, has_any: jax.Array, decay: jax.Array
) -> ValueStats:
    """Takes in the targets of a rollout.

    Args:
      stats: so far.
      mean, square: float32, means of targets and of their squares.
      has_any: bool, whether there were any; else nothing changes.
      decay: float32, share of the old that stays.
    """
    new = ValueStats(
        mean=decay * stats.mean + (1 - decay) * mean,
        square=decay * stats.square + (1 - decay) * square,
        weight=decay * stats.weight + (1 - decay),
    )
    return jax.tree.map(lambda a, b: jnp.where(has_any, a, b), new, stats)
