"""The terms of the reward, each a function of the town after a tick and of what happened in it.

Every term is float32 `[A]` [reward] and ends in a rounded product or a select, so that sums of
terms have the same bits however they are compiled. None of them looks at who is scored.
"""

import enum

import jax
import jax.numpy as jnp

from townlet_jax.config.params import TownParams
from townlet_jax.masked import NONE, pick, rounded
from townlet_jax.state import ExitReason, TownState
from townlet_jax.state.events import TickEvents


class SocialStage(enum.IntEnum):
    """Which social terms are paid."""

    OFF = 0
    C1 = 1
    C2 = 2
    C3 = 3


def survival(state: TownState, events: TickEvents, params: TownParams) -> jax.Array:
    """Pays for being there."""
    return jnp.broadcast_to(params.rewards.survival_tick, state.agents.wallet.shape)


def homeostasis(state: TownState, events: TickEvents, params: TownParams) -> jax.Array:
    """Charges what is missing now, `-homeostasis_scale * sum_n w_n d_n^2`."""
    deficit = 1 - state.needs.level
    missing = _weighted(deficit * deficit, params)
    return -rounded(params.rewards.homeostasis_scale * missing)


def shaping(state: TownState, events: TickEvents, params: TownParams) -> jax.Array:
    """Pays progress, `discount * phi' - phi` with `phi = -shaping_scale * sum_n w_n d_n`.

    Phi is that of the needs after admin rows, phi' that after the tick, or 0 where a life ends.
    """
    before = _distress(events.level_before, params)
    after = jnp.where(is_ending(events), 0.0, _distress(state.needs.level, params))
    gain = before - rounded(params.rewards.discount * after)
    return jnp.where(params.rewards.use_potential, gain, 0.0)


def wage(state: TownState, events: TickEvents, params: TownParams) -> jax.Array:
    """Pays the wage of the tick, or charges it where it was withheld."""
    money = events.employment.wage_paid - events.employment.wage_withheld
    return rounded(params.rewards.wage_weight * money)


def punctuality(state: TownState, events: TickEvents, params: TownParams) -> jax.Array:
    """Pays `punctuality_bonus * (L - d) / L` at the first presence of a shift of L ticks, if its
    delay d is within the grace.
    """
    delay, shifts = events.employment.first_presence, params.employment
    length = pick(shifts.end - shifts.start + 1, state.agents.job, 1)
    share = (length - delay).astype(jnp.float32) / length.astype(jnp.float32)
    is_due = (delay != NONE) & (delay <= shifts.grace_ticks)
    return jnp.where(is_due, rounded(params.rewards.punctuality_bonus * share), 0.0)


def social_c1(state: TownState, events: TickEvents, params: TownParams) -> jax.Array:
    """Pays both parties of a good chat by its quality and by their own tie to the other.

    Nothing is paid to who has a deficit above `override_deficit`; a chat with somebody who is
    distrusted costs.
    """
    rewards, ties, quality = params.rewards, events.relationships, chat_quality(events)
    worth = (
        rewards.c1_chat_base
        + rounded(rewards.c1_coeff_trust * ties.settled_trust)
        + rounded(rewards.c1_coeff_fam * ties.settled_familiarity)
    )
    is_needy = jnp.any(1 - state.needs.level > rewards.override_deficit, axis=1)
    is_paid = (rewards.social_stage >= SocialStage.C1) & (quality > 0) & ~is_needy
    return jnp.where(is_paid, rounded(quality * worth), 0.0)


def social_c2(state: TownState, events: TickEvents, params: TownParams) -> jax.Array:
    """Pays for keeping out of a rival's way."""
    is_paid = (params.rewards.social_stage >= SocialStage.C2) & events.conflict.avoided
    return jnp.where(is_paid, params.rewards.c2_avoid_conflict, 0.0)


def social_c3(state: TownState, events: TickEvents, params: TownParams) -> jax.Array:
    """Pays chats among friends once more, `c1 * c3_quality_gain * (trust + familiarity) / 2`."""
    rewards, ties = params.rewards, events.relationships
    bond = (ties.settled_trust + ties.settled_familiarity) * 0.5
    bonus = rounded(social_c1(state, events, params) * rewards.c3_quality_gain * bond)
    return jnp.where(rewards.social_stage >= SocialStage.C3, bonus, 0.0)


def terminal(state: TownState, events: TickEvents, params: TownParams) -> jax.Array:
    """Charges the end of a life: a collapse, or an exit other than by a kill."""
    exited = events.lifecycle.exited
    is_evicted = (exited == ExitReason.EVICTION) | (exited == ExitReason.EMPLOYMENT_EXIT)
    is_evicted |= exited == ExitReason.MANUAL_APPROVE
    penalty = jnp.where(is_evicted, params.rewards.eviction_penalty, 0.0)
    return jnp.where(events.lifecycle.collapsed, params.rewards.faint_penalty, penalty)


def is_ending(events: TickEvents) -> jax.Array:
    """Tells whose life ended in the tick, by collapse or exit. bool `[A]`."""
    return events.lifecycle.collapsed | (events.lifecycle.exited != ExitReason.NONE)


def chat_quality(events: TickEvents) -> jax.Array:
    """Returns the quality of each resident's good chat of the tick, as speaker or as listener.

    Returns:
      float32 `[A]` in [0, 1], 0 without a good chat.
    """
    chat = events.chat
    quality = jnp.where(chat.is_success & (chat.listener != NONE), chat.quality, 0.0)
    slots = jnp.arange(quality.shape[0], dtype=jnp.int32)
    hears = slots[:, None] == chat.listener[None, :]  # [listener, speaker]
    return jnp.maximum(quality, jnp.max(jnp.where(hears, quality[None, :], 0.0), axis=1))


def _distress(level: jax.Array, params: TownParams) -> jax.Array:
    """Computes `-phi` of needs `[A, N]`, float32 `[A]`."""
    return rounded(params.rewards.shaping_scale * _weighted(1 - level, params))


def _weighted(x: jax.Array, params: TownParams) -> jax.Array:
    """Sums `w_n x_n` over the needs of `[A, N]`, in their order."""
    weights = params.rewards.need_weights
    total = rounded(weights[0] * x[:, 0])
    for n in range(1, x.shape[1]):
        total = total + rounded(weights[n] * x[:, n])
    return total
