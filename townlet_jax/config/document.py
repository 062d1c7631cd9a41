"""A plain data tree in which every key and every value knows its file, line and column."""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

from townlet_jax.config.errors import Note, Path, Problem, dotted


class Mark(NamedTuple):
    """The place of a key or value; line and column are 1-based."""

    file: str
    line: int
    column: int


@dataclasses.dataclass
class Document:
    """A tree of dicts, lists and scalars with the place of each key and value.

    Attributes:
      file: the file as the user named it.
      data: the plain tree.
      keys, values: place of each mapping key and of each value, by path from the root.
      written: path as written in the file, by canonical path, for values that were moved.
    """

    file: str
    data: Any
    keys: dict[Path, Mark] = dataclasses.field(default_factory=dict)
    values: dict[Path, Mark] = dataclasses.field(default_factory=dict)
    written: dict[Path, Path] = dataclasses.field(default_factory=dict)

    def place(self, path: Path, at_key: bool = False) -> Mark:
        """Returns the place of a value (or its key), or of the nearest enclosing value."""
        if at_key and path in self.keys:
            return self.keys[path]
        for end in range(len(path), -1, -1):
            if path[:end] in self.values:
                return self.values[path[:end]]
        return Mark(self.file, 1, 1)

    def mark(self, path: Path) -> tuple[int, int]:
        """Returns (line, column) of the value at `path`."""
        return self.place(path)[1:]

    def original(self, path: Path) -> Path:
        """Returns the path under which the user wrote a value that may have been moved."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.written:
                return self.written[path[:end]] + path[end:]
        return path

    def problem(self, path: Path, message: str, at_key: bool = False) -> Problem:
        """Returns a problem of the value (or key) at `path`."""
        return Problem(*self.place(path, at_key), dotted(self.original(path)), message)

    def note(self, path: Path, message: str, at_key: bool = False) -> Note:
        """Returns a note about the value (or key) at `path`."""
        return Note(*self.place(path, at_key), dotted(self.original(path)), message)

    def get(self, path: Path) -> Any:
        """Returns the value at a path that exists."""
        value = self.data
        for part in path:
            value = value[part]
        return value

    def matches(self, pattern: str) -> list[Path]:
        """Returns the paths that fit a dotted pattern, in which `*` is any key or index."""
        paths: list[Path] = [()]
        for part in pattern.split("."):
            paths = [(*path, key) for path in paths for key in _children(self.get(path), part)]
        return paths

    def remove(self, path: Path) -> None:
        """Removes a value, and every mapping above it that is left empty."""
        for below in list(walk(self.get(path), path)):
            self.keys.pop(below, None)
            self.values.pop(below, None)
            self.written.pop(below, None)
        del self.get(path[:-1])[path[-1]]
        if len(path) > 1 and self.get(path[:-1]) == {}:
            self.remove(path[:-1])

    def graft(self, path: Path, source: "Document", source_path: Path = ()) -> None:
        """Sets the value at `path`, whose parent exists, to a value of `source`, places too."""
        value = source.get(source_path)
        parent = self.get(path[:-1])
        if not isinstance(parent, dict) or path[-1] in parent:
            for old in walk(parent[path[-1]], path):
                self.keys.pop(old, None)
                self.values.pop(old, None)
                self.written.pop(old, None)
        parent[path[-1]] = value
        if source_path in source.keys:
            self.keys[path] = source.keys[source_path]
        for below in walk(value, source_path):
            new = path + below[len(source_path) :]
            self.values[new] = source.place(below)
            if below != source_path and below in source.keys:
                self.keys[new] = source.keys[below]
            before = source.original(below)
            if before != (new if source is self else below):
                self.written[new] = before


def walk(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yields the path of a value and of everything below it."""
    yield path
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from walk(child, (*path, key))


def _children(value: Any, part: str) -> list[str | int]:
    if isinstance(value, dict):
        return list(value) if part == "*" else [part] * (part in value)
    return list(range(len(value))) if isinstance(value, list) and part == "*" else []
