"""Admin rows: what operators change by hand, row after row, before anybody acts."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from townlet_jax.config.layout import Flag, PerturbationKind
from townlet_jax.masked import NEVER, NONE, first_true, pick
from townlet_jax.rules import affordances, employment_exits, lifecycle, movement, relationships
from townlet_jax.state import ExitReason, TownState
from townlet_jax.state.events import FailReason
from townlet_jax.town import manual_events, population
from townlet_jax.town.orders import Op, Orders, no_orders
from townlet_jax.town.tick import Tick


class Row(struct.PyTreeNode):
    """One admin row.

    Attributes:
      code: int32; args: int32 `[7]`.
      is_a, is_b: bool `[A]`, the living resident named by the first and by the second argument;
        nobody if the slot is vacant or does not exist.
    """

    code: jax.Array
    args: jax.Array
    is_a: jax.Array
    is_b: jax.Array


Applied = tuple[TownState, Orders, jax.Array]
"""state; orders; whether the row was carried out."""


def apply(state: TownState, ops: jax.Array | None, tick: Tick) -> tuple[TownState, Orders]:
    """P3: carries out admin rows in row order. A refused row changes nothing.

    Args:
      state: a town.
      ops: int32 `[Q, 8]`, (code, arguments); None for no rows (static).
      tick: constants of the tick.

    Returns:
      state; orders.
    """
    orders = no_orders(state, tick)
    if ops is None:
        return state, orders

    def run(
        carry: tuple[TownState, Orders], op: jax.Array
    ) -> tuple[tuple[TownState, Orders], jax.Array]:
        state, orders = carry
        row = _read(state, op)
        is_ok = row.code == Op.NOTHING
        for handle in HANDLERS:
            state, orders, is_done = handle(state, orders, row, tick)
            is_ok |= is_done
        return (state, orders), is_ok

    (state, orders), op_ok = lax.scan(run, (state, orders), ops)
    return state, orders.replace(op_ok=op_ok)


def _read(state: TownState, op: jax.Array) -> Row:
    index = jnp.arange(state.agents.is_alive.shape[0], dtype=jnp.int32)
    return Row(
        code=op[0],
        args=op[1:],
        is_a=state.agents.is_alive & (index == op[1]),
        is_b=state.agents.is_alive & (index == op[2]),
    )


def _fraction(value: jax.Array) -> jax.Array:
    """Reads an integer argument in units of 1e-4, float32."""
    # A divisor that is one constant or one scalar would be compiled into an inexact multiplication
    # by its reciprocal, but 8000 must read as the very float .8 that a file would give.
    unit = jnp.where(value == jnp.iinfo(jnp.int32).min, 1.0, 10_000.0)
    return value.astype(jnp.float32) / unit


def _is_pair(row: Row) -> jax.Array:
    return jnp.any(row.is_a) & jnp.any(row.is_b) & ~jnp.any(row.is_a & row.is_b)


def _is_open(state: TownState, cell: jax.Array, tick: Tick) -> jax.Array:
    """Tells whether a cell `[2]` can be entered and nobody stands there."""
    is_taken = jnp.any(movement.is_at(state.agents, cell))
    return movement.is_walkable(tick.layout.map.tiles, cell) & ~is_taken


def _spawn(state: TownState, orders: Orders, row: Row, tick: Tick) -> Applied:
    slot, cell, job = row.args[0], row.args[1:3], row.args[3]
    is_vacant = ~state.agents.is_alive
    slot = jnp.where(slot == NONE, first_true(is_vacant), slot)
    is_slot = is_vacant & (jnp.arange(is_vacant.shape[0], dtype=jnp.int32) == slot)
    is_ok = (row.code == Op.SPAWN) & jnp.any(is_slot) & _is_open(state, cell, tick)
    is_ok &= (job >= NONE) & (job < tick.layout.jobs.num_jobs)
    spawned = is_slot & is_ok
    state, slot_forced = population.place(
        state,
        spawned,
        jnp.broadcast_to(cell, state.agents.position.shape),
        jnp.broadcast_to(job, state.agents.job.shape),
        tick,
    )
    orders = orders.replace(
        spawned=orders.spawned | spawned, slot_forced=orders.slot_forced | slot_forced
    )
    return state, orders, is_ok


def _teleport(state: TownState, orders: Orders, row: Row, tick: Tick) -> Applied:
    cell = row.args[1:3]
    is_ok = (row.code == Op.TELEPORT) & jnp.any(row.is_a) & _is_open(state, cell, tick)
    teleported = row.is_a & is_ok
    state, failure = population.stop(state, teleported, FailReason.REMOVED)
    position = jnp.where(teleported[:, None], cell[None, :], state.agents.position)
    state = state.replace(agents=state.agents.replace(position=position))
    is_cut = failure[0] != NONE
    failure = jax.tree.map(lambda new, old: jnp.where(is_cut, new, old), failure, orders.failure)
    orders = orders.replace(teleported=orders.teleported | teleported, failure=failure)
    return state, orders, is_ok


def _set_level(state: TownState, orders: Orders, row: Row, tick: Tick) -> Applied:
    """Sets a need or a price."""
    need, value = row.args[1], row.args[2]
    is_need = jnp.arange(state.needs.level.shape[1], dtype=jnp.int32) == need
    is_need_ok = (row.code == Op.SET_NEED) & jnp.any(row.is_a) & jnp.any(is_need)
    is_need_ok &= (value >= 0) & (value <= 10_000)
    is_set = row.is_a[:, None] & is_need[None, :] & is_need_ok
    needs = state.needs.replace(level=jnp.where(is_set, _fraction(value), state.needs.level))

    base = state.economy.price_base
    is_key = jnp.arange(base.shape[0], dtype=jnp.int32) == row.args[0]
    is_key &= tick.layout.prices.is_price
    is_price_ok = (row.code == Op.SET_PRICE) & jnp.any(is_key) & (row.args[1] >= 0)
    is_changed = is_key & is_price_ok
    price_base = jnp.where(is_changed, _fraction(row.args[1]), base)
    orders = orders.replace(price_changed=orders.price_changed | is_changed)
    state = state.replace(needs=needs, economy=state.economy.replace(price_base=price_base))
    return state, orders, is_need_ok | is_price_ok


def _force_chat(state: TownState, orders: Orders, row: Row, tick: Tick) -> Applied:
    """Orders a conversation; residents have at most one forced chat per tick."""
    listener = jnp.max(jnp.where(row.is_b, row.args[1], NONE))
    is_deaf = affordances.has_flag(state.use, Flag.BLOCKS_CHAT, tick.layout.affordances)
    index = jnp.arange(row.is_a.shape[0], dtype=jnp.int32)
    is_listening = jnp.any(index[:, None] == orders.forced_listener[None, :], axis=1)
    is_engaged = is_listening | (orders.forced_listener != NONE)
    is_ok = (row.code == Op.FORCE_CHAT) & _is_pair(row) & ~jnp.any(row.is_b & is_deaf)
    is_ok &= ~jnp.any((row.is_a | row.is_b) & is_engaged)
    speaker = row.is_a & is_ok
    quality = jnp.clip(_fraction(row.args[2]), 0.0, 1.0)
    orders = orders.replace(
        forced_listener=jnp.where(speaker, listener, orders.forced_listener),
        forced_quality=jnp.where(speaker, quality, orders.forced_quality),
    )
    return state, orders, is_ok


def _perturb(state: TownState, orders: Orders, row: Row, tick: Tick) -> Applied:
    """Arranges a meet, triggers or cancels an event."""
    kinds, args = tick.layout.perturbations.kind, row.args
    is_meet = row.code == Op.ARRANGE_MEET
    spec = jnp.where(is_meet, first_true(kinds == PerturbationKind.ARRANGED_MEET), args[0])
    kind = pick(kinds, jnp.clip(spec, NONE, kinds.shape[0] - 1), NONE)
    named = jnp.where(is_meet, args[:2], args[4:6])
    index = jnp.arange(row.is_a.shape[0], dtype=jnp.int32)
    is_named = state.agents.is_alive[None, :] & (index[None, :] == named[:, None])  # [2, A]
    is_found = jnp.all(jnp.any(is_named, axis=1) | (named < 0))
    request = manual_events.Request(
        spec=spec,
        starts_in=jnp.where(is_meet, 0, args[1]),
        ticks=jnp.where(is_meet, args[3], args[2]),
        magnitude=jnp.where(is_meet, -1.0, _fraction(args[3])),
        location=jnp.where(is_meet, args[2], args[6]),
        is_guest=jnp.any(is_named, axis=0),
    )
    is_asked = is_meet | (row.code == Op.TRIGGER)
    is_asked &= is_found | (kind != PerturbationKind.ARRANGED_MEET)
    table, is_announced = manual_events.trigger(state, is_asked, request, tick)
    table, events = manual_events.cancel(table, row.code == Op.CANCEL, args[0], tick)
    orders = orders.replace(perturbed=manual_events.merge(orders.perturbed, events))
    return state.replace(perturbations=table), orders, is_announced | jnp.any(events.cancelled)


def _set_ties(state: TownState, orders: Orders, row: Row, tick: Tick) -> Applied:
    """Writes a tie, fades or resets grudges."""
    params, ties = tick.params.relationships, state.relationships
    channel = row.args[2]
    is_set = (row.code == Op.SET_REL) & _is_pair(row) & (channel >= 0) & (channel <= 2)
    ties = relationships.set_tie(
        ties,
        jnp.where(is_set, row.args[0], NONE),
        jnp.where(is_set, row.args[1], NONE),
        channel,
        _fraction(row.args[3]),
        tick.now,
        params,
    )
    is_all = row.args[1] == NONE
    is_one = row.is_a[:, None] & (row.is_b | is_all)[None, :]
    is_either = is_one | is_one.T
    is_known = jnp.any(row.is_a) & (is_all | jnp.any(row.is_b))
    is_faded = (row.code == Op.RIVALRY_DECAY) & is_known
    is_reset = (row.code == Op.RIVALRY_RESET) & is_known
    ticks = jnp.maximum(row.args[2], 0)
    ties = relationships.fade_rivalry(ties, is_either & is_faded, ticks, params)
    ties = relationships.reset_rivalry(ties, is_either & is_reset, params)
    return state.replace(relationships=ties), orders, is_set | is_faded | is_reset


def _order_exits(state: TownState, orders: Orders, row: Row, tick: Tick) -> Applied:
    """Kills, approves or defers."""
    employment, exits = state.employment, state.lifecycle
    is_killed = row.is_a & (row.code == Op.KILL)
    is_approved = row.is_a & (row.code == Op.EXIT_APPROVE) & (state.agents.job != NONE)
    is_pending = employment.pending_tick != NEVER
    is_deferred = row.is_a & (row.code == Op.EXIT_DEFER) & is_pending
    employment = employment_exits.approve(employment, is_approved)
    employment = employment_exits.defer(employment, is_deferred)
    exits = lifecycle.order_exit(exits, is_killed, ExitReason.KILLED, tick.now)
    exits = lifecycle.order_exit(exits, is_approved, ExitReason.MANUAL_APPROVE, tick.now)
    orders = orders.replace(
        is_killed=orders.is_killed | is_killed,
        is_approved=orders.is_approved | is_approved,
        is_deferred=orders.is_deferred | is_deferred,
    )
    is_ok = jnp.any(is_killed | is_approved | is_deferred)
    return state.replace(employment=employment, lifecycle=exits), orders, is_ok


def _switch(state: TownState, orders: Orders, row: Row, tick: Tick) -> Applied:
    """Switches fairness or mortality."""
    is_on = row.args[0] != 0
    is_fairness, is_mortality = row.code == Op.SET_FAIRNESS, row.code == Op.SET_MORTALITY
    is_fairness_on = jnp.where(is_fairness, is_on, state.queues.is_fairness_on)
    state = state.replace(
        queues=state.queues.replace(is_fairness_on=is_fairness_on),
        lifecycle=lifecycle.set_mortality(state.lifecycle, is_mortality, is_on),
    )
    return state, orders, is_fairness | is_mortality


HANDLERS = (
    _spawn,
    _teleport,
    _set_level,
    _force_chat,
    _perturb,
    _set_ties,
    _order_exits,
    _switch,
)
"""Every handler reads every row and takes part in the codes it knows, each in a mask of its own."""
