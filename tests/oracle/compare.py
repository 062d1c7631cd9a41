"""Where two trees of arrays differ."""

import dataclasses
from types import SimpleNamespace

import jax
import numpy as np


def _fields(tree: object) -> dict | None:
    if isinstance(tree, SimpleNamespace):
        return vars(tree)
    if dataclasses.is_dataclass(tree):
        return {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree)}
    return None


def _leaf(path: str, left, right, tolerance: float) -> list[str]:
    if jax.dtypes.issubdtype(getattr(left, "dtype", np.float32), jax.dtypes.prng_key):
        return []
    x, y = np.asarray(left), np.asarray(right)
    if x.shape != y.shape:
        return [f"{path}: shape {x.shape} against {y.shape}"]
    if x.dtype.kind == "f" or y.dtype.kind == "f":
        is_far = ~(np.abs(x.astype(np.float64) - y) <= tolerance)
    else:
        is_far = x != y
    where = np.argwhere(is_far)[:4]
    return [
        f"{path}{list(map(int, index))}: {x[tuple(index)]} against {y[tuple(index)]}"
        for index in where
    ]


def differences(left: object, right: object, tolerance: float = 1e-5, path: str = "") -> list[str]:
    """Lists where two trees differ; integers and booleans must be equal, floats nearly.

    Args:
      left, right: states or events, dataclasses or twins, in any mixture.
      tolerance: largest absolute difference of floats.
      path: name of the root in the lines.

    Returns:
      One line per differing entry, at most four per array: path, index, both values.
    """
    fields, others = _fields(left), _fields(right)
    if fields is None:
        return _leaf(path, left, right, tolerance)
    lines = []
    for name, value in fields.items():
        lines += differences(value, others[name], tolerance, f"{path}.{name}".lstrip("."))
    return lines
