import jax.numpy as jnp
import numpy as np

from townlet_jax.config import TownShape
from townlet_jax.config.observation_layout import observation_layout
from townlet_jax.env.flat import flatten
from townlet_jax.town.observe import Observation


def observation(spec, num_agents, value, feature):
    rows = jnp.zeros(num_agents, bool)
    return Observation(
        map=jnp.full((num_agents, *spec.map_shape), value, jnp.uint8),
        features=jnp.full((num_agents, spec.num_features), feature, jnp.float32),
        action_mask=jnp.ones((num_agents, 7), bool),
        is_alive=rows,
        can_act=rows,
        ctx_reset=rows,
    )


def test_map_is_scaled_and_in_front():
    spec = observation_layout(TownShape(observation="full", num_types=16))
    flat = np.asarray(flatten(spec, observation(spec, 2, 1, 0.25)))
    assert flat.shape == (2, spec.size) and flat.dtype == np.float32
    scales = [1, 1 / 3, 1 / 3, 1 / 2, 1 / 16]
    np.testing.assert_allclose(flat[0, :5], scales, rtol=1e-6)
    np.testing.assert_allclose(flat[1, spec.size - spec.num_features - 5 :][:5], scales, rtol=1e-6)
    assert (flat[:, -spec.num_features :] == 0.25).all()


def test_no_map():
    spec = observation_layout(TownShape(observation="compact"))
    flat = np.asarray(flatten(spec, observation(spec, 3, 0, 1.0000001)))
    assert flat.shape == (3, spec.size) and flat.max() == 1


def test_channels_at_their_greatest_are_1():
    spec = observation_layout(TownShape(num_types=4, observation="full"))
    greatest = jnp.array([1, 3, 3, 2, 4], jnp.uint8)
    seen = observation(spec, 1, 1, 0.0)
    seen = seen.replace(map=seen.map * greatest[None, None, None, :])
    np.testing.assert_allclose(np.asarray(flatten(spec, seen))[0, :605], 1, rtol=1e-6)
