import jax
import jax.numpy as jnp
import numpy as np
import pytest

import townlet_jax
from townlet_jax.config import load
from townlet_jax.env.filming import film
from townlet_jax.ops.host import fetch
from townlet_jax.train.config import train_params, train_shape
from townlet_jax.train.evaluate import Mind, evaluate
from townlet_jax.train.network import init_params
from townlet_jax.train.policy import TrainedPolicy, live

SMALL = ["network.feature_hidden=16", "network.gru_hidden=16"]


@pytest.fixture(scope="module")
def town():
    return load("configs/train/ppo_tiny.yaml", SMALL)


@pytest.fixture(scope="module")
def policy(town, tmp_path_factory):
    shape = train_shape(town)
    net = init_params(shape, jax.random.key(5))
    head = net["policy"]
    net = {**net, "policy": {**head, "kernel": head["kernel"] * 80}}  # has an opinion
    path, numbers = tmp_path_factory.mktemp("none"), train_params(town.config)
    return TrainedPolicy("fresh", path, 0, None, 0, shape, net, numbers, "")


def test_acts_on_what_an_environment_shows(town, policy):
    env = townlet_jax.make("town-tiny-v0", town)
    seen, _ = jax.jit(env.reset)(jax.random.key(1))
    act = jax.jit(policy.act)
    actions, memory = act(jax.random.key(2), policy.start(), seen)
    assert actions.dtype == jnp.int32 and memory.shape == (3, 16)
    assert np.take_along_axis(np.asarray(seen.action_mask), np.asarray(actions)[:, None], 1).all()
    same, _ = act(jax.random.key(2), policy.start() + 1, seen)
    np.testing.assert_array_equal(actions, same)  # the first observation empties the memory


def test_responds_as_it_acts(town, policy):
    env = townlet_jax.make("town-tiny-v0", town)
    seen, _ = jax.jit(env.reset)(jax.random.key(1))
    probs, value, memory = jax.jit(policy.respond)(policy.start(), seen)
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    assert not np.asarray(probs)[~np.asarray(seen.action_mask)].any()
    assert value.shape == (3,) and np.isfinite(value).all()
    action, same = jax.jit(policy.act, static_argnums=3)(
        jax.random.key(2), policy.start(), seen, True
    )
    np.testing.assert_array_equal(action, probs.argmax(axis=1))
    np.testing.assert_array_equal(memory, same)


@pytest.mark.acceptance
def test_a_film_shows_the_life_that_was_evaluated(town, policy):
    seen = evaluate(town, Mind("network"), [7, 8], 1, shape=policy.shape, params=policy.params)
    live_one, start = live(town, policy, 7)
    for states, _ in film(live_one, start, town.params, town.layout, 1440):
        last = jax.tree.map(lambda x: x[-1], states)
    for (path, ours), theirs in zip(
        jax.tree_util.tree_leaves_with_path(fetch(last)), jax.tree.leaves(seen.town), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs, err_msg=jax.tree_util.keystr(path))
