"""The tie store: directed ties that grow by events, compete for few places, fade and are forgotten.

All planes are `[holder, partner]`. Values are exactly 0 and ticks `LONG_AGO` where there is no tie.
What looks at one place at a time also takes planes in one row, `[A * A]`: XLA for CPU unrolls loops
over so few partners and then does not use vector instructions, but over a long row it does.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from townlet_jax.config.params import RelationshipParams
from townlet_jax.masked import LONG_AGO, NONE, computed_once, drop_first, inverse, pick, rounded
from townlet_jax.state.clock import Now
from townlet_jax.state.events import RelationshipEvents
from townlet_jax.state.relationships import Relationships, TieDrop

_PLANES = ("trust", "familiarity", "rivalry", "is_tie", "formed_tick", "last_event_tick")
OFF = 0
"""Relationship stage in which only rivalry moves."""


def avoid_level(profile: jax.Array, params: RelationshipParams) -> jax.Array:
    """Returns the rivalry from which residents avoid somebody.

    `min(max_rivalry, avoid_threshold * tolerance of the profile)` with the gate of the profiles on,
    otherwise `avoid_threshold`.

    Args:
      profile: int32 `[A]`, NONE = free traits, tolerance 1.
      params: tie parameters.

    Returns:
      float32 `[A]` [level].
    """
    tolerance = pick(params.profile_tolerance, profile, 1.0)
    own = jnp.minimum(params.max_rivalry, params.avoid_threshold * tolerance)
    return jnp.where(params.has_profile_tolerance, own, params.avoid_threshold)


def step(
    relationships: Relationships,
    delta: tuple[jax.Array, jax.Array, jax.Array],
    listener: jax.Array,
    removed: jax.Array,
    traits: jax.Array,
    now: Now,
    ticks_per_day: jax.Array,
    params: RelationshipParams,
    max_edges: int,
) -> tuple[Relationships, RelationshipEvents]:
    """Runs the tie step of a tick: move > capacity > settled values > decay > drop > count.

    Args:
      relationships: ties.
      delta: trust, familiarity, rivalry, float32 `[A, A]` [level], what the tick's events do.
      listener: int32 `[A]`, listener by speaker of this tick's chats, NONE = opened none.
      removed: int32 `[A]`, ties lost to removals at the start of this tick.
      traits: float32 `[A, 3]` in [-1, 1].
      now: the moment.
      ticks_per_day: int32 [tick].
      params: tie parameters.
      max_edges: K, static bound of the ties per resident.

    Returns:
      relationships; the events, with the values towards the chat partner before decay.
    """
    moved = move(_flat(relationships), computed_once([_row(plane) for plane in delta]), now, params)
    square = _square(moved, listener.shape[0])
    is_kept = computed_once(within_capacity(square, params, max_edges))
    settled = _towards_partner(square, is_kept, listener)
    is_kept = computed_once(_row(is_kept))
    moved = _flat(square)
    faded = computed_once(fade(moved, traits, params))
    strongest = jnp.maximum(jnp.abs(faded.trust), jnp.abs(faded.familiarity))
    strongest = jnp.maximum(strongest, jnp.abs(faded.rivalry))
    is_dropped = moved.is_tie & ~(is_kept & (strongest > params.eviction_threshold))
    is_dropped = computed_once(is_dropped)
    evicted = _by_cause(is_dropped, is_kept, moved.formed_tick == now.tick, removed)
    events = RelationshipEvents(
        evicted=evicted, settled_trust=settled[0], settled_familiarity=settled[1]
    )
    dropped = _square(drop(faded, is_dropped), listener.shape[0])
    return count(dropped, evicted, now, ticks_per_day, params), events


def move(
    relationships: Relationships,
    delta: Sequence[jax.Array],
    now: Now,
    params: RelationshipParams,
) -> Relationships:
    """Adds the deltas, clamps once, and forms ties where a value other than 0 remains.

    Args:
      relationships: ties.
      delta: trust, familiarity, rivalry, float32 `[A, A]` [level]; at stage OFF the first two count
        as 0.
      now: the moment.
      params: tie parameters.
    """
    is_on = params.stage != OFF
    d_trust = jnp.where(is_on, delta[0], 0.0)
    d_familiarity = jnp.where(is_on, delta[1], 0.0)
    # Sums of sizes are 0 where all are; a CPU adds numbers faster than it joins truth values.
    is_touched = jnp.abs(d_trust) + jnp.abs(d_familiarity) + jnp.abs(delta[2]) != 0
    trust = jnp.clip(relationships.trust + d_trust, -1.0, 1.0)
    familiarity = jnp.clip(relationships.familiarity + d_familiarity, -1.0, 1.0)
    rivalry = jnp.clip(relationships.rivalry + delta[2], params.min_rivalry, params.max_rivalry)
    trust, familiarity, rivalry = computed_once((trust, familiarity, rivalry))
    has_value = jnp.abs(trust) + jnp.abs(familiarity) + jnp.abs(rivalry) != 0
    is_touched, has_value = computed_once((is_touched, has_value))
    is_born = ~relationships.is_tie & is_touched & has_value
    is_tie = relationships.is_tie | is_born
    return relationships.replace(
        trust=trust,
        familiarity=familiarity,
        rivalry=jnp.where(is_tie, rivalry, 0.0),  # the clamp may have moved it away from 0
        is_tie=is_tie,
        formed_tick=jnp.where(is_born, now.tick, relationships.formed_tick),
        last_event_tick=jnp.where(is_touched & is_tie, now.tick, relationships.last_event_tick),
    )


def within_capacity(
    relationships: Relationships, params: RelationshipParams, max_edges: int
) -> jax.Array:
    """Chooses the ties that each holder has room for.

    Reserved rivals come first, then the strongest, `abs(trust) + abs(familiarity) + abs(rivalry)`;
    equal ones by age, then by slot.

    Args:
      relationships: ties.
      params: tie parameters.
      max_edges: K.

    Returns:
      bool `[A, A]`.
    """
    capacity = jnp.clip(params.effective_capacity, 0, max_edges)
    is_tie, rivalry = relationships.is_tie, relationships.rivalry
    excess = _count(is_tie) - capacity  # [A]
    num_reserved = jnp.where(excess > 0, jnp.minimum(params.reserve_rivals, capacity), 0)
    # Floats >= 0 order like their bits.
    formed_tick, is_rival = relationships.formed_tick, (rivalry > 0).astype(jnp.int32)
    is_reserved = is_rival - drop_first(is_rival, num_reserved, -_bits(rivalry), formed_tick)
    strength = jnp.abs(relationships.trust) + jnp.abs(relationships.familiarity) + jnp.abs(rivalry)
    later = -jnp.arange(excess.shape[0], dtype=jnp.int32)[None, :]
    is_open = is_tie.astype(jnp.int32) - is_reserved
    is_left = drop_first(is_open, excess, _bits(strength), -formed_tick, later)
    return is_left + is_reserved != 0


def fade(
    relationships: Relationships, traits: jax.Array, params: RelationshipParams
) -> Relationships:
    """Fades every tie by one tick: trust and familiarity by a share, rivalry by an amount.

    Args:
      relationships: ties.
      traits: float32 `[A, 3]`; with the modifiers on, forgiving holders forget grudges faster.
      params: tie parameters.
    """
    haste = 1 + rounded(params.forgiveness_decay * traits[:, 1])
    amount = jnp.where(
        params.has_modifiers, rounded(params.rivalry_decay * haste), params.rivalry_decay
    )
    return relationships.replace(
        trust=relationships.trust * (1 - params.trust_decay),
        familiarity=relationships.familiarity * (1 - params.familiarity_decay),
        rivalry=_shrunk(relationships, _per_holder(amount, relationships.rivalry.shape), params),
    )


def drop(relationships: Relationships, is_dropped: jax.Array) -> Relationships:
    """Clears ties; ticks of chats stay.

    Args:
      relationships: ties.
      is_dropped: bool `[A, A]`.
    """
    return relationships.replace(
        trust=jnp.where(is_dropped, 0.0, relationships.trust),
        familiarity=jnp.where(is_dropped, 0.0, relationships.familiarity),
        rivalry=jnp.where(is_dropped, 0.0, relationships.rivalry),
        is_tie=relationships.is_tie & ~is_dropped,
        formed_tick=jnp.where(is_dropped, LONG_AGO, relationships.formed_tick),
        last_event_tick=jnp.where(is_dropped, LONG_AGO, relationships.last_event_tick),
    )


def count(
    relationships: Relationships,
    evicted: jax.Array,
    now: Now,
    ticks_per_day: jax.Array,
    params: RelationshipParams,
) -> Relationships:
    """Counts this tick's evictions in the window and the day.

    On the day's last tick `churn_rate = (capacity + decay) / max(1, tie_ticks / ticks_per_day)`.

    Args:
      relationships: ties after the tick.
      evicted: int32 `[A, 4]`, by owner and `TieDrop`.
      now: the moment; the window rolls by its tick, the day by its tick of day.
      ticks_per_day: int32 [tick].
      params: tie parameters.
    """
    is_rolling = (lax.rem(now.tick, params.churn_window_ticks) == 0) & (now.tick > 0)
    is_first = now.tick_of_day == 0
    window, today = relationships.evictions_window, relationships.evictions_today
    today = jnp.where(is_first, 0, today) + evicted
    num_ties = jnp.sum(relationships.is_tie, dtype=jnp.int32)
    tie_ticks = jnp.where(is_first, 0, relationships.tie_ticks_today) + num_ties
    num_lost = jnp.sum(today[:, TieDrop.CAPACITY] + today[:, TieDrop.DECAY])
    # One division by a figure of the town: dividing by a shared scalar is compiled differently.
    day_ticks = jnp.maximum(tie_ticks, ticks_per_day).astype(jnp.float32)
    rate = num_lost.astype(jnp.float32) * ticks_per_day.astype(jnp.float32) / day_ticks
    return relationships.replace(
        evictions_previous=jnp.where(is_rolling, window, relationships.evictions_previous),
        evictions_window=jnp.where(is_rolling, 0, window) + evicted,
        evictions_today=today,
        tie_ticks_today=tie_ticks,
        churn_rate=jnp.where(now.tick_of_day == ticks_per_day - 1, rate, relationships.churn_rate),
    )


def remove(relationships: Relationships, is_removed: jax.Array) -> tuple[Relationships, jax.Array]:
    """Clears all ties and chat ticks of and towards residents that leave.

    Args:
      relationships: ties.
      is_removed: bool `[A]`.

    Returns:
      relationships; removed: int32 `[A]`, ties lost by those who stay, for `step` of the same tick.
    """
    is_gone = is_removed[:, None] | is_removed[None, :]
    lost = relationships.is_tie & ~is_removed[:, None] & is_removed[None, :]
    is_gone = computed_once(_row(is_gone))
    flat = drop(_flat(relationships), is_gone)
    last_chat_tick = computed_once(_row(relationships.last_chat_tick))
    last_chat_tick = computed_once(jnp.where(is_gone, LONG_AGO, last_chat_tick))
    cleared = _square(flat, is_removed.shape[0])
    return cleared.replace(last_chat_tick=last_chat_tick.reshape(lost.shape)), _count(lost)


def set_tie(
    relationships: Relationships,
    holder: jax.Array,
    partner: jax.Array,
    channel: jax.Array,
    value: jax.Array,
    now: Now,
    params: RelationshipParams,
) -> Relationships:
    """Writes one value of one tie, clamped; forms the tie if it was absent and the value is not 0.

    Args:
      relationships: ties.
      holder, partner: int32, two different residents; NONE changes nothing.
      channel: int32, 0 trust, 1 familiarity, 2 rivalry.
      value: float32 [level].
      now: the moment.
      params: tie parameters.
    """
    slots = jnp.arange(relationships.is_tie.shape[0], dtype=jnp.int32)
    is_rivalry = channel == 2
    low = jnp.where(is_rivalry, params.min_rivalry, -1.0)
    value = jnp.clip(value, low, jnp.where(is_rivalry, params.max_rivalry, 1.0))
    is_meant = (slots == holder)[:, None] & (slots == partner)[None, :]
    is_written = is_meant & (relationships.is_tie | (value != 0))
    is_born = is_written & ~relationships.is_tie
    return relationships.replace(
        trust=jnp.where(is_written & (channel == 0), value, relationships.trust),
        familiarity=jnp.where(is_written & (channel == 1), value, relationships.familiarity),
        rivalry=jnp.where(is_written & is_rivalry, value, relationships.rivalry),
        is_tie=relationships.is_tie | is_born,
        formed_tick=jnp.where(is_born, now.tick, relationships.formed_tick),
        last_event_tick=jnp.where(is_written, now.tick, relationships.last_event_tick),
    )


def fade_rivalry(
    relationships: Relationships, is_pair: jax.Array, ticks: jax.Array, params: RelationshipParams
) -> Relationships:
    """Fades grudges by many ticks at once, without the holder's forgiveness.

    Args:
      relationships: ties.
      is_pair: bool `[A, A]`, ties concerned.
      ticks: int32 [tick] >= 0.
      params: tie parameters.
    """
    amount = rounded(params.rivalry_decay * ticks.astype(jnp.float32))
    return _write_rivalry(relationships, is_pair, _shrunk(relationships, amount, params))


def reset_rivalry(
    relationships: Relationships, is_pair: jax.Array, params: RelationshipParams
) -> Relationships:
    """Sets grudges to `clip(0, min_rivalry, max_rivalry)`.

    Args:
      relationships: ties.
      is_pair: bool `[A, A]`, ties concerned.
      params: tie parameters.
    """
    none = jnp.clip(jnp.float32(0), params.min_rivalry, params.max_rivalry)
    return _write_rivalry(relationships, is_pair, jnp.full_like(relationships.rivalry, none))


def _write_rivalry(
    relationships: Relationships, is_pair: jax.Array, rivalry: jax.Array
) -> Relationships:
    is_written = relationships.is_tie & is_pair
    return relationships.replace(rivalry=jnp.where(is_written, rivalry, relationships.rivalry))


def _shrunk(
    relationships: Relationships, amount: jax.Array, params: RelationshipParams
) -> jax.Array:
    """Moves rivalry towards 0 by an amount, clamped, float32 `[A, A]`; stays 0 without a tie."""
    size = jnp.maximum(jnp.abs(relationships.rivalry) - amount, 0.0)
    rivalry = jnp.sign(relationships.rivalry) * size
    rivalry = jnp.clip(rivalry, params.min_rivalry, params.max_rivalry)
    return jnp.where(relationships.is_tie, rivalry, 0.0)


def _bits(x: jax.Array) -> jax.Array:
    return lax.bitcast_convert_type(x, jnp.int32)


def _per_holder(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Spreads values of holders `[A]` over planes."""
    return jnp.broadcast_to(x[:, None], (x.shape[0], x.shape[0])).reshape(shape)


