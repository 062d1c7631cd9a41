"""Trees of arrays on the devices, and the same as plain arrays by name."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.snapshots import arrays, metadata, records
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.snapshots.metadata import Metadata
from townlet_jax.train import processes

Leaves = dict[str, np.ndarray]
Tree = TypeVar("Tree")


def to_host(tree: Any) -> Leaves:
    """Copies a tree to the host.

    Returns:
      Arrays by name, each with the leading axis of the rows of a snapshot; random keys as their
      uint32 data. Where several processes share the tree, each of them gets all of it.
    """
    plain = processes.to_host(jax.tree.map(_data, tree))
    return {_name(path): x for path, x in jax.tree_util.tree_leaves_with_path(plain)}


def from_host(wanted: Tree, content: Leaves) -> Tree:
    """Builds a tree again; the inverse of `to_host`.

    Args:
      wanted: shapes and dtypes, the leading axis included.
      content: arrays by name.

    Raises:
      SnapshotError: a leaf is missing, unknown, or of another form; names the first.
    """
    plain = jax.eval_shape(lambda tree: jax.tree.map(_data, tree), wanted)
    needed = {_name(path): x for path, x in jax.tree_util.tree_leaves_with_path(plain)}
    records.compare(table(content), table(needed))
    forms, structure = jax.tree.flatten(wanted)
    given = [_keyed(content[name], form) for name, form in zip(needed, forms, strict=True)]
    tree: Tree = jax.tree.unflatten(structure, given)
    return tree


def table(content: Any) -> tuple[records.Leaf, ...]:
    """Describes one row of arrays that share a leading axis."""
    return tuple(records.Leaf(name, str(x.dtype), x.shape[1:]) for name, x in content.items())


def writer(config: str, content: Leaves, about: Metadata) -> Callable[[Path], None]:
    """Returns what fills the folder of a snapshot, see `store.Store.save`.

    Args:
      config: resolved configuration, from `config.dump`.
      content: from `to_host`.
      about: metadata of the snapshot.

    Raises:
      SnapshotError: a number is not finite; nothing of the kind is ever saved.
    """
    check_finite(content, about)

    def fill(folder: Path) -> None:
        rows, _ = records.pack(content)
        arrays.write(folder / arrays.FOLDER, {about.rows: rows})
        metadata.write(folder, about, config)

    return fill


def read(path: Path, about: Metadata) -> Leaves:
    """Reads the arrays of a snapshot; `store.check` verifies it before.

    Raises:
      CorruptSnapshotError: they are not what the metadata says.
    """
    num_bytes = sum(leaf.num_bytes for leaf in about.table)
    shape = (about.num_rows, num_bytes)
    found = arrays.read(path / arrays.FOLDER, {about.rows: ("uint8", shape)})
    return records.unpack(found[about.rows], about.table)


def check_finite(content: Leaves, about: Metadata) -> None:
    """Refuses numbers that are not finite.

    Raises:
      SnapshotError: names the leaf, the row and the resident.
    """
    names = list(about.agents)
    for name, x in content.items():
        if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
            place = np.argwhere(~np.isfinite(x))[0].tolist()
            who = _who(names, place, x) if about.kind == "simulation" else ""
            raise SnapshotError(
                f"{name} of {about.row} {place[0]}{place[1:] or ''}{who} is {x[tuple(place)]}; "
                f"numbers of a {about.row} must be finite"
            )


def _who(names: Iterable[str], place: list[int], x: np.ndarray) -> str:
    names = list(names)
    return f" ({names[place[1]]})" if len(place) > 1 and x.shape[1] == len(names) else ""


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _data(leaf: jax.Array) -> jax.Array:
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if is_key else leaf


def _keyed(x: np.ndarray, form: jax.ShapeDtypeStruct) -> jax.Array:
    is_key = jnp.issubdtype(form.dtype, jax.dtypes.prng_key)
    return jax.random.wrap_key_data(jnp.asarray(x)) if is_key else jnp.asarray(x)
