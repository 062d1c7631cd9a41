import functools

import jax
import numpy as np
import pytest

from tests.train import probes
from tests.train.conftest import Trainer, assert_same, params_with
from townlet_jax.train import values
from townlet_jax.train.network import run_network


class Trained:
    """A learner that has been trained in a probe, and what it does there afterwards."""

    def __init__(self, world, sizes=None, **numbers):
        shape = probes.probe_shape(world, **(sizes or {}))
        numbers = {
            "gamma": 0.9, "learning_rate": 5e-3, "lr_end_fraction": 0.02, "entropy_coef": 0.01,
            "entropy_coef_end": 1e-3, "num_updates": shape.updates_per_chunk,
            "episode_ticks": 10**6, "target_kl": 0.0, **numbers,
        }  # fmt: skip
        trainer = Trainer(world, shape, (), params_with(**numbers))
        learner, self.metrics = trainer.chunk(trainer.init())
        self.params = learner.params
        _, found = trainer.act(learner)
        rows = self.rows = found.transitions
        run = jax.jit(functools.partial(run_network, shape))
        _, log_probs, _ = run(learner.params, found.hidden, rows.seen, rows.is_first)
        self.probs = np.exp(log_probs)
        mean, deviation = values.scale(learner.value_stats)
        self.value, self.sigma = np.asarray(rows.value), float(deviation)
        self.symbol = np.asarray(rows.seen.features).argmax(-1) + 1
        self.symbol[~np.asarray(rows.seen.features).any(-1)] = 0

    def at(self, x, symbol):
        """Returns the entries of `[T, M, A, ...]` where this symbol is shown."""
        found = x[self.symbol == symbol]
        assert found.size, "it is never shown"
        return found

    def knows(self, values, tolerance=0.01):
        """Tells whether the value is right wherever each symbol is shown."""
        for symbol, value in values.items():
            largest = max(tolerance, 0.05 * self.sigma)
            np.testing.assert_allclose(self.at(self.value, symbol), value, rtol=0, atol=largest)
        return True

    def takes(self, actions):
        """Tells whether it takes these actions nearly always."""
        return all(self.at(self.probs, s)[:, a].min() > 0.95 for s, a in actions.items())


@pytest.mark.acceptance
def test_one_action_that_ends_at_once():
    assert Trained(probes.Constant()).knows({1: 1.0})


@pytest.mark.acceptance
def test_reward_that_is_seen():
    assert Trained(probes.Shown()).knows({1: 1.0, 2: -1.0})


def test_reward_that_comes_later():
    trained = Trained(probes.Delay(), {"updates_per_chunk": 40})
    assert trained.knows({1: 0.9, 2: 1.0})
    assert not any(name.startswith("need_mean") for name in trained.metrics)
    for name, x in trained.metrics.items():
        assert x.shape == (40,) and np.isfinite(x).all(), name


@pytest.mark.acceptance
def test_choice():
    trained = Trained(probes.Choice())
    assert trained.takes({1: 1})
    assert trained.at(trained.value, 1).min() > 0.9


@pytest.mark.acceptance
def test_choice_that_depends_on_what_is_seen():
    trained = Trained(probes.ShownChoice())
    assert trained.takes({1: 1, 2: 0})
    assert trained.value.min() > 0.9


@pytest.mark.acceptance
def test_life_that_is_cut_off_has_the_value_of_an_endless_one():
    sizes = {"num_steps": 4, "updates_per_chunk": 100}
    trained = Trained(probes.Endless(), sizes, episode_ticks=4)
    assert trained.knows({1: 10.0})
    assert trained.metrics["updates"].sum() == 100 * 8


@pytest.mark.acceptance
def test_life_that_ends_has_no_value_beyond():
    assert Trained(probes.Four()).knows({1: 3.439, 2: 2.71, 3: 1.9, 4: 1.0})


