"""Saves towns and brings them back, bit for bit."""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config import Town, dump
from townlet_jax.config.observation_layout import observation_layout
from townlet_jax.config.shape import TownShape
from townlet_jax.env import batch
from townlet_jax.snapshots import arrays, guard, metadata, records, store
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.snapshots.guard import Content
from townlet_jax.snapshots.metadata import SCHEMA_VERSION, Metadata

RECORDS = "towns"
Leaves = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Restored:
    """Towns that were brought back.

    Attributes:
      path: of the snapshot.
      towns: as they were saved, on the devices.
      metadata: of the snapshot.
      is_exact: whether the configuration is the one that they were saved with.
      migrations: what was applied to them now.
    """

    path: Path
    towns: batch.Towns
    metadata: Metadata
    is_exact: bool
    migrations: tuple[dict[str, Any], ...]

    @property
    def history(self) -> tuple[dict[str, Any], ...]:
        """Audit records that later snapshots of these towns carry on."""
        return (*self.metadata.migrations, *self.migrations)


def leaves(towns: batch.Towns) -> Leaves:
    """Copies towns to the host.

    Returns:
      Arrays `[E, ...]` by name; random keys as their uint32 data.
    """
    plain = jax.device_get(jax.tree.map(_data, towns))
    return {_name(path): x for path, x in jax.tree_util.tree_leaves_with_path(plain)}


def describe(
    town: Town,
    content: Leaves,
    run: dict[str, Any],
    migrations: tuple[dict[str, Any], ...] = (),
) -> Metadata:
    """Returns the metadata of a snapshot of towns.

    Args:
      town: their configuration.
      content: from `leaves`.
      run: JSON values that a resumed run goes on with.
      migrations: what was applied to them so far.
    """
    given = town.config.snapshot.identity
    variant = given.observation_variant
    return Metadata(
        schema_version=SCHEMA_VERSION,
        kind="simulation",
        tick=int(content["state.clock.tick"][0]),
        config_id=town.config_id,
        config_hash=town.identity,
        identity={
            "policy_hash": given.policy_hash,
            "policy_artifact": given.policy_artifact,
            "observation_variant": town.shape.observation if variant == "infer" else variant,
            "anneal_ratio": given.anneal_ratio,
        },
        layout_hash=_layout_hash(town.shape),
        actions=town.names.actions,
        agents=town.names.agents,
        run=run,
        migrations=migrations,
        versions=metadata.versions(),
        table=_table(content),
    )


def writer(config: str, content: Leaves, about: Metadata) -> Callable[[Path], None]:
    """Returns what fills the folder of a snapshot, see `store.Store.save`.

    Args:
      config: resolved configuration, from `config.dump`.
      content: from `leaves`.
      about: from `describe`.

    Raises:
      SnapshotError: a number is not finite; nothing of the kind is ever saved.
    """
    check_finite(content, about.agents)

    def fill(folder: Path) -> None:
        rows, _ = records.pack(content)
        arrays.write(folder / arrays.FOLDER, {RECORDS: rows})
        metadata.write(folder, about, config)

    return fill


def read(path: Path, about: Metadata) -> Leaves:
    """Reads the arrays of a snapshot; `store.check` verifies it before.

    Raises:
      CorruptSnapshotError: they are not what the metadata says.
    """
    num_bytes = sum(leaf.num_bytes for leaf in about.table)
    num_towns = about.run.get("num_towns")
    shape = (num_towns if isinstance(num_towns, int) else 0, num_bytes)
    found = arrays.read(path / arrays.FOLDER, {RECORDS: ("uint8", shape)})
    return records.unpack(found[RECORDS], about.table)


def load(town: Town, path: Path) -> Restored:
    """Verifies a snapshot and brings its towns back.

    Args:
      town: the configuration to load into.
      path: folder of the snapshot.

    Raises:
      SnapshotError: it does not fit; says why and what would help.
      CorruptSnapshotError: it is not what was once sealed.
    """
    store.check(path)
    about = metadata.read(path)
    try:
        return _load(town, path, about)
    except SnapshotError as error:
        prefix = "" if str(error).startswith(str(path)) else f"{path}: "
        raise type(error)(f"{prefix}{error}") from None


