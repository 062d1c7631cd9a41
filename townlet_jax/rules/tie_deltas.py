"""What the events of a tick do to ties: amounts per pair, times the holder's own row table."""

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config.params import RelationshipParams
from townlet_jax.masked import NONE, computed_once, inverse, pick, rounded
from townlet_jax.state.events import ChatEvents, QueueRecords
from townlet_jax.state.relationships import TieEvent

_GOOD = np.array([1.0, 1.0, -1.0], np.float32)[None, :, None]
"""Direction in which a channel means well: trust and familiarity up, rivalry down."""
_AMBITION = np.zeros((len(TieEvent), 3, 1), bool)
_AMBITION[[TieEvent.QUEUE_CONFLICT, TieEvent.SHIFT_TAKEN], 2] = True
"""Entries that ambition makes larger."""
_IS_FAMILIARITY = np.array([False, True, False])[:, None]
"""The channel that extroversion warms."""


def row_table(traits: jax.Array, params: RelationshipParams) -> jax.Array:
    """Builds the row table of each holder: the common one, changed by personality if gated on.

    Losses of trust and familiarity and grudges are multiplied by `1 - forgiveness f`, grudges from
    conflicts and taken shifts also by `1 + ambition m`. Gains and reconciliations are not scaled.

    Args:
      traits: float32 `[A, 3]` in [-1, 1], extroversion, forgiveness, ambition.
      params: tie parameters.

    Returns:
      float32 `[8, 3, A]` [level], by `TieEvent`, channel, holder; with the gate off exactly
      `params.deltas`.
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
    """Sums what the events of a tick do to each directed tie, by ascending `TieEvent`.

    Relies on facts of the other rules: a resident takes part in at most one chat, and in each kind
    of queue record it is the actor at most once and the rival at most once, because it holds at
    most one row and waits for at most one. So each has one partner per part, found without
    `[O, A, A]`, and no sum depends on the order of records.

    Args:
      chat: conversations.
      handovers, conflicts: queue records, each counted in both directions.
      shared_meal: bool `[A, A]`, symmetric, diagonal false.
      helped, took: bool `[A, A]`, [late or absent resident, co-worker], diagonal false.
      is_alive: bool `[A]`; vacant slots neither feel nor are felt for.
      traits: float32 `[A, 3]` in [-1, 1].
      params: tie parameters.

    Returns:
      trust, familiarity, rivalry: float32 `[A, A]` [level], row = holder, before stage and clamp.
    """
    num_agents = is_alive.shape[0]
    rows = computed_once(row_table(traits, params))
    partner, talk = _talk(chat, rows, traits, params)
    polite = _counterparts(handovers, num_agents)
    conflict = _counterparts(conflicts, num_agents)
    grudge = rows[TieEvent.QUEUE_CONFLICT]
    anger = computed_once([rounded(grudge * intensity[None, :]) for _, intensity in conflict])
    partners = partner, polite[0][0], polite[1][0], conflict[0][0], conflict[1][0]
    marks = _marks(partners, (shared_meal, helped, helped.T, took.T), is_alive)

    def part(number: int, value: jax.Array) -> jax.Array:
        return jnp.where((marks & (1 << number)) != 0, value[:, :, None], 0.0)

    thanks = rows[TieEvent.QUEUE_POLITE]
    total = part(0, talk)
    total += part(1, thanks) + part(2, thanks)
    total += part(3, anger[0]) + part(4, anger[1])
    total += part(5, rows[TieEvent.SHARED_MEAL])
    total += part(6, rows[TieEvent.HELP_RECEIVED])
    total += part(7, rows[TieEvent.HELP_GIVEN])
    trust, familiarity, rivalry = computed_once(total + part(8, rows[TieEvent.SHIFT_TAKEN]))
    return trust, familiarity, rivalry


def _marks(
    partners: tuple[jax.Array, ...], masks: tuple[jax.Array, ...], is_alive: jax.Array
) -> jax.Array:
    """Marks by bits which parts each pair of living residents has, so that channels share them.

    Args:
      partners: int32 `[A]` each, the other one of a part, NONE = none.
      masks: bool `[A, A]` each, further parts.
      is_alive: bool `[A]`.

    Returns:
      int32 `[A, A]`, bit k for the k-th part.
    """
    slots = jnp.arange(is_alive.shape[0], dtype=jnp.int32)
    alive = computed_once(is_alive.astype(jnp.int32))
    pairs = [other[:, None] == slots[None, :] for other in computed_once(partners)]
    marks = jnp.int32(0)
    for k, mask in enumerate((*pairs, *masks)):
        marks = marks + jnp.where(mask, 1 << k, 0)
    return computed_once(marks * alive[:, None] * alive[None, :])


def _talk(
    chat: ChatEvents, rows: jax.Array, traits: jax.Array, params: RelationshipParams
) -> tuple[jax.Array, jax.Array]:
    """Rates this tick's chat for both parties.

    Returns:
      partner: int32 `[A]`, NONE = no chat; value: float32 `[3, A]` by channel and holder.
    """
    speaker = inverse(chat.listener, chat.listener.shape[0])
    quality = jnp.where(speaker == NONE, chat.quality, pick(chat.quality, speaker))
    is_success = chat.is_success | pick(chat.is_success, speaker, False)
    speaker, quality, is_success = computed_once((speaker, quality, is_success))
    warmth = jnp.where(params.has_modifiers, rounded(params.extroversion * traits[:, 0]), 0.0)
    good = rounded(rows[TieEvent.CHAT_SUCCESS] * quality[None, :])
    good += jnp.where(_IS_FAMILIARITY, warmth[None, :], 0.0)
    value = jnp.where(is_success[None, :], good, rows[TieEvent.CHAT_FAILURE])
    return jnp.maximum(chat.listener, speaker), computed_once(value)


def _counterparts(
    records: QueueRecords, num_agents: int
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """Finds the other party and the intensity of each resident's records, as actor and as rival.

    Returns:
      Two pairs (int32 `[A]`, NONE = no record; float32 `[A]`, 0 where there is none).
    """
    row = inverse(records.actor, num_agents)
    rival = pick(records.rival, row, NONE)
    intensity = pick(records.intensity, row, 0.0)
    actor = inverse(rival, num_agents)
    return (rival, intensity), (actor, pick(intensity, actor, 0.0))
