"""Calibration of the reward in the standard town: six days, eight seeds, several policies."""

import itertools

import numpy as np
import pytest

from tests.town.rewarded_lives import CASES, CONFIG, GAMMA, lives
from tests.town.rewarded_towns import FRESH, column, happened, jitted, params, town
from townlet_jax.config import load
from townlet_jax.config.reward_notes import best_chat, skipped_meal, worst_needs
from townlet_jax.town.reward import Term

MEASURED = {
    "idle": (6.03, 22.08),
    "random primitive": (7.04, 22.30),
    "random option": (8.72, 24.06),
    "random option, 60 ticks": (9.19, 25.73),
    "scripted": (12.97, 40.87),
}
"""Mean over seeds of the discounted return, and of the reward per slot and scored day."""


def test_the_numbers_of_the_standard_town_keep_every_principle():
    """CAL-3, CAL-4 and CAL-6."""
    config = load(CONFIG).config
    rewards = config.rewards
    assert best_chat(rewards) <= 21 * rewards.survival_tick
    assert rewards.survival_tick - worst_needs(rewards) > 0
    assert rewards.punctuality_bonus < skipped_meal(rewards)
    for job in config.jobs.values():
        tick = rewards.survival_tick - worst_needs(rewards) - rewards.wage_weight * job.wage_rate
        shift = sum(tick * GAMMA**k for k in range(job.end_tick - job.start_tick + 1))
        assert rewards.faint_penalty < shift == pytest.approx(-0.58, abs=0.005)


def test_the_worst_tick_of_a_shift_is_that_of_the_principle():
    """CAL-4, as residents are paid."""
    state, events = town(level=(0.0, 0.0, 0.0)), happened((0.0, 0.0, 0.0), wage_withheld=0.024)
    made = jitted(FRESH, state, events, params(discount=1.0))[1]
    assert column(made, Term.TOTAL) == pytest.approx(-0.0038, abs=1e-6)


@pytest.mark.acceptance
@pytest.mark.parametrize("name", ["random primitive", "random option", "scripted"])
def test_the_clip_of_a_tick_hardly_ever_takes_effect(name):
    """CAL-1."""
    lived = lives(name)
    share = lived.clips[:, 0] / np.isfinite(lived.totals).sum(axis=(1, 2))
    assert (share < 0.05).all() and lived.clips[:, :2].sum() == 0


@pytest.mark.acceptance
def test_better_lives_earn_more_on_every_seed():
    """CAL-2."""
    order = ["idle", "random primitive", "random option", "scripted"]
    for worse, better in itertools.pairwise(order):
        assert (lives(worse).value < lives(better).value).all()


@pytest.mark.acceptance
@pytest.mark.parametrize("name", CASES)
def test_the_reward_varies(name):
    """CAL-9."""
    for totals in lives(name).totals:
        earned = totals[np.isfinite(totals)]
        assert np.std(earned) > 0.005
        assert len(np.unique(np.round(earned / 1e-5))) > 1000


@pytest.mark.acceptance
@pytest.mark.parametrize("name", CASES)
def test_the_figures_of_the_documentation_hold(name):
    value, per_day = MEASURED[name]
    lived = lives(name)
    assert lived.value.mean() == pytest.approx(value, rel=0.05)
    assert lived.per_day[:, Term.TOTAL].mean() == pytest.approx(per_day, rel=0.05)
    assert np.nanmax(lived.totals) < 0.94
