"""The clipped loss of PPO (Schulman et al. 2017) with normalised values (Yu et al. 2022)."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.nets import categorical
from townlet_jax.train.config import TrainParams

MAX_LOG_RATIO = 20.0


class Batch(struct.PyTreeNode):
    """Rows that a loss is taken over, any leading axes.

    Attributes:
      log_probs: float32 `[..., n]`; value: float32 `[...]`, normalised; of the network now.
      mask: bool `[..., n]`. is_valid: bool `[...]`. action: integer `[...]`.
      old_log_prob: float32; advantage: float32, normalised; target, old_value: float32, normalised.
    """

    log_probs: jax.Array
    value: jax.Array
    mask: jax.Array
    is_valid: jax.Array
    action: jax.Array
    old_log_prob: jax.Array
    advantage: jax.Array
    target: jax.Array
    old_value: jax.Array


def is_decision(mask: jax.Array, is_valid: jax.Array) -> jax.Array:
    """Tells which rows had a choice, bool `[...]`."""
    return is_valid & (jnp.sum(mask, axis=-1, dtype=jnp.int32) > 1)


def ppo_sums(batch: Batch, params: TrainParams) -> dict[str, jax.Array]:
    """Adds the terms of the loss up over rows; divide by the number of rows that count.

    Args:
      batch: rows.
      params: of the learner.

    Returns:
      Sums, float32 `[]`: over decisions `policy`, `entropy`, `entropy_share` (of the largest
      possible), `kl1`, `kl3`, `clipped`; over valid rows `value`.
    """
    decides = is_decision(batch.mask, batch.is_valid)
    log_ratio = categorical.log_prob(batch.log_probs, batch.action) - batch.old_log_prob
    ratio = jnp.exp(jnp.clip(log_ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO))
    low, high = 1.0 - params.clip_param, 1.0 + params.clip_param
    gain = jnp.minimum(ratio * batch.advantage, jnp.clip(ratio, low, high) * batch.advantage)
    error = jnp.square(batch.value - batch.target)
    step = jnp.clip(batch.value - batch.old_value, -params.value_clip, params.value_clip)
    clipped_error = jnp.square(batch.old_value + step - batch.target)
    has_clip = params.value_clip > 0
    error = jnp.where(has_clip, jnp.maximum(error, clipped_error), error)
    entropy = categorical.entropy(batch.log_probs, batch.mask)
    num_legal = jnp.sum(batch.mask, axis=-1, dtype=jnp.int32).astype(jnp.float32)
    share = entropy / jnp.log(jnp.maximum(num_legal, 2.0))

    def over(rows: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(rows, x, 0.0))

    return {
        "policy": -over(decides, gain),
        "value": 0.5 * over(batch.is_valid, error),
        "entropy": over(decides, entropy),
        "entropy_share": over(decides, share),
        "kl1": over(decides, -log_ratio),
        "kl3": over(decides, ratio - 1.0 - log_ratio),
        "clipped": over(decides, (jnp.abs(ratio - 1.0) > params.clip_param).astype(jnp.float32)),
    }


def ppo_loss(
    sums: dict[str, jax.Array],
    per_decision: jax.Array,
    per_row: jax.Array,
    entropy_coef: jax.Array,
    params: TrainParams,
) -> jax.Array:
    """Weighs the terms.

    Args:
      sums: from `ppo_sums`.
      per_decision, per_row: float32, one over the number of decisions and of valid rows.
      entropy_coef: float32, in force.
      params: of the learner.

    Returns:
      float32 `[]`.
    """
    value = params.value_loss_coef * sums["value"] * per_row
    return (sums["policy"] - entropy_coef * sums["entropy"]) * per_decision + value
