"""The recurrent actor-critic that all residents share (training text §4)."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from townlet_jax.config.observation_layout import Channel
from townlet_jax.nets.gru import GRU
from townlet_jax.nets.orthogonal import orthogonal

ROOT_TWO = 2.0**0.5
Params = dict[str, Any]


class ActorCritic(nn.Module):
    """Features, and a map where there is one, to logits and a normalised value.

    Attributes:
      num_actions: n.
      channels: of the map; none where residents see no map.
      map_hidden, feature_hidden, gru_hidden: widths.
      compute_dtype: of layers below the recurrent one.
    """

    num_actions: int
    channels: tuple[Channel, ...] = ()
    map_hidden: int = 64
    feature_hidden: int = 128
    gru_hidden: int = 128
    compute_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, hidden: jax.Array, tiles: jax.Array, features: jax.Array, is_first: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Runs over a sequence.

        Args:
          hidden: float32 `[B, H]`.
          tiles: uint8 `[T, B, w, w, C]`, ignored without channels.
          features: float16 `[T, B, F]`.
          is_first: bool `[T, B]`, the memory starts anew before this step.

        Returns:
          float32 `[B, H]`; logits, float32 `[T, B, n]`; value in the units of its normalisation,
          float32 `[T, B]`.
        """
        dense = functools.partial(
            nn.Dense,
            dtype=self.compute_dtype,
            kernel_init=functools.partial(orthogonal, gain=ROOT_TWO),
        )
        x = nn.LayerNorm(name="feat_norm", dtype=jnp.float32)(features.astype(jnp.float32))
        x = nn.relu(dense(self.feature_hidden, name="feat1")(x))
        x = nn.relu(dense(self.feature_hidden, name="feat2")(x))
        if self.channels:
            x = jnp.concatenate([self._see(tiles, dense), x], axis=-1)
        x = nn.LayerNorm(name="trunk_norm", dtype=jnp.float32)(x.astype(jnp.float32))
        x = nn.relu(dense(self.feature_hidden, name="trunk")(x))
        hidden, memory = GRU(self.gru_hidden, self.compute_dtype, name="gru")(hidden, x, is_first)
        x = jnp.concatenate([memory, x.astype(jnp.float32)], axis=-1)
        head = functools.partial(nn.Dense, dtype=jnp.float32)
        policy_init = functools.partial(orthogonal, gain=0.01)
        logits = head(self.num_actions, name="policy", kernel_init=policy_init)(x)
        value = head(1, name="value", kernel_init=orthogonal)(x)
        return hidden, logits, value[..., 0]

    def _see(self, tiles: jax.Array, dense: functools.partial) -> jax.Array:
        """Reads the map, `[T, B, map_hidden]`."""
        planes = []
        for channel in self.channels:
            plane = tiles[..., channel.start]
            if channel.categories:
                planes.append(jax.nn.one_hot(plane, channel.categories, dtype=jnp.float32))
            else:
                planes.append(plane.astype(jnp.float32)[..., None] * channel.scale)
        x = jnp.concatenate(planes, axis=-1)
        conv = functools.partial(
            nn.Conv,
            kernel_size=(3, 3),
            padding="VALID",
            dtype=self.compute_dtype,
            kernel_init=functools.partial(orthogonal, gain=ROOT_TWO),
        )
        x = nn.relu(conv(16, name="conv1")(x))
        x = nn.relu(conv(32, strides=(2, 2), name="conv2")(x))
        return nn.relu(dense(self.map_hidden, name="map_out")(x.reshape(*x.shape[:-3], -1)))
