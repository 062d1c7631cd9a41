"""A choice between actions of which some are illegal."""

import jax
import jax.numpy as jnp

ILLEGAL = -1e9
"""Logit of an illegal action; with minus infinity the gradient of the entropy is not a number."""


def masked_logits(logits: jax.Array, mask: jax.Array) -> jax.Array:
    """Normalises logits over the legal actions.

    Args:
      logits: float32 `[..., n]`.
      mask: bool `[..., n]`, at least one legal action.

    Returns:
      float32 `[..., n]`, log-probabilities; those of illegal actions read about -1e9.
    """
    return jax.nn.log_softmax(jnp.where(mask, logits, ILLEGAL), axis=-1)


def sample(key: jax.Array, log_probs: jax.Array) -> jax.Array:
    """Draws actions; illegal ones have probability 0 exactly.

    Args:
      key: key `[]`; it is consumed.
      log_probs: float32 `[A, n]`, from `masked_logits`.

    Returns:
      int32 `[A]`.
    """
    noise = jax.random.gumbel(key, log_probs.shape, jnp.float32)
    return jnp.argmax(log_probs + noise, axis=-1).astype(jnp.int32)


def greedy(log_probs: jax.Array) -> jax.Array:
    """Takes the likeliest action, int32 `[...]`."""
    return jnp.argmax(log_probs, axis=-1).astype(jnp.int32)


def log_prob(log_probs: jax.Array, action: jax.Array) -> jax.Array:
    """Reads the log-probability of actions.

    Args:
      log_probs: float32 `[..., n]`.
      action: integer `[...]`.

    Returns:
      float32 `[...]`.
    """
    index = action.astype(jnp.int32)[..., None]
    return jnp.take_along_axis(log_probs, index, axis=-1)[..., 0]


def entropy(log_probs: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns `-sum_legal pi log pi` [nat], float32 `[...]`.

    Args:
      log_probs: float32 `[..., n]`, from `masked_logits`.
      mask: bool `[..., n]`.
    """
    safe = jnp.where(mask, log_probs, 0.0)
    return -jnp.sum(jnp.where(mask, jnp.exp(safe) * safe, 0.0), axis=-1)
