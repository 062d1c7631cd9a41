"""Geometry of the grid: directions, distances, direction tables. Knows nothing of residents.

Cells are `[x, y]`, x grows to the east, y to the south; arrays are indexed `[y, x]`.
"""

from collections import deque

import jax
import jax.numpy as jnp
import numpy as np

STEPS = np.array([[0, -1], [1, 0], [0, 1], [-1, 0]], np.int32)
"""int32 `[4, 2]` [tile]: dx, dy of north, east, south, west."""
STAY = 4
"""Direction code at the target or where the target cannot be reached."""
UNREACHABLE = 32767
"""Distance where the target cannot be reached."""


def chebyshev(a: jax.Array, b: jax.Array) -> jax.Array:
    """Returns the Chebyshev distance between cells.

    Args:
      a: int32 `[..., 2]` [tile].
      b: int32 `[..., 2]` [tile], broadcastable against `a`.

    Returns:
      int32 `[...]` [tile].
    """
    return jnp.maximum(jnp.abs(a[..., 0] - b[..., 0]), jnp.abs(a[..., 1] - b[..., 1]))


def tables(is_walkable: np.ndarray, target: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Searches breadth first from a target on the 4-neighbour grid (host side).

    Args:
      is_walkable: bool `[H, W]`.
      target: cell (x, y); it must be walkable.

    Returns:
      direction: int8 `[H, W]`, first of N, E, S, W (0-3) whose neighbour is one step closer; `STAY`
        at the target or where it is unreachable.
      distance: int16 `[H, W]` [tile], `UNREACHABLE` where there is no way.
    """
    height, width = is_walkable.shape
    distance = np.full((height, width), UNREACHABLE, np.int16)
    x, y = target
    if is_walkable[y, x]:
        distance[y, x] = 0
    frontier = deque([(x, y)] if is_walkable[y, x] else [])
    while frontier:
        x, y = frontier.popleft()
        for dx, dy in STEPS:
            u, v = x + dx, y + dy
            inside = 0 <= u < width and 0 <= v < height
            if inside and is_walkable[v, u] and distance[v, u] == UNREACHABLE:
                distance[v, u] = distance[y, x] + 1
                frontier.append((u, v))
    direction = np.full((height, width), STAY, np.int8)
    padded = np.pad(distance, 1, constant_values=UNREACHABLE)
    for code in (3, 2, 1, 0):
        dx, dy = STEPS[code]
        neighbour = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        direction[(distance > 0) & (distance < UNREACHABLE) & (neighbour == distance - 1)] = code
    return direction, distance
