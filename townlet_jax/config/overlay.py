"""Puts files and overrides on top of each other: `extends`, included files, `--set path=value`."""

import dataclasses
import os
import re
from collections.abc import Sequence
from typing import Any

from townlet_jax.config import yaml_reader
from townlet_jax.config.document import Document, Mark, walk
from townlet_jax.config.errors import ConfigError, Path, Problem, show
from townlet_jax.config.schema_aliases import normalise

SET = "--set"
"""The `file` of problems that an override brings in; its line is the number of the override."""

_PATH = re.compile(r"[^\s.\[\]]+(?:\[[0-9]+\]|\.[^\s.\[\]]+)*\Z")


def load(
    path: str | os.PathLike[str], overrides: Sequence[str] = ()
) -> tuple[Document, list[Problem]]:
    """Reads a file, the files it extends and includes, and puts the overrides on top.

    Keys are canonical afterwards (see `schema_aliases`). Mappings are merged, lists are replaced.

    Returns:
      The document, and what is wrong with overrides and aliases; the rest can still be checked.

    Raises:
      ConfigError: unreadable files, cycles of `extends`.
    """
    problems: list[Problem] = []
    document = _extended(os.fspath(path), (), problems)
    for number, text in enumerate(overrides, start=1):
        try:
            _set(document, text, number, problems)
        except ConfigError as error:
            problems += [
                dataclasses.replace(problem, line=number, column=1, key=text.split("=")[0].strip())
                if problem.file == SET
                else problem
                for problem in error.problems
            ]
    return document, problems


def _extended(path: str, below: tuple[str, ...], problems: list[Problem]) -> Document:
    """Returns a file on top of what it extends; `below` are the files that extend it."""
    document = yaml_reader.read(path)
    if not isinstance(document.data, dict):
        message = f"must be a mapping of sections, got {show(document.data)}"
        raise ConfigError([document.problem((), message)])
    chain = (*below, os.path.realpath(path))
    parent = document.data.get("extends")
    if "extends" in document.data:
        place = ("extends",)
        if not isinstance(parent, str):
            message = f"must be a file name, got {show(parent)}"
            raise ConfigError([document.problem(place, message)])
        parent = os.path.join(os.path.dirname(path), os.path.expanduser(parent))
        if not os.path.exists(parent):
            raise ConfigError([document.problem(place, f"no such file: {show(parent)}")])
        if os.path.realpath(parent) in chain:
            message = f"{show(parent)} extends this file in turn"
            raise ConfigError([document.problem(place, message)])
        document.remove(place)
    _include(document)
    problems += normalise(document)
    if parent is None:
        return document
    base = _extended(parent, chain, problems)
    base.file = document.file
    base.values[()] = document.place(())
    _merge(base, document, ())
    return base


def _include(document: Document) -> None:
    """Replaces a file name in the place of the section `perturbations` by the file."""
    name = document.data.get("perturbations")
    if not isinstance(name, str):
        return
    place = ("perturbations",)
    folder = os.path.dirname(document.place(place).file)
    choices = [os.path.join(folder, os.path.expanduser(name)), name]
    found = [choice for choice in choices if os.path.exists(choice)]
    if not found:
        raise ConfigError([document.problem(place, f"no such file: {show(name)}")])
    included = yaml_reader.read(found[0])
    inner = included.data if isinstance(included.data, dict) else {}
    document.graft(place, included, place if "perturbations" in inner else ())


def _merge(base: Document, top: Document, path: Path) -> None:
    below = base.get(path)
    for key, value in top.get(path).items():
        inner = (*path, key)
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            base.keys[inner] = top.place(inner, at_key=True)
            base.values[inner] = top.place(inner)
            _merge(base, top, inner)
        else:
            base.graft(inner, top, inner)


def _set(document: Document, text: str, number: int, problems: list[Problem]) -> None:
    """Applies one `path=value`."""
    name, equals, written = text.partition("=")
    name = name.strip()
    if not equals or not is_path(name):
        message = f"must have the form path=value, as in chat.range_tiles=3, got {show(text)}"
        raise ConfigError([Problem(SET, number, 1, "", message)])
    value = yaml_reader.parse(written, SET).data if written.strip() else None
    problems += put(document, parts(name), value, Mark(SET, number, 1))


def is_path(name: str) -> bool:
    """Tells whether a text has the form of a path, such as `scenario.agents[0].wallet`."""
    return _PATH.match(name) is not None


def parts(name: str) -> Path:
    """Returns the keys and indices of a path in dotted form."""
    return tuple(
        int(part) if part.isdecimal() else part
        for part in name.replace("[", ".").replace("]", "").split(".")
    )


def put(document: Document, path: Path, value: Any, mark: Mark) -> list[Problem]:
    """Puts a value on top of a document.

    Args:
      document: its keys are canonical, and stay so.
      path: of the value, an alias or not; an index must be one of a list that is there.
      value: plain data.
      mark: where it was written; its file is named in problems.

    Returns:
      What is wrong with aliases.

    Raises:
      ConfigError: there is no such item of a list.
    """
    indices = [i for i, part in enumerate(path) if isinstance(part, int)]
    if indices and _is_list(document, path[: indices[0]]):
        _set_item(document, path, Document(mark.file, value, values={(): mark}), mark)
        return []
    nested = value
    for part in reversed(path):
        nested = {str(part): nested}
    override = Document(mark.file, nested)
    override.values = dict.fromkeys(walk(nested), mark)
    override.keys = dict(override.values)
    _include(override)
    problems = normalise(override)
    _merge(document, override, ())
    return problems


def _is_list(document: Document, path: Path) -> bool:
    try:
        return isinstance(document.get(path), list)
    except (KeyError, TypeError, IndexError):
        return False


def _set_item(document: Document, path: Path, value: Document, mark: Mark) -> None:
    """Sets a value inside a list that the file gives."""
    parent: Any = document.data
    for i, part in enumerate(path):
        if isinstance(parent, list) and not (isinstance(part, int) and part < len(parent)):
            size = len(parent)
            raise ConfigError([Problem(*mark, "", f"no item {part}: the list has {size} items")])
        if not isinstance(parent, list | dict):
            raise ConfigError([Problem(*mark, "", f"{show(parent)} has no {part!r} inside")])
        if i < len(path) - 1:
            parent = parent[int(part)] if isinstance(parent, list) else parent.setdefault(part, {})
    key = path[-1] if isinstance(parent, list) else str(path[-1])
    document.graft((*path[:-1], key), value)
    document.keys[(*path[:-1], key)] = mark