@pytest.mark.acceptance
def test_memory_keeps_a_cue():
    trained = Trained(probes.Memory(), {"num_steps": 15, "updates_per_chunk": 150})
    answer = np.argmax(trained.probs, axis=-1)
    cue = last_cue(trained)
    is_asked = (trained.symbol == probes.ASK) & (cue > 0)
    np.testing.assert_array_equal(answer[is_asked], cue[is_asked] - probes.CUE)
    assert trained.probs.max(-1)[is_asked].min() > 0.95
    assert trained.knows({probes.CUE: 0.9**4, probes.CUE + 1: 0.9**4}, 0.02)


@pytest.mark.acceptance
def test_without_memory_a_cue_is_worth_nothing():
    trained = Trained(probes.Memory(has_memory=False), {"num_steps": 15})
    assert np.asarray(trained.rows.is_first).all()
    # Whoever always answers the same is right after one of the cues.
    cues = [trained.at(trained.value, probes.CUE + i).mean() for i in range(2)]
    assert abs(np.mean(cues)) < 0.1
    assert np.ptp(trained.at(trained.probs, probes.ASK), axis=0).max() < 1e-5


@pytest.mark.acceptance
def test_nothing_is_remembered_from_the_life_before():
    trained = Trained(probes.Blind(), {"num_steps": 20, "updates_per_chunk": 150})
    assert abs(trained.at(trained.value, probes.ASK + 1)).max() < 0.15
    assert trained.knows({probes.CUE: 0.9**4, probes.CUE + 1: 0.9**4})
    assert np.ptp(trained.at(trained.value, probes.ASK + 1)) < 1e-5


def test_two_agents_of_opposite_interests():
    trained = Trained(probes.Opposites(), {"updates_per_chunk": 40})
    assert trained.takes({1: 0, 2: 1})
    assert trained.knows({1: 1.0, 2: 1.0}, 0.05)


@pytest.mark.acceptance
def test_best_action_is_taken_only_where_it_is_legal():
    trained = Trained(probes.Masked())
    assert trained.takes({1: 2})
    assert not trained.at(trained.probs, 2)[:, 2].any()
    assert not (np.asarray(trained.rows.action)[trained.symbol == 2] == 2).any()
    assert trained.knows({1: 10.0, 2: 1.0})


@pytest.mark.acceptance
def test_endless_window():
    trained = Trained(probes.Windowed(), {"decide_every": 5})
    np.testing.assert_allclose(trained.rows.reward, 4.0951, rtol=1e-5)
    assert trained.knows({1: 10.0})


def test_window_with_an_exit():
    sizes = {"decide_every": 5, "updates_per_chunk": 40}
    trained = Trained(probes.Windowed(has_exit=True), sizes)
    np.testing.assert_allclose(trained.rows.reward, 2.71, rtol=1e-5)
    assert np.asarray(trained.rows.is_terminated).all()
    assert trained.knows({1: 2.71})


@pytest.mark.acceptance
def test_states_without_a_choice_do_not_disturb():
    trained, plain = (Trained(probes.Forced(has_forced=has)) for has in (True, False))
    assert trained.takes({1: 1}) and plain.takes({1: 1})
    assert trained.knows({1: 1 + 5 * 0.9 + 5 * 0.81, 2: 9.5, 3: 5.0})
    np.testing.assert_allclose(trained.metrics["decision_fraction"].mean(), 1 / 3, atol=0.05)
    assert (plain.metrics["decision_fraction"] == 1).all()


@pytest.mark.acceptance
def test_bribes_of_nobody_change_no_bit():
    sizes = {"updates_per_chunk": 20}
    honest, bribed = (Trained(probes.Partial(bribe=x), sizes) for x in (0.0, 1e6))
    assert_same((honest.params, honest.metrics), (bribed.params, bribed.metrics))
    assert bribed.metrics["transitions"].tolist() == [8 * 8] * 20


def last_cue(trained):
    """Returns the cue that was shown last before each step, 0 for none in this rollout."""
    cue = np.zeros_like(trained.symbol)
    for t in range(len(cue)):
        is_cue = (trained.symbol[t] == probes.CUE) | (trained.symbol[t] == probes.CUE + 1)
        cue[t] = np.where(is_cue, trained.symbol[t], cue[t - 1] if t else 0)
    return cue
