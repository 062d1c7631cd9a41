"""Notes on rewards that would teach residents something odd."""

import math
from pathlib import Path

import pytest

from townlet_jax.config import load
from townlet_jax.config.reading import read_config
from townlet_jax.config.reward_notes import best_chat, skipped_meal, worst_needs
from townlet_jax.config.schema_reward import DecayRates, NeedsWeights, Rewards

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(
    path
    for path in (ROOT / "configs").rglob("*.yaml")
    if not {"affordances", "sweeps"} & set(path.parts)
)
OLDER = """
rewards:
  survival_tick: 0.002
  punctuality_bonus: 1.0
  social: {C1_chat_base: 0.05}
  clip: {clip_per_tick: 0.2}
  decay_rates: {hunger: 0.01}
shaping: {discount: 0.99}
"""


@pytest.fixture
def said(tmp_path):
    """Returns what the notes of a configuration say, by key."""

    def said(text, *overrides):
        path = tmp_path / "town.yaml"
        path.write_text("config_id: test\n" + text)
        return {note.key: note.message for note in read_config(path, overrides)[1]}

    return said


def test_the_defaults_keep_every_principle():
    """CAL-3, CAL-6 and the first half of CAL-4, as far as they follow from the numbers."""
    rewards = Rewards()
    assert best_chat(rewards) == pytest.approx(20.4 * rewards.survival_tick)
    assert skipped_meal(rewards) == pytest.approx(1.153, abs=5e-4)
    assert skipped_meal(rewards) > rewards.punctuality_bonus
    assert rewards.survival_tick - worst_needs(rewards) == pytest.approx(0.0058)


@pytest.mark.parametrize("decay", [0.0007, 0.0014, 0.01, 0.2, 0.5, 1.0])
def test_a_skipped_meal_costs_the_sum_over_its_ticks(decay):
    rewards = Rewards(
        decay_rates=DecayRates(hunger=decay),
        needs_weights=NeedsWeights(hunger=1.5),
        homeostasis_scale=0.02,
    )
    total = 0.0
    for tick in range(int(0.45 / decay + 1e-9)):
        hungry, fed = 0.5 + decay * tick, 0.05 + decay * tick
        total += 0.02 * 1.5 * (hungry**2 - fed**2)
    assert skipped_meal(rewards) == pytest.approx(total)


def test_where_hunger_does_not_fall_no_meal_is_skipped(said):
    assert math.isinf(skipped_meal(Rewards(decay_rates=DecayRates(hunger=0.0))))
    assert said("rewards: {decay_rates: {hunger: 0.0}, punctuality_bonus: 1.0}") == {
        "rewards.clip.clip_per_tick": "cuts rewards that can be earned: one tick can be worth 1.662"
    }


def test_an_older_file_loads_with_a_note_for_each_broken_principle(said):
    assert said(OLDER) == {
        "rewards.survival_tick": "living can be worse than dying: all needs at 0 cost 0.0192 per "
        "tick",
        "rewards.social": "a chat can pay 0.55, more than 25 ticks of survival",
        "rewards.clip.clip_per_tick": "cuts rewards that can be earned: one tick can be worth 1.69",
        "rewards.punctuality_bonus": "pays to go hungry: a skipped meal costs only 0.1604",
        "shaping.discount": "differs from ppo.gamma (0.999): shaping then changes what is best",
    }


def test_limits_themselves_are_fine(said):
    social = "{C1_chat_base: 0.0, C1_coeff_trust: 0.28, C1_coeff_fam: 0.2}"
    clip = "{clip_per_tick: 0.8692}"
    exactly = f"rewards: {{survival_tick: 0.0192, clip: {clip}, social: {social}}}"
    assert said(exactly) == {}
    assert list(said(exactly, "rewards.survival_tick=0.0191")) == [
        "rewards.survival_tick",
        "rewards.social",
    ]


def test_the_discount_follows_the_learner(said):
    assert said("ppo: {gamma: 0.998}") == {}
    assert said("ppo: {gamma: 0.998}\nshaping: {discount: 0.998}") == {}
    assert said("shaping: {discount: 0.99, use_potential: off}") == {}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_files_keep_every_principle(path):
    notes = [str(note) for note in load(path).notes]
    assert not [note for note in notes if "rewards." in note or "shaping." in note]
