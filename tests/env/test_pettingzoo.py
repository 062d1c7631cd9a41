import numpy as np
import pytest

from tests.env.conftest import QUICK
from townlet_jax.env.pettingzoo import life_name, parallel_env

pytest.importorskip("pettingzoo", reason="pip install 'townlet-jax[env]'")
EPISODE_TICKS = 40


@pytest.fixture(scope="module")
def make(mortal_town):
    def make():
        return parallel_env(mortal_town, episode_ticks=EPISODE_TICKS, compiler_options=QUICK)

    return make


def test_names_of_lives():
    slots = ("anna", "bo", "anna_2")
    assert [life_name(slots, 0, life) for life in (1, 2, 3)] == ["anna", "anna_2_", "anna_3"]
    assert [life_name(slots, 2, life) for life in (0, 1, 2)] == ["anna_2", "anna_2", "anna_2_2"]


def test_before_reset(make):
    env = make()
    assert env.possible_agents == ["ada", "ben", "cleo"] and env.agents == []
    assert env.observation_space("ada") is env.observation_space("ada")
    assert env.action_space("ada") is not env.action_space("ben")
    with pytest.raises(RuntimeError, match="call reset first"):
        env.step({})
    with pytest.raises(ValueError, match="non-negative"):
        env.reset(seed=-1)


@pytest.mark.slow
@pytest.mark.parametrize("num_cycles", [25, 100])
def test_parallel_api(make, num_cycles):
    from pettingzoo.test import parallel_api_test

    parallel_api_test(make(), num_cycles)


@pytest.mark.slow
def test_parallel_seed(make):
    from pettingzoo.test import parallel_seed_test

    parallel_seed_test(make, num_cycles=30)


@pytest.mark.slow
def test_turn_by_turn(make):
    from pettingzoo.utils import parallel_to_aec

    env = parallel_to_aec(make())
    env.reset(seed=1)
    for _ in env.agent_iter(30):
        *_, is_terminated, is_truncated, info = env.last()
        has_ended = is_terminated or is_truncated
        mask = None if has_ended else info["action_mask"]
        env.step(None if has_ended else env.action_space(env.agent_selection).sample(mask))
    assert env.agents


@pytest.mark.slow
def test_lives_have_names_of_their_own(make):
    env = make()
    _, infos = env.reset(seed=2)
    seen, gone = set(env.agents), set()
    while env.agents:
        before = set(env.agents)
        actions = {agent: 0 for agent in env.agents}
        observations, rewards, terminated, truncated, infos = env.step(actions)
        rows = set(observations)
        assert rows == set(rewards) == set(terminated) == set(truncated) == set(infos)
        newcomers = rows - before
        assert before <= rows and not newcomers & seen
        gone |= {agent for agent in rows if terminated[agent]}
        seen |= newcomers
        assert not gone & set(env.agents)
        for agent in rows:
            assert observations[agent] in env.observation_space(agent)
            assert bool(infos[agent]["exit_reason"]) == terminated[agent]
            assert not infos[agent]["is_illegal"]
    assert {"ada_2", "ada"} <= seen and seen == set(env.possible_agents)
    assert any(truncated.values()) or all(terminated.values())
    env.reset(seed=2)
    assert env.possible_agents == ["ada", "ben", "cleo"]


@pytest.mark.slow
def test_seeds(make):
    env = make()
    first, _ = env.reset(seed=7)
    drawn, _ = env.reset()
    again, _ = env.reset(seed=7)
    assert all(np.array_equal(first[agent], again[agent]) for agent in first)
    assert not all(np.array_equal(first[agent], drawn[agent]) for agent in first)
    later, _ = env.reset()
    assert all(np.array_equal(drawn[agent], later[agent]) for agent in drawn)


@pytest.mark.slow
def test_bad_actions(make):
    env = make()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="no agent 'adda' is there: did you mean 'ada'"):
        env.step({"adda": 0})
    with pytest.raises(TypeError, match="the action of ada must be an integer, got float"):
        env.step({"ada": 0.5})
    *_, infos = env.step({"ada": 10**20, "ben": np.int64(-3)})
    assert [infos[agent]["is_illegal"] for agent in ("ada", "ben", "cleo")] == [True, True, False]


@pytest.mark.slow
def test_town_that_was_cut_off_stands_still(make):
    env = make()
    env.reset(seed=0)
    for _ in range(EPISODE_TICKS):
        env.step(dict.fromkeys(env.agents, 0))
    assert env.agents == []
    assert env.step({}) == ({}, {}, {}, {}, {})
