"""What can be told of snapshots, as JSON values; for the command line and the operator's console.

Only `stats`, `diff`, `validate` and `migrate` read arrays, and only they import jax.
"""

import dataclasses
import fnmatch
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from townlet_jax.snapshots import metadata, records, seal, store
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.snapshots.metadata import Metadata
from townlet_jax.snapshots.records import Leaf

if TYPE_CHECKING:
    from townlet_jax.config import Town

Record = dict[str, Any]


def find(path: Path) -> Path:
    """Returns a snapshot: the path itself, or the newest one of a folder of snapshots.

    Raises:
      SnapshotError: there is none.
    """
    if seal.is_sealed(path) or (path / metadata.METADATA).is_file():
        return path
    found = store.steps(path)
    if not found:
        raise SnapshotError(f"{path}: is no snapshot and holds none")
    return found[-1].path


def listing(root: Path) -> list[Record]:
    """Lists the snapshots of a folder, oldest first."""
    return [_line(step) for step in store.steps(root)]


def summary(path: Path) -> Record:
    """Tells schema version, tick, identity, migrations and run of a snapshot."""
    about = metadata.read(path).to_json()
    del about["table"]
    return {"path": str(path), **about}


def identity(path: Path) -> Record:
    """Tells what a snapshot was made of: policy, observations, configuration, versions."""
    about = metadata.read(path)
    return {
        **about.identity,
        "config_id": about.config_id,
        "config_hash": about.config_hash,
        "layout_hash": about.layout_hash,
        "actions": list(about.actions),
        "versions": about.versions,
    }


def leaves(path: Path, patterns: Sequence[str] = ()) -> list[Record]:
    """Lists the arrays of a snapshot.

    Args:
      path: of the snapshot.
      patterns: such as `state.needs.*`; none means all.

    Raises:
      SnapshotError: a pattern fits nothing.
    """
    about = metadata.read(path)
    return [
        {
            "name": leaf.name,
            "dtype": leaf.dtype,
            "shape": [about.num_rows, *leaf.shape],
            "bytes_per_row": leaf.num_bytes,
        }
        for leaf in _chosen(path, about, patterns)
    ]


def stats(path: Path, patterns: Sequence[str] = ()) -> list[Record]:
    """Lists arrays with smallest and largest value, mean, share of zeros, and bad numbers.

    Verifies the snapshot first.
    """
    store.check(path)
    content = _read(path)
    lines = leaves(path, patterns)
    for line in lines:
        x = content[line["name"]].astype(np.float64)
        is_finite = np.isfinite(x)
        good = x[is_finite]
        line["num_not_finite"] = int(x.size - good.size)
        line["min"], line["max"], line["mean"] = (
            (float(good.min()), float(good.max()), float(good.mean())) if good.size else (None,) * 3
        )
        line["zeros"] = float(np.mean(x == 0)) if x.size else None
    return lines


def verify(path: Path) -> list[Record]:
    """Verifies a snapshot, or all of a folder.

    Returns:
      `path`, `is_intact`, `bytes` and `error` of each.
    """
    is_one = seal.is_sealed(path) or (path / metadata.METADATA).is_file()
    paths = [path] if is_one else [step.path for step in store.folders(path)]
    if not paths:
        raise SnapshotError(f"{path}: is no snapshot and holds none")
    return [_verdict(one) for one in paths]


def diff(a: Path, b: Path, patterns: Sequence[str] = ()) -> Record:
    """Compares two snapshots.

    Returns:
      `metadata`: keys that differ, with both values; `forms`: leaves of one only, or of another
      form; `leaves`: for each that differs `num_different` of `size`, `max_difference`, and `where`
      the largest is: town (or learner), resident and index, with both values.
    """
    for path in (a, b):
        store.check(path)
    one, other = metadata.read(a), metadata.read(b)
    left, right = summary(a), summary(b)
    keys = [key for key in left if key != "path" and left[key] != right[key]]
    common = {leaf for leaf in one.table if leaf in set(other.table)}
    before, after = _read(a), _read(b)
    chosen = [leaf for leaf in _chosen(a, one, patterns) if leaf in common]
    changed: list[Record] = []
    if (one.rows, one.num_rows) == (other.rows, other.num_rows):
        for leaf in chosen:
            changed.extend(_change(leaf, before[leaf.name], after[leaf.name], one))
    return {
        "metadata": {key: [left[key], right[key]] for key in keys},
        "forms": list(records.differences(one.table, other.table)),
        "leaves": changed,
        "num_equal": len(chosen) - len(changed),
    }


