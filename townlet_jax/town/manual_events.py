"""Perturbations by hand: announced, taken back, and joined with those by chance."""

import jax
import jax.numpy as jnp
from flax import struct

from townlet_jax.config.layout import PerturbationKind
from townlet_jax.masked import NONE, first_true, one_hot, pick
from townlet_jax.rules import perturbations
from townlet_jax.state import TownState
from townlet_jax.state.events import PerturbationEvents
from townlet_jax.state.perturbations import Perturbations
from townlet_jax.town.tick import Tick

LONGEST = 2**28
"""[tick] Longest delay and longest length; more counts as this, so that no sum overflows."""


class Request(struct.PyTreeNode):
    """An event asked for by hand; negative values stand for those of the spec.

    Attributes:
      spec: int32, may be out of range; starts_in: int32 [tick]; ticks: int32 [tick].
      magnitude: float32 [factor]; location: int32, object row.
      is_guest: bool `[A]`, residents asked to a meet; nobody = chosen as the spec says.
    """

    spec: jax.Array
    starts_in: jax.Array
    ticks: jax.Array
    magnitude: jax.Array
    location: jax.Array
    is_guest: jax.Array


def chances(tick: Tick) -> perturbations.Chances:
    """Collects the draws of a tick that concern perturbations."""
    return perturbations.Chances(
        roll=tick.draws.u_perturbation_roll,
        ticks=tick.draws.bits_perturbation_ticks,
        magnitude=tick.draws.u_perturbation_magnitude,
        meet=tick.draws.bits_meet,
    )


def trigger(
    state: TownState, is_asked: jax.Array, request: Request, tick: Tick
) -> tuple[Perturbations, jax.Array]:
    """Announces an event; the next update starts it when it is due, in this very tick if at once.

    Ignores probability, caps and cooldowns. Refused for an unknown or disabled spec, a meet without
    guests or at no object, and for want of a free row; only the last counts in `num_dropped`.

    Args:
      state: a town.
      is_asked: bool, whether anything happens.
      request: what to start.
      tick: constants of the tick; its draws give what the request leaves open.

    Returns:
      The table; bool, whether the event was announced.
    """
    table, layout = state.perturbations, tick.layout.perturbations
    is_known = (request.spec >= 0) & (request.spec < layout.kind.shape[0])
    spec = jnp.where(is_known, request.spec, NONE)
    kind = pick(layout.kind, spec, NONE)
    is_meet = kind == PerturbationKind.ARRANGED_MEET
    drawn_ticks, drawn_magnitude = perturbations.terms(chances(tick), tick.params.perturbations)
    ticks = jnp.where(request.ticks < 0, pick(drawn_ticks, spec), request.ticks)
    is_magnitude_open = request.magnitude < 0
    magnitude = jnp.where(is_magnitude_open, pick(drawn_magnitude, spec), request.magnitude)
    location, is_place = _place(request, is_meet, spec, tick)
    is_target = _guests(state, request, spec, tick) & is_meet

    is_valid = (kind != NONE) & (~is_meet | (is_place & jnp.any(is_target)))
    row = first_true(table.spec == NONE)
    is_ok = is_asked & is_valid & (row != NONE)
    is_dropped = is_asked & is_valid & (row == NONE)
    start_tick = tick.now.tick + jnp.clip(request.starts_in, 0, LONGEST)
    table = perturbations.write(
        table,
        one_hot(jnp.where(is_ok, row, NONE), table.spec.shape[0]),
        spec=spec,
        event_id=table.next_id,
        start_tick=start_tick,
        end_tick=start_tick + jnp.clip(ticks, 1, LONGEST),
        location=location,
        magnitude=magnitude,
        is_pending=True,
        is_target=is_target[None, :],
        is_price_target=pick(layout.price_targets, spec, False)[None, :],
    )
    table = table.replace(
        next_id=table.next_id + is_ok.astype(jnp.int32),
        num_dropped=table.num_dropped + is_dropped.astype(jnp.int32),
    )
    return table, is_ok


def cancel(
    table: Perturbations, is_asked: jax.Array, event_id: jax.Array, tick: Tick
) -> tuple[Perturbations, PerturbationEvents]:
    """Takes an event back; an active one ends now. Cooldowns stay.

    Args:
      table: events.
      is_asked: bool, whether anything happens.
      event_id: int32, id of a pending or active event; any other id cancels nothing.
      tick: constants of the tick.

    Returns:
      The table; the events, of which `cancelled` has a row set if the event was found.
    """
    cancelled = is_asked & (table.spec != NONE) & (table.event_id == event_id)
    ended = cancelled & ~table.is_pending
    events = nothing(table).replace(
        ended=ended,
        cancelled=cancelled,
        ended_spec=jnp.where(ended, table.spec, NONE),
        cancelled_spec=jnp.where(cancelled, table.spec, NONE),
        ended_id=jnp.where(ended, table.event_id, NONE),
        cancelled_id=jnp.where(cancelled, table.event_id, NONE),
    )
    params, layout = tick.params.perturbations, tick.layout.perturbations
    return perturbations.end(table, cancelled, tick.now, params, layout), events


def nothing(table: Perturbations) -> PerturbationEvents:
    """Makes the events of a tick in which nothing happens."""
    unset = jnp.zeros_like(table.is_pending)
    none = jnp.full_like(table.spec, NONE)
    return PerturbationEvents(unset, unset, unset, none, none, none, none, none, none)


def merge(earlier: PerturbationEvents, later: PerturbationEvents) -> PerturbationEvents:
    """Joins the events of two parts of a tick; where both set a row, the later one is kept."""

    def join(name: str) -> dict[str, jax.Array]:
        mask = getattr(later, name)
        joined = {name: mask | getattr(earlier, name)}
        for field in (f"{name}_spec", f"{name}_id"):
            joined[field] = jnp.where(mask, getattr(later, field), getattr(earlier, field))
        return joined

    return PerturbationEvents(**join("started"), **join("ended"), **join("cancelled"))


def _place(
    request: Request, is_meet: jax.Array, spec: jax.Array, tick: Tick
) -> tuple[jax.Array, jax.Array]:
    """Reads where an event takes place, int32, and whether there is such a place, bool."""
    is_object = tick.layout.objects.is_object
    is_given = is_meet & (request.location >= 0)
    is_row = request.location < is_object.shape[0]
    given = jnp.where(is_given & is_row, request.location, NONE)
    location = jnp.where(is_given, given, pick(tick.layout.perturbations.location, spec, NONE))
    return location, ~is_given | pick(is_object, given, False)


def _guests(state: TownState, request: Request, spec: jax.Array, tick: Tick) -> jax.Array:
    """Marks who is asked to a meet, bool `[A]`."""
    layout = tick.layout.perturbations
    is_chosen = perturbations.select(
        perturbations.invite(
            state.agents.is_alive, state.relationships.rivalry, tick.draws.bits_meet
        ),
        pick(layout.is_top_rivals, spec, False),
        pick(layout.max_participants, spec),
    )
    return jnp.where(jnp.any(request.is_guest), request.is_guest, is_chosen)
