"""Saves running towns in the background, one snapshot at a time."""

import functools
import json
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import jax.numpy as jnp

from townlet_jax.config import Town, dump
from townlet_jax.env import batch
from townlet_jax.snapshots import leaves
from townlet_jax.snapshots import towns as town_files
from townlet_jax.snapshots.store import Store

DEFAULT_CADENCE = 1000
"""[tick] between snapshots where a folder is named, but no `snapshot.autosave.cadence_ticks`."""


class Saver:
    """A store and a thread that writes to it, while the towns live on.

    Attributes:
      cadence: [tick] between snapshots.
    """

    def __init__(self, town: Town, root: Path, history: tuple[dict[str, Any], ...] = ()):
        """Opens a folder of snapshots, see `Store`.

        Args:
          town: configuration of the towns; `snapshot.autosave.retain` snapshots stay.
          root: folder.
          history: audit records of the towns so far, see `Restored.history`.
        """
        self.cadence = town.config.snapshot.autosave.cadence_ticks or DEFAULT_CADENCE
        self._num_saved, self._newest, self._is_saved = 0, "", True
        self._history = history
        self._town, self._root, self._config = town, root, dump(town.config)
        self._store = Store(root, town.config.snapshot.autosave.retain)
        self._thread = ThreadPoolExecutor(1, "snapshots")
        self._running: Future[Path] | None = None

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Lets a snapshot that has begun end."""
        self._thread.shutdown(wait=True)
        self._store.close()

    def save(self, towns: batch.Towns, run: dict[str, Any]) -> None:
        """Copies towns and begins to save the copy; waits for the snapshot before.

        Args:
          towns: free to be given up afterwards.
          run: JSON values that a resumed run goes on with.

        Raises:
          SnapshotError: a number of the snapshot before is not finite.
        """
        self.wait()
        copy = _copier()(towns)
        record = json.loads(json.dumps(run))
        self._running = self._thread.submit(self._save, copy, record)

    def wait(self) -> bool:
        """Waits until what `save` began is on the disk; if that fails, says so on stderr.

        Returns:
          Whether the last snapshot was saved.

        Raises:
          SnapshotError: a number is not finite.
        """
        running, self._running = self._running, None
        if running is not None:
            try:
                self._newest = str(running.result())
                self._num_saved += 1
                self._is_saved = True
            except OSError as error:
                self._is_saved = False
                print(f"{self._root}: snapshot was not saved: {error}", file=sys.stderr)
        return self._is_saved

    def report(self) -> dict[str, Any]:
        """Returns where snapshots were saved and how many."""
        return {"root": str(self._root), "saved": self._num_saved, "newest": self._newest}

    def _save(self, towns: batch.Towns, run: dict[str, Any]) -> Path:
        """Does all the work of `save`, in the thread."""
        content = leaves.to_host(towns)
        about = town_files.describe(self._town, content, run, self._history)
        fill = leaves.writer(self._config, content, about)
        return self._store.save(about.tick, fill)


@functools.cache
def _copier() -> Callable[[batch.Towns], batch.Towns]:
    """Copies towns on their devices, because the next tick takes their place."""
    return jax.jit(lambda towns: jax.tree.map(jnp.copy, towns))
