import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.env.conftest import EPISODE_TICKS, QUICK, Play, assert_same
from townlet_jax.env.checks import as_key
from townlet_jax.env.core import obeyed
from townlet_jax.state import ExitReason
from townlet_jax.town.reward import Term


def test_reset_shows_a_fresh_town(play):
    observation, state = play.reset()
    spec = play.env.observation_spec
    num_agents = play.env.num_agents
    assert observation.map.shape == (num_agents, *spec.map_shape)
    assert observation.features.shape == (num_agents, spec.num_features)
    assert_same(observation.action_mask, state.action_mask)
    assert_same(observation.ctx_reset, state.town.agents.is_alive)
    assert (state.age, state.num_illegal, state.town.clock.tick) == (0, 0, 0)


def test_keys_of_both_styles_are_the_same():
    typed = jax.random.key(5)
    assert as_key(typed) is typed
    assert_same(as_key(jax.random.PRNGKey(5)), typed)


def test_same_key_same_trajectory(play):
    assert_same(play.run(2 * EPISODE_TICKS, 4), play.run(2 * EPISODE_TICKS, 4))


def test_key_of_a_step_changes_only_the_next_town(play):
    _, state = play.reset()
    for tick in range(EPISODE_TICKS):
        one, other = (play.step(state, [0, 1, 2], seed) for seed in (1, 2))
        assert_same(one[2:], other[2:])
        if tick < EPISODE_TICKS - 1:
            assert_same(one[:2], other[:2])
        state = one[1]
    assert not np.array_equal(one[1].town.needs.level, other[1].town.needs.level)


def test_town_at_the_end_of_its_time_is_replaced(play):
    outcomes = play.run(2 * EPISODE_TICKS)
    for tick, (seen, state, _, terminated, truncated, info) in enumerate(outcomes):
        final = info["final_observation"]
        is_over = (tick + 1) % EPISODE_TICKS == 0
        assert info["is_over"] == is_over
        assert state.age == (tick + 1) % EPISODE_TICKS
        assert_same(truncated, final.is_alive & ~terminated & is_over)
        if not is_over:
            assert_same(seen, final)
            continue
        assert_same((seen, state), play.reset(1000 + tick))
        assert not np.array_equal(seen.features, final.features)
        assert info["num_illegal"] > state.num_illegal == 0


def test_exit_is_terminal_and_the_newcomer_another_life(play):
    outcomes = play.run(EPISODE_TICKS - 1)
    flags = [(o[3], o[5]["is_newcomer"], o[0].is_alive, o[5]["is_valid"]) for o in outcomes]
    terminated, is_newcomer, is_alive, is_valid = (np.stack(x) for x in zip(*flags, strict=True))
    assert terminated.any() and is_newcomer.any(), "the town is not mortal enough for this test"
    for tick, slot in zip(*np.nonzero(terminated), strict=True):
        reward, info = outcomes[tick][2], outcomes[tick][5]
        assert ExitReason(int(info["exit_reason"][slot])) == ExitReason.FAINT
        assert is_alive[tick, slot], "the final observation is that of the resident"
        assert is_valid[tick, slot]
        assert not is_valid[tick + 1, slot]
        assert not (is_alive[tick + 1, slot] and not is_newcomer[tick + 1, slot])
        assert np.isfinite(reward[slot])
    for tick, slot in zip(*np.nonzero(is_newcomer), strict=True):
        assert not is_valid[tick, slot]
        assert outcomes[tick][0].ctx_reset[slot]
    for tick in range(1, len(outcomes)):
        is_vacant = ~is_alive[tick] & ~is_alive[tick - 1]
        features = np.asarray(outcomes[tick][0].features)
        assert not features[is_vacant].any()
        assert not np.asarray(outcomes[tick][2])[is_vacant].any()


def test_illegal_action_is_waiting_and_counted(play):
    _, state = play.reset()
    mask = np.asarray(state.action_mask)
    masked = [int(np.flatnonzero(~row)[0]) for row in mask]
    waited = play.step(state, [0, 0, 0])
    for actions in (masked, [-1, 7, 2**31 - 1]):
        seen, after, reward, *_, info = play.step(state, actions)
        assert info["is_illegal"].all()
        assert info["num_illegal"] == after.num_illegal == 3
        assert_same(after.replace(num_illegal=waited[1].num_illegal), waited[1])
        assert_same((seen, reward), (waited[0], waited[2]))
    assert not waited[5]["is_illegal"].any()


