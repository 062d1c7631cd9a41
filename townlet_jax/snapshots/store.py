"""A folder of snapshots: save, list, keep the newest few."""

import contextlib
import dataclasses
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from townlet_jax.snapshots import metadata as metadata_file
from townlet_jax.snapshots import seal
from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError

LOCK = ".lock"
NUM_DIGITS = 10


@dataclasses.dataclass(frozen=True)
class Step:
    """A sealed snapshot of a store.

    Attributes:
      tick: at which it was taken.
      path: its folder.
    """

    tick: int
    path: Path


def steps(root: Path) -> list[Step]:
    """Lists the sealed snapshots of a folder, oldest first; does not verify them.

    Raises:
      SnapshotError: there is no such folder.
    """
    return [step for step in folders(root) if seal.is_sealed(step.path)]


def folders(root: Path) -> list[Step]:
    """Lists whatever has the name of a snapshot, oldest first.

    A snapshot gets its name once it is sealed, so one without a manifest was damaged.

    Raises:
      SnapshotError: there is no such folder.
    """
    if not root.is_dir():
        raise SnapshotError(f"{root}: no such folder of snapshots")
    named = [path for path in root.iterdir() if path.name.isascii() and path.name.isdigit()]
    return sorted((Step(int(path.name), path) for path in named), key=lambda step: step.tick)


def check(step: Path) -> int:
    """Verifies a snapshot and that it is where it belongs; returns the bytes of its files.

    Raises:
      CorruptSnapshotError: it is not what was once sealed.
    """
    size = seal.verify(step)
    tick = metadata_file.read(step).tick
    if step.name.isdigit() and int(step.name) != tick:
        raise CorruptSnapshotError(f"{step}: holds tick {tick}")
    return size


def newest(root: Path, is_fallback_fine: bool = False) -> tuple[Step, list[str]]:
    """Finds the newest intact snapshot.

    Args:
      root: folder of snapshots.
      is_fallback_fine: whether an older one will do if the newest is corrupt.

    Returns:
      The snapshot; why newer ones were passed over, one line each.

    Raises:
      SnapshotError: there is none.
      CorruptSnapshotError: the newest is corrupt, or all are.
    """
    passed: list[str] = []
    for step in reversed(folders(root)):
        try:
            check(step.path)
        except CorruptSnapshotError as error:
            if not is_fallback_fine:
                raise
            passed.append(str(error))
            continue
        return step, passed
    if passed:
        raise CorruptSnapshotError(f"{root}: no intact snapshot; {passed[0]}")
    raise SnapshotError(f"{root}: holds no snapshot")


def lock(root: Path) -> int:
    """Keeps other processes from writing to a folder; returns what `os.close` gives up again.

    Raises:
      SnapshotError: another process writes to it.
    """
    descriptor = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise SnapshotError(f"{root}: another process writes there") from None
    return descriptor


class Store:
    """A folder of snapshots that this process writes to."""

    def __init__(self, root: Path, retain: int | None = None):
        """Opens a folder, makes it if need be, and clears what an earlier process left unsealed.

        Args:
          root: folder of snapshots.
          retain: how many stay, at least 1; None = all.

        Raises:
          SnapshotError: another process writes to it.
          OSError: it cannot be made or written.
        """
        self.root, self._retain = root, retain
        root.mkdir(parents=True, exist_ok=True)
        self._lock = lock(root)
        seal.empty(root)

    def close(self) -> None:
        """Lets other processes write."""
        os.close(self._lock)

    def save(self, tick: int, fill: Callable[[Path], None]) -> Path:
        """Saves a snapshot, then deletes the oldest ones above the number to retain.

        Args:
          tick: at which it was taken.
          fill: writes everything into an empty folder.

        Returns:
          Its folder. An intact one of this tick that is there already stays as it is.

        Raises:
          OSError: nothing was saved, and nothing is lost.
        """
        target = self.root / f"{tick:0{NUM_DIGITS}d}"
        if target.exists() and not _is_intact(target):
            seal.discard(target)
        if not target.exists():
            draft = self.root / f"{seal.NEW}{tick}-{os.getpid()}-{time.monotonic_ns()}"
            try:
                draft.mkdir()
                fill(draft)
                seal.seal(draft)
                seal.publish(draft, target)
            finally:
                seal.empty(self.root)
        if self._retain is not None:
            for step in steps(self.root)[: -self._retain]:
                with contextlib.suppress(OSError):  # tried again after the next save
                    seal.discard(step.path)
        return target


def _is_intact(step: Path) -> bool:
    try:
        check(step)
    except CorruptSnapshotError:
        return False
    return True
