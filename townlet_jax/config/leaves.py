"""Makes the leaves of parameters and layouts strongly typed arrays.

A Python number in one run and an array in the next would compile the step twice.
"""

from typing import Any, TypeVar

import jax
import numpy as np

Group = TypeVar("Group")
Tables = dict[str, Any]
"""NumPy arrays and scalars by field name, before they become a `group`."""

_NARROW: dict[Any, type] = {np.dtype(np.int64): np.int32, np.dtype(np.float64): np.float32}


def group(kind: type[Group], /, **values: Any) -> Group:
    """Makes one group of parameters or tables.

    Args:
      kind: dataclass of arrays.
      **values: numbers, bools or NumPy arrays by field; they become bool, float32 or an integer of
        at most 32 bits.
    """
    # One transfer for all of them: of small arrays the call is what costs.
    arrays = jax.device_put([_narrowed(value) for value in values.values()])
    return kind(**dict(zip(values, arrays, strict=True)))


def narrow(value: Any) -> jax.Array:
    """Returns a value as a strongly typed array on the default device."""
    return jax.device_put(_narrowed(value))


def _narrowed(value: Any) -> np.ndarray:
    array = np.asarray(value)
    narrowed: np.ndarray = array.astype(_NARROW.get(array.dtype, array.dtype))
    return narrowed
