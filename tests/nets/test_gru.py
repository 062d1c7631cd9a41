import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from townlet_jax.nets.gru import GRU

T, B, D, H = 7, 3, 5, 4


def random(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.fixture(scope="module")
def params():
    return {
        "kernel": random(0, D, 3 * H),
        "recurrent": random(1, H, 3 * H),
        "bias": random(2, 3 * H),
        "bias_new": random(3, H),
    }


@pytest.fixture(scope="module")
def sequence():
    is_first = jnp.asarray(np.random.default_rng(4).random((T, B)) < 0.3)
    assert is_first.any() and not is_first.all()
    return random(5, B, H), random(6, T, B, D), is_first


def cell_params(params):
    """Names the same numbers as `flax.linen.GRUCell` does."""
    drives = np.split(params["kernel"], 3, axis=1)
    recurs = np.split(params["recurrent"], 3, axis=1)
    biases = np.split(params["bias"], 3)
    cell = {}
    for gate, drive, recur, bias in zip("rzn", drives, recurs, biases, strict=True):
        cell[f"i{gate}"] = {"kernel": drive, "bias": bias}
        cell[f"h{gate}"] = {"kernel": recur}
    cell["hn"]["bias"] = params["bias_new"]
    return cell


def test_equals_the_cell_of_flax(params, sequence):
    hidden, inputs, is_first = sequence
    end, remembered = jax.jit(GRU(H).apply)({"params": params}, hidden, inputs, is_first)
    cell, cell_weights = nn.GRUCell(H), {"params": cell_params(params)}
    for t in range(T):
        hidden = jnp.where(is_first[t][:, None], 0.0, hidden)
        hidden, _ = cell.apply(cell_weights, hidden, inputs[t])
        np.testing.assert_allclose(remembered[t], hidden, atol=1e-6)
    np.testing.assert_array_equal(end, remembered[-1])


def test_nothing_leaks_over_a_first_step(params, sequence):
    hidden, inputs, is_first = sequence
    is_first = jnp.zeros_like(is_first).at[3, 1].set(True)
    run = jax.jit(GRU(H).apply)
    _, one = run({"params": params}, hidden, inputs, is_first)
    _, other = run({"params": params}, hidden + 1, inputs.at[:3].add(1.0), is_first)
    np.testing.assert_array_equal(one[3:, 1], other[3:, 1])
    for row in (0, 2):
        assert (one[3:, row] != other[3:, row]).any()

    def late(hidden, inputs):
        _, remembered = GRU(H).apply({"params": params}, hidden, inputs, is_first)
        return jnp.sum(remembered[3:])

    of_hidden, of_inputs = jax.grad(late, argnums=(0, 1))(hidden, inputs)
    assert not of_hidden[1].any() and not of_inputs[:3, 1].any()
    assert of_hidden[0].any() and of_inputs[:3, 0].any()


def test_rows_do_not_touch_each_other(params, sequence):
    hidden, inputs, is_first = sequence
    run = jax.jit(GRU(H).apply)
    _, one = run({"params": params}, hidden, inputs, is_first)
    _, other = run({"params": params}, hidden, inputs.at[:, 0].add(1.0), is_first)
    np.testing.assert_array_equal(one[:, 1:], other[:, 1:])
