"""The twin's data: fields, axes and dtypes of `townlet_jax.state`, as namespaces of numpy arrays.

Scalars are plain Python ints and bools or `np.float32`; arrays keep their dtype. Every float
operation is one float32 operation in the order the specification states.
"""

import copy
import dataclasses
from types import SimpleNamespace

import jax
import numpy as np

from townlet_jax.state import TownState

NONE = -1
NEVER = 2**31 - 1
LONG_AGO = -(2**30)
STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0))
"""dx, dy of north, east, south, west."""


def f32(x: object) -> np.float32:
    """Makes a float32 scalar."""
    return np.float32(x)


def rounded32(x: np.float32) -> np.float32:
    """Rounds a float32 product to 22 mantissa bits, ties to even, like `masked.rounded`."""
    bits = int(np.float32(x).view(np.uint32))
    bits = (bits + ((bits >> 1) & 1)) & 0xFFFFFFFE
    return np.uint32(bits & 0xFFFFFFFF).view(np.float32)


def clip32(x: np.float32, low: float, high: float) -> np.float32:
    """Clips a float32 scalar."""
    return f32(min(max(f32(x), f32(low)), f32(high)))


def _leaf(value: object) -> object:
    dtype = getattr(value, "dtype", None)
    if dtype is not None and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key):
        return value
    array = np.array(value)
    if array.ndim:
        return array
    if array.dtype == bool:
        return bool(array)
    return f32(array) if array.dtype.kind == "f" else int(array)


def plain(tree: object) -> SimpleNamespace:
    """Turns a dataclass of arrays into a namespace; a namespace is returned as it is.

    Args:
      tree: `TownState`, `TownParams`, `TownLayout` or a namespace made by this function before.
    """
    if isinstance(tree, SimpleNamespace):
        return tree
    names = [field.name for field in dataclasses.fields(tree)]
    values = {name: getattr(tree, name) for name in names}
    return SimpleNamespace(
        **{n: plain(v) if dataclasses.is_dataclass(v) else _leaf(v) for n, v in values.items()}
    )


def from_state(state: TownState) -> SimpleNamespace:
    """Makes the twin of a state; later changes of one do not touch the other."""
    return plain(state)


def clone(tree: SimpleNamespace) -> SimpleNamespace:
    """Copies a namespace; keys of random streams are shared."""
    out = SimpleNamespace()
    for name, value in vars(tree).items():
        if isinstance(value, SimpleNamespace):
            value = clone(value)
        elif isinstance(value, np.ndarray):
            value = value.copy()
        elif not isinstance(value, jax.Array):
            value = copy.copy(value)
        setattr(out, name, value)
    return out


def to_arrays(tree: SimpleNamespace, kind: type = TownState) -> object:
    """Builds the dataclass of numpy arrays that a namespace is the twin of.

    Args:
      tree: twin of a state or of events.
      kind: `TownState` or `TickEvents`.

    Returns:
      A `kind` whose leaves are numpy arrays (int32, float32, bool); stream keys as they are.
    """
    values = {}
    for field in dataclasses.fields(kind):
        value = getattr(tree, field.name)
        if isinstance(value, SimpleNamespace):
            values[field.name] = to_arrays(value, field.type)
        elif isinstance(value, bool):
            values[field.name] = np.asarray(value, bool)
        elif isinstance(value, int):
            values[field.name] = np.asarray(value, np.int32)
        elif isinstance(value, np.float32):
            values[field.name] = np.asarray(value, np.float32)
        else:
            values[field.name] = value
    return kind(**values)


def look(shape, state, params, layout, draws=None) -> SimpleNamespace:
    """Makes what every function of this package receives: the town at a moment.

    Args:
      shape: `TownShape`.
      state: twin of a state; it is used as it is, not copied.
      params, layout: dataclasses of arrays or their `plain` form.
      draws: namespace of this tick's draws, None where nothing is drawn.

    Returns:
      Namespace with shape, state, params, layout, draws, num_agents, num_objects and the time.
    """
    params, layout = plain(params), plain(layout)
    tick = state.clock.tick
    return SimpleNamespace(
        shape=shape,
        state=state,
        params=params,
        layout=layout,
        draws=draws,
        num_agents=shape.num_agents,
        num_objects=shape.num_objects,
        tick=tick,
        tick_of_day=tick % params.time.ticks_per_day,
        day=tick // params.time.ticks_per_day,
        events=None,
        forced_chats=[],
        granted_by_request=set(),
    )
