"""Conversations: who may talk to whom, how residents pair up, and how well it goes.

Ties are read as they stand before the tick's tie step; all that is written is the tick of the chat.
"""

import jax
import jax.numpy as jnp
from jax import lax

from townlet_jax.config.params import ChatParams
from townlet_jax.grid import chebyshev
from townlet_jax.masked import NEVER, NONE, computed_once, down, inverse, pick, rounded
from townlet_jax.state.clock import Now
from townlet_jax.state.events import ChatEvents
from townlet_jax.state.relationships import Relationships


def eligible(
    is_free: jax.Array,
    position: jax.Array,
    is_blocking: jax.Array,
    is_working: jax.Array,
    venue: jax.Array,
    relationships: Relationships,
    avoid_level: jax.Array,
    now: Now,
    params: ChatParams,
) -> jax.Array:
    """Finds the pairs that could talk.

    Both are free, near each other and awake, had no chat lately, and neither avoids the other. If
    one of them works, both run something at the same venue.

    Args:
      is_free: bool `[A]`, alive, not leaving, not collapsed.
      position: int32 `[A, 2]` [tile].
      is_blocking: bool `[A]`, runs an affordance that bars chats.
      is_working: bool `[A]`, runs a work affordance.
      venue: int32 `[A]`, venue of what each resident runs, NONE = idle.
      relationships: ties.
      avoid_level: float32 `[A]` [level], rivalry from which each resident avoids another.
      now: the moment.
      params: chat parameters.

    Returns:
      bool `[A, A]`, symmetric, diagonal false.
    """
    slots = jnp.arange(is_free.shape[0], dtype=jnp.int32)
    venue = jnp.where(venue == NONE, NONE - 1 - slots, venue)  # idle: the same as nobody's
    is_barred = (~is_free | is_blocking).astype(jnp.int32)
    works = is_working.astype(jnp.int32)
    venue, is_barred, works, avoid_level = computed_once((venue, is_barred, works, avoid_level))
    # What speaks against a chat of the one with the other, not 0 if anything does: a CPU adds up
    # integers several times faster than truth values.
    distance = chebyshev(position[:, None, :], position[None, :, :])
    against = jnp.where(distance <= params.range_tiles, is_barred[:, None], 1)
    against |= jnp.where(relationships.rivalry >= avoid_level[:, None], 1, 0)
    against |= jnp.where(venue[:, None] == venue[None, :], 0, works[:, None])
    against |= jnp.where(slots[:, None] == slots[None, :], 1, 0)
    rest = now.tick - relationships.last_chat_tick
    against = computed_once(against | jnp.where(rest >= params.pair_cooldown_ticks, 0, 1))
    return (against | against.T) == 0


def converse(
    relationships: Relationships,
    wants: jax.Array,
    target: jax.Array,
    eligible: jax.Array,
    position: jax.Array,
    traits: jax.Array,
    priority: jax.Array,
    u_success: jax.Array,
    u_quality: jax.Array,
    forced_listener: jax.Array,
    forced_quality: jax.Array,
    now: Now,
    params: ChatParams,
) -> tuple[Relationships, ChatEvents, jax.Array]:
    """Pairs residents up and lets them talk; everybody takes part in at most one chat.

    A forced chat comes before all proposals, always succeeds with the given quality, and ignores
    eligibility. Of two forced chats that share a resident, the one whose speaker has the better
    priority takes place.

    Args:
      relationships: ties.
      wants: bool `[A]`, has a chat intent and may act.
      target: int32 `[A]`, resident to talk to, NONE = nearest.
      eligible: bool `[A, A]`, symmetric.
      position: int32 `[A, 2]` [tile].
      traits: float32 `[A, 3]` in [-1, 1], extroversion first.
      priority: int32 `[A]`, a permutation of 0..A-1, smaller first.
      u_success, u_quality: float32 `[A]` in [0, 1), draws by speaker.
      forced_listener: int32 `[A]`, listener by speaker of a forced chat, NONE = not forced.
      forced_quality: float32 `[A]` in [0, 1].
      now: the moment.
      params: chat parameters.

    Returns:
      relationships with the tick of the chat written for both; the events; did_succeed: bool
      `[A]`, by speaker.
    """
    num_agents = wants.shape[0]
    is_forced = forced_listener != NONE
    partner = propose(wants, target, eligible, position, priority)
    partner = computed_once(jnp.where(is_forced, forced_listener, partner))
    rank = jnp.where(is_forced, priority - num_agents, priority)
    is_accepted = accept(partner, rank)
    prob, quality = outcome(relationships, partner, traits, u_quality, params)
    is_success = is_accepted & (is_forced | (u_success < prob))
    quality = jnp.where(is_forced, forced_quality, quality)
    listener = computed_once(jnp.where(is_accepted, partner, NONE))
    slots = jnp.arange(num_agents, dtype=jnp.int32)
    speaker = inverse(listener, num_agents)
    other = computed_once(jnp.maximum(listener, speaker))  # in at most one chat each
    has_met = other[:, None] == slots[None, :]
    last_chat_tick = jnp.where(has_met, now.tick, relationships.last_chat_tick)
    events = ChatEvents(
        listener=listener, is_success=is_success, quality=jnp.where(is_accepted, quality, 0.0)
    )
    return relationships.replace(last_chat_tick=last_chat_tick), events, is_success