def test_row_of_nobody_has_no_illegal_action(play):
    _, state = play.reset()
    agents = state.town.agents
    vacant = agents.replace(is_alive=agents.is_alive.at[1].set(False))
    state = state.replace(town=state.town.replace(agents=vacant))
    info = play.step(state, [99, 99, 99])[5]
    assert info["is_illegal"].tolist() == [True, False, True]
    assert not info["is_valid"][1]


def test_obeyed_reads_small_and_unsigned_integers():
    mask = jnp.array([[True, False, True]] * 4)
    for dtype in (jnp.int8, jnp.uint32):
        is_legal, done = jax.jit(obeyed)(jnp.array([0, 1, 2, 100], dtype), mask)
        assert is_legal.tolist() == [True, False, True, False]
        assert (done.tolist(), done.dtype) == ([0, 0, 2, 0], jnp.int32)


def test_breakdown_adds_up(play):
    for _, _, reward, _, _, info in play.run(EPISODE_TICKS):
        breakdown = np.asarray(info["breakdown"])
        np.testing.assert_array_equal(breakdown[:, Term.TOTAL], reward)
        np.testing.assert_allclose(breakdown[:, : Term.TOTAL].sum(1), reward, atol=1e-6)


def test_one_trace_over_numbers(play):
    params, layout = play.env.default_params
    play.run(1)
    for rate in (0.001, 0.002):
        needs = params.needs.replace(decay=jnp.full_like(params.needs.decay, rate))
        play.run(2, params=(params.replace(needs=needs), layout))
    assert play.num_traces == 1


@pytest.mark.slow
def test_no_automatic_reset(play, mortal_town):
    endless = Play(mortal_town, episode_ticks=EPISODE_TICKS, auto_reset=False)
    renewed, lasting = play.run(EPISODE_TICKS), endless.run(EPISODE_TICKS + 2)
    for one, other in zip(renewed[:-1], lasting, strict=False):
        assert_same(one, other)
    end = lasting[EPISODE_TICKS - 1]
    assert_same(renewed[-1][2:], end[2:])
    assert_same(end[0], end[5]["final_observation"])
    assert end[1].age == EPISODE_TICKS
    assert lasting[-1][1].age == EPISODE_TICKS + 2
    assert lasting[-1][5]["is_over"], "a town that goes on past its time stays cut off"


@pytest.mark.slow
def test_batch_equals_loop(play):
    seeds = [3, 4, 5]
    outcomes = [play.run(EPISODE_TICKS + 2, seed) for seed in seeds]
    many = jax.vmap(play.env.step, in_axes=(0, 0, 0, None))
    together = jax.jit(many, compiler_options=QUICK)
    starts = [play.reset(seed) for seed in seeds]
    state = jax.tree.map(lambda *x: jnp.stack(x), *(s for _, s in starts))
    chances = [np.random.default_rng(seed) for seed in seeds]
    for tick in range(EPISODE_TICKS + 2):
        actions = np.stack([c.integers(-1, play.env.num_actions + 1, 3) for c in chances])
        keys = jnp.stack([jax.random.key(1000 + tick)] * 3)
        outcome = together(keys, state, jnp.asarray(actions, jnp.int32), play.env.default_params)
        state = outcome[1]
        one_by_one = jax.tree.map(lambda *x: jnp.stack(x), *(o[tick] for o in outcomes))
        assert_same(outcome[1:5], one_by_one[1:5])
        # Sines and the like may differ in the last bit from program to program.
        np.testing.assert_allclose(outcome[0].features, one_by_one[0].features, rtol=0, atol=1e-6)
        assert_same(outcome[0].map, one_by_one[0].map)


@pytest.mark.slow
def test_default_numbers_are_those_of_the_town(play):
    step = jax.jit(dataclasses.replace(play.env).step, compiler_options=QUICK)
    _, state = play.reset()
    actions = jnp.zeros(3, jnp.int32)
    assert_same(step(jax.random.key(0), state, actions)[1], play.step(state, actions)[1])
