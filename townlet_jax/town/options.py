"""Option controllers: turn (state, option) into one intent per tick, without a memory."""

import enum

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import Flag, Role, TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.grid import STAY, STEPS, UNREACHABLE, chebyshev
from townlet_jax.masked import NEVER, NONE, best, one_hot, pick
from townlet_jax.rules import affordances, movement
from townlet_jax.state import TownState
from townlet_jax.town.intents import Intents, Kind, act, offered, waiting
from townlet_jax.town.view import View, is_role

SOCIAL_TILES = 2
"""[tile] Where a walk to a social place ends."""


class Option(enum.IntEnum):
    """Options of the option level. Append only."""

    REST = 0
    GET_FED = 1
    GET_CLEAN = 2
    SLEEP = 3
    GO_TO_WORK = 4
    SOCIALISE = 5
    COOK = 6


OWN_ROLES: dict[Option, tuple[Role, ...]] = {
    Option.GET_FED: (Role.FRIDGE, Role.CAFE_TABLE, Role.STOVE),
    Option.GET_CLEAN: (Role.SHOWER,),
    Option.SLEEP: (Role.BED,),
    Option.COOK: (Role.STOVE,),
}
"""Roles whose running affordance belongs to an option."""


def owns(state: TownState, layout: TownLayout, option: Option) -> jax.Array:
    """Tells who runs an affordance that belongs to an option.

    Args:
      state: a town.
      layout: tables.
      option: the option; `GO_TO_WORK` owns every work affordance.

    Returns:
      bool `[A]`.
    """
    if option == Option.GO_TO_WORK:
        return affordances.has_flag(state.use, Flag.WORK, layout.affordances)
    found = [is_role(layout, role, state.use.obj) for role in OWN_ROLES.get(option, ())]
    return jnp.any(jnp.stack(found), axis=0) if found else jnp.zeros_like(state.agents.is_alive)


def candidates(view: View, wallet: jax.Array, layout: TownLayout) -> dict[Role, jax.Array]:
    """Finds rows worth going to: in stock and within the resident's means.

    Args:
      view: the state read once.
      wallet: float32 `[A]` [money].
      layout: tables.

    Returns:
      bool `[A, O]` per role.
    """
    kinds = {
        Role.FRIDGE: layout.stock.meals,
        Role.CAFE_TABLE: layout.stock.cafe_meals,
        Role.STOVE: layout.stock.raw_ingredients,
    }
    found = {}
    for role in Role:
        affordance = layout.objects.role_affordance[role]
        is_row = layout.objects.is_role[role] & (affordance != NONE)
        if role in kinds:
            is_kind = one_hot(kinds[role], view.stock.shape[-1])
            is_row = is_row & jnp.any(is_kind[None, :] & (view.stock >= 1), axis=-1)
        cost = pick(view.cost, affordance, 0.0)
        is_payable = (wallet >= cost) | (role == Role.BED)
        found[role] = is_row[None, :] & is_payable[:, None]
    return found


def option_rows(
    found: dict[Role, jax.Array], option: jax.Array
) -> tuple[jax.Array, dict[Option, jax.Array]]:
    """Collects the candidate rows of everybody's option, and who has any for which option.

    Args:
      found: candidate rows by role.
      option: int32 `[A]`.

    Returns:
      bool `[A, O]`; bool `[A]` per option with an object to go to.
    """
    ready_meals = found[Role.FRIDGE] | found[Role.CAFE_TABLE]
    has_meal = jnp.any(ready_meals, axis=-1)
    rows = {
        Option.GET_FED: jnp.where(has_meal[:, None], ready_meals, found[Role.STOVE]),
        Option.GET_CLEAN: found[Role.SHOWER],
        Option.SLEEP: found[Role.BED],
        Option.COOK: found[Role.STOVE],
    }
    wanted = jnp.zeros_like(has_meal)[:, None]
    for code, row in rows.items():
        wanted = wanted | (row & (option == code)[:, None])
    return wanted, {code: jnp.any(row, axis=-1) for code, row in rows.items()}


