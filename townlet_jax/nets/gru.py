"""A gated recurrent unit over a sequence (Cho et al. 2014, in the form of `flax.linen.GRUCell`).

The products with the inputs are one matrix product for the whole sequence, and those with the
hidden state one per step; cell by cell there are six small ones per step, which take several times
as long on a CPU.
"""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from townlet_jax.nets.orthogonal import orthogonal


def _gates(key: jax.Array, shape: tuple[int, int], dtype: jnp.dtype = jnp.float32) -> jax.Array:
    """Draws the matrices of the three gates on their own, side by side."""
    rows, columns = shape
    keys = jax.random.split(key, 3)
    parts = [orthogonal(k, (rows, columns // 3), dtype) for k in keys]
    return jnp.concatenate(parts, axis=1)


class GRU(nn.Module):
    """Remembers along a sequence.

    `r = s(W_r x + U_r h + b_r)`, `z = s(W_z x + U_z h + b_z)`,
    `n = tanh(W_n x + b_n + r (U_n h + c))`, `h' = (1 - z) n + z h`.

    Attributes:
      size: H.
      compute_dtype: of the products with the inputs; the hidden state is float32.
    """

    size: int
    compute_dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, hidden: jax.Array, inputs: jax.Array, is_first: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Runs over a sequence.

        Args:
          hidden: float32 `[B, H]`, before the first step.
          inputs: `[T, B, D]`.
          is_first: bool `[T, B]`, the hidden state is zeroed before this step.

        Returns:
          float32 `[B, H]`, after the last step; float32 `[T, B, H]`, after each.
        """
        width = inputs.shape[-1]
        kernel = self.param("kernel", _gates, (width, 3 * self.size))
        recurrent = self.param("recurrent", _gates, (self.size, 3 * self.size))
        bias = self.param("bias", nn.initializers.zeros, (3 * self.size,))
        bias_new = self.param("bias_new", nn.initializers.zeros, (self.size,))
        dtype = self.compute_dtype
        driven = jnp.matmul(inputs.astype(dtype), kernel.astype(dtype)).astype(jnp.float32)
        driven = driven + bias.reshape(1, 1, -1)
        step = functools.partial(_step, recurrent, bias_new.reshape(1, -1))
        return jax.lax.scan(step, hidden, (driven, is_first))


def _step(
    recurrent: jax.Array,
    bias_new: jax.Array,
    hidden: jax.Array,
    inputs: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    driven, is_first = inputs  # [B, 3H], [B]
    hidden = jnp.where(is_first[:, None], 0.0, hidden)
    x_reset, x_update, x_new = jnp.split(driven, 3, axis=-1)
    h_reset, h_update, h_new = jnp.split(jnp.matmul(hidden, recurrent), 3, axis=-1)
    reset = jax.nn.sigmoid(x_reset + h_reset)
    update = jax.nn.sigmoid(x_update + h_update)
    new = jnp.tanh(x_new + reset * (h_new + bias_new))
    hidden = (1.0 - update) * new + update * hidden
    return hidden, hidden
