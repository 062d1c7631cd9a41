"""Where a run keeps its snapshots, and how it goes on from one."""

import sys
from pathlib import Path
from typing import Any

from townlet_jax.config.town import Town
from townlet_jax.snapshots import store
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.snapshots.towns import RestoredTowns, load

_FORMS = {"policy": str, "seed": int, "num_towns": int, "num_ticks": int, "days": list}


def root(town: Town, given: str | None) -> Path | None:
    """Returns the folder of snapshots: the given one, or that of the configuration if it saves."""
    config = town.config.snapshot
    if given is None and config.autosave.cadence_ticks is None:
        return None
    return Path(given or config.storage.root).expanduser()


def refuse_used(folder: Path) -> None:
    """Refuses a folder with snapshots of an earlier run.

    Raises:
      SnapshotError: says what to do.
    """
    found = store.steps(folder) if folder.is_dir() else []
    if found:
        raise SnapshotError(
            f"{folder}: holds snapshots up to tick {found[-1].tick}; add --resume to go on from "
            "there, or name another folder"
        )


def resume(
    town: Town, folder: Path, is_fallback_fine: bool, given: dict[str, Any]
) -> RestoredTowns:
    """Brings back the newest snapshot of a folder, and says on stderr what was passed over.

    Args:
      town: the configuration.
      folder: of snapshots.
      is_fallback_fine: whether an older one will do if the newest is corrupt.
      given: `policy`, `seed`, `num_towns` as asked for, None = as in the snapshot.

    Raises:
      SnapshotError: there is none, or it does not fit.
      CorruptSnapshotError: the newest is corrupt.
    """
    step, passed = store.newest(folder, is_fallback_fine)
    for line in passed:
        print(f"passed over: {line}", file=sys.stderr)
    restored = load(town, step.path)
    run = restored.metadata.run
    for key, form in _FORMS.items():
        if not isinstance(run.get(key), form):
            raise SnapshotError(f"{step.path}: {key} of the run is missing; not of a simulation")
    for key, value in given.items():
        if value is not None and value != run[key]:
            raise SnapshotError(
                f"{step.path}: its {key} is {run[key]}, not {value}; leave it out to go on"
            )
    if not restored.is_exact:
        print(f"{step.path}: resumed with another configuration", file=sys.stderr)
    for one in restored.migrations:
        if one["handler"] is not None:
            print(f"{step.path}: migrated {one['from']} to {one['to']}", file=sys.stderr)
    return restored
