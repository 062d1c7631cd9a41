"""Calibration of the day's figures in the standard town: six days of eight seeds, side by side."""

import functools

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
pytestmark = [pytest.mark.acceptance, pytest.mark.xdist_group("kpi_calibration")]

CONFIG = "configs/town.yaml"
FIRST_SEED, NUM_TOWNS, NUM_DAYS = 1, 8, 6
C1 = "features.stages.social_rewards=C1"


def speechless(key, view, state, mask, params, layout):
    """The scripted residents without a word."""
    option = scripted(key, view, state, mask, params, layout)
    return jnp.where(option == Option.SOCIALISE, Option.REST, option)


CASES = {
    "scripted": (scripted,),
    "coloured": (scripted, "features.relationship_modifiers=true"),
    "speechless": (speechless,),
    "idle": (POLICIES["idle"],),
    "random": (POLICIES["random"],),
}
"""Who decides, and how the town is changed."""


class Lives(struct.PyTreeNode):
    """Towns, and what their residents earned by talking, float32 `[E]`."""

    towns: batch.Towns
    rewards: RewardState
    earned: jax.Array


def live_one(lives, mind, params, layout):
    """Lives a tick under policy number `mind`."""

    def chosen(*town):
        return jax.lax.switch(mind, [policy for policy, *_ in CASES.values()], *town)

    towns, events = batch.live(load(CONFIG).shape, chosen, lives.towns, params, layout)
    rewards, made = reward(lives.rewards, towns.state, events, params)
    earned = lives.earned + jnp.sum(made.breakdown[:, Term.SOCIAL_C1])
    return Lives(towns, rewards, earned)


def figures(lives, params):
    """Returns the figures of the day that ended, and whether too many ties were lost."""
    state = lives.towns.state
    alert = churn_alert(state.metrics, state.relationships, params.relationships)
    return day_kpi(state.metrics, state.relationships, params), alert


@functools.cache
def all_lives() -> dict[str, dict[str, np.ndarray]]:
    """Lives all cases in one program; returns by case what `lived` does."""
    settings = [load(CONFIG, [C1, *overrides]) for _, *overrides in CASES.values()]
    numbers = [(town.params, town.layout) for town in settings]
    params, layout = jax.tree.map(lambda *leaves: jnp.stack(leaves), *numbers)
    one = Lives(batch.start(settings[0], FIRST_SEED, NUM_TOWNS), empty_rewards(settings[0].shape),
                jnp.zeros(NUM_TOWNS))  # fmt: skip
    one = one.replace(rewards=jax.tree.map(lambda x: jnp.stack([x] * NUM_TOWNS), one.rewards))
    lives = jax.tree.map(lambda x: jnp.stack([x] * len(CASES)), one)
    of_seeds = jax.vmap(live_one, (0, None, None, None))
    of_cases = jax.vmap(of_seeds)
    minds, ticks = jnp.arange(len(CASES)), jnp.int32(settings[0].params.time.ticks_per_day)

    @functools.partial(jax.jit, compiler_options=batch.compiler_options(1))
    def day(lives, params, layout, ticks):
        lives = jax.lax.fori_loop(
            0, ticks, lambda _, now: of_cases(now, minds, params, layout), lives
        )
        return lives, jax.vmap(jax.vmap(figures, (0, None)))(lives, params)

    days = []
    for _ in range(NUM_DAYS):
        lives, found = day(lives, params, layout, ticks)
        days.append(jax.device_get(found))
    kpi = {
        name: np.stack([getattr(figures, name) for figures, _ in days], axis=1)
        for name in days[0][0].__dataclass_fields__
    }  # [case, day, seed]
    kpi["alert"] = np.stack([alert for _, alert in days], axis=1)
    kpi["c1"] = np.asarray(lives.earned)
    return {case: {name: x[i] for name, x in kpi.items()} for i, case in enumerate(CASES)}


def lived(case: str) -> dict[str, np.ndarray]:
    """Returns `[day, seed]` by figure, and what chats earned, `[seed]`."""
    return all_lives()[case]


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
    plain, coloured = lived("scripted"), lived("coloured")
    for name in ("relationship_coverage", "chats_per_resident"):
        assert coloured[name].mean() == pytest.approx(plain[name].mean(), rel=0.10), name
    assert coloured["c1"].mean() == pytest.approx(plain["c1"].mean(), rel=0.10)


def test_the_charter_is_kept():
    """The targets of the day's figures, in the mean over seeds."""
    out = {name: values.mean(axis=-1) for name, values in lived("scripted").items()}
    assert (out["self_sufficiency"] >= 0.70).all() and (out["starvation_events"] == 0).all()
    assert (out["tenure_days"][3:] >= 3).all() and (out["lateness_rate"] < 0.15).all()
    assert (out["repeat_avoidance_share"] < 0.20).all() and (out["exits_per_day"] <= 2).all()
