"""Towns of a sweep: the base configuration with the values of each setting on top.

Every setting is read and checked as a configuration of its own. What may differ from lane to lane
of one program is whatever leaves all sizes as they are; the rest is static.
"""

import copy
import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from townlet_jax.config.build import build
from townlet_jax.config.document import Document, Mark, walk
from townlet_jax.config.errors import ConfigError, Path, Problem, dotted, show, suggest
from townlet_jax.config.overlay import parts, put
from townlet_jax.config.reading import Reading, interpret, read_marked
from townlet_jax.config.schema_aliases import normalise
from townlet_jax.config.sweep_file import Setting, Sweep, Value
from townlet_jax.config.town import Town

_OVERRIDES = ("training", "town_overrides")
_LENGTHS = ("training.num_updates", "training.updates_per_chunk", "training.checkpoint_every")
"""Keys that decide how long programs run, or how often they are called."""
MAX_KNOWN = 512
"""Towns that are remembered: values are tried alone first, and often these are the settings."""
Sizes = dict[str, Any]
"""By name, what makes two configurations two programs."""


class Base:
    """A configuration that settings are put on top of.

    Attributes:
      path: of the file. town: without any setting.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        overrides: Sequence[str] = (),
        strict: bool = False,
    ):
        """Reads the configuration.

        Args:
          path: YAML file.
          overrides: `path=value` each, values in YAML, applied in order.
          strict: whether doubtful values are refused.

        Raises:
          ConfigError: it is not valid.
        """
        self.path, self._strict = os.fspath(path), strict
        reading = read_marked(path, overrides, strict)
        self._take(reading.document, build(reading, self.path, strict))

    def _take(self, document: Document, town: Town) -> None:
        self._document, self.town = document, town
        self._known: dict[str, Town] = {}
        self._given = town.config.model_dump(mode="json")
        self._paths = {dotted(place) for place in walk(self._given) if place}
        self._paths |= {f"economy.prices.{key}" for key in town.names.price_keys}

    def fixed(self, setting: Setting) -> "Base":
        """Returns the configuration with a setting that holds for all others.

        Raises:
          ConfigError: a value is refused.
        """
        if not setting:
            return self
        base = copy.copy(self)
        base._take(*self._built(setting))
        return base

    def value(self, name: str) -> Any:
        """Returns the value of a parameter in the base configuration, None where it has none."""
        found = self._given
        place = _place(_canonical(name))
        for part in place:
            inside = part in found if isinstance(found, dict) else isinstance(found, list)
            if not inside:
                return self._price(place)
            found = found[part]
        return found

    def _price(self, place: Path) -> float | None:
        """Returns a price that the manifest gives and not the configuration."""
        keys = self.town.names.price_keys
        if place[:2] != ("economy", "prices") or place[2] not in keys:
            return None
        price = self.town.params.economy.price_base[keys.index(str(place[2]))]
        return float(f"{float(price):.7g}")

    def unknown(self, name: str, value: Value) -> Problem | None:
        """Says which path is nearest to one that does not exist."""
        if _canonical(name) in self._paths:
            return None
        message = f"no such parameter; {suggest(name, sorted(self._paths))}"
        return Problem(*value.mark, name, message)

    def at(self, setting: Setting) -> Town:
        """Builds the town of a setting; some are remembered.

        Raises:
          ConfigError: a value is refused.
        """
        values = {name: value.data for name, value in setting.items()}
        key = json.dumps(values, sort_keys=True)
        if key not in self._known:
            town = self._built(setting)[1]
            if len(self._known) == MAX_KNOWN:
                return town
            self._known[key] = town
        return self._known[key]

    def _built(self, setting: Setting) -> tuple[Document, Town]:
        document = self._copy()
        problems: list[Problem] = []
        for name, value in setting.items():
            place = _place(name)
            if place[: len(_OVERRIDES)] == _OVERRIDES:
                self._spell_out(document, value.mark)
            data = self._whole(name, value.data)
            problems += put(document, place, data, value.mark)
        reading = interpret(document, self._strict, problems)
        return document, build(Reading(reading.config, reading.notes, document), self.path)

    def _copy(self) -> Document:
        given = self._document
        return Document(
            given.file,
            copy.deepcopy(given.data),
            dict(given.keys),
            dict(given.values),
            dict(given.written),
        )

    def _spell_out(self, document: Document, mark: Mark) -> None:
        """Writes out the overrides in force, so that one more does not replace them all."""
        training = document.data.setdefault("training", {})
        if "town_overrides" not in training:
            put(document, _OVERRIDES, dict(self.town.config.training.town_overrides), mark)

    def _whole(self, name: str, value: Any) -> Any:
        """Rounds a number for a parameter that takes whole ones, as spaces may need."""
        is_whole = isinstance(self.value(name), int) and not isinstance(self.value(name), bool)
        return round(value) if is_whole and isinstance(value, float) else value


def check(sweep: Sweep, base: Base, sizes: Callable[[Town], Sizes], reads: "Reads") -> None:
    """Checks every value of a sweep on its own, before anything runs.

    Args:
      sweep: the file.
      base: the configuration.
      sizes: says what makes two towns two programs.
      reads: says what of a town the lanes read.

    Raises:
      ConfigError: lists unknown paths, values that are refused, static paths, and values without
        effect, each with its place in the sweep file.
    """
    problems: list[Problem] = []
    axes, static = _axes(sweep.settings), _axes(sweep.static)
    for name, values in (axes | static).items():
        unknown = base.unknown(name, values[0])
        problems += [unknown] if unknown else []
    if problems:
        raise ConfigError(problems)
    trial = _Trial(base, sizes(base.town), reads(base.town))
    for name, values in axes.items():
        if _canonical(name) in _LENGTHS:
            problems.append(_static(name, values[0], "how long a lane runs"))
        else:
            problems += trial.faults(name, values, sizes, reads)
    for name, values in static.items():
        for value in values:
            try:
                base.at({name: value})
            except ConfigError as error:
                problems += placed(error, {name: value})
    if problems:
        raise ConfigError(problems)


def placed(error: ConfigError, setting: Setting) -> list[Problem]:
    """Returns problems of a setting, each with a place in the sweep file.

    Some are of keys that follow from the swept ones, and are told elsewhere.
    """
    names = {value.mark.file for value in setting.values()}
    if not setting or all(problem.file in names for problem in error.problems):
        return error.problems
    values = ", ".join(f"{name} {show(value.data)}" for name, value in setting.items())
    name, value = next(iter(setting.items()))
    return [
        problem
        if problem.file in names
        else Problem(*value.mark, name, f"with {values}, {problem.key} {problem.message}")
        for problem in error.problems
    ]


Reads = Callable[[Town], Sequence[np.ndarray]]
"""Returns what lanes read of a town, always equally many arrays."""


@dataclasses.dataclass(frozen=True)
class _Trial:
    """Values tried alone, against the configuration without them: its sizes, what is read of it."""

    base: Base
    sizes: Sizes
    read: Sequence[np.ndarray]

    def faults(
        self, name: str, values: Sequence[Value], sizes: Callable[[Town], Sizes], reads: Reads
    ) -> Iterator[Problem]:
        """Yields what is wrong with the values of a parameter."""
        has_effect = False
        for value in values:
            try:
                town = self.base.at({name: value})
                new, read = sizes(town), reads(town)
            except ConfigError as error:
                yield from placed(error, {name: value})
                has_effect = True
                continue
            moved = [size for size, old in self.sizes.items() if new[size] != old]
            if moved:
                yield _static(name, value, moved[0])
                return
            has_effect |= value.data == self.base.value(name)
            has_effect = has_effect or not _equal(self.read, read)
        if has_effect:
            return
        message = "has no effect on what the lanes of this sweep do"
        canonical = _canonical(name)
        if canonical in self.base.town.config.training.town_overrides:
            override = ".".join((*_OVERRIDES, canonical))
            message += f": training.town_overrides replaces it; sweep {override}"
        yield Problem(*values[0].mark, name, message)


def _static(name: str, value: Value, what: str) -> Problem:
    message = (
        f"is static: it decides {what}, which one program cannot vary; put it under `static`, "
        "which compiles a program for each value"
    )
    return Problem(*value.mark, name, message)


def _equal(old: Sequence[np.ndarray], new: Sequence[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))


def _axes(settings: Sequence[Setting]) -> dict[str, list[Value]]:
    """Returns all different values by path, in order."""
    found: dict[str, list[Value]] = {}
    for setting in settings:
        for name, value in setting.items():
            values = found.setdefault(name, [])
            if value not in values:
                values.append(value)
    return found


def _place(name: str) -> Path:
    """Returns the keys of a path; an override of training is a single key with dots in it."""
    prefix = ".".join(_OVERRIDES) + "."
    return (*_OVERRIDES, name[len(prefix) :]) if name.startswith(prefix) else parts(name)


def _canonical(name: str) -> str:
    """Returns the path that an alias stands for."""
    place = _place(name)
    if any(isinstance(part, int) for part in place) or place[:2] == _OVERRIDES:
        return dotted(place)
    nested: Any = 0
    for part in reversed(place):
        nested = {part: nested}
    document = Document("", nested)
    normalise(document)
    found: list[str | int] = []
    below = document.data
    while isinstance(below, dict):
        key, below = next(iter(below.items()))
        found.append(key)
    return dotted(tuple(found))
