"""Notes on rewards that would teach residents something odd. Such files load all the same."""

import math

from townlet_jax.config.document import Document
from townlet_jax.config.errors import Note, Path
from townlet_jax.config.residents import NEEDS
from townlet_jax.config.schema import Config
from townlet_jax.config.schema_reward import Rewards

MAX_CHAT_TICKS = 25
"""Ticks of survival that the best chat of stage C1 may be worth."""
MEAL = (0.95, 0.5)
"""Hunger after a meal, and where a resident that skips it stands instead [level]."""
_ROUNDING = 1e-9


def worst_needs(rewards: Rewards) -> float:
    """Returns what a tick with all needs at 0 costs [reward/tick]."""
    weights = rewards.needs_weights
    return rewards.homeostasis_scale * sum(getattr(weights, name) for name in NEEDS)


def best_chat(rewards: Rewards) -> float:
    """Returns the most a chat pays at stage C1, of quality 1 with a full tie [reward]."""
    social = rewards.social
    return social.C1_chat_base + social.C1_coeff_trust + social.C1_coeff_fam


def skipped_meal(rewards: Rewards) -> float:
    """Returns what one skipped meal costs in homeostasis alone, without a discount [reward].

    Summed over the ticks in which hunger falls from .95 to .5: what a resident that stands at .5
    at their start pays more than one that stands at .95. Infinite where hunger does not fall.
    """
    fed, hungry = MEAL
    decay = rewards.decay_rates.hunger
    if decay == 0:
        return math.inf
    num_ticks = math.floor((fed - hungry) / decay + _ROUNDING)
    # Sum over k < num_ticks of (1 - hungry + decay k)^2 - (1 - fed + decay k)^2.
    squares = num_ticks * (2 - fed - hungry) + decay * num_ticks * (num_ticks - 1)
    return rewards.homeostasis_scale * rewards.needs_weights.hunger * (fed - hungry) * squares


def notes(config: Config, document: Document) -> list[Note]:
    """Returns a note for each principle of the reward that the numbers break.

    Args:
      config: a valid configuration, null values not filled in.
      document: where the values stand.
    """
    rewards, shaping = config.rewards, config.shaping
    found: list[tuple[Path, str]] = []
    worst, chat, meal = worst_needs(rewards), best_chat(rewards), skipped_meal(rewards)
    if rewards.survival_tick < worst - _ROUNDING:
        message = f"living can be worse than dying: all needs at 0 cost {worst:.4g} per tick"
        found.append((("rewards", "survival_tick"), message))
    if chat > MAX_CHAT_TICKS * rewards.survival_tick + _ROUNDING:
        message = f"a chat can pay {chat:.4g}, more than {MAX_CHAT_TICKS} ticks of survival"
        found.append((("rewards", "social"), message))
    most = (
        rewards.survival_tick
        + rewards.punctuality_bonus
        + chat * (1 + rewards.social.C3_quality_gain)
    )
    if rewards.clip.clip_per_tick < most - _ROUNDING:
        message = f"cuts rewards that can be earned: one tick can be worth {most:.4g}"
        found.append((("rewards", "clip", "clip_per_tick"), message))
    if rewards.punctuality_bonus >= meal:
        message = f"pays to go hungry: a skipped meal costs only {meal:.4g}"
        found.append((("rewards", "punctuality_bonus"), message))
    discount = config.ppo.gamma if shaping.discount is None else shaping.discount
    if shaping.use_potential and discount != config.ppo.gamma:
        message = f"differs from ppo.gamma ({config.ppo.gamma}): shaping then changes what is best"
        found.append((("shaping", "discount"), message))
    return [document.note(path, message) for path, message in found]
