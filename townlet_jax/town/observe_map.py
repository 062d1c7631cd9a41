"""The map that each resident sees: a window of the town around it, without painting cell by cell.

A row of the window is a few words of bits, two per column; only the last step spreads them out.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.observation_tables import KIND_BITS, KINDS_PER_WORD
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE, computed_once
from townlet_jax.state import TownState
from townlet_jax.town.sight import Sight
from townlet_jax.town.view import View

EVEN_BITS = 0x55555555
LANES = 16
"""Columns are spread out so many at once."""
MOST_RESIDENTS = 3
"""Residents on a cell beyond which they are not counted."""


def local_map(
    shape: TownShape, view: View, sight: Sight, state: TownState, layout: TownLayout
) -> jax.Array:
    """Shows everybody its surroundings; vacant slots see nothing.

    Args:
      shape: static sizes; the variant is not compact.
      view, sight: the state read once.
      state: a town.
      layout: tables.

    Returns:
      uint8 `[A, w, w, C]`: ground, residents, use, ego and, in the variant full, kind.
    """
    num_columns = shape.local_window
    x, y = state.agents.position[:, 0], state.agents.position[:, 1]
    index = y[:, None] + jnp.arange(num_columns, dtype=jnp.int32)[None, :]
    ground = layout.observations.ground.at[x[:, None], index].get(mode="promise_in_bounds")
    use, ego = _objects(num_columns, view, state, layout)
    rows = [ground, _residents(num_columns, sight, state), use, ego]
    rows = [jnp.where(state.agents.is_alive[:, None], row, 0) for row in rows]
    ground, residents, use, ego = computed_once(rows)  # [A, w] each
    is_place = ground & EVEN_BITS
    is_free, is_wanted = use & EVEN_BITS, (use >> 1) & EVEN_BITS
    use = computed_once(is_free | is_wanted | ((is_place & ~is_free) << 1))
    # Wider rows than are shown, so that the loop over columns has no rest after its vectors.
    columns = np.arange(-(-num_columns // LANES) * LANES, dtype=np.int32)
    shift = np.minimum(2 * columns, 31)[None, None, :]

    def spread(row: jax.Array, bits: int, place: int) -> jax.Array:
        return ((row[:, :, None] >> shift) & (2**bits - 1)) << place

    cells = spread(ground >> 1, 1, 0) | spread(residents, 2, 8)
    cells |= spread(use, 2, 16) | spread(ego, 2, 24)  # [A, w, 16]
    channels = lax.bitcast_convert_type(computed_once(cells)[:, :, :num_columns], jnp.uint8)
    if shape.observation != "full":
        return channels
    return jnp.concatenate([channels, _kinds(num_columns, index, state, layout)], axis=-1)


def _residents(num_columns: int, sight: Sight, state: TownState) -> jax.Array:
    """Counts the others on each cell: int32 `[A, w]`, two bits per column."""
    radius = num_columns // 2
    slots = jnp.arange(sight.dx.shape[0], dtype=jnp.int32)
    is_alive = state.agents.is_alive
    is_here = (sight.tiles == 0) & is_alive[None, :]  # [A, A]
    is_first = ~jnp.any(is_here & (slots[None, :] < slots[:, None]), axis=1)
    # One resident per cell stands for all on it, so that the bits of a row never overlap.
    num_here = jnp.sum(is_here, axis=1, dtype=jnp.int32)
    crowd = jnp.where(is_first & is_alive, jnp.minimum(num_here, MOST_RESIDENTS), 0)
    company = jnp.minimum(num_here - 1, MOST_RESIDENTS) << (2 * radius)
    shift = 2 * jnp.clip(sight.dx + radius, 0, num_columns - 1)
    is_seen = sight.is_near & (sight.tiles > 0)
    field = computed_once((jnp.where(is_seen, crowd[None, :] << shift, 0), sight.dy + radius))
    row = jnp.arange(num_columns, dtype=jnp.int32)
    painted = jnp.where(field[1][:, None, :] == row[None, :, None], field[0][:, None, :], 0)
    painted = jnp.sum(painted, axis=-1, dtype=jnp.int32)
    return painted | jnp.where(row[None, :] == radius, company[:, None], 0)


def _objects(
    num_columns: int, view: View, state: TownState, layout: TownLayout
) -> tuple[jax.Array, jax.Array]:
    """Marks free and wanted cells, and those the resident has to do with.

    Returns:
      int32 `[A, w]`, per column a bit for a free row and one for a waiter; int32 `[A, w]`, per
      column 2 = held or used, 1 = waited for.
    """
    objects, queues = layout.objects, state.queues
    radius = num_columns // 2
    num_objects = objects.type.shape[0]
    place = jnp.arange(num_objects, dtype=jnp.int32)
    is_free = objects.is_virtual | (queues.holder == NONE)
    is_wanted = jnp.any(queues.waiting_for[None, :] == place[:, None], axis=1)
    code = is_free.astype(jnp.int32) | (is_wanted.astype(jnp.int32) << 1)
    code = jnp.where(objects.is_object, code, 0)
    delta = objects.interact[None, :, :] - state.agents.position[:, None, :] + radius
    column, line = delta[..., 0], delta[..., 1]  # [A, O]
    is_seen = (column >= 0) & (column < num_columns)
    shift = 2 * jnp.clip(column, 0, num_columns - 1)
    has = (view.held[:, None] == place[None, :]) | (state.use.obj[:, None] == place[None, :])
    waits = state.queues.waiting_for[:, None] == place[None, :]
    own = jnp.where(has, 2, jnp.where(waits, 1, 0))
    field, mine, line = computed_once(
        (
            jnp.where(is_seen, code[None, :] << shift, 0),
            jnp.where(is_seen, own << shift, 0),
            line,
        )
    )
    row = jnp.arange(num_columns, dtype=jnp.int32)
    is_row = line[:, None, :] == row[None, :, None]  # [A, w, O]

    def painted(field: jax.Array) -> jax.Array:
        shown = jnp.where(is_row, field[:, None, :], 0)
        return lax.reduce(shown, jnp.int32(0), lax.bitwise_or, (2,))

    ego = painted(mine)
    is_held = (ego >> 1) & EVEN_BITS
    return painted(field), ego & ~is_held


def _kinds(num_columns: int, index: jax.Array, state: TownState, layout: TownLayout) -> jax.Array:
    """Reads the kinds of objects in the window: uint8 `[A, w, w, 1]`."""
    x = state.agents.position[:, 0]
    words = layout.observations.kinds.at[x[:, None], index].get(mode="promise_in_bounds")
    words = computed_once(jnp.where(state.agents.is_alive[:, None, None], words, 0))  # [A, w, 2]
    column = np.arange(num_columns, dtype=np.int32)
    shift = (KIND_BITS * (column % KINDS_PER_WORD))[None, None, :]
    is_first = (column < KINDS_PER_WORD)[None, None, :]
    word = jnp.where(is_first, words[:, :, :1], words[:, :, 1:])
    kind = (word >> shift) & (2**KIND_BITS - 1)
    return kind.astype(jnp.uint8)[..., None]
