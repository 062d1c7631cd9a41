"""Reads YAML files as plain data in which every key and every value knows its place.

Built on the composer of `yaml.SafeLoader`: nothing in a file can name or run code. Scalars follow
YAML 1.2: `on`, `off`, `yes`, `no` and `OFF` stay text, `3e-4` is a float, and `012`, `1:30` and
`1_000` are text, not surprising ints. No number is infinite or NaN. Keys are always text.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from townlet_jax.config import errors
from townlet_jax.config.document import Document, Mark
from townlet_jax.config.errors import ConfigError, Path, Problem

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 64
MAX_NODES = 100_000
"""Nodes after aliases are expanded; a file that grows past it is an alias bomb."""

_TAG = "tag:yaml.org,2002:"
_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
SCALARS = {
    "null": re.compile(r"(?:~|null|Null|NULL|)\Z"),
    "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    "int": re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z"),
    "float": re.compile(rf"(?![-+]?0[0-9])(?:{_FLOAT})\Z"),
    "merge": re.compile(r"<<\Z"),
}
"""How plain scalars are recognised, in this order; anything else is text."""


def read(path: str | Any) -> Document:
    """Reads one YAML file.

    Args:
      path: file name; relative to the working directory.

    Raises:
      ConfigError: one line for a file that is missing, a directory, empty, too large, not UTF-8,
        not YAML, or that holds several documents, unknown tags, endless or exploding aliases;
        one line per duplicate key.
    """
    name = str(path)
    try:
        with open(name, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise _refusal(name, f"cannot be read: {reason.lower()}") from None
    if len(raw) > MAX_BYTES:
        raise _refusal(name, f"is larger than {MAX_BYTES // 2**20} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal(name, f"is not UTF-8 text (byte {error.start})") from None
    return parse(text, name)


def parse(text: str, file: str) -> Document:
    """Reads YAML text; `file` is the name used in marks. Raises as `read` does."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _refusal(file, _one_line(error), error.problem_mark) from None
    except yaml.reader.ReaderError as error:
        before = text[: int(error.position)]
        mark = Mark(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise ConfigError([Problem(*mark, "", "holds characters that are not text")]) from None
    except (ValueError, RecursionError) as error:
        raise _refusal(file, f"is not YAML: {error}") from None
    if root is None:
        raise _refusal(file, "is empty")
    builder = _Builder(file)
    document = Document(file, builder.build(root, ()), builder.keys, builder.values)
    if builder.problems:
        raise ConfigError(builder.problems)
    return document


def _refusal(file: str, message: str, mark: Any = None) -> ConfigError:
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return ConfigError([Problem(file, line, column, "", message)])


def _one_line(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return "is not YAML: " + " ".join(", ".join(parts).split())


def _is_text(value: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in value)


class _Loader(yaml.SafeLoader):
    """The safe composer with YAML 1.2 scalars and a limit on nesting."""

    yaml_implicit_resolvers = {None: [(_TAG + name, p) for name, p in SCALARS.items()]}

    def __init__(self, text: str):
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(
                None, None, f"nested deeper than {MAX_DEPTH} levels", mark
            )
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _RefusedError(Exception):
    """Ends the building of a tree that would not end by itself."""


class _Builder:
    """Turns composed nodes into plain data, and remembers where everything came from."""

    def __init__(self, file: str):
        self.file = file
        self.keys: dict[Path, Mark] = {}
        self.values: dict[Path, Mark] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()
        self._num_nodes = 0

    def build(self, root: yaml.Node, path: Path) -> Any:
        """Returns the plain data of a tree; faults end up in `problems`."""
        try:
            return self._value(root, path)
        except _RefusedError:
            return None

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._enter(node, path)
        self.values[path] = self._mark(node)
        known = (_TAG + "map", _TAG + "seq", _TAG + "str", *(_TAG + name for name in SCALARS))
        value: Any = None
        if node.tag not in known or isinstance(node, yaml.ScalarNode) == node.tag.endswith(
            (":map", ":seq")
        ):
            tag = node.tag.removeprefix(_TAG)
            self._fault(node, path, f"tag {errors.show(tag)} is not allowed here; use plain YAML")
        elif isinstance(node, yaml.MappingNode):
            value = self._mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            value = [self._value(child, (*path, i)) for i, child in enumerate(node.value)]
        elif isinstance(node, yaml.ScalarNode):
            value = self._scalar(node, path)
        self._open.discard(id(node))
        return value

    def _enter(self, node: yaml.Node, path: Path) -> None:
        self._num_nodes += 1
        if id(node) in self._open:
            self._fault(node, path, "an alias refers to the value that contains it")
            raise _RefusedError
        if self._num_nodes > MAX_NODES or len(path) > MAX_DEPTH:
            self.problems.clear()
            self._fault(node, (), f"aliases expand to more than {MAX_NODES} values")
            raise _RefusedError
        if not isinstance(node, yaml.ScalarNode):
            self._open.add(id(node))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        seen: dict[str, yaml.Node] = {}
        result: dict[str, Any] = {}
        for key, value in self._pairs(node, path):
            if (
                not isinstance(key, yaml.ScalarNode)
                or not key.value.strip()
                or not _is_text(key.value)
            ):
                self._fault(key, path, "a key must be a name")
                continue
            name = key.value
            if name in seen:
                line = seen[name].start_mark.line + 1
                self._fault(key, (*path, name), f"duplicate key, first given in line {line}")
                continue
            seen[name] = key
            self.keys[(*path, name)] = self._mark(key)
            result[name] = self._value(value, (*path, name))
        return result

    def _pairs(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Yields own pairs, then those of merge keys that no earlier pair hides."""
        merged = [value for key, value in node.value if key.tag == _TAG + "merge"]
        own = [pair for pair in node.value if pair[0].tag != _TAG + "merge"]
        yield from own
        names = {key.value for key, _ in own if isinstance(key, yaml.ScalarNode)}
        for value in merged:
            sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in sources:
                if not isinstance(source, yaml.MappingNode):
                    self._fault(source, path, "'<<' takes a mapping or a list of mappings")
                    continue
                self._enter(source, path)
                for key, child in list(self._pairs(source, path)):
                    if isinstance(key, yaml.ScalarNode) and key.value not in names:
                        names.add(key.value)
                        yield key, child
                self._open.discard(id(source))

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = node.value
        kind = node.tag.removeprefix(_TAG)
        if kind in ("str", "merge"):
            if not _is_text(text):
                self._fault(node, path, "holds half of a surrogate pair, which is not text")
            return text
        if not SCALARS[kind].match(text) and not (kind == "float" and SCALARS["int"].match(text)):
            self._fault(node, path, f"{errors.show(text)} is not of type {kind}")
            return None
        if kind == "int":
            if len(text) > 400:
                self._fault(node, path, "an int of more than 400 digits")
                return None
            return int(text)
        if kind == "float" and not math.isfinite(float(text)):
            self._fault(node, path, f"{errors.show(text)} is too large for a number")
        if kind == "float":
            return float(text)
        return text.lower() == "true" if kind == "bool" else None

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _fault(self, node: yaml.Node, path: Path, message: str) -> None:
        self.problems.append(Problem(*self._mark(node), errors.dotted(path), message))