def validate(town: "Town", path: Path, is_strict: bool = False) -> Record:
    """Loads a snapshot against a configuration, without changing anything.

    Args:
      town: the configuration.
      path: of the snapshot.
      is_strict: whether a migration, or another configuration, makes it invalid.

    Returns:
      `valid`, `error` (what stands against it, or None), `is_exact`, `migrations` that it takes.

    Raises:
      CorruptSnapshotError: it is not what was once sealed.
    """
    found: Record = {"path": str(path), "valid": False, "error": None, "is_exact": None}
    found["migrations"] = []
    store.check(path)
    try:
        if is_strict:
            about = metadata.read(path)
            if about.config_id != town.config_id:
                raise SnapshotError(
                    f"{path}: config_id is {about.config_id}, the configuration is "
                    f"{town.config_id}; --strict refuses migrations"
                )
        restored = _loader(path).load(town, path)
    except SnapshotError as error:
        found["error"] = str(error)
        return found
    found["is_exact"] = restored.is_exact
    found["migrations"] = [one for one in restored.migrations if one["handler"] is not None]
    if is_strict and not restored.is_exact:
        found["error"] = f"{path}: saved with another configuration; --strict refuses it"
        return found
    return found | {"valid": True}


def migrate(town: "Town", path: Path, output: Path) -> Record:
    """Applies the migrations that lead to a configuration and saves the result.

    Args:
      town: the configuration.
      path: of the snapshot; it stays as it is.
      output: folder of snapshots to save to.

    Returns:
      `applied`: the audit records, which the result carries too; `output`: its folder.

    Raises:
      SnapshotError: there is nothing to migrate, a handler is missing or fails, or the result does
        not fit the configuration.
    """
    from townlet_jax.config import dump
    from townlet_jax.snapshots import guard, leaves, loading

    store.check(path)
    about = metadata.read(path)
    guard.check_schema(about, town.config.snapshot)
    if not guard.handlers(about, town):
        raise SnapshotError(f"{path}: config_id is {about.config_id}, there is nothing to migrate")
    content, applied = loading.migrate(town, path, about)
    loader = _loader(path)
    loader.restore(town, content.leaves, dataclasses.replace(about, run=content.run))
    result = loader.describe(town, content.leaves, content.run, (*about.migrations, *applied))
    target = store.Store(output)
    try:
        folder = target.save(result.tick, leaves.writer(dump(town.config), content.leaves, result))
    finally:
        target.close()
    return {"applied": list(applied), "output": str(folder)}


def _line(step: store.Step) -> Record:
    about = metadata.read(step.path)
    size = sum(file.stat().st_size for file in step.path.rglob("*") if file.is_file())
    return {
        "path": str(step.path),
        "tick": step.tick,
        "config_id": about.config_id,
        "kind": about.kind,
        "rows": about.rows,
        "num_rows": about.num_rows,
        "policy": about.run.get("policy"),
        "seed": about.run.get("seed"),
        "bytes": size,
    }


def _verdict(path: Path) -> Record:
    try:
        size = store.check(path)
    except SnapshotError as error:
        return {"path": str(path), "is_intact": False, "bytes": None, "error": str(error)}
    return {"path": str(path), "is_intact": True, "bytes": size, "error": None}


def _chosen(path: Path, about: Metadata, patterns: Sequence[str]) -> list[Leaf]:
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(leaf.name, pattern) for leaf in about.table):
            raise SnapshotError(f"{path}: no array is called {pattern}")
    return [
        leaf
        for leaf in about.table
        if not patterns or any(fnmatch.fnmatchcase(leaf.name, pattern) for pattern in patterns)
    ]


def _loader(path: Path) -> Any:
    """Returns the module that loads snapshots of this kind."""
    from townlet_jax.snapshots import learners, towns

    return learners if metadata.read(path).kind == "training" else towns


def _read(path: Path) -> dict[str, np.ndarray]:
    from townlet_jax.snapshots import leaves

    return leaves.read(path, metadata.read(path))


def _change(
    leaf: Leaf, before: np.ndarray, after: np.ndarray, about: Metadata
) -> Iterator[Record]:
    bits = (np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}") for x in (before, after))
    is_different = np.not_equal(*bits)
    if not is_different.any():
        return
    with np.errstate(invalid="ignore"):
        apart = np.abs(after.astype(np.float64) - before.astype(np.float64))
    index = np.unravel_index(int(np.argmax(np.where(is_different, apart, -1.0))), apart.shape)
    row, place = int(index[0]), [int(i) for i in index[1:]]
    agents = about.agents if about.kind == "simulation" else ()
    is_resident = bool(leaf.shape) and leaf.shape[0] == len(agents)
    yield {
        "name": leaf.name,
        "num_different": int(is_different.sum()),
        "size": int(is_different.size),
        "max_difference": float(apart[index]),
        "where": {
            about.row: row,
            "resident": agents[place[0]] if is_resident else None,
            "index": place,
            "before": before[index].item(),
            "after": after[index].item(),
        },
    }
