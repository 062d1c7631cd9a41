"""Phases in which residents move and use objects: P4 (utilities) to P7 (progress)."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import Flag
from townlet_jax.grid import chebyshev
from townlet_jax.masked import NONE, at, computed_once, down, pick, pick_bool
from townlet_jax.rules import (
    affordances,
    chat,
    employment,
    movement,
    preconditions,
    queues,
    utilities,
)
from townlet_jax.state import TownState
from townlet_jax.state.events import (
    ChatEvents,
    FailReason,
)
from townlet_jax.town.admin import Orders
from townlet_jax.town.happened import Acted, Failure, Perturbed, Queued, Used
from townlet_jax.town.intents import Intents, Kind
from townlet_jax.town.tick import Tick
from townlet_jax.town.view import can_act, costs, partners, stock_at


def take_away(state: TownState, mask: jax.Array, tick: Tick) -> TownState:
    """Ends what residents run and gives back what they have not used; leaves the queues as they
    are.

    Args:
      state: a town.
      mask: bool `[A]`.
      tick: constants of the tick.
    """
    layout = tick.layout
    wallet, stock = affordances.refund(
        state.use,
        state.agents.wallet,
        state.economy.stock,
        mask,
        layout.affordances,
        layout.objects,
        layout.stock,
    )
    return state.replace(
        use=affordances.stop(state.use, mask),
        agents=state.agents.replace(wallet=wallet),
        economy=state.economy.replace(stock=stock),
    )


def cut_off(state: TownState, is_on: jax.Array, tick: Tick) -> tuple[TownState, Failure]:
    """P4: stops users of a dead utility, with refund; their rows become free.

    Args:
      state: a town.
      is_on: bool `[2]`, power and water.
      tick: constants of the tick.
    """
    is_cut, reason = utilities.lost(state.use, is_on, tick.layout.objects)
    failure = affordances.failures(state.use, is_cut, reason)
    state = take_away(state, is_cut, tick)
    return state.replace(queues=queues.leave(state.queues, is_cut)), failure


def act(
    state: TownState, intents: Intents, perturbed: Perturbed, orders: Orders, tick: Tick
) -> tuple[TownState, Acted]:
    """P5: release, move, request and grant, start, complain, chat; everybody at once in each.

    Args:
      state: a town.
      intents: what residents want; those who cannot act wait.
      perturbed: for prices and utilities in force.
      orders: for chats set by admin rows.
      tick: constants of the tick.
    """
    kind = intents.kind
    priority = tick.draws.priority
    state, had_something, released = _release(state, kind == Kind.RELEASE)
    is_running = affordances.is_running(state.use)
    agents, has_moved, ghost_stepped = movement.move(
        state.agents,
        intents.target,
        (kind == Kind.MOVE) & ~is_running,
        priority,
        tick.layout.map.tiles,
        tick.params.movement,
    )
    state = state.replace(agents=agents)
    state, is_at, seated, num_refused = _request(state, intents, tick)
    state, has_started, start_failed = _start(state, intents, is_at, perturbed, tick)
    is_complaining = (kind == Kind.BLOCKED) | (kind == Kind.REQUEST_BLOCKED)
    is_hit = is_complaining & (state.queues.waiting_for == intents.target)
    is_hit &= intents.target != NONE
    state, chats, has_talked = _chat(state, intents, orders, tick)
    holds = queues.held_row(state.queues) == intents.target
    has_done = jnp.select(
        [
            kind == Kind.WAIT,
            kind == Kind.MOVE,
            kind == Kind.RELEASE,
            kind == Kind.CHAT,
            (kind == Kind.START) | (kind == Kind.USE),
            kind == Kind.BLOCKED,
        ],
        [~intents.is_refused, has_moved, had_something, has_talked, has_started, is_hit],
        holds & (intents.target != NONE),
    )
    return state, Acted(
        has_done=has_done,
        has_started=has_started,
        is_hit=is_hit,
        seated=seated,
        ghost_stepped=ghost_stepped,
        num_refused=num_refused,
        started=jnp.where(has_started, state.use.affordance, NONE),
        started_obj=jnp.where(has_started, state.use.obj, NONE),
        released=released,
        start_failed=start_failed,
        chat=chats,
    )


def _release(state: TownState, is_leaving: jax.Array) -> tuple[TownState, jax.Array, Failure]:
    """P5a: leaves queues, gives up rows, abandons runs without a refund."""
    has_row = (queues.held_row(state.queues) != NONE) | (state.queues.waiting_for != NONE)
    had_something = is_leaving & (has_row | affordances.is_running(state.use))
    failure = affordances.failures(state.use, is_leaving, FailReason.ABANDONED)
    state = state.replace(
        use=affordances.stop(state.use, is_leaving),
        queues=queues.leave(state.queues, is_leaving),
    )
    return state, had_something, failure


def _request(
    state: TownState, intents: Intents, tick: Tick
) -> tuple[TownState, jax.Array, jax.Array, jax.Array]:
    """P5c: requests, then grants. Also returns who is in start range of its target, bool `[A]`."""
    kind, params, objects = intents.kind, tick.params.queues, tick.layout.objects
    is_request = (kind == Kind.REQUEST) | (kind == Kind.USE) | (kind == Kind.REQUEST_BLOCKED)
    target = jnp.where(is_request | (kind == Kind.START), intents.target, NONE)
    target = computed_once(target)
    span = chebyshev(state.agents.position, pick(objects.interact, target, NONE))
    is_near = ~params.require_range | (span <= params.range_tiles)
    is_at = (target != NONE) & (~params.require_range | (span <= params.start_range_tiles))
    is_real = is_request & (target != NONE) & ~pick_bool(objects.is_virtual, target)
    asked, num_refused = queues.request(
        state.queues, jnp.where(is_real, target, NONE), is_near, tick.now
    )
    granted, winner = queues.grant(asked, tick.draws.priority, tick.now, params)
    return state.replace(queues=granted), is_at, winner != NONE, num_refused


def _start(
    state: TownState,
    intents: Intents,
    is_at: jax.Array,
    perturbed: Perturbed,
    tick: Tick,
) -> tuple[TownState, jax.Array, Failure]:
    """P5d: starts what can start; a holder whose start fails loses the row."""
    layout, agents = tick.layout, state.agents
    row = intents.target
    is_start = (intents.kind == Kind.START) | (intents.kind == Kind.USE)
    is_start &= is_at & ~affordances.is_running(state.use)
    is_virtual = pick_bool(layout.objects.is_virtual, row)
    holds = queues.held_row(state.queues) == row
    is_tried = is_start & (holds | is_virtual) & (intents.affordance != NONE)
    affordance = jnp.where(is_tried, intents.affordance, NONE)
    row = jnp.where(is_tried, row, NONE)
    affordance, row, holds = computed_once((affordance, row, holds))
    cost = costs(perturbed.prices, affordance, layout)
    offers = layout.affordances.rows.astype(jnp.int32)
    does_fit = at(offers, jnp.maximum(affordance, 0), jnp.maximum(row, 0)) != 0
    facts = _facts(state, row, perturbed.is_on, tick)
    reason = preconditions.first_failure(facts, affordance, does_fit, cost, layout.affordances)
    reason, cost = computed_once((reason, cost))
    use, wallet, stock, has_started, reason = affordances.start(
        state.use,
        agents.wallet,
        state.economy.stock,
        affordance,
        row,
        reason,
        cost,
        tick.draws.priority,
        layout.affordances,
        layout.objects,
        layout.stock,
    )
    has_failed = reason != NONE
    state = state.replace(
        use=use,
        agents=agents.replace(wallet=wallet),
        economy=state.economy.replace(stock=stock),
        queues=queues.leave(state.queues, has_failed & holds),
    )
    lost = jnp.where(has_failed, affordance, NONE), jnp.where(has_failed, row, NONE)
    return state, has_started, (reason, *lost)


def _facts(state: TownState, row: jax.Array, is_on: jax.Array, tick: Tick) -> preconditions.Facts:
    """Collects what preconditions ask about each resident and the one row it turns to."""
    layout, agents = tick.layout, state.agents
    holder = pick(state.queues.holder, row, NONE)
    slots = jnp.arange(row.shape[0], dtype=jnp.int32)
    waits = state.queues.waiting_for[:, None] == row[None, :]  # [other, one]
    facts = preconditions.Facts(
        is_occupied=(holder != NONE) & (holder != slots),
        stock=stock_at(state.economy.stock, pick(layout.objects.venue, row, NONE)),
        wallet=agents.wallet,
        level=state.needs.level,
        queue_length=jnp.where(row == NONE, 0, down(jnp.sum, waits, dtype=jnp.int32)),
        is_own_site=(row != NONE) & (row == pick(layout.jobs.site, agents.job, NONE)),
        is_in_shift_window=employment.in_window(
            state.employment, agents.job, tick.now, tick.params.employment
        ),
        requires=pick_bool(layout.objects.requires, row),
        is_on=is_on,
        tick_of_day=tick.now.tick_of_day,
        day=tick.now.day,
    )
    return computed_once(facts)


def _chat(
    state: TownState,
    intents: Intents,
    orders: Orders,
    tick: Tick,
) -> tuple[TownState, ChatEvents, jax.Array]:
    """P5f: conversations."""
    is_free = can_act(state)
    ties, events, has_talked = chat.converse(
        state.relationships,
        intents.kind == Kind.CHAT,
        intents.target,
        partners(state, is_free, tick.now, tick.params, tick.layout),
        state.agents.position,
        state.agents.traits,
        tick.draws.priority,
        tick.draws.u_chat_success,
        tick.draws.u_chat_quality,
        orders.forced_listener,
        orders.forced_quality,
        tick.now,
        tick.params.chat,
    )
    return state.replace(relationships=ties), events, has_talked


def keep_queues(state: TownState, acted: Acted, tick: Tick) -> tuple[TownState, Queued]:
    """P6: drops who has walked away, counts waits, evicts holders that stall, grants what is free.

    Args:
      state: a town.
      acted: what P5 did.
      tick: constants of the tick.
    """
    params, layout = tick.params, tick.layout
    span = queues.spans(state.agents.position, layout.objects)
    is_running = affordances.is_running(state.use)
    kept = queues.keep_up(
        state.queues, span <= params.queues.range_tiles, is_running, params.queues
    )
    blocked = pick(state.agents.blocked_moves, kept.holder)
    is_in_the_way = (blocked >= 1) & (blocked <= params.movement.ghost_step_after)
    duration = pick(layout.affordances.duration, state.use.affordance)
    stalled, is_evicted, is_counted, conflicts = queues.stall(
        kept,
        acted.is_hit,
        acted.seated | is_in_the_way,
        is_running,
        duration - state.use.remaining_ticks,
        tick.draws.priority,
        tick.now,
        params.queues,
        layout.objects.is_virtual,
    )
    failure = affordances.failures(state.use, is_evicted, FailReason.GHOST_STEP)
    state = take_away(state, is_evicted, tick)
    granted, _ = queues.grant(stalled, tick.draws.priority, tick.now, params.queues)
    return state.replace(queues=granted), Queued(conflicts, is_counted, failure)


def work_objects(state: TownState, has_started: jax.Array, tick: Tick) -> tuple[TownState, Used]:
    """P7: progress, shared meals, finish, handover.

    Args:
      state: a town.
      has_started: bool `[A]`, started in P5.
      tick: constants of the tick.
    """
    layout, params, agents = tick.layout, tick.params, state.agents
    end = pick(params.employment.end, agents.job, NONE)
    works = affordances.has_flag(state.use, Flag.WORK, layout.affordances)
    site = pick(layout.jobs.site, agents.job, NONE)
    is_working = works & (site != NONE) & (state.use.obj == site)
    use, level, wallet = affordances.progress(
        state.use,
        state.needs.level,
        agents.wallet,
        (end != NONE) & (tick.now.tick_of_day == end),
        layout.affordances,
    )
    shared, meal_obj = affordances.share_meals(use, has_started, layout.affordances, layout.objects)
    use, stock, finished, finished_obj = affordances.finish(
        use, state.economy.stock, layout.affordances, layout.objects, layout.stock
    )
    cooled = queues.cool_down(state.queues, finished_obj, tick.now, params.queues, layout.objects)
    rows = jnp.arange(tick.shape.num_objects, dtype=jnp.int32)
    is_over = pick(finished_obj, cooled.holder, NONE) == rows
    handed, handovers = queues.hand_over(
        cooled,
        jnp.where(is_over, cooled.holder, NONE),
        state.relationships,
        tick.draws.priority,
        tick.now,
        params.queues,
    )
    state = state.replace(
        use=use,
        needs=state.needs.replace(level=level),
        agents=agents.replace(wallet=wallet),
        economy=state.economy.replace(stock=stock),
        queues=handed,
    )
    return state, Used(is_working, finished, finished_obj, shared, meal_obj, handovers)
