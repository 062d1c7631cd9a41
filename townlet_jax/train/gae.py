"""Generalised advantage estimation (Schulman et al. 2016)."""

import jax
import jax.numpy as jnp

from townlet_jax.masked import rounded


def gae(
    r_t: jax.Array,
    discount_t: jax.Array,
    trace_t: jax.Array,
    v_t: jax.Array,
    v_tp1: jax.Array,
    lambda_: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Estimates advantages and targets of the value.

    `delta_t = r_t + discount_t v_tp1 - v_t`, `A_t = delta_t + discount_t lambda trace_t A_{t+1}`,
    `G_t = A_t + v_t`. A life that ends has discount 0; one that is cut off keeps its discount and
    has trace 0.

    Args:
      r_t: float32 `[T, ...]`.
      discount_t: float32 `[T, ...]`, of the value after the step.
      trace_t: float32 `[T, ...]`, 0 where the next row is of another life.
      v_t, v_tp1: float32 `[T, ...]`, values before and after the step.
      lambda_: float32.

    Returns:
      advantage, target: float32 `[T, ...]`.
    """
    delta = r_t + rounded(discount_t * v_tp1) - v_t
    decay = discount_t * trace_t * lambda_

    def body(later: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        delta_t, decay_t = now
        advantage = delta_t + rounded(decay_t * later)
        return advantage, advantage

    start = jnp.zeros_like(delta[0])
    _, advantage = jax.lax.scan(body, start, (delta, decay), reverse=True)
    return advantage, advantage + v_t
