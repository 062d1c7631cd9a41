"""Seals folders: a folder appears whole or not at all, and a changed byte is found out.

Nothing here knows of arrays or towns. A sealed folder holds `manifest.json` with the SHA-256 of
every other file; the manifest has one spelling only, and holds the SHA-256 of itself.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from townlet_jax.snapshots.errors import CorruptSnapshotError

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 4 * 2**20
MAX_JSON_BYTES = 16 * 2**20
"""Text files above this size are not read."""
BIN = ".bin"
"""Folder of what is about to be deleted."""
NEW = ".new-"
"""Prefix of what is not sealed yet."""


def seal(folder: Path) -> None:
    """Writes the manifest of a folder and brings everything in it to the disk.

    Raises:
      OSError: the folder is not sealed.
    """
    files = {}
    for path in _files(folder):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        files[path.relative_to(folder).as_posix()] = [path.stat().st_size, digest]
    with (folder / MANIFEST).open("xb") as file:
        file.write(_text(files))
        file.flush()
        os.fsync(file.fileno())
    for parent, _, _ in os.walk(folder, topdown=False):
        sync(Path(parent))


def sync_all(folder: Path) -> None:
    """Brings a folder that was sealed before to the disk, after it was copied.

    Raises:
      OSError: the disk failed.
    """
    for path in _files(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for parent, _, _ in os.walk(folder, topdown=False):
        sync(Path(parent))


def publish(folder: Path, target: Path) -> None:
    """Gives a sealed folder its name, in one step.

    Raises:
      OSError: `target` is taken, or the disk failed; then the name shows nothing half-made.
    """
    os.rename(folder, target)
    sync(target.parent)


def discard(folder: Path) -> None:
    """Takes a folder out of sight in one step, then deletes it."""
    waste = folder.parent / BIN
    waste.mkdir(exist_ok=True)
    shutil.rmtree(waste / folder.name, ignore_errors=True)
    os.rename(folder, waste / folder.name)
    sync(folder.parent)
    empty(folder.parent)


def empty(root: Path) -> None:
    """Deletes what was discarded or never sealed; what cannot be deleted stays out of sight."""
    shutil.rmtree(root / BIN, ignore_errors=True)
    for path in root.glob(f"{NEW}*"):
        shutil.rmtree(path, ignore_errors=True)


def verify(folder: Path) -> int:
    """Compares a folder with its seal.

    Returns:
      The bytes of its files.

    Raises:
      CorruptSnapshotError: names the first file that differs, and how.
    """
    wanted = _manifest(folder)
    with _readable(folder):
        found = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
        found.pop(MANIFEST, None)
        for name in sorted(wanted.keys() ^ found.keys()):
            what = "is missing" if name in wanted else "is not in the manifest"
            raise CorruptSnapshotError(f"{folder / name}: {what}")
        for name, path in sorted(found.items()):
            size, digest = wanted[name]
            if path.is_symlink() or not path.is_file():
                raise CorruptSnapshotError(f"{path}: is not a plain file")
            if path.stat().st_size != size:
                raise CorruptSnapshotError(
                    f"{path}: has {path.stat().st_size} bytes, {size} were sealed"
                )
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    raise CorruptSnapshotError(f"{path}: differs from what was sealed")
    return sum(size for size, _ in wanted.values())


def is_sealed(folder: Path) -> bool:
    """Tells whether a folder has a manifest; `verify` tells whether it is true."""
    return (folder / MANIFEST).is_file()


def read_json(path: Path, limit: int = MAX_JSON_BYTES) -> Any:
    """Reads a JSON file of limited size.

    Raises:
      CorruptSnapshotError: it is missing, too large or no JSON.
    """
    return parse_json(path, read_text(path, limit))


def read_text(path: Path, limit: int = MAX_JSON_BYTES) -> str:
    """Reads a text file of limited size.

    Raises:
      CorruptSnapshotError: it is missing, too large or no UTF-8.
    """
    with _readable(path):
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise CorruptSnapshotError(f"{path}: larger than {limit} bytes")
        return data.decode()


def parse_json(path: Path, text: str) -> Any:
    """Reads JSON; `path` is what an error names."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptSnapshotError(f"{path}: no JSON ({error})") from None


def write(path: Path, text: str) -> None:
    """Writes a new text file; `seal` brings it to the disk."""
    with path.open("x", encoding="utf-8") as file:
        file.write(text)


def sync(folder: Path) -> None:
    """Brings the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns what a damaged file system says into a corrupt snapshot."""
    try:
        yield
    except CorruptSnapshotError:
        raise
    except FileNotFoundError as error:
        raise CorruptSnapshotError(f"{error.filename or path}: is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptSnapshotError(f"{path}: cannot be read ({error})") from None


def _files(folder: Path) -> Iterator[Path]:
    """Yields everything in a folder that is not a folder, without following links."""
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in (*names, *links):
            yield Path(parent, name)


def _manifest(folder: Path) -> dict[str, tuple[int, str]]:
    """Reads the manifest: size and SHA-256 by relative name."""
    path = folder / MANIFEST
    text = read_text(path, MAX_MANIFEST_BYTES)
    data = parse_json(path, text)
    files = data.get("files") if isinstance(data, dict) else None
    if not isinstance(files, dict) or text.encode() != _text(files):
        raise CorruptSnapshotError(f"{path}: differs from what was sealed")
    return {name: (size, digest) for name, (size, digest) in files.items()}


def _text(files: dict[str, Any]) -> bytes:
    """Returns the one spelling of a manifest."""
    body = json.dumps(files, sort_keys=True)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return json.dumps({"files": files, "sha256": digest}, indent=1, sort_keys=True).encode() + b"\n"
