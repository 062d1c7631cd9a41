import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.config.observation_layout import Channel
from townlet_jax.env.batch import compiler_options
from townlet_jax.nets.actor_critic import ActorCritic
from townlet_jax.nets.orthogonal import orthogonal

SHAPES = {
    "tall": (40, 12),
    "wide": (12, 40),
    "square": (32, 32),
    "conv": (3, 3, 2, 16),
    "wide conv": (1, 1, 4, 8),
    "row": (1, 7),
    "column": (7, 1),
}
CHANNELS = (Channel("ground", 0, 1, 1.0, 0), Channel("kind", 1, 2, 1.0, 3))
ROOT_TWO = 2**0.5
LAPACK = {"qr", "svd", "eigh", "eig", "cholesky", "lu", "householder_product", "geqrf", "schur"}


QUICK = {**compiler_options(1), "xla_backend_optimization_level": "0"}
"""Compiles in half the time."""


def distance_to_identity(kernel, gain=1.0):
    """Returns the largest element of `X^T X / gain^2 - I`, for the side that is shorter."""
    matrix = np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-1]) / gain
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    return np.abs(matrix.T @ matrix - np.eye(matrix.shape[1])).max()


def init(net, key):
    inputs = (jnp.zeros((1, 4)), jnp.zeros((1, 1, 7, 7, 2), jnp.uint8))
    inputs += (jnp.zeros((1, 1, 5), jnp.float16), jnp.zeros((1, 1), bool))
    return net.init(key, *inputs)["params"]


@pytest.fixture(scope="module")
def net():
    return ActorCritic(3, CHANNELS, map_hidden=6, feature_hidden=8, gru_hidden=4)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_kernels_are_orthogonal(shape):
    draw = jax.jit(functools.partial(orthogonal, shape=shape), compiler_options=QUICK)
    kernel = draw(jax.random.key(1))
    assert (kernel.shape, kernel.dtype) == (shape, jnp.float32)
    assert distance_to_identity(kernel) <= 1e-5


def test_many_keys_give_many_orthogonal_kernels():
    keys = jax.random.split(jax.random.key(0), 16)
    many = jax.jit(jax.vmap(lambda key: orthogonal(key, (24, 16))), compiler_options=QUICK)
    kernels = many(keys)
    assert max(distance_to_identity(kernel) for kernel in kernels) <= 1e-5
    assert len({float(kernel[0, 0]) for kernel in kernels}) == 16
    # No direction is preferred: the mean of an element is 0 within four deviations of it.
    assert abs(float(kernels.mean())) < 4 * (24 * kernels.size) ** -0.5


def test_gain_scales():
    one, other = (orthogonal(jax.random.key(2), (6, 6), gain=gain) for gain in (1.0, 0.5))
    np.testing.assert_array_equal(0.5 * one, other)


def test_every_layer_has_its_gain(net):
    params = jax.jit(functools.partial(init, net), compiler_options=QUICK)(jax.random.key(0))
    gains = dict.fromkeys(("conv1", "conv2", "map_out", "feat1", "feat2", "trunk"), ROOT_TWO)
    gains |= {"policy": 0.01, "value": 1.0}
    for name, gain in gains.items():
        assert distance_to_identity(params[name]["kernel"], gain) <= 1e-5, name
        assert not params[name]["bias"].any()
    gru = params["gru"]
    for gate in range(3):
        for name in ("kernel", "recurrent"):
            kernel = gru[name][:, 4 * gate : 4 * gate + 4]
            assert distance_to_identity(kernel) <= 1e-5, (name, gate)
    assert not gru["bias"].any() and not gru["bias_new"].any()
    assert len({name for name in params} - set(gains)) == 3, "feat_norm, trunk_norm, gru"


def test_no_decomposition_is_called(net):
    keys = jax.random.split(jax.random.key(0), 8)
    program = str(jax.make_jaxpr(jax.vmap(functools.partial(init, net)))(keys))
    primitives = set(re.findall(r"= ([a-z_0-9]+)", program))
    assert "dot_general" in primitives, "the test does not read the program"
    assert not primitives & LAPACK
    assert "lapack" not in program and "custom_call" not in primitives
