import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.train.conftest import QUICK, Trainer, assert_same, params_with
from tests.train.noise import NUMBERS, Noise, noise_shape
from townlet_jax.town.observe import Observation
from townlet_jax.train import values
from townlet_jax.train.network import run_network
from townlet_jax.train.types import ValueStats, pack

T = 6
STATS = ValueStats(mean=jnp.float32(1.5), square=jnp.float32(4.5), weight=jnp.float32(0.5))
"""Mean 3 and no variance to speak of: the floor of the deviation holds."""
CALM = {**NUMBERS, "exit_prob": jnp.float32(0), "over_prob": jnp.float32(0)}
CALM["reset_prob"] = jnp.float32(0)


def trainer_with(**sizes):
    return Trainer(Noise(), noise_shape(Noise(), **sizes), NUMBERS, params_with())


@pytest.fixture(scope="module")
def ticks():
    """Decides every tick."""
    return trainer_with(num_steps=T, decide_every=1)


@pytest.fixture(scope="module")
def windows():
    return trainer_with(num_steps=T, decide_every=3)


def continued(learner, end):
    """Returns the learner after acting without learning."""
    return learner.replace(
        world=end.world, hidden=end.hidden, is_first=end.is_first, choice=end.choice
    )


def test_what_is_seen_does_not_depend_on_what_is_done(ticks):
    learner = ticks.init()
    _, found = ticks.act(learner)
    action, features = np.asarray(found.transitions.action), found.transitions.seen.features
    told = np.asarray(features[..., :3])
    assert not told[0].any(), "nothing was done before"
    np.testing.assert_array_equal(told[1:], np.eye(3)[action[:-1]])
    # Another network does other things, and sees the same before it has done any of them.
    other = learner.replace(params=jax.tree.map(lambda x: -5 * x, learner.params))
    _, others = ticks.act(other)
    assert_same(found.transitions.seen.features[0], others.transitions.seen.features[0])
    assert (found.transitions.action != others.transitions.action).any()
    assert_same(found.transitions.seen.mask, others.transitions.seen.mask)


def test_actions_are_legal_and_their_probability_is_that_of_training(windows):
    learner = windows.init(1)
    _, found = windows.act(learner)
    rows = found.transitions
    legal = np.take_along_axis(
        np.asarray(rows.seen.mask), np.asarray(rows.action, int)[..., None], -1
    )
    assert legal.all()
    assert rows.action.dtype == jnp.int8
    run = jax.jit(functools.partial(run_network, windows.shape), compiler_options=QUICK)
    _, log_probs, _ = run(learner.params, found.hidden, rows.seen, rows.is_first)
    index = np.asarray(rows.action, int)[..., None]
    again = np.take_along_axis(np.asarray(log_probs), index, -1)[..., 0]
    assert abs(np.exp(again - rows.log_prob) - 1).max() <= 1e-4


def test_values_are_in_the_unit_of_the_reward(windows):
    learner = windows.init(2)
    _, plain = windows.act(learner)
    _, found = windows.act(learner.replace(value_stats=STATS))
    mean, deviation = values.scale(STATS)
    assert (float(mean), float(deviation)) == (3.0, np.float32(0.01))
    for name in ("value", "bootstrap"):
        one, other = (
            x.bootstrap if name == "bootstrap" else x.transitions.value for x in (plain, found)
        )
        np.testing.assert_allclose(other, 3 + 0.01 * one, rtol=1e-6)


def test_two_rollouts_are_one_of_twice_the_length(ticks):
    long = trainer_with(num_steps=2 * T, decide_every=1)
    learner = ticks.init(3)
    end, found = ticks.act(learner)
    last, later = ticks.act(continued(learner, end))
    np.testing.assert_allclose(found.bootstrap, later.transitions.value[0], rtol=1e-5)
    whole_end, whole = long.act(learner)
    both = jax.tree.map(lambda a, b: np.concatenate([a, b]), found.transitions, later.transitions)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    jax.tree.map(close, both, whole.transitions)
    assert_same(whole_end.world, last.world)
    assert_same(whole_end.choice, last.choice)
    np.testing.assert_array_equal(found.hidden, learner.hidden)
    np.testing.assert_array_equal(later.hidden, end.hidden)
    close(later.bootstrap, whole.bootstrap)


def test_memory_starts_anew_where_a_life_does(ticks):
    learner = ticks.init(4)
    numbers = {**NUMBERS, "reset_prob": jnp.float32(0), "exit_prob": jnp.float32(0.4)}
    end, found = ticks.act(learner, numbers=numbers)
    rows = found.transitions
    is_first, is_valid = np.asarray(rows.is_first), np.asarray(rows.seen.is_valid)
    assert is_first[0].all()
    is_new = is_valid[1:] & ~is_valid[:-1]
    assert is_new.any(), "nobody moves in"
    np.testing.assert_array_equal(is_first[1:], is_new)
    np.testing.assert_array_equal(rows.seen.features[..., 3], is_first)
    arrives = np.asarray(end.world.away == 0) & ~is_valid[-1]
    np.testing.assert_array_equal(end.is_first, arrives)


