"""Queues in front of objects: requests, grants by waiting time, cooldowns, stalls and ghost steps.

A row has at most one holder; a resident holds at most one row and waits for at most one, never
both.
"""

import jax
import jax.numpy as jnp
from jax import lax

from townlet_jax.config.layout import ObjectLayout
from townlet_jax.config.params import QueueParams
from townlet_jax.grid import chebyshev
from townlet_jax.masked import NEVER, NONE, at, computed_once, down, inverse, pick, rank, rounded
from townlet_jax.state.clock import Now
from townlet_jax.state.events import QueueRecords
from townlet_jax.state.queues import Queues
from townlet_jax.state.relationships import Relationships

MAX_WAIT = 100_000
"""[tick] Longest wait that counts, so that keys stay far below 2^31."""
MAX_TYPES = 64
"""More than there are types of objects."""
COOLDOWN, GHOST_STEP, ROTATION = 0, 1, 2
"""Entries of `Queues.totals`."""


def spans(position: jax.Array, objects: ObjectLayout) -> jax.Array:
    """Measures how far residents stand from the interact cells.

    Args:
      position: int32 `[A, 2]` [tile].
      objects: object tables.

    Returns:
      int32 `[A, O]` [tile], Chebyshev.
    """
    return chebyshev(position[:, None, :], objects.interact[None, :, :])


def held_row(queues: Queues) -> jax.Array:
    """Finds the row each resident holds.

    Returns:
      int32 `[A]`, NONE = none.
    """
    return inverse(queues.holder, queues.cooldown_until.shape[1])


def is_waiting(queues: Queues) -> jax.Array:
    """Tells who waits where.

    Returns:
      bool `[A, O]`.
    """
    rows = jnp.arange(queues.holder.shape[0], dtype=jnp.int32)
    return queues.waiting_for[:, None] == rows[None, :]


def num_waiting(queues: Queues) -> jax.Array:
    """Counts who waits at each row.

    Returns:
      int32 `[O]`.
    """
    return down(jnp.sum, is_waiting(queues), dtype=jnp.int32)


def leave(queues: Queues, is_leaving: jax.Array) -> Queues:
    """Takes residents out of their queues and frees the rows they hold. Sets no cooldown.

    Args:
      queues: queues.
      is_leaving: bool `[A]`.
    """
    is_leaving = computed_once(is_leaving)
    return queues.replace(
        holder=jnp.where(pick(is_leaving, queues.holder, False), NONE, queues.holder),
        waiting_for=jnp.where(is_leaving, NONE, queues.waiting_for),
        joined_tick=jnp.where(is_leaving, 0, queues.joined_tick),
    )


def request(
    queues: Queues, row: jax.Array, is_in_range: jax.Array, now: Now
) -> tuple[Queues, jax.Array]:
    """Lets residents join the queue of a row; whoever holds or waits for it already keeps the
    place.

    Args:
      queues: queues.
      row: int32 `[A]`, non-virtual object row, NONE = no request.
      is_in_range: bool `[A]`, whether the row is in request range.
      now: the moment.

    Returns:
      queues; the number of requests refused by a cooldown, int32.
    """
    slots = jnp.arange(row.shape[0], dtype=jnp.int32)
    row, is_in_range = computed_once((row, is_in_range))
    is_asking = (row != NONE) & is_in_range
    until = at(queues.cooldown_until, jnp.maximum(row, 0), slots)
    is_refused = is_asking & queues.is_fairness_on & (now.tick < until)
    has_place = (queues.waiting_for == row) | (pick(queues.holder, row, NONE) == slots)
    is_joining = computed_once(is_asking & ~is_refused & ~has_place)
    queues = leave(queues, is_joining)
    num_refused = jnp.sum(is_refused, dtype=jnp.int32)
    queues = queues.replace(
        waiting_for=computed_once(jnp.where(is_joining, row, queues.waiting_for)),
        joined_tick=jnp.where(is_joining, now.tick, queues.joined_tick),
        totals=queues.totals.at[COOLDOWN].add(num_refused),
    )
    return queues, num_refused


