"""The folder of a sweep: what is planned, which parts are finished, and that they are intact.

    sweep.json       the plan, and a checksum of every finished part
    part-<i>.csv     rows of a finished part
    running/<i>/     snapshots of the learners of the part that is under way

A part is listed after its file is on the disk; whatever is not listed is computed again.
"""

import csv
import dataclasses
import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from townlet_jax.snapshots import seal, store
from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError

PLAN = "sweep.json"
RUNNING = "running"
SCHEMA = 1
Row = dict[str, Any]
"""A line of results: numbers, text, None where there is no figure."""


@dataclasses.dataclass
class Progress:
    """How far a sweep is.

    Attributes:
      key: SHA-256 over everything that decides the results.
      about: what is swept, for people and for plots; JSON values.
      chunks: settings per call, by combination of sizes; those that were decided.
      parts: SHA-256 of the file of each finished part, by index.
    """

    key: str
    about: dict[str, Any]
    chunks: list[int] = dataclasses.field(default_factory=list)
    parts: dict[int, str] = dataclasses.field(default_factory=dict)


class SweepFolder:
    """A folder that this process writes the parts of a sweep to."""

    def __init__(self, root: Path, key: str, about: Mapping[str, Any], is_resumed: bool):
        """Opens the folder, makes it if need be.

        Args:
          root: the folder.
          key: SHA-256 over everything that decides the results.
          about: what is swept; JSON values.
          is_resumed: whether to go on with the sweep that is there.

        Raises:
          SnapshotError: it holds another sweep, or none to go on with, or another process writes.
          CorruptSnapshotError: it is damaged.
          OSError: it cannot be written.
        """
        self.root = root
        has_plan = (root / PLAN).exists()
        if is_resumed and not has_plan:
            raise SnapshotError(f"{root}: holds no sweep to resume")
        if has_plan and not is_resumed:
            done = len(read_progress(root).parts)
            raise SnapshotError(
                f"{root}: holds a sweep with {done} finished part(s); add --resume to go on from "
                "there, or name another folder"
            )
        root.mkdir(parents=True, exist_ok=True)
        self._lock = store.lock(root)
        try:
            self.progress = read_progress(root) if has_plan else Progress(key, dict(about))
            if self.progress.key != key:
                raise SnapshotError(
                    f"{root}: is another sweep: configuration, sweep file, mode, seeds or --exact "
                    "differ from those it was started with"
                )
            self._write()
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._lock)

    def decide(self, chunk: int) -> None:
        """Notes the settings per call of the next combination of sizes."""
        self.progress.chunks.append(chunk)
        self._write()

    def finished(self, index: int) -> list[Row] | None:
        """Returns the rows of a finished part, None if it has to be computed.

        Raises:
          CorruptSnapshotError: its file is not what was written.
        """
        path = part_path(self.root, index)
        if index not in self.progress.parts or not path.exists():
            return None
        return read_part(path, self.progress.parts[index])

    def finish(self, index: int, rows: Sequence[Row]) -> None:
        """Writes the rows of a part and lists it.

        Raises:
          OSError: nothing is listed.
        """
        text = to_csv(rows)
        write(part_path(self.root, index), text)
        self.progress.parts[index] = _digest(text)
        self._write()
        shutil.rmtree(self.running(index), ignore_errors=True)

    def running(self, index: int) -> Path:
        """Returns the folder of the snapshots of a part that is under way."""
        return self.root / RUNNING / str(index)

    def _write(self) -> None:
        progress = self.progress
        body = {
            "schema": SCHEMA,
            "key": progress.key,
            "about": progress.about,
            "chunks": progress.chunks,
            "parts": {str(i): digest for i, digest in sorted(progress.parts.items())},
        }
        write(self.root / PLAN, json.dumps({**body, "sha256": _digest(_body(body))}, indent=1))


def read_progress(root: Path) -> Progress:
    """Reads how far a sweep is.

    Raises:
      CorruptSnapshotError: `sweep.json` is missing or not what was written.
    """
    path = root / PLAN
    data = seal.read_json(path)
    body = {k: x for k, x in data.items() if k != "sha256"} if isinstance(data, dict) else {}
    if not body or data.get("sha256") != _digest(_body(body)) or body.get("schema") != SCHEMA:
        raise CorruptSnapshotError(f"{path}: differs from what was written")
    parts = {int(i): digest for i, digest in body["parts"].items()}
    return Progress(body["key"], body["about"], body["chunks"], parts)


def part_path(root: Path, index: int) -> Path:
    """Returns the file of a part."""
    return root / f"part-{index}.csv"


def read_part(path: Path, digest: str) -> list[Row]:
    """Reads the rows of a part.

    Raises:
      CorruptSnapshotError: it is not what was written.
    """
    text = seal.read_text(path, limit=2**30)
    if _digest(text) != digest:
        raise CorruptSnapshotError(
            f"{path}: differs from what was written; delete it to have it computed again"
        )
    return from_csv(text)


def to_csv(rows: Sequence[Row]) -> str:
    """Writes rows as CSV; floats in the shortest form that reads back as the same number."""
    buffer = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = csv.DictWriter(buffer, names, lineterminator="\n")
    table.writeheader()
    table.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue()


def from_csv(text: str) -> list[Row]:
    """Reads rows; the inverse of `to_csv`."""
    return [
        {name: _value(cell) for name, cell in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]


def write(path: Path, text: str) -> None:
    """Writes a file that is there whole or not at all, also after a power cut.

    Raises:
      OSError: what was there before is still there.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    seal.sync(path.parent)


def digest_of(values: Any) -> str:
    """Returns the SHA-256 of JSON values, hexadecimal."""
    return _digest(_body(values))


def _body(values: Any) -> str:
    return json.dumps(values, sort_keys=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _cell(value: Any) -> str:
    """Writes a value; lists, mappings and truth values as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _value(cell: str) -> Any:
    if cell == "":
        return None
    try:
        return json.loads(cell)
    except ValueError:
        return cell
