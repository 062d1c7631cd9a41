import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.train.batching import merge_agents, split_agents

T, M, A, F = 2, 3, 4, 5


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("rest", [(), (F,), (F, 2)])
def test_split_undoes_merge(axis, rest):
    shape = (T,) * axis + (M, A) + rest
    x = jnp.arange(np.prod(shape), dtype=jnp.int32).reshape(shape)
    merged = merge_agents(x, axis)
    assert merged.shape == (T,) * axis + (M * A,) + rest
    np.testing.assert_array_equal(split_agents(merged, A, axis), x)


def test_rows_are_town_major():
    town = jnp.broadcast_to(jnp.arange(M, dtype=jnp.int32)[:, None], (M, A))
    agent = jnp.broadcast_to(jnp.arange(A, dtype=jnp.int32)[None, :], (M, A))
    np.testing.assert_array_equal(merge_agents(town), np.repeat(np.arange(M), A))
    np.testing.assert_array_equal(merge_agents(agent), np.tile(np.arange(A), M))
