"""Tables that observations look up: identities as vectors, the map as rows of bits."""

import numpy as np

from townlet_jax.config.leaves import Tables
from townlet_jax.config.map_file import WALL
from townlet_jax.config.shape import TownShape
from townlet_jax.masked import NONE

PRICED = ("meal", "shower", "ingredients", "cafe_meal")
"""Price keys that observations read."""
KIND_BITS, KINDS_PER_WORD = 5, 6
"""Bits of an object kind in `ObservationLayout.kinds`, and columns of the window in one word."""

_GAMMA = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1
_SLOT_STRIDE = 32


def observation_tables(
    shape: TownShape, tiles: np.ndarray, objects: Tables, price_keys: list[str]
) -> Tables:
    """Writes what observations look up.

    Args:
      shape: static sizes.
      tiles: int8 `[H, W]`.
      objects: the arrays of `ObjectLayout`.
      price_keys: rows of the price table.

    Returns:
      The arrays of `ObservationLayout`.
    """
    kind = np.zeros(tiles.shape, np.int32)
    for row in reversed(np.flatnonzero(objects["is_object"])):
        x, y = objects["interact"][row]
        kind[y, x] = 1 + objects["type"][row]
    codes = (kind > 0) + 2 * (tiles == WALL)
    rows = window_rows(codes, shape.local_window, outside=2)
    columns = window_rows(kind, shape.local_window, outside=0)
    words = (columns[..., :KINDS_PER_WORD], columns[..., KINDS_PER_WORD:])
    return {
        "embedding": embedding(shape.num_slots, shape.embed_dim, shape.embed_seed),
        "ground": packed(rows, 2),
        "kinds": np.stack([packed(word, KIND_BITS) for word in words], axis=-1),
        "prices": np.array([_index(price_keys, key) for key in PRICED], np.int32),
    }


def window_rows(values: np.ndarray, window: int, outside: int) -> np.ndarray:
    """Cuts a map into all rows of all windows.

    Args:
      values: int `[H, W]`.
      window: w, odd.
      outside: value beyond the border.

    Returns:
      int `[W, H + w - 1, w]`; row i of the window around (x, y) is `[x, y + i]`.
    """
    padded = np.pad(values, window // 2, constant_values=outside)
    return np.moveaxis(np.lib.stride_tricks.sliding_window_view(padded, window, axis=1), 0, 1)


def packed(columns: np.ndarray, bits: int) -> np.ndarray:
    """Packs small numbers `[..., n]` into int32 `[...]`, `bits` each, the first lowest."""
    shifts = bits * np.arange(columns.shape[-1], dtype=np.int32)
    return np.asarray(np.sum(columns.astype(np.int32) << shifts, axis=-1), np.int32)


def embedding(num_slots: int, dim: int, seed: int) -> np.ndarray:
    """Gives every embedding slot a unit vector of its own, by splitmix64.

    Args:
      num_slots: E. dim: components, at most 32. seed: in 0...2^63.

    Returns:
      float32 `[E, dim]`.
    """
    rows = [
        [_uniform(seed + _GAMMA * (_SLOT_STRIDE * slot + j + 1)) for j in range(dim)]
        for slot in range(num_slots)
    ]
    vectors = np.array(rows, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _uniform(z: int) -> float:
    """Mixes 64 bits into a number in [-1, 1)."""
    z &= _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    z ^= z >> 31
    return 2.0 * ((z >> 11) * 2.0**-53) - 1.0


def _index(names: list[str], name: str) -> int:
    return names.index(name) if name in names else NONE
