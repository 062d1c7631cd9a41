"""Features that every variant has: the resident itself, its day, its queue, its neighbourhood."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import TownLayout, Utility
from townlet_jax.config.observation_layout import LAST_ACTIONS
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import FIRST_USE_ACTION, TownShape
from townlet_jax.masked import NEVER, NONE, one_hot, pick
from townlet_jax.rules import employment, queues
from townlet_jax.state import TownState
from townlet_jax.state.employment import Status
from townlet_jax.town.observe_targets import NEAR_ROLES, Ways, path_hint, triples
from townlet_jax.town.sight import Sight
from townlet_jax.town.view import View

MONEY_SCALE = 1 / 5
LATE_SHIFTS_SCALE = 1 / 5
SOON_SCALE = 1 / 240
"""[1/tick] The next shift shows this long before it starts."""
ACTION_SCALE = WAIT_SCALE = 1 / 60
AGENTS_SCALE, OBJECTS_SCALE = 1 / 8, 1 / 16
NUM_SHIFT_STATES = 6
FOOD = (0, 2, 3)
"""Meal, ingredients and cafe meal among the prices of `ObservationLayout`."""


def base_block(
    shape: TownShape,
    view: View,
    sight: Sight,
    ways: Ways,
    state: TownState,
    price: jax.Array,
    context_reset: jax.Array,
    params: TownParams,
    layout: TownLayout,
) -> list[jax.Array]:
    """Writes the base block.

    Args:
      shape: static sizes.
      view, sight, ways: the state read once.
      state: a town.
      price: float32 `[R]` [money], prices in force.
      context_reset: bool `[A]`, starts anew: arrived, teleported, or the town is fresh.
      params, layout: the town's numbers and tables.

    Returns:
      Pieces float32 `[A, ...]` in order; `[A]` is one feature.
    """
    num_roles = len(NEAR_ROLES)
    work = triples(ways, ways.step.shape[1] - 2, ways.step.shape[1] - 1)
    return [
        *_self(view, state),
        *_time(view, params),
        employment.attendance_ratio(state.employment),
        jnp.tanh(state.employment.wages_withheld * MONEY_SCALE),
        *_shift(view, state, params),
        state.slots.slot.astype(jnp.float32) * (1 / shape.num_slots),
        _number(context_reset),
        _day_share(view, params),
        *_rivalry(shape, sight, state),
        *_last_action(shape, state),
        *_queue(view, state, params),
        *_run(view, state, layout),
        path_hint(ways),
        *_neighbours(shape, view, sight, state, layout),
        triples(ways, 0, num_roles),
        work,
        state.agents.traits,
        view.is_on[Utility.POWER].astype(jnp.float32),
        view.is_on[Utility.WATER].astype(jnp.float32),
        price_level(price, state.economy.price_base, layout),
    ]


def _number(x: jax.Array) -> jax.Array:
    """Reads a mask or a count as a number."""
    return x.astype(jnp.float32)


def _share(x: jax.Array, scale: float) -> jax.Array:
    """Scales a count and keeps it at most 1."""
    return jnp.minimum(_number(x) * scale, 1.0)


def _self(view: View, state: TownState) -> list[jax.Array]:
    return [
        state.needs.level,
        jnp.tanh(state.agents.wallet * MONEY_SCALE),
        _share(state.metrics.num_late_shifts, LATE_SHIFTS_SCALE),
        _number(state.employment.last_present_tick == view.now.tick - 1),
    ]


def _day_share(view: View, params: TownParams) -> jax.Array:
    """Returns the share of the day that is over, float32."""
    return _number(view.now.tick_of_day) * (1.0 / _number(params.time.ticks_per_day))


def _time(view: View, params: TownParams) -> list[jax.Array]:
    angle = _day_share(view, params) * (2 * jnp.pi)
    return [jnp.sin(angle), jnp.cos(angle)]


def _shift(view: View, state: TownState, params: TownParams) -> list[jax.Array]:
    """Status of the shift, how soon it starts, how much of it is left, whether there is a job."""
    job = state.agents.job
    has_job = job != NONE
    start, end = pick(params.employment.start, job), pick(params.employment.end, job)
    status = state.employment.status
    status = jnp.where(status == Status.ARRIVING, Status.AWAIT_START, status)
    status = jnp.where(has_job, status, Status.PRE_SHIFT)
    wait = start - view.now.tick_of_day
    wait = jnp.where(wait < 0, wait + params.time.ticks_per_day, wait)
    soon = jnp.maximum(1.0 - _number(wait) * SOON_SCALE, 0.0)
    soon = jnp.where(view.is_on_shift, 1.0, soon)
    left = _number(end - view.now.tick_of_day + 1) / _number(jnp.maximum(end - start + 1, 1))
    return [
        _number(one_hot(status, NUM_SHIFT_STATES)),
        jnp.where(has_job, soon, 0.0),
        jnp.where(view.is_on_shift, left, 0.0),
        _number(has_job),
    ]


def _rivalry(shape: TownShape, sight: Sight, state: TownState) -> list[jax.Array]:
    ties = state.relationships
    has_tie = jnp.any(ties.is_tie, axis=1)
    largest = jnp.max(jnp.where(ties.is_tie, ties.rivalry, -1.0), axis=1)
    num_avoided = jnp.sum(sight.is_avoided, axis=1, dtype=jnp.int32)
    return [jnp.where(has_tie, largest, 0.0), _number(num_avoided) * (1 / shape.max_edges)]


def _last_action(shape: TownShape, state: TownState) -> list[jax.Array]:
    num_codes = len(LAST_ACTIONS[shape.action_level])
    code = jnp.minimum(state.agents.last_action, FIRST_USE_ACTION)
    return [
        _number(one_hot(code, num_codes)),
        _number(state.agents.did_last_action),
        _share(state.agents.last_action_ticks, ACTION_SCALE),
    ]


def _queue(view: View, state: TownState, params: TownParams) -> list[jax.Array]:
    """Whether it holds a row or waits, its place, and how long it has waited."""
    waiting = state.queues.waiting_for
    waits = waiting != NONE
    waited = view.now.tick - state.queues.joined_tick
    key = -1024 * jnp.minimum(waited, queues.MAX_WAIT)
    key = key - params.queues.age_weight * state.queues.waited_today_ticks
    is_ahead = (waiting[:, None] == waiting[None, :]) & (key[None, :] < key[:, None])
    place = 1 + jnp.sum(is_ahead, axis=1, dtype=jnp.int32)
    return [
        _number(view.held != NONE),
        _number(waits),
        jnp.where(waits, 1.0 / _number(place), 0.0),
        jnp.where(waits, _share(waited, WAIT_SCALE), 0.0),
    ]


def _run(view: View, state: TownState, layout: TownLayout) -> list[jax.Array]:
    duration = jnp.maximum(pick(layout.affordances.duration, state.use.affordance, 1), 1)
    left = _number(state.use.remaining_ticks) / _number(duration)
    return [_number(view.is_running), jnp.where(view.is_running, left, 0.0)]


def _neighbours(
    shape: TownShape, view: View, sight: Sight, state: TownState, layout: TownLayout
) -> list[jax.Array]:
    """How many residents and objects are near, how many of these are held, how near somebody is."""
    radius = shape.local_window // 2
    num_agents = jnp.sum(sight.is_near, axis=1, dtype=jnp.int32)
    is_near = layout.objects.is_object[None, :] & (view.span <= radius)
    is_held = is_near & (state.queues.holder != NONE)[None, :]
    num_objects = jnp.sum(is_near, axis=1, dtype=jnp.int32)
    num_held = jnp.sum(is_held, axis=1, dtype=jnp.int32)
    span = jnp.maximum(jnp.abs(sight.dx), jnp.abs(sight.dy))
    closest = jnp.min(jnp.where(sight.is_near, span, NEVER), axis=1)
    return [
        _share(num_agents, AGENTS_SCALE),
        _share(num_objects, OBJECTS_SCALE),
        _number(num_held) / _number(jnp.maximum(num_objects, 1)),
        _share(closest, 1 / radius),
    ]


def price_level(price: jax.Array, price_base: jax.Array, layout: TownLayout) -> jax.Array:
    """Tells how much dearer food is than usual.

    Args:
      price, price_base: float32 `[R]` [money], in force and without perturbations.
      layout: tables.

    Returns:
      float32 in [-1, 1], mean of price in force / base price - 1 over food that is not free.
    """
    keys = layout.observations.prices[jnp.asarray(FOOD)]
    base, price = pick(price_base, keys, 0.0), pick(price, keys, 0.0)
    has_price = base > 0
    rise = jnp.where(has_price, price / jnp.where(has_price, base, 1.0) - 1.0, 0.0)
    num_prices = jnp.sum(has_price, dtype=jnp.int32)
    total = rise[0] + rise[1] + rise[2]
    return jnp.clip(total / _number(jnp.maximum(num_prices, 1)), -1.0, 1.0)
