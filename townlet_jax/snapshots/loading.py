"""Brings back what a snapshot holds, whatever that is: checks, migrations and their audit."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from townlet_jax.config import Town, dump
from townlet_jax.snapshots import guard, leaves, metadata, store
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.snapshots.guard import Content
from townlet_jax.snapshots.leaves import Leaves
from townlet_jax.snapshots.metadata import Metadata

State = TypeVar("State")
Audit = tuple[dict[str, Any], ...]


@dataclasses.dataclass(frozen=True)
class Restored(Generic[State]):
    """What was brought back.

    Attributes:
      path: of the snapshot.
      state: as it was saved, on the devices.
      metadata: of the snapshot.
      is_exact: whether the configuration is the one that it was saved with.
      migrations: what was applied now.
    """

    path: Path
    state: State
    metadata: Metadata
    is_exact: bool
    migrations: Audit

    @property
    def history(self) -> Audit:
        """Audit records that later snapshots of this state carry on."""
        return (*self.metadata.migrations, *self.migrations)


def load(
    town: Town, path: Path, kind: str, restore: Callable[[Town, Leaves, Metadata], State]
) -> Restored[State]:
    """Verifies a snapshot and brings back what it holds.

    Args:
      town: the configuration to load into.
      path: folder of the snapshot.
      kind: what it must be of.
      restore: puts arrays on the devices.

    Raises:
      SnapshotError: it does not fit; says why and what would help.
      CorruptSnapshotError: it is not what was once sealed.
    """
    store.check(path)
    about = metadata.read(path)
    try:
        if about.kind != kind:
            raise SnapshotError(f"is of a {about.kind}, not of a {kind}")
        return _load(town, path, about, restore)
    except SnapshotError as error:
        prefix = "" if str(error).startswith(str(path)) else f"{path}: "
        raise type(error)(f"{prefix}{error}") from None


def migrate(town: Town, path: Path, about: Metadata) -> tuple[Content, Audit]:
    """Reads a snapshot and applies the migrations that lead to a configuration.

    Returns:
      The result; what was applied, for the audit: `from`, `to`, `handler`, `time`, `source`.
    """
    content = Content(about.config_id, leaves.read(path, about), dict(about.run))
    content, applied = guard.migrate(content, about, town)
    return content, tuple(_audit(path, about, *step) for step in applied)


def _load(
    town: Town, path: Path, about: Metadata, restore: Callable[[Town, Leaves, Metadata], State]
) -> Restored[State]:
    config = town.config.snapshot
    guard.check_schema(about, config)
    applied: Audit = ()
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
        content = Content(about.config_id, leaves.read(path, about), dict(about.run))
        if not is_exact:
            applied = (_audit(path, about, about.config_id, town.config_id, None),)
    about = dataclasses.replace(about, run=content.run)
    return Restored(path, restore(town, content.leaves, about), about, is_exact, applied)


def _audit(path: Path, about: Metadata, old: str, new: str, name: str | None) -> dict[str, Any]:
    """Returns an audit record; without a handler, values differ that no migration was asked for."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    source = f"{path} ({about.config_hash})"
    return {"from": old, "to": new, "handler": name, "time": time, "source": source}
