"""Reads a sweep file: which parameters take which values, and how the sweep is run.

    name: fairness
    grid: {queue_fairness.cooldown_ticks: [10, 30, 60], queue_fairness.enabled: [true, false]}

Keys are those of `SweepFile`. A file that holds nothing but dotted paths is a grid.
"""

import dataclasses
import itertools
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from townlet_jax.config import overlay, yaml_reader
from townlet_jax.config.document import Document, Mark
from townlet_jax.config.errors import ConfigError, Path, Problem, show
from townlet_jax.config.schema_base import Name, Section
from townlet_jax.config.schema_explain import explain

MAX_SETTINGS = 65_536
MAX_SEEDS = 4096
_SPACES = ("linspace", "logspace", "random")
_AXIS = "a list of values, or {linspace: [a, b, n]}, {logspace: [a, b, n]}, {random: [a, b, n]}"


class Evaluate(Section):
    """Towns that every lane lives in, and for how many days [day]."""

    towns: int = Field(default=32, ge=1, le=4096)
    days: int = Field(default=5, ge=1, le=1000)


class SweepFile(Section):
    """A sweep as it is written.

    Attributes:
      name: of the sweep; null = that of the file.
      mode: what a lane does: `simulate` a built-in policy, or `train` one and evaluate it.
      policy: who decides in mode simulate.
      seeds: lanes per setting.
      grid: axes by path; all combinations, the last key fastest.
      zip: groups of axes that advance together; multiplied with the grid and with each other.
      points: further settings, path and value.
      static: axes of sizes; each combination is a program of its own.
      chunk: settings per call. memory_gib: that lanes may take [GiB]; null = 60 % of the memory of
        each device, 4 on a CPU.
    """

    name: Name | None = None
    mode: Literal["simulate", "train"] = "simulate"
    policy: Literal["scripted", "random", "idle"] = "scripted"
    seeds: int = Field(default=4, ge=1, le=MAX_SEEDS)
    grid: dict[Name, Any] = {}
    zip: Annotated[tuple[dict[Name, Any], ...], Field(strict=False)] = ()
    points: Annotated[tuple[dict[Name, Any], ...], Field(strict=False)] = ()
    static: dict[Name, Any] = {}
    chunk: Literal["auto"] | Annotated[int, Field(ge=1, le=MAX_SETTINGS)] = "auto"
    memory_gib: Annotated[float, Field(gt=0, le=1e6)] | None = None
    evaluate: Evaluate = Evaluate()


@dataclasses.dataclass(frozen=True)
class Value:
    """A value of a parameter, and where it was written."""

    data: Any
    mark: Mark


Setting = Mapping[str, Value]
"""Values by path, as both are written."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A sweep file that was read; whether its paths and values are valid is not known yet.

    Attributes:
      file: the file. name: of the sweep.
      settings: in order; those of `points` last. There is at least one, which may be empty.
      static: combinations of sizes, at least one, which may be empty.
    """

    file: SweepFile
    name: str
    settings: tuple[Setting, ...]
    static: tuple[Setting, ...]


def read_sweep(path: str | os.PathLike[str]) -> Sweep:
    """Reads a sweep file.

    Args:
      path: YAML file.

    Raises:
      ConfigError: lists what is wrong with it, file:line:column each.
    """
    document = yaml_reader.read(os.fspath(path))
    data = document.data
    if not isinstance(data, dict) or not data:
        raise ConfigError([document.problem((), f"must be a mapping, got {show(data)}")])
    root: Path = ()
    if all("." in key for key in data):
        whole = Document(document.file, {"grid": data})
        whole.graft(("grid",), document)
        document = whole
    try:
        file = SweepFile.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError(explain(error, SweepFile, document, root)) from None
    return _expand(file, document)


def _expand(file: SweepFile, document: Document) -> Sweep:
    """Makes settings out of axes."""
    problems = list(_misplaced(document))
    if problems:
        raise ConfigError(problems)
    grid = {key: _axis(document, ("grid", key), problems) for key in file.grid}
    static = {key: _axis(document, ("static", key), problems) for key in file.static}
    groups = [_group(document, i, problems) for i in range(len(file.zip))]
    points = [
        {key: _value(document, ("points", i, key)) for key in point}
        for i, point in enumerate(file.points)
    ]
    if problems:
        raise ConfigError(problems)
    lengths = [len(axis) for axis in grid.values()] + [len(group) for group in groups]
    number = (math.prod(lengths) if lengths else 0) + len(points)
    if number > MAX_SETTINGS:
        message = f"{number} settings, at most {MAX_SETTINGS} are allowed"
        raise ConfigError([document.problem((), message)])
    if not number and not static:
        message = "names no parameter to sweep; give grid, zip, points or static"
        raise ConfigError([document.problem((), message)])
    settings: list[Setting] = []
    if lengths:
        rows = [_rows(grid), *groups]
        settings += [_joined(combination) for combination in itertools.product(*rows)]
    settings += points
    name = file.name or os.path.splitext(os.path.basename(document.file))[0]
    return Sweep(file, name, tuple(settings) or ({},), tuple(_rows(static)))