def pick_row(
    view: View,
    rows: jax.Array,
    state: TownState,
    params: TownParams,
    layout: TownLayout,
) -> jax.Array:
    """Chooses where to go: the held row, else the least of distance, queue and bias.

    `score = distance + queue_detour_tiles * load + bias - [waits for it]`; ties to the lowest row.

    Args:
      view: the state read once.
      rows: bool `[A, O]`, candidates.
      state: a town.
      params, layout: the town's numbers and tables.

    Returns:
      int32 `[A]`, NONE = nowhere.
    """
    num_objects = rows.shape[1]
    bias = jnp.where(layout.objects.is_role[Role.CAFE_TABLE], params.behavior.eat_out_bias_tiles, 0)
    is_awaited = one_hot(state.queues.waiting_for, num_objects).astype(jnp.int32)
    score = view.distance + params.behavior.queue_detour_tiles * view.load + bias[None, :]
    score = jnp.where(one_hot(view.held, num_objects), -2, score - is_awaited)
    return best(rows & ~view.is_cooling & view.works[None, :], score)


def approach(
    state: TownState, target: jax.Array, layout: TownLayout
) -> tuple[jax.Array, jax.Array]:
    """Finds the next step towards a target; in somebody's way, another step that is as good.

    Args:
      state: a town.
      target: int32 `[A]`, row of the direction tables, NONE = stay.
      layout: tables.

    Returns:
      direction: int32 `[A]` in 0-4 (4 = stay); distance: int32 `[A]` [tile] left to go.
    """
    position = state.agents.position
    height, width = layout.map.tiles.shape
    goal = jnp.maximum(target, 0)
    cells = position[:, None, :] + jnp.asarray(STEPS)[None, :, :]  # [A, 4, 2]
    x, y = jnp.clip(cells[..., 0], 0, width - 1), jnp.clip(cells[..., 1], 0, height - 1)
    left = layout.map.distance[position[:, 1], position[:, 0], goal].astype(jnp.int32)
    beyond = layout.map.distance[y, x, goal[:, None]].astype(jnp.int32)
    is_inside = jnp.all(cells == jnp.stack([x, y], axis=-1), axis=-1)
    is_nearer = is_inside & (beyond == left[:, None] - 1)
    code = jnp.arange(4, dtype=jnp.int32)[None, :]
    first = jnp.min(jnp.where(is_nearer, code, STAY), axis=-1)
    is_free = ~jnp.any(movement.is_at(state.agents, cells), axis=-1)
    is_other = is_nearer & is_free & (code != first[:, None])
    detour = jnp.min(jnp.where(is_other, code, STAY), axis=-1)
    takes_detour = (state.agents.blocked_moves > 0) & (detour != STAY)
    step = jnp.where(takes_detour, detour, first)
    is_lost = (target == NONE) | (left == UNREACHABLE)
    return jnp.where(is_lost, STAY, step), left


