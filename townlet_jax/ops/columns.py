"""Whole numbers over time as short text, for JSON.

A column is an integer array `[..., F]` whose last axis is time. Most of what a town shows stays as
it was a tick ago, so a column is written as its differences along time, which are nearly all zero,
squeezed with zlib, as base64.
"""

import base64
import math
import zlib
from typing import Any

import numpy as np

TYPES = ("uint8", "int8", "int16", "int32")
"""What a column may consist of; little-endian."""


def pack(values: np.ndarray) -> dict[str, Any]:
    """Writes a column.

    Args:
      values: integers of one of `TYPES`, `[..., F]`.

    Returns:
      JSON values: `type`, `shape` and `data`.

    Raises:
      ValueError: another type.
    """
    if values.dtype.name not in TYPES:
        raise ValueError(f"{values.dtype.name} is none of {', '.join(TYPES)}")
    # Differences may wrap around; so does their sum, back to where it was.
    changes = np.diff(values, axis=-1, prepend=np.zeros((*values.shape[:-1], 1), values.dtype))
    data = changes.astype(values.dtype.newbyteorder("<")).tobytes()
    return {
        "type": values.dtype.name,
        "shape": list(values.shape),
        "data": base64.b64encode(zlib.compress(data, 9)).decode("ascii"),
    }


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """Reads what `pack` wrote.

    Args:
      packed: JSON values.

    Raises:
      ValueError: it is not a column.
    """
    name, shape = packed["type"], packed["shape"]
    if name not in TYPES:
        raise ValueError(f"{name!r} is none of {', '.join(TYPES)}")
    kind = np.dtype(name).newbyteorder("<")
    size = math.prod(shape) * kind.itemsize
    squeezed = zlib.decompressobj()
    try:
        # One byte more than there should be tells a column that is too long, whatever its length.
        data = squeezed.decompress(base64.b64decode(packed["data"], validate=True), size + 1)
    except zlib.error as error:
        raise ValueError(f"damaged column: {error}") from None
    if len(data) != size:
        raise ValueError(f"a column of shape {shape} has {size} bytes, not {len(data)}")
    changes = np.frombuffer(data, kind).astype(name).reshape(shape)
    return np.cumsum(changes, axis=-1, dtype=name)
