"""What an environment is given, checked: one line says what is wrong with it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config.layout import TownLayout
from townlet_jax.config.params import TownParams


def as_key(key: jax.Array) -> jax.Array:
    """Accepts keys of both styles.

    Args:
      key: key `[]`, or uint32 `[2]` as `jax.random.PRNGKey` makes them.
    """
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return key
    return jax.random.wrap_key_data(key)


def as_pair(
    given: tuple[TownParams, TownLayout] | None, default: tuple[TownParams, TownLayout] | None
) -> tuple[TownParams, TownLayout]:
    """Returns the numbers and tables in force.

    Raises:
      TypeError: unless they are a pair of `TownParams` and `TownLayout`.
    """
    pair = default if given is None else given
    if isinstance(pair, tuple | list) and len(pair) == 2:
        params, layout = pair
        if isinstance(params, TownParams) and isinstance(layout, TownLayout):
            return params, layout
    raise TypeError(f"params must be the pair (TownParams, TownLayout), got {_kind(pair)}")


def as_actions(actions: jax.Array, num_agents: int) -> jax.Array:
    """Checks the form of actions; their values are a matter of the mask.

    Args:
      actions: integers `[A]`.
      num_agents: A.

    Raises:
      TypeError: unless they are integers.
      ValueError: unless there is one per slot.
    """
    wanted = f"actions must be int32 [{num_agents}], one per resident slot"
    try:
        actions = jnp.asarray(actions)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{wanted}; got {_kind(actions)}") from error
    if not jnp.issubdtype(actions.dtype, jnp.integer):
        raise TypeError(f"{wanted}; got {_form(actions)}")
    if actions.shape != (num_agents,):
        raise ValueError(f"{wanted}; got {_form(actions)}")
    return actions


def check_leaves(tree: Any, wanted: Any, batch: tuple[int, ...]) -> None:
    """Compares a restored tree with what it should be.

    Args:
      tree: arrays, on the host or a device.
      wanted: a tree of the same structure whose leaves have a shape and a dtype.
      batch: leading axes that every leaf of `tree` has in front of its shape.

    Raises:
      ValueError: names the first leaf that has a wrong form, or a number that is not finite.
    """
    structure: Any = jax.tree.structure(wanted)
    if structure != jax.tree.structure(tree):
        raise ValueError(f"not a {type(wanted).__name__} of this version: its leaves differ")
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    for (path, leaf), form in zip(leaves, jax.tree.leaves(wanted), strict=True):
        name = jax.tree_util.keystr(path).removeprefix(".")
        shape = (*batch, *form.shape)
        if not hasattr(leaf, "dtype") or leaf.dtype != form.dtype or leaf.shape != shape:
            expected = f"{form.dtype} {list(shape)}"
            raise ValueError(f"{name}: expected {expected}, got {_form(leaf)}")
        if jnp.issubdtype(form.dtype, jnp.floating):
            _check_finite(name, np.asarray(leaf))


def _check_finite(name: str, values: np.ndarray) -> None:
    is_bad = ~np.isfinite(values)
    if is_bad.any():
        index = np.argwhere(is_bad)[0].tolist()
        place = f"{name}{index}" if index else name
        raise ValueError(f"{place} is {values[tuple(index)]}; numbers of a state must be finite")


def _form(x: Any) -> str:
    """Returns dtype and shape as text, such as `float32 [8]`."""
    return f"{x.dtype} {list(x.shape)}" if hasattr(x, "dtype") else _kind(x)


def _kind(x: Any) -> str:
    return "nothing" if x is None else type(x).__name__
