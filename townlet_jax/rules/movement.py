"""Walking, one cell per tick; an occupied cell is entered only by a ghost step after a wait."""

import jax
import jax.numpy as jnp

from townlet_jax.config.params import MovementParams
from townlet_jax.grid import STEPS
from townlet_jax.masked import NEVER, computed_once, down
from townlet_jax.state.agents import Agents

WALL = 1
"""Tile kind that nobody passes."""


def is_walkable(tiles: jax.Array, cell: jax.Array) -> jax.Array:
    """Tells which cells lie on the map and are not walls.

    Args:
      tiles: int8 `[H, W]`.
      cell: int32 `[..., 2]` [tile], may lie outside the map.

    Returns:
      bool `[...]`.
    """
    height, width = tiles.shape
    x, y = cell[..., 0], cell[..., 1]
    is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return is_inside & (tiles[jnp.clip(y, 0, height - 1), jnp.clip(x, 0, width - 1)] != WALL)


def is_at(agents: Agents, cell: jax.Array) -> jax.Array:
    """Tells which living residents stand on given cells.

    Args:
      agents: residents.
      cell: int32 `[..., 2]` [tile].

    Returns:
      bool `[..., A]`.
    """
    x, y = agents.position[:, 0], agents.position[:, 1]
    is_same = (cell[..., 0, None] == _lift(x, cell.ndim)) & (
        cell[..., 1, None] == _lift(y, cell.ndim)
    )
    return is_same & _lift(agents.is_alive, cell.ndim)


def _lift(x: jax.Array, ndim: int) -> jax.Array:
    """Prepends axes of length 1."""
    return x.reshape((1,) * (ndim - x.ndim) + x.shape)


def move(
    agents: Agents,
    direction: jax.Array,
    is_trying: jax.Array,
    priority: jax.Array,
    tiles: jax.Array,
    params: MovementParams,
) -> tuple[Agents, jax.Array, jax.Array]:
    """Moves all residents that try to, at once.

    A cell that was occupied at the start is entered only by a ghost step: after `ghost_step_after`
    attempts in a row that another resident stopped. Of several that want one cell, the smallest
    priority moves. Walls never count as an obstacle that gives way. Never moves two residents into
    one cell in one tick.

    Args:
      agents: residents at the start of the phase.
      direction: int32 `[A]` in 0-3 (N, E, S, W), ignored where nobody tries.
      is_trying: bool `[A]`, has a move intent, can act and runs nothing.
      priority: int32 `[A]`, distinct, smaller first.
      tiles: int8 `[H, W]`.
      params: movement parameters.

    Returns:
      agents with `position` and `blocked_moves`; has_moved: bool `[A]`; ghost_stepped: bool `[A]`.
    """
    target = agents.position + jnp.asarray(STEPS)[jnp.clip(direction, 0, 3)]
    is_open = is_trying & is_walkable(tiles, target)
    is_occupied = jnp.any(is_at(agents, target), axis=-1)
    has_patience_lost = (params.ghost_step_after > 0) & (
        agents.blocked_moves >= params.ghost_step_after
    )
    is_candidate = is_open & (~is_occupied | has_patience_lost)
    target, is_candidate = computed_once((target, is_candidate))
    wants_same = (
        (target[:, None, 0] == target[None, :, 0])
        & (target[:, None, 1] == target[None, :, 1])
        & is_candidate[:, None]
    )  # [other, one]
    first = down(jnp.min, jnp.where(wants_same, priority[:, None], NEVER))
    has_moved = is_candidate & (priority == first)
    agents = agents.replace(
        position=jnp.where(has_moved[:, None], target, agents.position),
        blocked_moves=jnp.where(is_open & ~has_moved, agents.blocked_moves + 1, 0),
    )
    return agents, has_moved, has_moved & is_occupied
