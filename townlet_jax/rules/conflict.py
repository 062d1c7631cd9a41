"""Avoidance: residents who keep away from a queue because of somebody in it.

Everybody stands in one queue at most, so that pairs `[resident, other]` say all there is to say
about residents and queues.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import ObjectLayout, Utility
from townlet_jax.config.limits import MAX_TYPES
from townlet_jax.config.params import AvoidanceParams
from townlet_jax.masked import LONG_AGO, NONE, computed_once, down, one_hot, pick
from townlet_jax.state.clock import Now
from townlet_jax.state.conflicts import Conflicts
from townlet_jax.state.events import ConflictEvents, QueueRecords


class Places(NamedTuple):
    """The rows that residents hold or wait for.

    x, y: int32 `[A]` [tile], interact cell. queue: int32 `[A]`, number of its venue and type,
    NONE = none. serves: int32 `[A]`, needs that it serves, a bit each; 0 without a row. requires:
    bool `[A]` each, by utility.
    """

    x: jax.Array
    y: jax.Array
    queue: jax.Array
    serves: jax.Array
    requires: tuple[jax.Array, ...]


def forget(conflicts: Conflicts, is_new: jax.Array, now: Now) -> Conflicts:
    """Clears what concerns residents who are gone or new, and every pair when a day begins.

    Args:
      conflicts: conflicts before the tick.
      is_new: bool `[A]`, slots that are vacant or whose resident arrived in this tick.
      now: the moment.
    """
    is_over = is_new[:, None] | is_new[None, :] | (now.tick_of_day == 0)
    return Conflicts(
        last_avoid_tick=jnp.where(is_new, LONG_AGO, conflicts.last_avoid_tick),
        conflict_today=conflicts.conflict_today & ~is_over,
        avoided_today=jnp.where(is_over, 0, conflicts.avoided_today),
    )


def quarrel(conflicts: Conflicts, records: QueueRecords) -> Conflicts:
    """Notes who had a conflict.

    Args:
      conflicts: conflicts.
      records: conflicts of the tick; a resident is the actor of one at most.
    """
    num_agents = conflicts.last_avoid_tick.shape[0]
    is_actor = one_hot(records.actor, num_agents)  # [O, A]
    rival = down(jnp.max, jnp.where(is_actor, records.rival[:, None], NONE))
    is_pair = one_hot(rival, num_agents)
    return conflicts.replace(conflict_today=conflicts.conflict_today | is_pair | is_pair.T)


def places(row: jax.Array, objects: ObjectLayout) -> Places:
    """Looks up the rows of residents, all columns at once: one gather costs less than seven.

    Args:
      row: int32 `[A]`, row that each resident holds or waits for, NONE = none.
      objects: object tables.
    """
    queue = objects.venue * MAX_TYPES + objects.type
    serves = sum(mask.astype(jnp.int32) << n for n, mask in enumerate(objects.serves))  # [O]
    columns = [objects.interact, queue[:, None], serves[:, None], objects.requires]
    table = jnp.concatenate([x.astype(jnp.int32) for x in columns], axis=1)  # [O, 4 + 2]
    found = computed_once(pick(table, row, NONE))
    return Places(
        x=found[:, 0],
        y=found[:, 1],
        queue=found[:, 2],
        serves=jnp.maximum(found[:, 3], 0),
        requires=tuple(found[:, 4 + utility] > 0 for utility in Utility),
    )


def avoid(
    conflicts: Conflicts,
    is_free: jax.Array,
    level: jax.Array,
    place: Places,
    against: jax.Array,
    grudge: jax.Array,
    limit: jax.Array,
    now: Now,
    params: AvoidanceParams,
) -> tuple[Conflicts, ConflictEvents]:
    """Lets residents keep away from what would serve their lowest need.

    They do if somebody whom they cannot bear holds or awaits a row that serves it, if they stand in
    no queue of that venue and type themselves, and if no need is too low to be choosy.

    Args:
      conflicts: conflicts.
      is_free: bool `[A]`, can act and runs nothing.
      level: float32 `[A, N]`, needs.
      place: rows that residents hold or wait for.
      against: int32 `[A, A]`, `[b, a]`: 0 if the row of b works, is in request range of a and would
        take its request; integers, because XLA for CPU is slow at joining truth values.
      grudge: float32 `[A, A]` [level], `[b, a]`: rivalry that a feels about b, -inf without a tie.
      limit: float32 `[A]` [level], rivalry from which each resident avoids somebody.
      now: the moment.
      params: avoidance parameters.

    Returns:
      conflicts; the events.
    """
    num_agents, num_needs = level.shape
    needs = [level[:, n] for n in range(num_needs)]
    lowest = functools.reduce(jnp.minimum, needs)
    is_rested = now.tick - conflicts.last_avoid_tick >= params.cooldown_ticks
    is_seeking = is_free & is_rested & (1 - lowest <= params.override_deficit)
    wanted = jnp.zeros_like(conflicts.last_avoid_tick)  # [A], the lowest need as a bit
    for n in reversed(range(num_needs)):
        wanted = jnp.where(needs[n] == lowest, 1 << n, wanted)
    wanted = computed_once(jnp.where(is_seeking, wanted, 0))
    # Pairs are [other, resident], so that the search for the worst runs along residents.
    against |= ((place.serves[:, None] & wanted[None, :]) == 0).astype(jnp.int32)
    against |= (place.queue[:, None] == place.queue[None, :]).astype(jnp.int32)
    against |= (grudge < limit[None, :]).astype(jnp.int32)
    tension = computed_once(jnp.where(against == 0, grudge, -jnp.inf))
    worst = down(jnp.max, tension)
    slots = jnp.arange(num_agents, dtype=jnp.int32)[:, None]
    first = down(jnp.min, jnp.where(tension == worst[None, :], slots, num_agents))
    rival = computed_once(jnp.where(worst > -jnp.inf, first, NONE))
    has_avoided = rival != NONE
    is_avoided = (rival[None, :] == slots).astype(jnp.int32)
    is_avoiding = (rival[:, None] == slots.T).astype(jnp.int32)
    conflicts = conflicts.replace(
        last_avoid_tick=jnp.where(has_avoided, now.tick, conflicts.last_avoid_tick),
        avoided_today=conflicts.avoided_today + is_avoided + is_avoiding,
    )
    return conflicts, ConflictEvents(avoided=has_avoided, rival=rival)