def _row(plane: jax.Array) -> jax.Array:
    return plane.reshape(-1)


def _flat(relationships: Relationships) -> Relationships:
    """Lays the planes of ties out in one row each, `[A * A]`; the rest stays."""
    planes = {name: _row(getattr(relationships, name)) for name in _PLANES}
    # Kept apart, or XLA would move the reshaping behind whatever follows.
    return relationships.replace(**computed_once(planes))


def _square(relationships: Relationships, num_agents: int) -> Relationships:
    """Undoes `_flat`."""
    shape = (num_agents, num_agents)
    planes = computed_once({name: getattr(relationships, name) for name in _PLANES})
    return relationships.replace(**{name: row.reshape(shape) for name, row in planes.items()})


def _by_cause(
    is_dropped: jax.Array, is_kept: jax.Array, is_new: jax.Array, removed: jax.Array
) -> jax.Array:
    """Counts dropped ties `[A * A]`, int32 `[A, 4]` by holder and `TieDrop`."""
    num_agents = removed.shape[0]
    unit = jnp.where(is_new, 1 << 16, jnp.where(is_kept, 1 << 8, 1))
    units = computed_once(jnp.where(is_dropped, unit, 0)).reshape(num_agents, num_agents)
    total = computed_once(jnp.sum(units, axis=1, dtype=jnp.int32))  # three counts of at most 64
    num_dropped = {
        TieDrop.CAPACITY: total & 255,
        TieDrop.DECAY: (total >> 8) & 255,
        TieDrop.REMOVED: removed,
        TieDrop.REFUSED: total >> 16,
    }
    return jnp.stack([num_dropped[cause] for cause in TieDrop], axis=1)


def _towards_partner(
    relationships: Relationships, is_kept: jax.Array, listener: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Reads trust and familiarity towards the chat partner, float32 `[A]`, 0 without a tie."""
    slots = jnp.arange(listener.shape[0], dtype=jnp.int32)
    partner = jnp.maximum(listener, inverse(listener, listener.shape[0]))
    at_partner = slots, jnp.maximum(partner, 0)
    is_settled = (partner != NONE) & is_kept[at_partner]
    trust = jnp.where(is_settled, relationships.trust[at_partner], 0.0)
    return trust, jnp.where(is_settled, relationships.familiarity[at_partner], 0.0)


def _count(mask: jax.Array) -> jax.Array:
    return jnp.sum(mask, axis=1, dtype=jnp.int32)
