"""Option controllers: turn (state, option) into one intent per tick, without a memory."""

import enum

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import Flag, Role, TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.grid import STAY, STEPS, UNREACHABLE, chebyshev
from townlet_jax.masked import NEVER, NONE, at, computed_once, least, one_hot, pick, pick_bool
from townlet_jax.rules import affordances
from townlet_jax.state import TownState
from townlet_jax.town.intents import Intents, Kind, act, offered, waiting
from townlet_jax.town.view import View, costs, is_in_range, is_role, span_to

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


def candidates(
    view: View, wallet: jax.Array, layout: TownLayout
) -> dict[Role, tuple[jax.Array, jax.Array]]:
    """Finds rows worth going to, and who can pay for them.

    Args:
      view: the state read once.
      wallet: float32 `[A]` [money].
      layout: tables.

    Returns:
      By role: bool `[O]`, its rows that have what it takes in stock; bool `[A]`, who has the means.
    """
    kinds = {
        Role.FRIDGE: layout.stock.meals,
        Role.CAFE_TABLE: layout.stock.cafe_meals,
        Role.STOVE: layout.stock.raw_ingredients,
    }
    present = jnp.int32(0)  # [V], stock kinds of roles as bits
    for role, kind in kinds.items():
        present = present + jnp.where(pick(view.stock, kind) >= 1, 1 << role, 0)
    present = computed_once(pick(computed_once(present), layout.objects.venue))  # [O]
    found = {}
    for role in Role:
        affordance = layout.objects.role_affordance[role]
        is_row = layout.objects.is_role[role] & (affordance != NONE)
        if role in kinds:
            is_row = is_row & ((present & (1 << role)) != 0)
        cost = costs(view.prices, affordance, layout)
        found[role] = is_row, (wallet >= cost) | (role == Role.BED)
    return found


def has_candidates(
    found: dict[Role, tuple[jax.Array, jax.Array]],
) -> dict[Option, jax.Array]:
    """Tells who has a row to go to, bool `[A]` per option with an object to go to.

    Args:
      found: candidates by role.
    """
    has = {role: can_pay & jnp.any(is_row) for role, (is_row, can_pay) in found.items()}
    has_meal = has[Role.FRIDGE] | has[Role.CAFE_TABLE]
    return {
        Option.GET_FED: has_meal | has[Role.STOVE],
        Option.GET_CLEAN: has[Role.SHOWER],
        Option.SLEEP: has[Role.BED],
        Option.COOK: has[Role.STOVE],
    }


