"""Observations as one row of numbers per resident, for libraries that want a plain box."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config.observation_layout import ObservationSpec
from townlet_jax.town.observe import Observation


def flatten(spec: ObservationSpec, observation: Observation) -> jax.Array:
    """Writes the map, scaled to [0, 1], in front of the features.

    Args:
      spec: what the observation holds.
      observation: rows of residents, with any leading axes.

    Returns:
      float32 `[A, spec.size]` in [-1, 1].
    """
    tiles, features = observation.map, observation.features
    if spec.channels:
        scaled = tiles.astype(jnp.float32) * _scales(spec).reshape((1,) * (tiles.ndim - 1) + (-1,))
        cells = scaled.reshape(*tiles.shape[:-3], math.prod(spec.map_shape))
        features = jnp.concatenate([cells, features], axis=-1)
    return jnp.clip(features, -1.0, 1.0)


def _scales(spec: ObservationSpec) -> np.ndarray:
    """Factors `[C]` that bring the channels into [0, 1]; kinds are spread evenly over it."""
    return np.array(
        [1 / max(1, c.categories - 1) if c.categories else c.scale for c in spec.channels],
        np.float32,
    )
