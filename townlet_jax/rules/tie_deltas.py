"""What the events of a tick do to ties: amounts per pair, times the holder's own row table."""

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config.params import RelationshipParams
from townlet_jax.masked import NONE, computed_once, one_hot, rounded
from townlet_jax.state.events import ChatEvents, QueueRecords
from townlet_jax.state.relationships import TieEvent

_GOOD = np.array([1.0, 1.0, -1.0], np.float32)[None, :, None]
"""Direction in which a channel means well: trust, familiarity up, rivalry down."""
_AMBITION = np.zeros((len(TieEvent), 3, 1), bool)
_AMBITION[[TieEvent.QUEUE_CONFLICT, TieEvent.SHIFT_TAKEN], 2] = True
"""Entries that ambition makes larger."""


def row_table(traits: jax.Array, params: RelationshipParams) -> jax.Array:
    """Builds the row table of each holder: the common table, changed by personality if the gate is on.

    Losses of trust and familiarity and grudges are multiplied by `1 - forgiveness f`; grudges from conflicts and
    taken shifts also by `1 + ambition m`. Gains and reconciliations are never scaled.

    Args:
      traits: float32 `[A, 3]` in [-1, 1], extroversion, forgiveness, ambition.
      params: tie parameters.

    Returns:
      float32 `[8, 3, A]` [level], by `TieEvent`, channel, holder; with the gate off the bits of `params.deltas`.
    """
    table = params.deltas[:, :, None]
    softness = (1 - rounded(params.forgiveness * traits[:, 1]))[None, None, :]
    eagerness = (1 + rounded(params.ambition * traits[:, 2]))[None, None, :]
    factor = jnp.where(_AMBITION, softness * eagerness, softness)
    is_harm = table * _GOOD < 0
    return jnp.where(params.has_modifiers & is_harm, rounded(table * factor), table)


def deltas(
    chat: ChatEvents,
    handovers: QueueRecords,
    conflicts: QueueRecords,
    shared_meal: jax.Array,
    helped: jax.Array,
    took: jax.Array,
    is_alive: jax.Array,
    traits: jax.Array,
    params: RelationshipParams,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Sums what the events of a tick do to each directed tie, rows of `TieEvent` in ascending order.

    Relies on two facts of the other rules: a resident takes part in at most one chat, and it is the actor of at
    most one handover and one conflict, because it holds at most one row.

    Args:
      chat: conversations.
      handovers, conflicts: queue records, each counted in both directions.
      shared_meal: bool `[A, A]`, symmetric.
      helped, took: bool `[A, A]`, [late or absent resident, co-worker].
      is_alive: bool `[A]`; vacant slots neither feel nor are felt for.
      traits: float32 `[A, 3]` in [-1, 1].
      params: tie parameters.

    Returns:
      trust, familiarity, rivalry: float32 `[A, A]` [level], row = holder, before stage and clamp.
    """
    num_agents = is_alive.shape[0]
    rows = row_table(traits, params)
    opened = one_hot(chat.listener, num_agents)
    is_good = _both(opened & chat.is_success[:, None])
    is_bad = _both(opened & ~chat.is_success[:, None])
    quality = jnp.maximum(chat.quality[:, None], chat.quality[None, :])  # only one of two speaks
    polite = _by_pair(handovers, jnp.ones_like(handovers.intensity), num_agents)
    conflict = _by_pair(conflicts, conflicts.intensity, num_agents)
    is_good, is_bad, quality, polite, conflict = computed_once(
        (is_good, is_bad, quality, polite, conflict)
    )
    is_pair = is_alive[:, None] & is_alive[None, :] & ~jnp.eye(num_agents, dtype=bool)

    def total(channel: int) -> jax.Array:
        def masked(event: TieEvent, mask: jax.Array) -> jax.Array:
            return jnp.where(mask, rows[event, channel][:, None], 0.0)

        def scaled(event: TieEvent, amount: jax.Array) -> jax.Array:
            return rounded(rows[event, channel][:, None] * amount)

        value = jnp.where(is_good, scaled(TieEvent.CHAT_SUCCESS, quality), 0.0)
        value += masked(TieEvent.CHAT_FAILURE, is_bad)
        value += scaled(TieEvent.QUEUE_POLITE, polite)
        value += scaled(TieEvent.QUEUE_CONFLICT, conflict)
        value += masked(TieEvent.SHARED_MEAL, shared_meal)
        value += masked(TieEvent.HELP_RECEIVED, helped)
        value += masked(TieEvent.HELP_GIVEN, helped.T)
        value += masked(TieEvent.SHIFT_TAKEN, took.T)
        return jnp.where(is_pair, value, 0.0)

    warmth = rounded(params.extroversion * traits[:, 0])[:, None]
    warmed = is_good & is_pair & params.has_modifiers
    return computed_once((total(0), total(1) + jnp.where(warmed, warmth, 0.0), total(2)))


def _both(mask: jax.Array) -> jax.Array:
    return mask | mask.T


def _by_pair(records: QueueRecords, amount: jax.Array, num_agents: int) -> jax.Array:
    """Spreads record amounts over pairs, float32 `[A, A]`, symmetric.

    Each actor has one record at most, so every maximum below is over one entry: no sum whose order matters.
    """
    is_actor = one_hot(jnp.where(records.is_set, records.actor, NONE), num_agents)  # [O, A]
    rival = jnp.max(jnp.where(is_actor, records.rival[:, None], NONE), axis=0)
    amount = jnp.max(jnp.where(is_actor, amount[:, None], 0.0), axis=0)
    plane = jnp.where(one_hot(rival, num_agents), amount[:, None], 0.0)
    return plane + plane.T