def migrate(town: Town, path: Path, about: Metadata) -> tuple[Content, tuple[dict[str, Any], ...]]:
    """Reads a snapshot and applies the migrations that lead to a configuration.

    Returns:
      The result; what was applied, for the audit: `from`, `to`, `handler`, `time`, `source`.
    """
    content = Content(about.config_id, read(path, about), dict(about.run))
    content, applied = guard.migrate(content, about, town)
    return content, tuple(_audit(path, about, *step) for step in applied)


def check_finite(content: Leaves, agents: Iterable[str]) -> None:
    """Refuses numbers that are not finite.

    Raises:
      SnapshotError: names the leaf, the town and the resident.
    """
    names = list(agents)
    for name, x in content.items():
        if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
            place = np.argwhere(~np.isfinite(x))[0].tolist()
            who = f" ({names[place[1]]})" if len(place) > 1 and x.shape[1] == len(names) else ""
            raise SnapshotError(
                f"{name} of town {place[0]}{place[1:] or ''}{who} is {x[tuple(place)]}; "
                "numbers of a town must be finite"
            )


def _load(town: Town, path: Path, about: Metadata) -> Restored:
    config = town.config.snapshot
    guard.check_schema(about, config)
    applied: tuple[dict[str, Any], ...] = ()
    if guard.handlers(about, town):
        if not config.migrations.auto_apply:
            raise SnapshotError(
                f"config_id is {about.config_id}, the configuration is {town.config_id}: "
                "auto-migration disabled; set snapshot.migrations.auto_apply, or run "
                "townlet-inspect migrate"
            )
        content, applied = migrate(town, path, about)
        is_exact = True
    else:
        is_exact = guard.check_config(about, metadata.read_config(path), town, dump(town.config))
        content = Content(about.config_id, read(path, about), dict(about.run))
        if not is_exact:
            applied = (_audit(path, about, about.config_id, town.config_id, None),)
    about = dataclasses.replace(about, run=content.run)
    towns = restore(town, content.leaves, about)
    return Restored(path, towns, about, is_exact, applied)


def restore(town: Town, content: Leaves, about: Metadata) -> batch.Towns:
    """Puts towns on the devices.

    Raises:
      SnapshotError: they have another form than those of this configuration, or a number is not
        finite.
    """
    num_towns = len(content["state.clock.tick"]) if "state.clock.tick" in content else 1
    wanted = batch.forms(town, num_towns)
    plain = jax.eval_shape(lambda towns: jax.tree.map(_data, towns), wanted)
    needed = {_name(path): x for path, x in jax.tree_util.tree_leaves_with_path(plain)}
    records.compare(_table(content), _table(needed))
    check_finite(content, about.agents)
    forms, structure = jax.tree.flatten(wanted)
    given = [_keyed(content[name], form) for name, form in zip(needed, forms, strict=True)]
    return batch.place(jax.tree.unflatten(structure, given))


def _audit(path: Path, about: Metadata, old: str, new: str, name: str | None) -> dict[str, Any]:
    """Returns an audit record; without a handler, values differ that no migration was asked for."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    source = f"{path} ({about.config_hash})"
    return {"from": old, "to": new, "handler": name, "time": time, "source": source}


@functools.cache
def _layout_hash(shape: TownShape) -> str:
    return observation_layout(shape).layout_hash


def _table(content: Any) -> tuple[records.Leaf, ...]:
    return tuple(records.Leaf(name, str(x.dtype), x.shape[1:]) for name, x in content.items())


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _data(leaf: jax.Array) -> jax.Array:
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if is_key else leaf


def _keyed(x: np.ndarray, form: jax.ShapeDtypeStruct) -> jax.Array:
    is_key = jnp.issubdtype(form.dtype, jax.dtypes.prng_key)
    return jax.random.wrap_key_data(jnp.asarray(x)) if is_key else jnp.asarray(x)
