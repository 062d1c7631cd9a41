"""JaxMARL's own checks of an environment (its `tests/test_envs_implement_base_api.py` and
`tests/test_jaxmarl_api.py`, which its package does not contain), and what they leave out.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.env.conftest import EPISODE_TICKS, QUICK, assert_same
from townlet_jax.env.jaxmarl import INFOS, JaxMarlTown

pytest.importorskip("jaxmarl", reason="pip install 'townlet-jax[env]'")
pytestmark = pytest.mark.slow


class Town:
    """The adapter, with its functions compiled."""

    def __init__(self, town):
        self.env = JaxMarlTown(town, episode_ticks=EPISODE_TICKS, with_final_observation=True)
        compiled = functools.partial(jax.jit, compiler_options=QUICK)
        self.step = compiled(self.env.step)
        self.reset = compiled(self.env.reset)
        self.starts = [self.reset(jax.random.PRNGKey(i)) for i in range(2)]

    def actions(self, seed):
        keys = jax.random.split(jax.random.PRNGKey(seed), self.env.num_agents)
        agents = zip(self.env.agents, keys, strict=True)
        return {agent: self.env.action_space(agent).sample(key) for agent, key in agents}


@pytest.fixture(scope="module")
def town(mortal_town):
    return Town(mortal_town)


def test_base_class_and_spaces(town):
    from jaxmarl.environments import MultiAgentEnv
    from jaxmarl.environments.spaces import Box, Discrete, Space

    env = town.env
    assert isinstance(env, MultiAgentEnv)
    assert env.agents == [f"agent_{i}" for i in range(env.num_agents)]
    assert env.agent_classes == {"residents": env.agents}
    for agent in env.agents:
        assert env.observation_spaces[agent] == env.observation_space(agent)
        assert env.action_spaces[agent] == env.action_space(agent)
        assert isinstance(env.observation_space(agent), Box)
        assert isinstance(env.action_space(agent), Discrete)
        assert isinstance(env.action_space(agent), Space)


def test_reset_and_step_return_what_the_library_expects(town):
    env = town.env
    observations, state = town.starts[0]
    for agent in env.observation_spaces:
        assert env.observation_spaces[agent].contains(observations[agent])
    result = town.step(jax.random.PRNGKey(1), state, town.actions(0))
    assert isinstance(result, tuple) and len(result) == 5
    observations, state, rewards, dones, infos = result
    for agent in env.observation_spaces:
        assert env.observation_spaces[agent].contains(observations[agent])
        assert (rewards[agent].shape, dones[agent].dtype) == ((), bool)
    assert all(isinstance(x, dict) for x in (rewards, dones, infos))
    assert set(dones) == {*env.agents, "__all__"}
    assert {*INFOS, "terminated", "truncated", "final_observation"} == set(infos)
    available = env.get_avail_actions(state)
    assert_same(jnp.stack([available[a] for a in env.agents]), state.action_mask)


def test_automatic_reset(town):
    (_, state), (_, other) = town.starts
    step = jax.jit(town.env.step, compiler_options=QUICK)
    _, after, _, dones, _ = step(jax.random.PRNGKey(2), state, town.actions(1), other)
    assert not dones["__all__"] and after.age == 1
    aged = state.replace(age=jnp.int32(EPISODE_TICKS - 1))
    seen, after, _, dones, infos = step(jax.random.PRNGKey(2), aged, town.actions(1), other)
    assert dones["__all__"]
    assert_same(after, other)
    for agent in town.env.agents:  # sines differ in the last bit from program to program
        np.testing.assert_allclose(seen[agent], town.starts[1][0][agent], rtol=0, atol=1e-6)
    final = infos["final_observation"]
    assert not np.array_equal(final[0], seen["agent_0"])


def test_dones_mark_the_end_of_a_life(town):
    _, state = town.starts[0]
    num_exits = num_arrivals = 0
    for tick in range(EPISODE_TICKS):
        _, state, _, dones, infos = town.step(jax.random.PRNGKey(tick), state, town.actions(tick))
        done = np.array([dones[agent] for agent in town.env.agents])
        is_alive = np.asarray(state.town.agents.is_alive)
        if tick == EPISODE_TICKS - 1:
            assert done.all() and dones["__all__"]
            assert_same(infos["truncated"], ~infos["terminated"] & infos["truncated"])
            continue
        expected = infos["terminated"] | infos["is_newcomer"] | ~is_alive
        assert done.tolist() == expected.tolist() and not dones["__all__"]
        num_exits += int(infos["terminated"].sum())
        num_arrivals += int(infos["is_newcomer"].sum())
    assert num_exits and num_arrivals


def test_bad_actions(town):
    _, state = town.starts[0]
    actions = town.actions(0)
    for bad, word in (
        ({k: v for k, v in actions.items() if k != "agent_1"}, "agent_1"),
        (actions | {"agent_9": jnp.int32(0)}, "agent_9"),
    ):
        with pytest.raises(ValueError, match=word):
            town.env.step_env(jax.random.PRNGKey(0), state, bad)
    floats = {agent: jnp.float32(0) for agent in actions}
    with pytest.raises(TypeError, match="actions must be int32"):
        town.env.step_env(jax.random.PRNGKey(0), state, floats)
