import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.config import load
from townlet_jax.config.observation_layout import Channel, observation_layout
from townlet_jax.env.registry import shipped_config
from townlet_jax.nets.actor_critic import ActorCritic

T, B, N, F, WIDTH = 4, 3, 5, 6, 7
CHANNELS = (Channel("ground", 0, 1, 1.0, 3), Channel("residents", 1, 2, 0.25, 0))


class Case:
    """A small network with parameters and random inputs."""

    def __init__(self, net):
        self.net = net
        chance = np.random.default_rng(0)
        self.hidden = jnp.asarray(chance.normal(size=(B, net.gru_hidden)), jnp.float32)
        tiles = jnp.asarray(chance.integers(0, 3, (T, B, WIDTH, WIDTH, 2)), jnp.uint8)
        features = jnp.asarray(chance.normal(size=(T, B, F)), jnp.float16)
        is_first = jnp.zeros((T, B), bool).at[2, 1].set(True)
        self.inputs = (tiles, features, is_first)
        # Drawing a network compiles for longer than running it, and its heads would be small.
        forms = jax.eval_shape(net.init, jax.random.key(0), self.hidden, *self.inputs)
        self.params = jax.tree.map(
            lambda x: jnp.asarray(chance.normal(size=x.shape) * x.shape[0] ** -0.5, x.dtype),
            forms["params"],
        )
        self.apply = jax.jit(lambda *inputs: net.apply({"params": self.params}, *inputs))


def small(**changes):
    net = ActorCritic(N, CHANNELS, map_hidden=6, feature_hidden=8, gru_hidden=8)
    return dataclasses.replace(net, **changes)


@pytest.fixture(scope="module")
def hybrid():
    return Case(small())


@pytest.fixture(scope="module")
def compact():
    return Case(small(channels=()))


@pytest.mark.parametrize("view, num_params", [("hybrid", 198_344), ("compact", 154_300)])
def test_number_of_parameters(view, num_params):
    town = load(
        shipped_config("tiny.yaml"),
        ("world.action_level=option", f"features.systems.observations={view}"),
    )
    spec = observation_layout(town.shape)
    net = ActorCritic(town.shape.num_actions, spec.channels)
    forms = jax.eval_shape(
        net.init,
        jax.random.key(0),
        jnp.zeros((1, net.gru_hidden)),
        jnp.zeros((1, 1, *spec.map_shape), jnp.uint8),
        jnp.zeros((1, 1, spec.num_features), jnp.float16),
        jnp.zeros((1, 1), bool),
    )
    assert sum(leaf.size for leaf in jax.tree.leaves(forms)) == num_params
    assert {leaf.dtype for leaf in jax.tree.leaves(forms)} == {jnp.dtype("float32")}
    assert ("conv1" in forms["params"]) == (view == "hybrid")


@pytest.mark.parametrize("name", ["hybrid", "compact"])
def test_sequence_equals_single_steps(name, request):
    case = request.getfixturevalue(name)
    end, logits, value = case.apply(case.hidden, *case.inputs)
    assert (logits.shape, value.shape, end.shape) == ((T, B, N), (T, B), (B, 8))
    hidden = case.hidden
    for t in range(T):
        hidden, one_logits, one_value = case.apply(hidden, *(x[t : t + 1] for x in case.inputs))
        np.testing.assert_allclose(one_logits[0], logits[t], atol=1e-5)
        np.testing.assert_allclose(one_value[0], value[t], atol=1e-5)
    np.testing.assert_allclose(hidden, end, atol=1e-5)


def test_memory_is_emptied_at_a_first_step(compact):
    tiles, features, is_first = compact.inputs
    one = compact.apply(compact.hidden, tiles, features, is_first)
    other = compact.apply(compact.hidden + 1, tiles, features.at[:2].add(1), is_first)
    for a, b in zip(one[1:], other[1:], strict=True):
        np.testing.assert_array_equal(a[2:, 1], b[2:, 1])
        assert (a[2:, 0] != b[2:, 0]).any()
    nothing = jnp.zeros_like(compact.hidden)
    fresh = compact.apply(nothing, tiles[2:], features[2:], is_first[2:])
    np.testing.assert_allclose(fresh[1][:, 1], one[1][2:, 1], atol=1e-6)


def test_map_is_read_by_channel(hybrid):
    tiles, features, is_first = hybrid.inputs
    _, logits, _ = hybrid.apply(hybrid.hidden, tiles, features, is_first)
    for channel in range(2):
        changed = tiles.at[..., 3, 3, channel].set(2 - tiles[..., 3, 3, channel])
        _, others, _ = hybrid.apply(hybrid.hidden, changed, features, is_first)
        assert (others != logits).any()
    # A category beyond the last reads as none at all.
    beyond = [tiles.at[..., 0].set(jnp.uint8(code)) for code in (3, 200)]
    one, other = (hybrid.apply(hybrid.hidden, x, features, is_first)[1] for x in beyond)
    np.testing.assert_array_equal(one, other)


def test_compact_ignores_the_map(compact):
    tiles, features, is_first = compact.inputs
    one = compact.apply(compact.hidden, tiles, features, is_first)
    other = compact.apply(compact.hidden, tiles + jnp.uint8(1), features, is_first)
    np.testing.assert_array_equal(one[1], other[1])


def test_half_precision_keeps_numbers_single(hybrid):
    half = Case(small(compute_dtype=jnp.bfloat16))
    results = half.apply(half.hidden, *half.inputs)
    for leaf in jax.tree.leaves((half.params, results)):
        assert leaf.dtype == jnp.float32
    _, logits, value = hybrid.apply(hybrid.hidden, *hybrid.inputs)
    assert (results[1] != logits).any(), "layers below the recurrent one are not halved"
    np.testing.assert_allclose(results[1], logits, atol=0.1)
    np.testing.assert_allclose(results[2], value, atol=0.1)


def test_half_precision_learns_in_single():
    half = Case(small(channels=(), compute_dtype=jnp.bfloat16))

    def loss(params):
        _, logits, value = half.net.apply({"params": params}, half.hidden, *half.inputs)
        return jnp.sum(logits) + jnp.sum(value)

    gradient = jax.jit(jax.grad(loss))(half.params)
    for leaf in jax.tree.leaves(gradient):
        assert leaf.dtype == jnp.float32
        assert np.isfinite(leaf).all()


def test_lanes_equal_a_loop(compact):
    lanes = jnp.stack([compact.hidden, compact.hidden + 1])
    many = jax.jit(jax.vmap(compact.apply, in_axes=(0, None, None, None)))
    together = many(lanes, *compact.inputs)
    for i, hidden in enumerate(lanes):
        for a, b in zip(together, compact.apply(hidden, *compact.inputs), strict=True):
            np.testing.assert_allclose(a[i], b, atol=1e-5)
