"""What a tick was worth to each resident: named terms, guard, clips, budget of the day."""

import enum
import functools
import operator

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.params import TownParams
from townlet_jax.masked import NONE, computed_once, pick, rounded
from townlet_jax.state import ExitReason, TownState
from townlet_jax.state.events import TickEvents
from townlet_jax.state.rewards import RewardState
from townlet_jax.town import reward_terms


class Term(enum.IntEnum):
    """Columns of a breakdown. Append only."""

    SURVIVAL = 0
    HOMEOSTASIS = 1
    SHAPING = 2
    WAGE = 3
    PUNCTUALITY = 4
    SOCIAL_C1 = 5
    SOCIAL_C2 = 6
    SOCIAL_C3 = 7
    TERMINAL = 8
    CLIP_ADJUSTMENT = 9
    TOTAL = 10


class Bias(enum.IntEnum):
    """Columns of the factors of a profile."""

    SOCIAL = 0
    EMPLOYMENT = 1
    SURVIVAL = 2


class Reward(struct.PyTreeNode):
    """The reward of a tick.

    Attributes:
      total: float32 `[A]` [reward], exactly 0 for whoever is not scored.
      breakdown: float32 `[A, 11]` [reward], by `Term`; the total is the sum of the others.
    """

    total: jax.Array
    breakdown: jax.Array


RAW_TERMS = {
    Term.SURVIVAL: (reward_terms.survival, Bias.SURVIVAL),
    Term.HOMEOSTASIS: (reward_terms.homeostasis, None),
    Term.SHAPING: (reward_terms.shaping, None),
    Term.WAGE: (reward_terms.wage, Bias.EMPLOYMENT),
    Term.PUNCTUALITY: (reward_terms.punctuality, Bias.EMPLOYMENT),
    Term.SOCIAL_C1: (reward_terms.social_c1, Bias.SOCIAL),
    Term.SOCIAL_C2: (reward_terms.social_c2, Bias.SOCIAL),
    Term.SOCIAL_C3: (reward_terms.social_c3, Bias.SOCIAL),
}
"""Terms under guard, clip and budget, with the factor of a profile that applies to each."""


def reward(
    rewards: RewardState, state: TownState, events: TickEvents, params: TownParams
) -> tuple[RewardState, Reward]:
    """Rewards every resident for one tick.

    Residents are scored from their arrival to the tick of their collapse or exit, that tick
    included; after a collapse nothing is earned or lost.

    Args:
      rewards: what the reward remembers.
      state: the town after the tick.
      events: what happened in the tick.
      params: the town's numbers.

    Returns:
      What it remembers for the next tick; the reward.
    """
    is_scored, has_fainted = _scored(rewards, state, events)
    terms = computed_once(_raw_terms(state, events, params, is_scored))
    raw = functools.reduce(operator.add, terms)
    day_total = _day_total(rewards, state, events, params)
    paid, kept, num_causes = _limit(raw, day_total, is_scored, _is_guarded(state, params), params)
    penalty = jnp.where(is_scored, reward_terms.terminal(state, events, params), 0.0)
    total = paid + penalty
    is_over = reward_terms.is_ending(events)
    rewards = rewards.replace(
        day_total=jnp.where(is_over, 0.0, jnp.where(is_scored, kept, day_total)),
        has_fainted=has_fainted,
        clip_events=rewards.clip_events + num_causes,
    )
    breakdown = jnp.stack([*terms, penalty, paid - raw, total], axis=1)
    return rewards, Reward(total=total, breakdown=breakdown)


def _limit(
    raw: jax.Array,
    day_total: jax.Array,
    is_scored: jax.Array,
    is_guarded: jax.Array,
    params: TownParams,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Applies guard, clip and budget, in this order.

    Args:
      raw: float32 `[A]` [reward], sum of the terms.
      day_total: float32 `[A]` [reward], of the day before this tick.
      is_scored, is_guarded: bool `[A]`.
      params: limits.

    Returns:
      What is paid, and the day's total with it, float32 `[A]` each; int32 `[3]`, residents for whom
      the clip of the tick, the budget and the guard took effect.
    """
    limit, budget = params.rewards.clip_per_tick, params.rewards.clip_per_episode
    is_guarded = is_guarded & is_scored
    guarded = jnp.where(is_guarded, jnp.minimum(raw, 0.0), raw)
    clipped = jnp.clip(guarded, -limit, limit)
    wanted = day_total + clipped
    kept = jnp.clip(wanted, -budget, budget)
    is_spent = is_scored & (jnp.abs(wanted) > budget)
    paid = jnp.where(is_spent, kept - day_total, clipped)
    causes = (is_scored & (jnp.abs(guarded) > limit), is_spent, is_guarded & (raw > 0))
    num_causes = jnp.stack([jnp.sum(cause, dtype=jnp.int32) for cause in causes])
    return paid, kept, num_causes


def _scored(
    rewards: RewardState, state: TownState, events: TickEvents
) -> tuple[jax.Array, jax.Array]:
    """Tells who is scored in the tick, and who waits collapsed for the exit after it.

    An operator's order takes the place of the reason of a collapsed resident, hence the memory.
    """
    agents, reason = state.agents, state.lifecycle.exit_reason
    has_fainted = agents.is_alive & (reason == ExitReason.FAINT)
    fainted_before = rewards.has_fainted & ~events.lifecycle.spawned & (reason != ExitReason.NONE)
    fainted_before |= has_fainted & ~events.lifecycle.collapsed
    return agents.is_alive & ~fainted_before, has_fainted


def _raw_terms(
    state: TownState, events: TickEvents, params: TownParams, is_scored: jax.Array
) -> list[jax.Array]:
    """Computes the terms by `Term`, biased by profile, float32 `[A]` each, 0 for the unscored."""
    profile = jnp.where(params.rewards.has_bias, state.agents.profile, NONE)
    factors = pick(params.rewards.profile_bias, profile, 1.0)
    factors = computed_once(jnp.moveaxis(factors, 0, 2))  # [3, 2, A], residents next to each other
    terms = []
    for term, bias in RAW_TERMS.values():
        value = term(state, events, params)
        if bias is not None:
            gain, loss = factors[bias]
            value = rounded(jnp.where(value >= 0, gain, loss) * value)
        terms.append(jnp.where(is_scored, value, 0.0))
    return terms


def _is_guarded(state: TownState, params: TownParams) -> jax.Array:
    """Tells who can earn nothing: the flagged, and those close to a collapse. bool `[A]`."""
    window, ticks = params.rewards.no_positive_within_death_ticks, params.lifecycle.collapse_ticks
    is_close = state.needs.low_hunger_ticks >= jnp.maximum(1, ticks - window + 1)
    return (state.lifecycle.exit_reason != ExitReason.NONE) | (is_close & (window > 0))


def _day_total(
    rewards: RewardState, state: TownState, events: TickEvents, params: TownParams
) -> jax.Array:
    """Returns the day's total before the tick, float32 `[A]`: 0 at midnight and at arrival."""
    is_midnight = (state.clock.tick - 1) % params.time.ticks_per_day == 0
    return jnp.where(is_midnight | events.lifecycle.spawned, 0.0, rewards.day_total)