def _rows(axes: Mapping[str, list[Value]]) -> list[Setting]:
    """Returns all combinations of axes, the last one fastest."""
    return [dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values())]


def _joined(parts: tuple[Setting, ...]) -> Setting:
    return {path: value for part in parts for path, value in part.items()}


def _misplaced(document: Document) -> Iterator[Problem]:
    """Finds names that are no paths, paths in two places, and groups that are no mappings."""
    data, seen = document.data, dict[str, Path]()
    places: list[Path] = [("grid", key) for key in data.get("grid", {})]
    places += [("zip", i, key) for i, group in enumerate(data.get("zip") or []) for key in group]
    places += [("static", key) for key in data.get("static", {})]
    for i, point in enumerate(data.get("points") or []):
        for key in point:
            if not overlay.is_path(key):
                yield document.problem(("points", i, key), "is no path of a parameter", True)
            if key in data.get("static", {}):
                yield document.problem(("points", i, key), "is given under static already", True)
    for place in places:
        key = str(place[-1])
        if not overlay.is_path(key):
            yield document.problem(place, "is no path of a parameter", True)
        elif key in seen:
            line = document.place(seen[key], at_key=True).line
            yield document.problem(place, f"is swept twice, first in line {line}", True)
        seen.setdefault(key, place)


def _axis(document: Document, place: Path, problems: list[Problem]) -> list[Value]:
    """Reads the values of an axis."""
    given = document.get(place)
    if isinstance(given, list):
        if not given:
            problems.append(document.problem(place, "is empty; an axis needs at least one value"))
        return [_value(document, (*place, i)) for i in range(len(given))]
    if isinstance(given, dict) and len(given) == 1 and next(iter(given)) in _SPACES:
        kind, row = next(iter(given.items()))
        fault = _fault_of_space(kind, row)
        if fault:
            problems.append(document.problem((*place, kind), fault))
            return []
        mark = document.place(place)
        return [Value(x, mark) for x in _space(kind, *row, name=str(place[-1]))]
    problems.append(document.problem(place, f"must be {_AXIS}; got {show(given)}"))
    return []


def _fault_of_space(kind: str, row: Any) -> str:
    """Says what is wrong with the numbers of a space."""
    is_row = isinstance(row, list) and len(row) == 3
    if not is_row or any(isinstance(x, bool) or not isinstance(x, int | float) for x in row):
        return f"must be [a, b, n], three numbers, got {show(row)}"
    if not isinstance(row[2], int) or not 1 <= row[2] <= MAX_SETTINGS:
        return f"n must be an int in 1...{MAX_SETTINGS}, got {show(row[2])}"
    if kind == "logspace" and min(row[:2]) <= 0:
        return f"both ends must be above 0, got {show(row)}"
    return ""


def _space(kind: str, a: float, b: float, n: int, name: str) -> list[float]:
    """Makes numbers; random ones are the same for the same path, whatever else is swept."""
    if kind == "linspace":
        found = np.linspace(a, b, n)
    elif kind == "logspace":
        found = np.geomspace(a, b, n)
    else:
        found = np.random.default_rng(zlib.crc32(name.encode())).uniform(a, b, n)
    return [float(f"{x:.12g}") for x in found]


def _group(document: Document, i: int, problems: list[Problem]) -> list[Setting]:
    """Reads axes that advance together."""
    axes = {key: _axis(document, ("zip", i, key), problems) for key in document.get(("zip", i))}
    lengths = {key: len(axis) for key, axis in axes.items()}
    if len(set(lengths.values())) > 1:
        text = ", ".join(f"{key} has {length}" for key, length in lengths.items())
        problems.append(document.problem(("zip", i), f"lists must be of equal length: {text}"))
        return []
    if not axes:
        problems.append(document.problem(("zip", i), "is empty; name at least one parameter"))
    return [dict(zip(axes, row, strict=True)) for row in zip(*axes.values(), strict=True)]


def _value(document: Document, place: Path) -> Value:
    return Value(document.get(place), document.place(place))
