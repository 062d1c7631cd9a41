"""Calibration of the day's figures in the standard town: six days of eight seeds, side by side."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from townlet_jax.config import load
from townlet_jax.env import batch
from townlet_jax.state.rewards import RewardState, empty_rewards
from townlet_jax.town.metrics import churn_alert, day_kpi
from townlet_jax.town.options import Option
from townlet_jax.town.policies import POLICIES, scripted
from townlet_jax.town.reward import Term, reward

# One worker runs them all, because they share what was lived.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kpi_calibration")]

CONFIG = "configs/town.yaml"
FIRST_SEED, NUM_TOWNS, NUM_DAYS = 1, 8, 6
MODIFIERS = "features.relationship_modifiers=true"


def speechless(key, view, state, mask, params, layout):
    """The scripted residents without a word."""
    option = scripted(key, view, state, mask, params, layout)
    return jnp.where(option == Option.SOCIALISE, Option.REST, option)


class Lives(struct.PyTreeNode):
    """Towns, and what their residents earned by talking, float32 `[E]`."""

    towns: batch.Towns
    rewards: RewardState
    earned: jax.Array


@functools.cache
def runner(policy: str) -> Callable[..., Lives]:
    """Compiles a policy; it may be one that only this file knows."""
    shape = load(CONFIG).shape

    def live_one(lives, params, layout):
        towns, events = batch.live(shape, policy, lives.towns, params, layout)
        rewards, made = reward(lives.rewards, towns.state, events, params)
        earned = lives.earned + jnp.sum(made.breakdown[:, Term.SOCIAL_C1])
        return Lives(towns, rewards, earned)

    return batch.loop(live_one, 1, NUM_TOWNS)


@functools.cache
def lived(policy: str, *overrides: str) -> dict[str, np.ndarray]:
    """Runs the days; returns `[day, seed]` by figure, and what chats earned, `[seed]`."""
    town = load(CONFIG, ["features.stages.social_rewards=C1", *overrides])
    towns = batch.start(town, FIRST_SEED, NUM_TOWNS)
    rewards = jax.tree.map(lambda x: jnp.stack([x] * NUM_TOWNS), empty_rewards(town.shape))
    lives, days = Lives(towns, rewards, jnp.zeros(NUM_TOWNS)), []
    for _ in range(NUM_DAYS):
        ticks = jnp.int32(town.params.time.ticks_per_day)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(POLICIES, "speechless", speechless)
            lives = runner(policy)(lives, ticks, town.params, town.layout)
        state = lives.towns.state
        figures = jax.vmap(day_kpi, (0, 0, None))(state.metrics, state.relationships, town.params)
        alert = jax.vmap(churn_alert, (0, 0, None))(
            state.metrics, state.relationships, town.params.relationships
        )
        days.append(jax.device_get((figures, alert)))
    found = {
        name: np.stack([getattr(figures, name) for figures, _ in days])
        for name in days[0][0].__dataclass_fields__
    }
    return {
        **found,
        "alert": np.stack([alert for _, alert in days]),
        "c1": np.asarray(lives.earned),
    }


def test_cal_5_coverage_needs_chats():
    assert (lived("scripted")["relationship_coverage"][2] >= 0.60).all()
    assert lived("speechless")["relationship_coverage"][2].mean() < 0.60
    assert (lived("idle")["relationship_coverage"][2] == 0).all()


def test_cal_7_churn_settles_after_two_days():
    out = lived("scripted")
    assert (out["churn_rate"][2:] <= 0.20).all()
    assert not out["alert"].any()


def test_cal_8_the_script_knows_its_mind():
    """The random options are redrawn every five ticks."""
    assert (lived("scripted")["option_switch_rate"] <= 0.25).all()
    assert (lived("random")["option_switch_rate"].mean(axis=0) > 0.25).all()


def test_cal_10_modifiers_change_little():
    plain, coloured = lived("scripted"), lived("scripted", MODIFIERS)
    for name in ("relationship_coverage", "chats_per_resident"):
        assert coloured[name].mean() == pytest.approx(plain[name].mean(), rel=0.10), name
    assert coloured["c1"].mean() == pytest.approx(plain["c1"].mean(), rel=0.10)


def test_the_charter_is_kept():
    """The targets of the day's figures, in the mean over seeds."""
    out = {name: values.mean(axis=-1) for name, values in lived("scripted").items()}
    assert (out["self_sufficiency"] >= 0.70).all() and (out["starvation_events"] == 0).all()
    assert (out["tenure_days"][3:] >= 3).all() and (out["lateness_rate"] < 0.15).all()
    assert (out["repeat_avoidance_share"] < 0.20).all() and (out["exits_per_day"] <= 2).all()