def propose(
    wants: jax.Array,
    target: jax.Array,
    eligible: jax.Array,
    position: jax.Array,
    priority: jax.Array,
) -> jax.Array:
    """Chooses whom each resident proposes to.

    The target if it is eligible; without a target the nearest who is, equal ones by priority.

    Args:
      wants: bool `[A]`; target: int32 `[A]`, NONE = nearest.
      eligible: bool `[A, A]`, symmetric.
      position: int32 `[A, 2]` [tile].
      priority: int32 `[A]`, a permutation of 0..A-1.

    Returns:
      int32 `[A]`, NONE = no proposal.
    """
    num_agents = wants.shape[0]
    slots = jnp.arange(num_agents, dtype=jnp.int32)
    target = jnp.where(wants, target, NONE - 1)
    is_meant = (target == NONE)[None, :] | (target[None, :] == slots[:, None])  # [other, one]
    distance = chebyshev(position[:, None, :], position[None, :, :])
    # Distance, priority and slot in one number, so that a single minimum finds the partner.
    code = (distance * num_agents + priority[:, None]) * num_agents + slots[:, None]
    least = down(jnp.min, jnp.where(computed_once(eligible & is_meant), code, NEVER))
    return jnp.where(least == NEVER, NONE, lax.rem(least, jnp.int32(num_agents)))


def accept(partner: jax.Array, rank: jax.Array) -> jax.Array:
    """Accepts the proposals that are best for both whom they touch.

    One round: a proposal beaten by one that is itself beaten is lost for this tick.

    Args:
      partner: int32 `[A]`, whom each resident proposes to, NONE = nobody.
      rank: int32 `[A]`, distinct, smaller goes first.

    Returns:
      bool `[A]`, by proposer; the accepted pairs form a matching.
    """
    slots = jnp.arange(partner.shape[0], dtype=jnp.int32)
    is_asked = partner[:, None] == slots[None, :]  # [proposer, asked]
    received = down(jnp.min, jnp.where(is_asked, rank[:, None], NEVER))
    claim = jnp.minimum(jnp.where(partner == NONE, NEVER, rank), received)
    return (partner != NONE) & (claim == rank) & (pick(claim, partner, NEVER) == rank)


def outcome(
    relationships: Relationships,
    partner: jax.Array,
    traits: jax.Array,
    u_quality: jax.Array,
    params: ChatParams,
) -> tuple[jax.Array, jax.Array]:
    """Rates the chat of each resident with a partner.

    The listener's view decides the success, `p = clip(base_success (1 + trust_gain trust[l, s])
    (1 + familiarity_gain familiarity[l, s]), 0, 1)`; the speaker's view colours the quality,
    `q = clip(base_quality + quality_tie_gain (trust + familiarity)[s, l] +
    quality_extroversion_gain (e_s + e_l) + quality_noise (2 u - 1), 0, 1)`.

    Args:
      relationships: ties.
      partner: int32 `[A]`, listener by speaker; the values where it is NONE are meaningless.
      traits: float32 `[A, 3]`.
      u_quality: float32 `[A]` in [0, 1).
      params: chat parameters.

    Returns:
      success probability, float32 `[A]` in [0, 1]; quality, float32 `[A]` in [0, 1].
    """
    speaker = jnp.arange(partner.shape[0], dtype=jnp.int32)
    listener = jnp.maximum(partner, 0)
    trust = rounded(params.trust_gain * relationships.trust[listener, speaker])
    familiarity = rounded(params.familiarity_gain * relationships.familiarity[listener, speaker])
    prob = jnp.clip(params.base_success * (1 + trust) * (1 + familiarity), 0.0, 1.0)
    bond = relationships.trust[speaker, listener] + relationships.familiarity[speaker, listener]
    extroversion = traits[:, 0] + traits[listener, 0]
    quality = (
        params.base_quality
        + rounded(params.quality_tie_gain * bond)
        + rounded(params.quality_extroversion_gain * extroversion)
        + rounded(params.quality_noise * (2 * u_quality - 1))
    )
    return prob, jnp.clip(quality, 0.0, 1.0)
