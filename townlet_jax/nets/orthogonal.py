"""Orthogonal matrices from products of matrices alone.

Flax's own initialiser calls a QR decomposition, which, many at a time, takes all threads of a small
pool and waits for more for ever.
"""

import jax
import jax.numpy as jnp

NUM_STEPS = 40


def orthogonal(
    key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32, gain: float = 1.0
) -> jax.Array:
    """Draws a matrix with orthonormal rows or columns, whichever are shorter.

    Newton-Schulz steps `X <- 1.5 X - .5 X (X^T X)` from a Gaussian matrix of norm 1 lead to its
    polar factor, which has the law of the factor of a QR decomposition.

    Args:
      key: key `[]`; it is consumed.
      shape: of the kernel; all but the last axis are rows.
      dtype: of the result.
      gain: factor on the result.

    Returns:
      dtype `shape`.
    """
    num_columns = shape[-1]
    num_rows = 1
    for size in shape[:-1]:
        num_rows *= size
    tall = (max(num_rows, num_columns), min(num_rows, num_columns))
    start = jax.random.normal(key, tall, jnp.float32)
    start = start / jnp.sqrt(jnp.sum(start * start))

    def step(_: int, x: jax.Array) -> jax.Array:
        square = jnp.matmul(x.T, x, precision="highest")
        return 1.5 * x - 0.5 * jnp.matmul(x, square, precision="highest")

    matrix = jax.lax.fori_loop(0, NUM_STEPS, step, start)
    if num_rows < num_columns:
        matrix = matrix.T
    return (gain * matrix.reshape(shape)).astype(dtype)
