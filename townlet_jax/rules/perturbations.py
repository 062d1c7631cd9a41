"""Perturbations: price spikes, blackouts, outages and arranged meets, by chance or by hand."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from townlet_jax.config.layout import PerturbationKind, PerturbationLayout
from townlet_jax.config.params import PerturbationParams
from townlet_jax.masked import (
    NEVER,
    NONE,
    computed_once,
    down,
    first_true,
    one_hot,
    pick,
    rank,
    rounded,
)
from townlet_jax.state.clock import Now
from townlet_jax.state.events import PerturbationEvents
from townlet_jax.state.perturbations import STARTS_KEPT, Perturbations


class Chances(struct.PyTreeNode):
    """Draws of a tick, by spec and by resident.

    Attributes:
      roll, magnitude: float32 `[P]` in [0, 1); ticks: uint32 `[P]`.
      meet: uint32 `[A]`, decides who is asked to a meet.
    """

    roll: jax.Array
    ticks: jax.Array
    magnitude: jax.Array
    meet: jax.Array


class Guests(struct.PyTreeNode):
    """Residents whom a meet could bring together.

    Attributes:
      is_rival: bool `[A]`, the two largest rivals; all false if there are none.
      turn: int32 `[A]`, place in a random order of the candidates, NEVER for all others.
    """

    is_rival: jax.Array
    turn: jax.Array


def active_kinds(perturbations: Perturbations, layout: PerturbationLayout) -> jax.Array:
    """Tells what is going on.

    Returns:
      int32 `[K]`, `PerturbationKind` of active rows, NONE for pending and free ones.
    """
    kind = pick(layout.kind, perturbations.spec, NONE)
    return jnp.where(perturbations.is_pending, NONE, kind)


def is_city_event(perturbations: Perturbations, layout: PerturbationLayout, now: Now) -> jax.Array:
    """Tells whether power or water is off, or was within the grace window.

    Returns:
      bool.
    """
    is_on = jnp.any(_is_city(active_kinds(perturbations, layout)))
    return is_on | (now.tick < perturbations.city_event_until)


def meet_target(perturbations: Perturbations, layout: PerturbationLayout) -> jax.Array:
    """Finds where residents are asked to be: the active meet with the lowest id counts.

    Returns:
      int32 `[A]`, object row, NONE = asked nowhere.
    """
    is_meet = active_kinds(perturbations, layout) == PerturbationKind.ARRANGED_MEET
    is_asked = is_meet[:, None] & perturbations.is_target  # [K, A]
    is_asked = computed_once(is_asked)
    event_id = jnp.where(is_asked, perturbations.event_id[:, None], NEVER)
    is_first = is_asked & (event_id == jnp.min(event_id, axis=0)[None, :])
    return jnp.max(jnp.where(is_first, perturbations.location[:, None], NONE), axis=0)


def forget(perturbations: Perturbations, is_removed: jax.Array) -> Perturbations:
    """Takes leavers off the guest lists.

    Args:
      perturbations: events.
      is_removed: bool `[A]`.
    """
    return perturbations.replace(
        is_target=perturbations.is_target & ~is_removed[None, :],
        agent_until=jnp.where(is_removed, 0, perturbations.agent_until),
    )


def update(
    perturbations: Perturbations,
    chances: Chances,
    is_alive: jax.Array,
    rivalry: jax.Array,
    now: Now,
    ticks_per_day: jax.Array,
    params: PerturbationParams,
    layout: PerturbationLayout,
) -> tuple[Perturbations, PerturbationEvents]:
    """Ends what is over, starts what is pending and due, then rolls for new events.

    Args:
      perturbations: events.
      chances: draws of this tick.
      is_alive: bool `[A]`.
      rivalry: float32 `[A, A]`.
      now: this tick.
      ticks_per_day: int32 [tick].
      params: probabilities, ranges, cooldowns and caps.
      layout: what each spec does.

    Returns:
      perturbations, and the events of this tick; nothing is cancelled here.
    """
    kind = active_kinds(perturbations, layout)
    has_ended = (kind != NONE) & (perturbations.end_tick <= now.tick)
    is_due = perturbations.is_pending & (perturbations.start_tick <= now.tick)
    ended_spec = jnp.where(has_ended, perturbations.spec, NONE)
    ended_id = jnp.where(has_ended, perturbations.event_id, NONE)
    perturbations = end(perturbations, has_ended, now, params, layout)
    perturbations = perturbations.replace(is_pending=perturbations.is_pending & ~is_due)
    is_candidate = _candidates(perturbations, is_due, is_alive, now, layout)
    guests = invite(is_candidate, rivalry, chances.meet)
    is_hit = _hits(perturbations, is_due, guests, chances.roll, now, ticks_per_day, params, layout)
    perturbations, is_new = _accept(perturbations, is_hit, guests, chances, now, params, layout)
    started = is_due | is_new
    perturbations = _record(perturbations, started, now, params, layout)
    none = jnp.full_like(ended_id, NONE)
    events = PerturbationEvents(
        started=started,
        ended=has_ended,
        cancelled=jnp.zeros_like(started),
        started_spec=jnp.where(started, perturbations.spec, NONE),
        ended_spec=ended_spec,
        cancelled_spec=none,
        started_id=jnp.where(started, perturbations.event_id, NONE),
        ended_id=ended_id,
        cancelled_id=none,
    )
    return perturbations, events


def write(
    perturbations: Perturbations, is_row: jax.Array, **fields: jax.typing.ArrayLike
) -> Perturbations:
    """Writes fields of rows of the table.

    Args:
      perturbations: events.
      is_row: bool `[K]`, rows to write.
      **fields: new values by field name, each broadcastable to the field.
    """
    changes = {}
    for name, value in fields.items():
        old = getattr(perturbations, name)
        mask = is_row.reshape(is_row.shape + (1,) * (old.ndim - 1))
        changes[name] = jnp.where(mask, value, old)
    return perturbations.replace(**changes)


def end(
    perturbations: Perturbations,
    is_over: jax.Array,
    now: Now,
    params: PerturbationParams,
    layout: PerturbationLayout,
) -> Perturbations:
    """Frees rows; an active blackout or outage among them leaves a grace window.

    Args:
      perturbations: events.
      is_over: bool `[K]`, pending or active rows.
      now: this tick.
      params: length of the grace window.
      layout: what each spec does.
    """
    is_city = is_over & _is_city(active_kinds(perturbations, layout))
    grace = now.tick + params.grace_window_ticks
    return write(
        perturbations,
        is_over,
        spec=NONE,
        event_id=NONE,
        start_tick=0,
        end_tick=0,
        location=NONE,
        magnitude=1.0,
        is_pending=False,
        is_target=False,
        is_price_target=False,
    ).replace(city_event_until=jnp.where(jnp.any(is_city), grace, perturbations.city_event_until))


def terms(chances: Chances, params: PerturbationParams) -> tuple[jax.Array, jax.Array]:
    """Draws what an event of each spec would be like.

    Args:
      chances: draws of this tick.
      params: ranges.

    Returns:
      ticks: int32 `[P]` [tick], length, uniform over the inclusive range.
      magnitude: float32 `[P]` [factor].
    """
    low, high = params.duration[:, 0], params.duration[:, 1]
    step = (chances.ticks % (high - low + 1).astype(jnp.uint32)).astype(jnp.int32)
    span = params.magnitude[:, 1] - params.magnitude[:, 0]
    magnitude = params.magnitude[:, 0] + rounded(chances.magnitude * span)
    return low + step, magnitude


def invite(is_candidate: jax.Array, rivalry: jax.Array, bits: jax.Array) -> Guests:
    """Finds whom a meet would bring together.

    The rivals are the pair with the largest sum of both rivalries, which must be positive; ties go
    to the lowest first, then to the lowest second resident.

    Args:
      is_candidate: bool `[A]`, residents that may be asked.
      rivalry: float32 `[A, A]`.
      bits: uint32 `[A]`, decide the random order, ties by slot.
    """
    index = jnp.arange(is_candidate.shape[0], dtype=jnp.int32)
    is_other = index[:, None] != index[None, :]
    is_pair = is_candidate[:, None] & is_candidate[None, :] & is_other
    # Only positive sums count; they order like their bits.
    strife = _bits(jnp.where(is_pair, rivalry + rivalry.T, 0))
    highest = computed_once(jnp.maximum(down(jnp.max, strife), 0))  # [A]
    top = jnp.max(highest)
    first = computed_once(first_true((highest == top) & (top > 0)))
    row = jnp.maximum(first, 0)
    is_match = (_bits(rivalry[row] + rivalry[:, row]) == top) & is_candidate & (index != first)
    second = first_true(is_match & (first != NONE))
    return Guests(
        is_rival=(index == first) | (index == second),
        turn=jnp.where(is_candidate, rank(is_candidate, bits), NEVER),
    )


def select(guests: Guests, is_top_rivals: jax.Array, max_participants: jax.Array) -> jax.Array:
    """Marks who is asked to meets.

    Args:
      guests: who could be asked.
      is_top_rivals: bool `[...]`; max_participants: int32 `[...]`, of each meet.

    Returns:
      bool `[..., A]`.
    """
    shape = (1,) * is_top_rivals.ndim + guests.turn.shape
    turn, is_rival = guests.turn.reshape(shape), guests.is_rival.reshape(shape)
    return jnp.where(is_top_rivals[..., None], is_rival, turn < max_participants[..., None])


def _bits(x: jax.Array) -> jax.Array:
    return lax.bitcast_convert_type(x, jnp.int32)


def _is_city(kind: jax.Array) -> jax.Array:
    return (kind == PerturbationKind.BLACKOUT) | (kind == PerturbationKind.OUTAGE)


def _candidates(
    perturbations: Perturbations,
    is_due: jax.Array,
    is_alive: jax.Array,
    now: Now,
    layout: PerturbationLayout,
) -> jax.Array:
    """Tells who is off cooldown, bool `[A]`; guests of meets due now `[K]` no longer are."""
    kind = pick(layout.kind, perturbations.spec, NONE)
    is_meet = is_due & (kind == PerturbationKind.ARRANGED_MEET)
    is_asked = jnp.any(is_meet[:, None] & perturbations.is_target, axis=0)
    return is_alive & (perturbations.agent_until <= now.tick) & ~is_asked


def _hits(
    perturbations: Perturbations,
    is_due: jax.Array,
    guests: Guests,
    u_roll: jax.Array,
    now: Now,
    ticks_per_day: jax.Array,
    params: PerturbationParams,
    layout: PerturbationLayout,
) -> jax.Array:
    """Tells which specs `[P]` would start an event by themselves if there were room for all."""
    is_due_spec = is_due[:, None] & one_hot(perturbations.spec, layout.kind.shape[0])  # [K, P]
    is_recent = perturbations.starts > now.tick - params.window_ticks
    num_recent = jnp.sum(is_recent, axis=1, dtype=jnp.int32)
    cap = params.max_events_per_window
    has_candidate = jnp.any(guests.turn == 0)
    has_guests = jnp.where(layout.is_top_rivals, jnp.any(guests.is_rival), has_candidate)
    is_eligible = (layout.kind != NONE) & (params.prob_per_day > 0)
    is_eligible &= ~jnp.any(is_due_spec, axis=0)
    is_eligible &= perturbations.spec_until <= now.tick
    is_eligible &= perturbations.global_until <= now.tick
    is_eligible &= (cap == 0) | (num_recent < cap)
    is_eligible &= (layout.kind != PerturbationKind.ARRANGED_MEET) | has_guests
    # Multiplied out: dividing by a scalar has other bits alone than in a batch. A product may round
    # up to the whole day, therefore certainty is a case of its own.
    day = ticks_per_day.astype(jnp.float32)
    is_certain = params.prob_per_day >= day
    return is_eligible & (is_certain | (u_roll * day < params.prob_per_day))


def _accept(
    perturbations: Perturbations,
    is_hit: jax.Array,
    guests: Guests,
    chances: Chances,
    now: Now,
    params: PerturbationParams,
    layout: PerturbationLayout,
) -> tuple[Perturbations, jax.Array]:
    """Starts hits in spec order in the lowest free rows while there is room; marks these rows."""
    is_free = perturbations.spec == NONE
    num_active = jnp.sum(~is_free & ~perturbations.is_pending, dtype=jnp.int32)
    room = params.max_concurrent_events - num_active
    room = jnp.where(params.global_cooldown_ticks > 0, jnp.minimum(room, 1), room)
    turn = rank(is_free)
    is_new = is_free & (turn < jnp.minimum(room, jnp.sum(is_hit, dtype=jnp.int32)))
    is_from = is_hit[None, :] & (rank(is_hit)[None, :] == turn[:, None]) & is_new[:, None]  # [K, P]
    index = jnp.arange(is_hit.shape[0], dtype=jnp.int32)[None, :]
    spec = jnp.max(jnp.where(is_from, index, NONE), axis=1)
    ticks, magnitude = terms(chances, params)
    is_meet = pick(layout.kind, spec, NONE) == PerturbationKind.ARRANGED_MEET
    is_target = select(
        guests, pick(layout.is_top_rivals, spec, False), pick(layout.max_participants, spec)
    )
    num_new = jnp.sum(is_new, dtype=jnp.int32)
    until = now.tick + params.global_cooldown_ticks
    perturbations = write(
        perturbations,
        is_new,
        spec=spec,
        event_id=perturbations.next_id + turn,
        start_tick=now.tick,
        end_tick=now.tick + jnp.maximum(pick(ticks, spec), 1),
        location=pick(layout.location, spec, NONE),
        magnitude=pick(magnitude, spec),
        is_target=is_target & is_meet[:, None],
        is_price_target=pick(layout.price_targets, spec, False),
    ).replace(
        next_id=perturbations.next_id + num_new,
        global_until=jnp.where(num_new > 0, until, perturbations.global_until),
    )
    return perturbations, is_new


def _record(
    perturbations: Perturbations,
    started: jax.Array,
    now: Now,
    params: PerturbationParams,
    layout: PerturbationLayout,
) -> Perturbations:
    """Writes down the starts of rows `[K]`, whatever caused them: cooldowns, ring of starts."""
    is_spec = started[:, None] & one_hot(perturbations.spec, layout.kind.shape[0])  # [K, P]
    is_asked = started[:, None] & perturbations.is_target  # [K, A]
    # Of several events by hand that start at once, the one in the highest row has the last word.
    rows = jnp.arange(started.shape[0], dtype=jnp.int32)[:, None]
    spec_row = jnp.max(jnp.where(is_spec, rows, NONE), axis=0)
    agent_row = jnp.max(jnp.where(is_asked, rows, NONE), axis=0)
    spec_until = pick(perturbations.end_tick, spec_row) + params.cooldown_ticks
    agent_until = pick(perturbations.end_tick, agent_row) + params.per_agent_cooldown_ticks
    source = jnp.arange(STARTS_KEPT, dtype=jnp.int32)[None, :]
    source = source - jnp.sum(is_spec, axis=0, dtype=jnp.int32)[:, None]  # [P, 4]
    starts = jnp.full_like(perturbations.starts, now.tick)
    for column in range(STARTS_KEPT):
        starts = jnp.where(source == column, perturbations.starts[:, column, None], starts)
    return perturbations.replace(
        spec_until=jnp.where(spec_row == NONE, perturbations.spec_until, spec_until),
        agent_until=jnp.where(agent_row == NONE, perturbations.agent_until, agent_until),
        starts=starts,
    )