def control(
    view: View, state: TownState, option: jax.Array, params: TownParams, layout: TownLayout
) -> Intents:
    """Turns options into intents.

    Args:
      view: the state read once.
      state: a town before its tick.
      option: int32 `[A]`, `Option`; any other code reads as a wait that failed.
      params, layout: the town's numbers and tables.
    """
    rows, _ = option_rows(candidates(view, state.agents.wallet, layout), option)
    row = pick_row(view, rows, state, params, layout)
    is_working = option == Option.GO_TO_WORK
    is_social = option == Option.SOCIALISE
    is_at_site, wants_site, stays_at_work = _work(view, state, params, layout)
    row = jnp.where(is_working, jnp.where(wants_site, view.site, NONE), row)
    place = _social_place(view, layout)
    goal = jnp.where(is_social, place, row)
    work_goal = pick(layout.jobs.target, state.agents.job, NONE)
    goal = jnp.where(is_working, jnp.where(stays_at_work, NONE, work_goal), goal)
    step, _ = approach(state, goal, layout)

    num_objects = view.span.shape[1]
    is_mine = one_hot(row, num_objects)  # [A, O]
    is_direct = pick(layout.objects.is_virtual, row, False) | (row == view.held)
    can_use = jnp.any(is_mine & jnp.where(is_direct[:, None], view.is_close, view.is_near), axis=-1)
    uses = jnp.where(is_working, wants_site & is_at_site, can_use) & (row != NONE)
    is_there = is_social & (pick_span(view, place) <= SOCIAL_TILES)
    walks = ~uses & ~is_there & (step != STAY)
    affordance = jnp.where(
        is_working, pick(layout.jobs.affordance, state.agents.job, NONE), offered(layout, row)
    )
    is_refused = (option < 0) | (option >= len(Option))
    intents = waiting(option.shape[0]).replace(is_refused=is_refused)
    intents = act(intents, walks, Kind.MOVE, step)
    intents = act(intents, uses, Kind.USE, row, affordance)
    talks = is_social & jnp.any(view.can_chat, axis=-1) & ~view.is_blocking
    return _while_running(
        act(intents, talks, Kind.CHAT), talks, view, state, option, params, layout
    )


def _work(
    view: View, state: TownState, params: TownParams, layout: TownLayout
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Reads where residents stand with their work.

    Returns:
      is_at_site: bool `[A]`; wants_site: bool `[A]`, has a site and a shift that is open or to come
        today;
      stays: bool `[A]`, has no reason to walk to work.
    """
    job = state.agents.job
    end = pick(params.employment.end, job, -1)
    has_shift = (job != NONE) & (view.now.tick_of_day <= end)
    has_shift &= state.employment.closed_day != view.now.day
    is_at_site = jnp.any(one_hot(view.site, view.span.shape[1]) & view.is_close, axis=-1)
    has_begun = view.now.tick_of_day >= pick(params.employment.start, job, NEVER)
    location = pick(layout.jobs.location, job, NONE)
    is_present = chebyshev(state.agents.position, location) <= params.employment.presence_range
    is_there = jnp.where(view.site != NONE, is_at_site, is_present | (location[:, 0] == NONE))
    return is_at_site, has_shift & has_begun & (view.site != NONE), ~has_shift | is_there


def _social_place(view: View, layout: TownLayout) -> jax.Array:
    """Finds where to look for company: an active meet, else the nearest social place."""
    is_place = layout.objects.is_social_place[None, :] & (view.distance < UNREACHABLE)
    nearest = best(is_place, view.distance)
    return jnp.where(view.meet != NONE, view.meet, nearest)


def pick_span(view: View, row: jax.Array) -> jax.Array:
    """Reads how far a row is.

    Args:
      view: the state read once.
      row: int32 `[A]`.

    Returns:
      int32 `[A]` [tile], NEVER where the row is NONE.
    """
    is_mine = one_hot(row, view.span.shape[1])
    return jnp.min(jnp.where(is_mine, view.span, NEVER), axis=-1)


def _while_running(
    intents: Intents,
    talks: jax.Array,
    view: View,
    state: TownState,
    option: jax.Array,
    params: TownParams,
    layout: TownLayout,
) -> Intents:
    """Decides for residents that run something: stop, talk, go on, or give it up."""
    is_own = (option == Option.REST) | (option == Option.SOCIALISE) | intents.is_refused
    for code in (*OWN_ROLES, Option.GO_TO_WORK):
        is_own |= (option == code) & owns(state, layout, code)
    works = affordances.has_flag(state.use, Flag.WORK, layout.affordances)
    is_over = works & (view.now.tick_of_day > pick(params.employment.end, state.agents.job, -1))
    running = view.is_running
    intents = act(intents, running & ~is_own, Kind.RELEASE)
    intents = act(intents, running & is_own & ~talks, Kind.WAIT)
    return act(intents, running & is_over, Kind.RELEASE)
