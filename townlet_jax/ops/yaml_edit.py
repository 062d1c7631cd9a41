"""Changes single values of YAML text; every other character stays as it is.

Writers of YAML, round-trip ones too, lay out the whole file anew and put a new key behind the
comment of the section that follows. Here the composed tree tells where a value stands, and only
that stretch of text is replaced. What comes out is read again: it must say what the old text said
and the change, nothing else.
"""

import copy
import json
import re
from typing import Any

import yaml

from townlet_jax.config import yaml_reader
from townlet_jax.config.document import Document
from townlet_jax.config.errors import ConfigError, Path

STEP = 2
"""Columns by which a new block mapping is indented."""
_LINE_END = re.compile(r"\r?\n|\Z")


def put(text: str, file: str, path: Path, value: Any) -> str:
    """Gives the value at a path; mappings that are missing on the way are added at the end.

    Args:
      text: YAML that `yaml_reader.parse` accepts.
      file: the name used in errors.
      path: keys and indices from the root; what is there on the way is a mapping or a list.
      value: plain data. Comments inside a value that is replaced go with it.

    Raises:
      ConfigError: the value stands where it cannot be changed alone.
    """
    document = yaml_reader.parse(text, file)
    wanted = copy.deepcopy(document.data)
    parent = wanted
    for part in path[:-1]:
        parent = parent.setdefault(part, {}) if isinstance(parent, dict) else parent[part]
    parent[path[-1]] = value
    return _checked(_put(text, path, value), wanted, document, path)


def insert(text: str, file: str, path: Path, index: int, value: Any) -> str:
    """Puts one more item into the list at `path`, so that it has that index; see `put`."""
    document = yaml_reader.parse(text, file)
    wanted = copy.deepcopy(document.data)
    Document(file, wanted).get(path).insert(index, value)
    return _checked(_insert(text, path, index, value), wanted, document, path)


def flow(value: Any) -> str:
    """Writes plain data on one line; text that some YAML reader takes for a switch is quoted."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and value.isalnum() and yaml.safe_load(value) == value:
        return value
    return json.dumps(value)


def _checked(text: str, wanted: Any, before: Document, path: Path) -> str:
    """Returns the new text if it says what is wanted."""
    try:
        found = yaml_reader.parse(text, before.file).data
    except ConfigError:
        found = None
    if found == wanted:
        return text
    message = "stands where it cannot be changed alone, as aliases do; change it by hand"
    raise ConfigError([before.problem(path, message)])


def _put(text: str, path: Path, value: Any) -> str:
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for depth, part in enumerate(path):
        _, below = _child(node, part)
        if below is None:
            return _add(text, node, path[depth:], flow(value))
        node = below
    start, end, written = node.start_mark.index, _end(text, node), flow(value)
    if _is_block(node):
        end = _line_end(text, end)
        lines = [f"- {flow(item)}" for item in value] if isinstance(value, list) else []
        # One column to the right anything may stand below its key.
        written = _margin(text, node.start_mark.column).join(lines) or f" {written}"
    elif start == end:  # nothing but `key:`
        written = f" {written}"
    return text[:start] + written + text[end:]


def _add(text: str, mapping: yaml.MappingNode, path: Path, written: str) -> str:
    """Adds a key, and below it the rest of the path, behind the last key of a mapping."""
    if _is_block(mapping):
        column = mapping.value[0][0].start_mark.column
        at = _line_end(text, _end(text, mapping))
        margins = [_margin(text, column + STEP * i) for i in range(len(path))]
        lines = [f"{margin}{key}:" for margin, key in zip(margins, path, strict=True)]
        return text[:at] + "".join(lines) + f" {written}" + text[at:]
    for key in reversed(path[1:]):
        written = f"{{{key}: {written}}}"
    written = f"{path[0]}: {written}"
    if not mapping.value:
        at = mapping.end_mark.index - 1
        return text[:at] + written + text[at:]
    at = _end(text, mapping.value[-1][1])
    return f"{text[:at]}, {written}{text[at:]}"


def _insert(text: str, path: Path, index: int, value: Any) -> str:
    key: Any = None
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for part in path:
        key, node = _child(node, part)
        if node is None:
            return text  # a merge key brings it in, which `_checked` refuses
    items, written = node.value, flow(value)
    if not items:
        return _put(text, path, [value])
    if _is_block(node):
        # A comment above an item is about that item, so a new one comes right after the one before.
        before = _end(text, items[index - 1]) if index else key.end_mark.index
        at = _line_end(text, before)
        return f"{text[:at]}{_margin(text, node.start_mark.column)}- {written}{text[at:]}"
    if index < len(items):
        at = items[index].start_mark.index
        return f"{text[:at]}{written}, {text[at:]}"
    at = _end(text, items[-1])
    return f"{text[:at]}, {written}{text[at:]}"


def _child(node: yaml.Node, part: str | int) -> tuple[Any, Any]:
    """Returns the key and the value of a part of a mapping or list; None where there is none."""
    if isinstance(node, yaml.SequenceNode):
        return None, node.value[part]
    return next((pair for pair in node.value if pair[0].value == part), (None, None))


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _end(text: str, node: yaml.Node) -> int:
    """Returns where a node ends; the marks of block nodes come after the comments below them."""
    while _is_block(node):
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return max(len(text[: node.end_mark.index].rstrip()), node.start_mark.index)


def _line_end(text: str, start: int) -> int:
    found = _LINE_END.search(text, start)
    return found.start() if found else len(text)


def _margin(text: str, column: int) -> str:
    """Returns the start of a new line, as the text has them."""
    return ("\r\n" if "\r\n" in text else "\n") + " " * column
