"""The network of a run, applied to towns."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from townlet_jax.nets.actor_critic import ActorCritic
from townlet_jax.nets.categorical import masked_logits
from townlet_jax.train.batching import merge_agents, split_agents
from townlet_jax.train.config import TrainShape
from townlet_jax.train.types import Seen

Params = dict[str, Any]


@functools.cache
def actor_critic(shape: TrainShape) -> ActorCritic:
    """Returns the network of a run."""
    return ActorCritic(
        num_actions=shape.num_actions,
        channels=shape.channels,
        map_hidden=shape.map_hidden,
        feature_hidden=shape.feature_hidden,
        gru_hidden=shape.gru_hidden,
        compute_dtype=jnp.dtype(shape.compute_dtype),
    )


def init_params(shape: TrainShape, key: jax.Array) -> Params:
    """Draws the parameters of a network.

    Args:
      shape: static sizes.
      key: key `[]`; it is consumed.
    """
    hidden = jnp.zeros((1, shape.gru_hidden), jnp.float32)
    tiles = jnp.zeros((1, 1, *shape.map_shape), jnp.uint8)
    features = jnp.zeros((1, 1, shape.num_features), jnp.float16)
    is_first = jnp.zeros((1, 1), bool)
    return actor_critic(shape).init(key, hidden, tiles, features, is_first)["params"]


def run_network(
    shape: TrainShape, params: Params, hidden: jax.Array, seen: Seen, is_first: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Applies the network to a sequence of observations of whole towns.

    Args:
      shape: static sizes.
      params: of the network.
      hidden: float32 `[M, A, H]`.
      seen: `[T, M, A, ...]`.
      is_first: bool `[T, M, A]`.

    Returns:
      float32 `[M, A, H]`; log-probabilities, float32 `[T, M, A, n]`; normalised value, float32
      `[T, M, A]`.
    """
    num_agents = hidden.shape[1]
    merge = functools.partial(merge_agents, axis=1)
    result: Any = actor_critic(shape).apply(
        {"params": params},
        merge_agents(hidden),
        merge(seen.map),
        merge(seen.features),
        merge(is_first),
    )
    hidden, logits, value = result
    split = functools.partial(split_agents, num_agents=num_agents, axis=1)
    return split_agents(hidden, num_agents), masked_logits(split(logits), seen.mask), split(value)
