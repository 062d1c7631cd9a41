"""The JSON-lines file for what happens in a watched town."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from townlet_jax.ops.events import Record
from townlet_jax.snapshots.errors import SnapshotError


class EventFile:
    """An open file of records, one JSON object per line."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def write(self, records: list[Record]) -> None:
        """Appends records."""
        self._file.writelines(json.dumps(record).encode() + b"\n" for record in records)

    def num_bytes(self) -> int:
        """Returns how much has been written, all of it on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()


@contextlib.contextmanager
def event_file(path: str | None, num_bytes: int | None = None) -> Iterator[EventFile | None]:
    """Opens the file before the town is run, so that a bad name costs no time.

    Args:
      path: of the file, None = no file.
      num_bytes: how much was in it when the towns that are gone on with were saved; what comes
        after will happen again and is cut off. None = a new file.

    Raises:
      OSError: it cannot be opened.
      SnapshotError: it is shorter than that.
    """
    if path is None:
        yield None
        return
    with Path(path).open("wb" if num_bytes is None else "r+b") as file:
        if num_bytes is not None:
            if file.seek(0, os.SEEK_END) < num_bytes:
                raise SnapshotError(
                    f"{path}: is shorter than when the towns were saved, {num_bytes} bytes"
                )
            file.truncate(num_bytes)
            file.seek(num_bytes)
        yield EventFile(file)
