"""Features that stand in for the map in the variant compact."""

import jax
import jax.numpy as jnp

from townlet_jax.config.layout import Role, TownLayout
from townlet_jax.config.shape import TownShape
from townlet_jax.grid import STEPS
from townlet_jax.masked import NONE, one_hot, pick
from townlet_jax.rules import movement
from townlet_jax.state import TownState
from townlet_jax.town.observe_targets import CAFE_TABLE, NEAR_ROLES, Ways, nearest
from townlet_jax.town.sight import Sight
from townlet_jax.town.view import View, ground

LOAD_COLUMNS = (
    NEAR_ROLES.index(Role.FRIDGE),
    NEAR_ROLES.index(Role.SHOWER),
    NEAR_ROLES.index(Role.BED),
    CAFE_TABLE,
)
LOAD_SCALE = 1 / 4
STOCK_SCALE = 1 / 8


def distilled_block(
    shape: TownShape,
    view: View,
    sight: Sight,
    ways: Ways,
    state: TownState,
    price: jax.Array,
    layout: TownLayout,
) -> list[jax.Array]:
    """Writes the distilled block.

    Args:
      shape: static sizes.
      view, sight, ways: the state read once.
      state: a town.
      price: float32 `[R]` [money], prices in force.
      layout: tables.

    Returns:
      Pieces float32 `[A, ...]` in order; `[A]` is one feature.
    """
    pieces = [
        *_company(shape, view, sight, state),
        _blocked(state, layout),
        _loads(view, ways),
        *_stocks(view, layout),
        state.agents.wallet[:, None] >= pick(price, layout.observations.prices, 0.0)[None, :],
    ]
    return [piece.astype(jnp.float32) for piece in pieces]


def _company(shape: TownShape, view: View, sight: Sight, state: TownState) -> list[jax.Array]:
    """A rival in the own queue, a rival near, the best friend near, somebody to talk to."""
    row = jnp.where(view.held != NONE, view.held, state.queues.waiting_for)
    is_same = (row[:, None] == row[None, :]) & (row != NONE)[:, None]
    is_friend = one_hot(sight.friend[:, 0], shape.num_agents)
    return [
        jnp.any(is_same & sight.is_avoided, axis=1),
        jnp.any(sight.is_near & sight.is_avoided, axis=1),
        jnp.any(sight.is_near & is_friend, axis=1),
        jnp.any(view.can_chat, axis=1),
    ]


def _blocked(state: TownState, layout: TownLayout) -> jax.Array:
    """Neighbouring cells that cannot be entered now: bool `[A, 4]`."""
    cells = state.agents.position[:, None, :] + jnp.asarray(STEPS)[None, :, :]
    is_occupied = jnp.any(movement.is_at(state.agents, cells), axis=-1)
    return ~ground(layout, cells) | is_occupied


def _loads(view: View, ways: Ways) -> jax.Array:
    """How many others are at the nearest usable rows: float32 `[A, 4]`, 1 if there is none."""
    row = jnp.stack([ways.row[:, column] for column in LOAD_COLUMNS], axis=1)
    is_meant = one_hot(row, view.load.shape[1])  # [A, 4, O]
    load = jnp.sum(jnp.where(is_meant, view.load[:, None, :], 0), axis=-1, dtype=jnp.int32)
    share = jnp.minimum(load.astype(jnp.float32) * LOAD_SCALE, 1.0)
    return jnp.where(row == NONE, 1.0, share)


def _stocks(view: View, layout: TownLayout) -> list[jax.Array]:
    """Meals at the nearest fridge and ingredients at the nearest stove, usable or not."""
    roles = (Role.FRIDGE, Role.STOVE)
    kinds = (layout.stock.meals, layout.stock.raw_ingredients)
    mask = jnp.broadcast_to(layout.objects.is_object[None, :], view.distance.shape)
    row = nearest(view, jnp.stack([layout.objects.is_role[role] for role in roles]), mask)
    pieces = []
    for column, kind in enumerate(kinds):
        venue = pick(layout.objects.venue, row[:, column], NONE)
        units = pick(pick(view.stock, kind), venue).astype(jnp.float32)
        pieces.append(jnp.minimum(units * STOCK_SCALE, 1.0))
    return pieces