def serving_order(queues: Queues, priority: jax.Array, now: Now, params: QueueParams) -> jax.Array:
    """Orders residents as queues serve them: longer waits first, waits of the whole day count a
    little.

    `key = 1024 (joined_tick - t) - age_weight * waited_today_ticks`, smallest first, ties by
    priority.

    Args:
      queues: queues.
      priority: int32 `[A]`, distinct, smaller first.
      now: the moment.
      params: queue parameters.

    Returns:
      int32 `[A]`, a permutation of 0..A-1; 0 is served first.
    """
    waited = jnp.minimum(now.tick - queues.joined_tick, MAX_WAIT)
    key = -1024 * waited - params.age_weight * queues.waited_today_ticks
    return rank(jnp.ones_like(key, bool), key, priority)


def first_in_line(queues: Queues, code: jax.Array, after: jax.Array | None = None) -> jax.Array:
    """Finds who waits at each row and is served first.

    Args:
      queues: queues.
      code: int32 `[A]`, place in the serving order times A, plus slot.
      after: int32 `[O]`, codes; only who comes after them takes part. None for everybody.

    Returns:
      int32 `[O]`, codes, NEVER where nobody waits.
    """
    is_candidate = is_waiting(queues)
    if after is not None:
        is_candidate = is_candidate & (code[:, None] > after[None, :])
    return computed_once(down(jnp.min, jnp.where(is_candidate, code[:, None], NEVER)))


def _codes(queues: Queues, priority: jax.Array, now: Now, params: QueueParams) -> jax.Array:
    """Packs the serving order and the slot into one number per resident, int32 `[A]`."""
    num_agents = priority.shape[0]
    slots = jnp.arange(num_agents, dtype=jnp.int32)
    return computed_once(serving_order(queues, priority, now, params) * num_agents + slots)


def _slot(code: jax.Array, num_agents: int) -> jax.Array:
    """Reads slots off codes, NONE where the code is NEVER."""
    return jnp.where(code == NEVER, NONE, lax.rem(code, jnp.int32(num_agents)))


def seat(queues: Queues, row_winner: jax.Array) -> Queues:
    """Makes residents holders of the rows they waited for.

    Args:
      queues: queues.
      row_winner: int32 `[O]`, new holder per row, who waits for it, NONE = no change.
    """
    slots = jnp.arange(queues.waiting_for.shape[0], dtype=jnp.int32)
    row_winner = computed_once(row_winner)
    has_won = pick(row_winner, queues.waiting_for, NONE) == slots
    return queues.replace(
        holder=computed_once(jnp.where(row_winner != NONE, row_winner, queues.holder)),
        stall_count=jnp.where(row_winner != NONE, 0, queues.stall_count),
        waiting_for=jnp.where(has_won, NONE, queues.waiting_for),
        joined_tick=jnp.where(has_won, 0, queues.joined_tick),
    )


def grant(
    queues: Queues, priority: jax.Array, now: Now, params: QueueParams
) -> tuple[Queues, jax.Array]:
    """Gives every free row to the waiter that is served first.

    Args:
      queues: queues.
      priority: int32 `[A]`.
      now: the moment.
      params: queue parameters.

    Returns:
      queues; winner: int32 `[O]`, new holder, NONE where nothing was granted.
    """
    first = first_in_line(queues, _codes(queues, priority, now, params))
    winner = jnp.where(queues.holder == NONE, _slot(first, priority.shape[0]), NONE)
    return seat(queues, winner), winner


def keep_up(
    queues: Queues, is_near: jax.Array, is_running: jax.Array, params: QueueParams
) -> Queues:
    """Takes the place of waiters and idle holders that have walked away, and counts a tick for who
    still waits.

    Args:
      queues: queues.
      is_near: bool `[A, O]`, within `range_tiles`.
      is_running: bool `[A]`, runs an affordance.
      params: queue parameters.
    """
    row = jnp.maximum(queues.waiting_for, held_row(queues))
    row = computed_once(row)
    slots = jnp.arange(row.shape[0], dtype=jnp.int32)
    is_away = (row != NONE) & ~at(is_near, slots, jnp.maximum(row, 0))
    queues = leave(queues, is_away & ~is_running & params.require_range)
    is_still = queues.waiting_for != NONE
    return queues.replace(waited_today_ticks=queues.waited_today_ticks + is_still.astype(jnp.int32))