def option_rows(found: dict[Role, tuple[jax.Array, jax.Array]], option: jax.Array) -> jax.Array:
    """Collects the candidate rows of everybody's option; cooks only who finds no meal.

    Args:
      found: candidates by role.
      option: int32 `[A]`.

    Returns:
      bool `[A, O]`.
    """
    ready = (Role.FRIDGE, Role.CAFE_TABLE)
    is_fed = option == Option.GET_FED
    has_meal = jnp.any(jnp.stack([found[role][1] & jnp.any(found[role][0]) for role in ready]), 0)
    is_wanted = {
        Role.FRIDGE: is_fed,
        Role.CAFE_TABLE: is_fed,
        Role.SHOWER: option == Option.GET_CLEAN,
        Role.BED: option == Option.SLEEP,
        Role.STOVE: (is_fed & ~has_meal) | (option == Option.COOK),
    }
    # Sets of roles as bits, so that pairs of a resident and a row take a single operation.
    offered, wanted = jnp.int32(0), jnp.int32(0)
    for role, (is_row, can_pay) in found.items():
        offered = offered + jnp.where(is_row, 1 << role, 0)  # [O]
        wanted = wanted + jnp.where(is_wanted[role] & can_pay, 1 << role, 0)  # [A]
    offered, wanted = computed_once((offered, wanted))
    return (wanted[:, None] & offered[None, :]) != 0


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
    return least(rows & ~view.is_cooling & view.works[None, :], score)


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
    x, y = state.agents.position[:, 0], state.agents.position[:, 1]
    height, width = layout.map.tiles.shape
    goal = jnp.maximum(target, 0)
    left = at(layout.map.distance, y, x, goal).astype(jnp.int32)
    # A step off the map is clipped to the cell itself, which is no nearer.
    u = jnp.clip(x[None, :] + jnp.asarray(STEPS)[:, :1], 0, width - 1)  # [4, A]
    v = jnp.clip(y[None, :] + jnp.asarray(STEPS)[:, 1:], 0, height - 1)
    beyond = at(layout.map.distance, v, u, goal[None, :]).astype(jnp.int32)
    is_nearer = beyond == left[None, :] - 1
    code = jnp.arange(4, dtype=jnp.int32)[:, None]
    first = jnp.min(jnp.where(is_nearer, code, STAY), axis=0)
    is_there = (u[:, None, :] == x[None, :, None]) & (v[:, None, :] == y[None, :, None])
    is_free = ~jnp.any(is_there & state.agents.is_alive[None, :, None], axis=1)
    is_other = is_nearer & is_free & (code != first[None, :])
    detour = jnp.min(jnp.where(is_other, code, STAY), axis=0)
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
    rows = option_rows(candidates(view, state.agents.wallet, layout), option)
    row = computed_once(pick_row(view, rows, state, params, layout))
    is_working = option == Option.GO_TO_WORK
    is_social = option == Option.SOCIALISE
    is_at_site, wants_site, stays_at_work = _work(view, state, params, layout)
    row = jnp.where(is_working, jnp.where(wants_site, view.site, NONE), row)
    place = _social_place(view, layout)
    goal = jnp.where(is_social, place, row)
    work_goal = pick(layout.jobs.target, state.agents.job, NONE)
    goal = jnp.where(is_working, jnp.where(stays_at_work, NONE, work_goal), goal)
    row, place, goal = computed_once((row, place, goal))
    step, _ = approach(state, goal, layout)

    is_direct = pick_bool(layout.objects.is_virtual, row) | (row == view.held)
    can_use = is_in_range(state, row, is_direct, params, layout)
    uses = jnp.where(is_working, wants_site & is_at_site, can_use) & (row != NONE)
    is_there = is_social & (span_to(state, place, layout) <= SOCIAL_TILES)
    uses, is_there, step = computed_once((uses, is_there, step))
    walks = ~uses & ~is_there & (step != STAY)
    affordance = jnp.where(
        is_working, pick(layout.jobs.affordance, state.agents.job, NONE), offered(layout, row)
    )
    is_refused = (option < 0) | (option >= len(Option))
    walks, affordance = computed_once((walks, affordance))
    intents = waiting(option.shape[0]).replace(is_refused=is_refused)
    intents = act(intents, walks, Kind.MOVE, step)
    intents = act(intents, uses, Kind.USE, row, affordance)
    talks = is_social & jnp.any(computed_once(view.can_chat), axis=0) & ~view.is_blocking
    intents, talks = computed_once((intents, talks))
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
    is_at_site = is_in_range(state, view.site, jnp.ones_like(has_shift), params, layout)
    has_begun = view.now.tick_of_day >= pick(params.employment.start, job, NEVER)
    location = pick(layout.jobs.location, job, NONE)
    is_present = chebyshev(state.agents.position, location) <= params.employment.presence_range
    is_there = jnp.where(view.site != NONE, is_at_site, is_present | (location[:, 0] == NONE))
    return is_at_site, has_shift & has_begun & (view.site != NONE), ~has_shift | is_there


def _social_place(view: View, layout: TownLayout) -> jax.Array:
    """Finds where to look for company: an active meet, else the nearest social place."""
    is_place = layout.objects.is_social_place[None, :] & (view.distance < UNREACHABLE)
    nearest = least(is_place, view.distance)
    return jnp.where(view.meet != NONE, view.meet, nearest)


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
    for code in OWN_ROLES:
        is_own |= (option == code) & owns(state, layout, code)
    works = owns(state, layout, Option.GO_TO_WORK)
    is_own |= (option == Option.GO_TO_WORK) & works
    is_over = works & (view.now.tick_of_day > pick(params.employment.end, state.agents.job, -1))
    running = view.is_running
    is_own, is_over = computed_once((is_own, is_over))
    intents = act(intents, running & ~is_own, Kind.RELEASE)
    intents = act(intents, running & is_own & ~talks, Kind.WAIT)
    return act(intents, running & is_over, Kind.RELEASE)
