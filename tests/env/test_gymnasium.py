import numpy as np
import pytest

from tests.env.conftest import EPISODE_TICKS, QUICK
from townlet_jax.env import gymnasium as adapter

gymnasium = pytest.importorskip("gymnasium", reason="pip install 'townlet-jax[env]'")
NUM_TOWNS, NUM_ROWS = 2, 6


@pytest.fixture
def env(mortal_town):
    return adapter.TownVectorEnv(
        NUM_TOWNS, mortal_town, episode_ticks=EPISODE_TICKS, compiler_options=QUICK
    )


def run(env, num_ticks, seed=0):
    env.action_space.seed(seed)
    outcomes = [env.reset(seed=seed)]
    return outcomes + [env.step(env.action_space.sample()) for _ in range(num_ticks)]


def test_attributes(env):
    assert (env.num_towns, env.num_envs, env.render_mode) == (NUM_TOWNS, NUM_ROWS, None)
    assert env.metadata["autoreset_mode"] == gymnasium.vector.AutoresetMode.SAME_STEP
    assert env.observation_space.shape == (NUM_ROWS, *env.single_observation_space.shape)
    assert env.action_space.nvec.tolist() == [7] * NUM_ROWS


def test_bad_input(env, mortal_town):
    with pytest.raises(RuntimeError, match="call reset first"):
        env.step(np.zeros(NUM_ROWS, int))
    for actions, kind in ((np.zeros(NUM_ROWS), TypeError), (np.zeros(5, int), ValueError)):
        with pytest.raises(kind, match=r"actions must be integers \[6\]"):
            env.step(actions)
    with pytest.raises(ValueError, match="reset_mask"):
        env.reset(options={"reset_mask": np.ones(NUM_ROWS, bool)})
    with pytest.raises(ValueError, match="num_towns must be at least 1"):
        adapter.TownVectorEnv(0, mortal_town)
    with pytest.raises(ValueError, match="a multiple of 3 residents, got 4"):
        gymnasium.make_vec(adapter.ENV_ID, num_envs=4, config=mortal_town)


def test_made_by_name(mortal_town):
    env = gymnasium.make_vec(adapter.ENV_ID, num_envs=9, config=mortal_town)
    assert (env.num_envs, env.num_towns, env.spec.id) == (9, 3, adapter.ENV_ID)


@pytest.mark.slow
def test_rows_are_in_their_spaces(env):
    rows = {"_action_mask", "action_mask", "_is_alive", "is_alive", "_can_act", "can_act"}
    (values, infos), *steps = run(env, EPISODE_TICKS + 3)
    assert values in env.observation_space and rows == set(infos)
    for values, rewards, terminated, truncated, infos in steps:
        assert values in env.observation_space
        for array, dtype in ((rewards, np.float32), (terminated, bool), (truncated, bool)):
            assert (array.shape, array.dtype) == ((NUM_ROWS,), dtype)
        assert all(infos[name].shape[0] == NUM_ROWS for name in rows)
        mask = infos["action_mask"]
        env.action_space.sample(tuple(mask))
        assert mask[:, 0].all() and not mask[~infos["is_alive"], 1:].any()
        values[:] = 0  # the caller's own


@pytest.mark.slow
def test_same_seed_same_rows(env):
    from gymnasium.utils.env_checker import data_equivalence

    assert data_equivalence(run(env, 15, 4), run(env, 15, 4))
    assert not np.array_equal(run(env, 0, 4)[0][0], run(env, 0, 5)[0][0])
    # Town i has seed + i.
    half = NUM_ROWS // NUM_TOWNS
    assert np.array_equal(run(env, 0, 4)[0][0][half:], run(env, 0, 5)[0][0][:half])


@pytest.mark.slow
def test_final_observation_within_the_same_step(env):
    steps = run(env, 2 * EPISODE_TICKS)[1:]
    num_ended = 0
    for tick, (values, _, terminated, truncated, infos) in enumerate(steps):
        is_over = (tick + 1) % EPISODE_TICKS == 0
        has_ended = terminated | truncated
        assert not (terminated & truncated).any()
        assert np.array_equal(truncated, ~terminated & is_over)
        assert np.array_equal(terminated, infos["exit_reason"] != 0)
        assert ("final_obs" in infos) == has_ended.any()
        for row in np.flatnonzero(has_ended):
            last = infos["final_obs"][row]
            assert last in env.single_observation_space
            assert not np.array_equal(last, values[row]) or not last.any()
            if not is_over:
                assert not values[row].any() and not infos["is_alive"][row]
                assert infos["final_info"]["is_alive"][row]
                num_ended += 1
        if has_ended.any():
            assert np.array_equal(infos["_final_obs"], has_ended)
            assert np.array_equal(infos["_final_info"], has_ended)
            assert [x is None for x in infos["final_obs"]] == (~has_ended).tolist()
        if is_over:
            assert infos["is_alive"].all()
    assert num_ended


@pytest.mark.slow
def test_wrappers_of_the_library(env):
    from gymnasium.wrappers import vector

    counted = vector.RecordEpisodeStatistics(env)
    wrapped = vector.DictInfoToList(vector.TransformReward(counted, np.abs))
    wrapped.reset(seed=1)
    lengths = []
    for _ in range(EPISODE_TICKS):
        *_, infos = wrapped.step(np.zeros(NUM_ROWS, int))
        assert len(infos) == NUM_ROWS
        lengths += [info["episode"]["l"] for info in infos if "episode" in info]
    assert len(lengths) >= NUM_ROWS and max(lengths) <= EPISODE_TICKS
    wrapped.close()


@pytest.mark.slow
def test_numbers_out_of_range_are_waiting(env):
    env.reset(seed=0)
    codes = np.full(NUM_ROWS, 2**40)
    *_, infos = env.step(codes)
    assert infos["is_illegal"].all()