def stall(
    queues: Queues,
    is_hit: jax.Array,
    is_exempt: jax.Array,
    is_running: jax.Array,
    progressed_ticks: jax.Array,
    priority: jax.Array,
    now: Now,
    params: QueueParams,
    is_virtual: jax.Array,
) -> tuple[Queues, jax.Array, jax.Array, QueueRecords]:
    """Counts stalls and hits against holders; a holder that keeps others waiting too long is
    evicted.

    Args:
      queues: queues after `keep_up`.
      is_hit: bool `[A]`, complains this tick about the row it waits for.
      is_exempt: bool `[O]`, rows whose holder was seated this tick or stood in another's way.
      is_running: bool `[A]`; progressed_ticks: int32 `[A]` [tick] of what runs.
      priority: int32 `[A]`.
      now: the moment.
      params: queue parameters.
      is_virtual: bool `[O]`.

    Returns:
      queues; is_evicted: bool `[A]`, holders that lost their row and wait at its tail; is_counted:
      bool `[A]`, complaints that counted; the conflict records.
    """
    num_agents = priority.shape[0]
    waits = is_waiting(queues)  # [A, O]
    length = computed_once(down(jnp.sum, waits, dtype=jnp.int32))
    has_contest = (queues.holder != NONE) & (length > 0) & ~is_virtual
    holder_runs = pick(is_running, queues.holder, False)
    is_idle = ~holder_runs & ~is_exempt
    is_exposed = (params.min_hold_ticks >= 0) & (
        pick(progressed_ticks, queues.holder) >= params.min_hold_ticks
    )
    does_count = has_contest & jnp.where(holder_runs, is_exposed, is_idle)
    has_contest, is_idle, does_count = computed_once((has_contest, is_idle, does_count))
    num_hits = down(jnp.sum, waits & is_hit[:, None], dtype=jnp.int32)
    num_hits = jnp.where(does_count, num_hits, 0)
    is_counted = is_hit & pick(does_count, queues.waiting_for, False)
    strain = jnp.where(has_contest, num_hits + is_idle.astype(jnp.int32), 0)
    stall_count = jnp.where(length > 0, queues.stall_count + strain, 0)
    is_ghost = (
        (strain > 0)
        & (params.ghost_step_after > 0)
        & (stall_count >= params.ghost_step_after)
        & queues.is_fairness_on
    )
    is_ghost = computed_once(is_ghost)
    first = first_in_line(queues, _codes(queues, priority, now, params))
    winner = jnp.where(is_ghost, _slot(first, num_agents), NONE)
    evicted = jnp.where(is_ghost, queues.holder, NONE)
    lost_row = held_row(queues.replace(holder=evicted))
    is_evicted = lost_row != NONE
    num_ghosts = jnp.sum(is_ghost, dtype=jnp.int32)
    queues = seat(queues.replace(stall_count=stall_count), winner)
    queues = queues.replace(
        waiting_for=jnp.where(is_evicted, lost_row, queues.waiting_for),
        joined_tick=jnp.where(is_evicted, now.tick, queues.joined_tick),
        totals=queues.totals + jnp.stack([jnp.int32(0), num_ghosts, num_ghosts]),
    )
    records = record(is_ghost, evicted, winner, length, params.ghost_step_boost, params)
    return queues, is_evicted, is_counted, records