def test_rows_of_nobody_earn_nothing_and_do_not_end(ticks, windows):
    for trainer in (ticks, windows):
        numbers = {**NUMBERS, "paid_to_nobody": jnp.float32(1e6)}
        _, found = trainer.act(trainer.init(5), numbers=numbers)
        rows, nobody = found.transitions, ~np.asarray(found.transitions.seen.is_valid)
        assert nobody.any() and not nobody.all()
        assert not np.asarray(rows.reward)[nobody].any()
        assert not np.asarray(rows.is_terminated)[nobody].any()
        assert abs(np.asarray(rows.reward)).max() < 10
        assert np.asarray(rows.reward)[~nobody].all()


def test_life_that_ends_is_followed_by_nobody(ticks):
    _, found = ticks.act(ticks.init(6))
    has_ended = np.asarray(found.transitions.is_terminated)
    is_valid = np.asarray(found.transitions.seen.is_valid)
    assert has_ended.any()
    assert not is_valid[1:][has_ended[:-1]].any()
    assert is_valid[1:][~has_ended[:-1] & is_valid[:-1]].all()


def test_choice_is_as_old_as_its_run(ticks):
    learner = ticks.init(7)
    end, found = ticks.act(learner, numbers=CALM)
    action = np.asarray(found.transitions.action)
    is_valid = np.asarray(found.transitions.seen.is_valid)
    since = np.zeros(action.shape[1:], int)
    for t in range(1, T):
        is_same = (action[t] == action[t - 1]) & is_valid[t - 1]
        is_same &= ~np.asarray(found.transitions.is_first[t])
        since = np.where(is_same, since, t)
    np.testing.assert_array_equal(end.choice.action, action[-1])
    np.testing.assert_array_equal(end.choice.tick, since)
    np.testing.assert_array_equal(end.choice.has_chosen, is_valid[-1])
    assert (since > 0).any() and (since < T - 1).any()


def test_completed_choice_is_new_when_it_is_chosen_again(ticks):
    numbers = {**CALM, "over_prob": jnp.float32(1)}
    end, _ = ticks.act(ticks.init(7), numbers=numbers)
    assert end.choice.is_done.all()
    np.testing.assert_array_equal(end.choice.tick, np.full((4, 2), T - 1))


def test_decisions_are_counted(windows):
    _, found = windows.act(windows.init(8))
    rows, stats = found.transitions, found.stats
    is_valid, mask = np.asarray(rows.seen.is_valid), np.asarray(rows.seen.mask)
    action, num_legal = np.asarray(rows.action), mask.sum(-1)
    is_decision = is_valid & (num_legal > 1)

    def by_town(x):
        return x.sum((0, 2))

    np.testing.assert_array_equal(stats["decisions"], by_town(is_decision))
    np.testing.assert_array_equal(stats["legal"], by_town(num_legal * is_valid))
    np.testing.assert_array_equal(stats["hidden_options"], by_town((3 - num_legal) * is_valid))
    chosen = np.eye(3, dtype=int)[action] * is_valid[..., None]
    np.testing.assert_array_equal(stats["options"], chosen.sum((0, 2)))
    assert (stats["ticks"] == T * 3).all() and (stats["passed"] == T * 3).all()
    assert (stats["completions"] > 0).any()
    assert (stats["completions"] <= by_town(is_valid)).all()


def test_switches_are_between_two_activities(ticks):
    _, found = ticks.act(ticks.init(9), numbers=CALM)
    rows = found.transitions
    action, is_valid = np.asarray(rows.action), np.asarray(rows.seen.is_valid)
    is_decision = is_valid & (np.asarray(rows.seen.mask).sum(-1) > 1)
    old, new = action[:-1], action[1:]
    has_switched = is_decision[1:] & is_valid[:-1] & (old != new) & (old != 0) & (new != 0)
    assert has_switched.any()
    np.testing.assert_array_equal(found.stats["switches"], has_switched.sum((0, 2)))


def test_packing_clips_and_rounds():
    features = jnp.array([[-100.0, -8.0, 0.1, 7.9999, 1e30]])
    seen = pack(
        Observation(
            map=jnp.full((1, 2, 2, 1), 255, jnp.uint8),
            features=features,
            action_mask=jnp.ones((1, 3), bool),
            is_alive=jnp.ones(1, bool),
            can_act=jnp.ones(1, bool),
            ctx_reset=jnp.zeros(1, bool),
        ),
        jnp.ones(1, bool),
    )
    assert (seen.features.dtype, seen.map.dtype) == (jnp.float16, jnp.uint8)
    np.testing.assert_array_equal(seen.features, np.float16([[-8, -8, 0.1, 8, 8]]))
