"""The training log: one JSON object per line and update. Training text §10.

A log of more than `max_entries` lines goes on in `<name>.1`, `<name>.2`, and so on.
"""

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn, Self

import numpy as np

from townlet_jax.config.errors import ConfigError, Problem

Record = dict[str, Any]


class TrainingLog:
    """An open log, to which chunks of updates are appended."""

    def __init__(
        self, path: str, log_frequency: int = 1, max_entries: int | None = None, offset: int = 0
    ):
        """Opens the end of a log.

        Args:
          path: of its first file; new, or with `cut` behind it.
          log_frequency: only epochs that it divides are written.
          max_entries: lines per file, None or 0 = no limit.
          offset: `log_stream_offset` of the last update of the run so far.

        Raises:
          OSError: it cannot be opened.
        """
        self.offset = offset
        self._path = path
        self._frequency = log_frequency
        self._max_entries = max_entries or sys.maxsize
        self._number = max(len(log_files(path)) - 1, 0)
        self._file, self._num_entries = _append_to(_name(path, self._number))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Appends the updates of a chunk, one record each, and flushes them.

        Every update counts in `log_stream_offset`, which is added here, whether written or not.

        Raises:
          ValueError: names the first key that is not finite or not plain; nothing is written.
        """
        offsets = range(self.offset + 1, self.offset + 1 + len(records))
        lines = [
            (record["epoch"], _line({**record, "log_stream_offset": offset}))
            for record, offset in zip(records, offsets, strict=True)
        ]
        self._append([line for epoch, line in lines if epoch % self._frequency == 0])
        self.offset += len(records)

    def write_event(self, record: Mapping[str, Any]) -> None:
        """Appends a record that is no update, such as the stop record, whatever the frequency."""
        self._append([_line(record)])

    def sync(self) -> None:
        """Brings the log to the disk; do so before a checkpoint that it must not lag behind."""
        os.fsync(self._file.fileno())

    def _append(self, lines: Sequence[bytes]) -> None:
        while lines:
            if self._num_entries >= self._max_entries:
                self.sync()
                self._file.close()
                self._number += 1
                self._file, self._num_entries = _append_to(_name(self._path, self._number))
            fitting = lines[: self._max_entries - self._num_entries]
            self._file.write(b"".join(fitting))
            self._file.flush()
            self._num_entries += len(fitting)
            lines = lines[len(fitting) :]


class _Line(NamedTuple):
    """A line of a log: its file, its number from 1, where it starts [byte], its bytes."""

    file: Path
    number: int
    start: int
    raw: bytes

    @property
    def end(self) -> int:
        """Where the next line starts [byte]."""
        return self.start + len(self.raw)

    def fail(self, message: str) -> NoReturn:
        """Says what is wrong with it, as a `ConfigError`."""
        raise ConfigError([Problem(str(self.file), self.number, 1, "", message)])


def log_files(path: str) -> list[Path]:
    """Returns the files of a log that exist, oldest first."""
    files = [Path(path)] if os.path.lexists(path) else []
    number = 1
    while os.path.lexists(_name(path, number)):
        files.append(_name(path, number))
        number += 1
    return files


def read_log(path: str) -> Iterator[Record]:
    """Yields the records of a log over all its files.

    Raises:
      ConfigError: file and line of what is not a record; numbers that are not finite are not.
      OSError: the first file cannot be read.
    """
    for line in _lines(log_files(path) or [Path(path)]):
        yield _parse(line)


def cut(path: str, epoch: int) -> None:
    """Cuts off what a run wrote after its checkpoint, so that each epoch occurs once.

    The first record of a later epoch goes, and everything behind it; so do the stop record, as the
    run goes on, and a last line that was torn while it was written.

    Args:
      path: first file of the log; need not exist.
      epoch: last update of the checkpoint.

    Raises:
      ConfigError: what stands before that place is not a log.
    """
    files = log_files(path)
    line = None
    for line in _lines(files):
        is_last = line.file == files[-1] and line.end == line.file.stat().st_size
        if is_last and not _is_whole(line) or _is_later(line, epoch):
            for file in reversed(files[files.index(line.file) + 1 :]):
                file.unlink()
            os.truncate(line.file, line.start)
            return
    if line is not None and not line.raw.endswith(b"\n"):
        with line.file.open("ab") as last:
            last.write(b"\n")


def _is_later(line: _Line, epoch: int) -> bool:
    record = _parse(line)
    number = record.get("epoch")
    if type(number) is not int:
        line.fail("epoch: must be an int")
    return number > epoch or record.get("event") == "stop"


def _is_whole(line: _Line) -> bool:
    with contextlib.suppress(ConfigError):
        return bool(_parse(line))
    return False


def _lines(files: Sequence[Path]) -> Iterator[_Line]:
    for file in files:
        with file.open("rb") as open_file:
            start = 0
            for number, raw in enumerate(open_file, start=1):
                yield _Line(file, number, start, raw)
                start += len(raw)


def _parse(line: _Line) -> Record:
    try:
        record = json.loads(line.raw, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        is_torn = not line.raw.endswith(b"\n")
        line.fail("ends in the middle of a record" if is_torn else f"is not JSON: {error}")
    if not isinstance(record, dict):
        line.fail("must be a JSON object")
    return record


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"{text} is not finite")
    return float(text)


def _line(record: Mapping[str, Any]) -> bytes:
    plain = {key: _plain(key, value) for key, value in record.items()}
    return json.dumps(plain, allow_nan=False).encode() + b"\n"


def _plain(key: str, value: Any) -> Any:
    """Returns a value as JSON has it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{key}: {value} is not finite")
    if not isinstance(value, str | bool | int | float | None):
        raise ValueError(f"{key}: a {type(value).__name__} is not a number, a text or null")
    return value


def _name(path: str, number: int) -> Path:
    return Path(f"{path}.{number}" if number else path)


def _append_to(path: Path) -> tuple[BinaryIO, int]:
    """Opens a file at its end, and counts its lines."""
    file = path.open("a+b")
    file.seek(0)
    return file, sum(1 for _ in file)