def record(
    is_set: jax.Array,
    actor: jax.Array,
    rival: jax.Array,
    length: jax.Array,
    boost: jax.Array,
    params: QueueParams,
) -> QueueRecords:
    """Writes queue records; `intensity = clip(boost + queue_length_boost * max(length - 1, 0), .1,
    5)`.

    Args:
      is_set: bool `[O]`.
      actor, rival: int32 `[O]`.
      length: int32 `[O]`, waiters before.
      boost: float32 [intensity].
      params: queue parameters.
    """
    crowd = jnp.maximum(length - 1, 0).astype(jnp.float32)
    intensity = jnp.clip(boost + rounded(params.queue_length_boost * crowd), 0.1, 5.0)
    return QueueRecords(
        is_set=is_set,
        actor=jnp.where(is_set, actor, NONE),
        rival=jnp.where(is_set, rival, NONE),
        length=jnp.where(is_set, length, 0),
        intensity=jnp.where(is_set, intensity, 0.0),
    )


def hand_over(
    queues: Queues,
    finisher: jax.Array,
    relationships: Relationships,
    priority: jax.Array,
    now: Now,
    params: QueueParams,
) -> tuple[Queues, QueueRecords]:
    """Frees the rows of residents that have finished and seats the next waiter.

    With friend promotion, the second in line goes first if the finisher likes it better by the
    margin, where liking is trust + familiarity - rivalry.

    Args:
      queues: queues.
      finisher: int32 `[O]`, resident that finished with the row, NONE = nobody.
      relationships: ties.
      priority: int32 `[A]`.
      now: the moment.
      params: queue parameters.

    Returns:
      queues; the handover records.
    """
    num_agents = priority.shape[0]
    length = computed_once(num_waiting(queues))
    codes = _codes(queues, priority, now, params)
    first_code = first_in_line(queues, codes)
    first = _slot(first_code, num_agents)
    second = _slot(first_in_line(queues, codes, first_code), num_agents)
    first, second, finisher = computed_once((first, second, finisher))
    gain = _liking(relationships, finisher, second) - _liking(relationships, finisher, first)
    gain = computed_once(gain)
    is_promoted = (
        params.has_friend_promotion & (second != NONE) & (gain > params.friend_promotion_margin)
    )
    winner = jnp.where(finisher != NONE, jnp.where(is_promoted, second, first), NONE)
    queues = queues.replace(holder=jnp.where(finisher != NONE, NONE, queues.holder))
    records = record(winner != NONE, finisher, winner, length, params.handover_boost, params)
    return seat(queues, winner), records


def _liking(relationships: Relationships, holder: jax.Array, partner: jax.Array) -> jax.Array:
    """Reads `trust + familiarity - rivalry` of pairs, float32 `[O]`; meaningless where one is
    NONE.
    """
    ties = relationships
    pair = jnp.maximum(holder, 0) * ties.trust.shape[0] + jnp.maximum(partner, 0)
    pair = computed_once(pair)
    planes = (ties.trust, ties.familiarity, ties.rivalry)
    trust, familiarity, rivalry = (at(plane.reshape(-1), pair) for plane in planes)
    return trust + familiarity - rivalry


def cool_down(
    queues: Queues, used_row: jax.Array, now: Now, params: QueueParams, objects: ObjectLayout
) -> Queues:
    """Bars residents that have finished from all rows of the same venue and type for a while.

    Recorded with fairness off, too; only requests ask whether it is on.

    Args:
      queues: queues.
      used_row: int32 `[A]`, row of a successful finish, NONE = none.
      now: the moment.
      params: queue parameters.
      objects: object tables.
    """
    override = objects.cooldown_override
    ticks = jnp.where(override == NONE, params.cooldown_ticks, override)  # [O]
    kind = objects.venue * MAX_TYPES + objects.type  # [O]
    used_kind = computed_once(pick(kind, used_row, NONE))
    # No row is of kind NONE - 1; padding is left of it.
    kind = jnp.where(objects.is_virtual, NONE - 1, kind)
    is_barred = kind[:, None] == used_kind[None, :]  # [O, A]
    until = (now.tick + ticks)[:, None]
    return queues.replace(cooldown_until=jnp.where(is_barred, until, queues.cooldown_until))
