"""Ways: where the nearest usable objects, work and company lie, and the next step towards them."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from townlet_jax.config.layout import Role, TownLayout
from townlet_jax.config.params import TownParams
from townlet_jax.config.shape import TownShape
from townlet_jax.grid import STAY
from townlet_jax.masked import NEVER, NONE, at, computed_once, one_hot, pick
from townlet_jax.state import TownState
from townlet_jax.town import options
from townlet_jax.town.options import Option
from townlet_jax.town.sight import Sight
from townlet_jax.town.view import View, costs, stock_at

NEAR_ROLES = (Role.FRIDGE, Role.STOVE, Role.BED, Role.SHOWER)
"""Kinds of objects that every variant shows; a cafe table and a social place may follow."""
CAFE_TABLE, SOCIAL_PLACE = len(NEAR_ROLES), len(NEAR_ROLES) + 1
"""Columns of `Ways.row`."""
NEED_OPTIONS = (Option.GET_FED, Option.GET_CLEAN, Option.SLEEP)
"""Option that serves each need."""


class Ways(struct.PyTreeNode):
    """Where to go; Z kinds of places: four roles, cafe table, social place, work, last the hint.

    Attributes:
      row: int32 `[A, Z - 2]`, nearest usable row of each kind, NONE = none.
      step: int32 `[A, Z]` in 0-4, next step, 4 = there or nowhere to go.
      share: float32 `[A, Z]` in [0, 1], walking distance / (W + H), 1 = no such place or too far.
    """

    row: jax.Array
    step: jax.Array
    share: jax.Array


def find_ways(
    shape: TownShape, view: View, state: TownState, params: TownParams, layout: TownLayout
) -> Ways:
    """Finds the ways that observations show.

    Args:
      shape: static sizes.
      view: the state read once.
      state: a town.
      params, layout: the town's numbers and tables.
    """
    kinds = [layout.objects.is_role[role] for role in NEAR_ROLES]
    if shape.observation != "full":
        kinds += [layout.objects.is_role[Role.CAFE_TABLE], layout.objects.is_social_place]
    row = nearest(view, jnp.stack(kinds), usable(view, state, layout))
    work = pick(layout.jobs.target, state.agents.job, NONE)
    goal = jnp.concatenate([row, work[:, None], _hint(view, state, params, layout)[:, None]], 1)
    row, goal = computed_once((row, goal))
    x, y = state.agents.position[:, 0, None], state.agents.position[:, 1, None]
    place = (y, x, jnp.maximum(goal, 0))
    step = layout.map.direction.at[place].get(mode="promise_in_bounds").astype(jnp.int32)
    distance = layout.map.distance.at[place].get(mode="promise_in_bounds").astype(jnp.float32)
    share = jnp.minimum(distance * tile_share(shape), 1.0)
    is_given = goal != NONE
    return Ways(
        row=row, step=jnp.where(is_given, step, STAY), share=jnp.where(is_given, share, 1.0)
    )


def tile_share(shape: TownShape) -> float:
    """Returns the unit of all distances in observations, 1 / (W + H) [1/tile]."""
    return 1.0 / (shape.width + shape.height)


def usable(view: View, state: TownState, layout: TownLayout) -> jax.Array:
    """Tells which rows are worth a walk: utilities on, no cooldown, and the first affordance of the
    row can be paid and is in stock. Whether somebody holds the row does not matter.

    Args:
      view: the state read once.
      state: a town.
      layout: tables.

    Returns:
      bool `[A, O]`.
    """
    first = layout.objects.offers[:, 0]
    cost = costs(view.prices, first, layout)  # [O]
    needed = -pick(layout.affordances.stock_start, first, 0).T  # [S, O]
    is_ready = view.works & jnp.all(stock_at(view.stock, layout.objects.venue) >= needed, axis=0)
    is_payable = state.agents.wallet[:, None] >= cost[None, :]
    return is_ready[None, :] & is_payable & ~view.is_cooling


def nearest(view: View, kinds: jax.Array, mask: jax.Array) -> jax.Array:
    """Finds the row of each kind with the shortest way, ties to the lowest row.

    Args:
      view: the state read once.
      kinds: bool `[Z, O]`.
      mask: bool `[A, O]`, rows that take part.

    Returns:
      int32 `[A, Z]`, NONE = none.
    """
    num_objects = kinds.shape[1]
    bits = max(1, (num_objects - 1).bit_length())
    rows = jnp.arange(num_objects, dtype=jnp.int32)
    code = computed_once(jnp.where(mask, (view.distance << bits) | rows[None, :], NEVER))
    # Words of ones instead of truth values, which XLA for CPU joins several times more slowly.
    is_other = computed_once(jnp.where(kinds, 0, NEVER))
    code = jnp.min(code[:, None, :] | is_other[None, :, :], axis=-1)
    return jnp.where(code == NEVER, NONE, code & (2**bits - 1))


def _hint(view: View, state: TownState, params: TownParams, layout: TownLayout) -> jax.Array:
    """Finds the row to go to for the lowest need, first one of equal ones: int32 `[A]`."""
    level = state.needs.level
    lowest = jnp.where(level[:, 1] < level[:, 0], 1, 0)
    least = jnp.minimum(level[:, 0], level[:, 1])
    lowest = jnp.where(level[:, 2] < least, 2, lowest)
    option = jnp.asarray(NEED_OPTIONS, jnp.int32)[lowest]
    rows = options.option_rows(options.candidates(view, state.agents.wallet, layout), option)
    return options.pick_row(view, rows, state, params, layout)


def path_hint(ways: Ways) -> jax.Array:
    """Points the next step for the lowest need.

    Returns:
      float32 `[A, 4]`, one-hot of N, E, S, W; all 0 if there, or without a place to go.
    """
    return one_hot(ways.step[:, -1], STAY).astype(jnp.float32)


def triples(ways: Ways, first: int, last: int) -> jax.Array:
    """Writes ways as (dx, dy, distance).

    Args:
      ways: ways.
      first, last: range of kinds.

    Returns:
      float32 `[A, 3 (last - first)]`.
    """
    step, share = ways.step[:, first:last], ways.share[:, first:last]
    dx = (step == 1).astype(jnp.float32) - (step == 3).astype(jnp.float32)
    dy = (step == 2).astype(jnp.float32) - (step == 0).astype(jnp.float32)
    return jnp.stack([dx, dy, share], axis=-1).reshape(step.shape[0], -1)


def company(shape: TownShape, sight: Sight) -> jax.Array:
    """Points straight to the nearest resident and to the best friend.

    Args:
      shape: static sizes.
      sight: who is where.

    Returns:
      float32 `[A, 6]`, twice (dx, dy, distance); (0, 0, 1) for nobody.
    """
    num_agents = shape.num_agents
    slots = jnp.arange(num_agents, dtype=jnp.int32)
    code = jnp.where(sight.is_other, sight.tiles * num_agents + slots[None, :], NEVER)
    least = jnp.min(code, axis=1)
    closest = jnp.where(least == NEVER, NONE, lax.rem(least, jnp.int32(num_agents)))
    target = computed_once(jnp.stack([closest, sight.friend[:, 0]], axis=1))  # [A, 2]
    pair = (slots[:, None], jnp.maximum(target, 0))
    dx = jnp.where(target == NONE, 0, at(sight.dx, *pair))
    dy = jnp.where(target == NONE, 0, at(sight.dy, *pair))
    x, y = dx.astype(jnp.float32), dy.astype(jnp.float32)
    length = jnp.sqrt((dx * dx + dy * dy).astype(jnp.float32))
    length = jnp.where(length > 0, length, 1.0)
    share = (jnp.abs(x) + jnp.abs(y)) * tile_share(shape)
    share = jnp.where(target == NONE, 1.0, share)
    return jnp.stack([x / length, y / length, share], axis=-1).reshape(num_agents, -1)
