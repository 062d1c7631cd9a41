"""What a bad or doubtful configuration file says: one line per problem, never a traceback."""

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from typing import Any

Path = tuple[str | int, ...]
"""Where a value sits in a YAML tree: mapping keys and list indices from the root."""

_SHOWN_WIDTH = 60


@dataclasses.dataclass(frozen=True)
class Problem:
    """A fault at one place of one file.

    Attributes:
      file: the file as the user named it, or `--set`.
      line, column: 1-based; for `--set` the number of the override and column 1.
      key: dotted path of the value, such as `scenario.agents[0].wallet`; empty for a whole file.
      message: names the value, what is allowed and, for unknown names, the nearest valid one.
    """

    file: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.file}:{self.line}:{self.column}: {key}{self.message}"


@dataclasses.dataclass(frozen=True)
class Note(Problem):
    """Something worth saying about a file that loads all the same."""


class ConfigError(ValueError):
    """Every problem of a configuration at once; `str(error)` has one line per problem."""

    def __init__(self, problems: Sequence[Problem]):
        super().__init__(problems)
        self.problems = list(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class UnsupportedObservationError(ConfigError, NotImplementedError):
    """Raised when an observation is asked for that this town or policy cannot give."""


def nearest(name: object, candidates: Iterable[str]) -> str:
    """Returns the candidate most like `name`; the empty string where there is none."""
    text = str(name).lower()
    return max(
        candidates,
        key=lambda c: difflib.SequenceMatcher(None, text, c.lower()).ratio(),
        default="",
    )


def suggest(name: object, candidates: Iterable[str]) -> str:
    """Returns `did you mean 'x'?`, or a milder clause where nothing is much alike."""
    best = nearest(name, candidates)
    if not best:
        return "no name is valid here"
    if difflib.SequenceMatcher(None, str(name).lower(), best.lower()).ratio() >= 0.5:
        return f"did you mean {best!r}?"
    return f"the nearest valid name is {best!r}"


def show(value: Any) -> str:
    """Returns a value as a user wrote it, on one line and cut short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict) and value.keys() <= {"min", "max"}:
        return "{" + ", ".join(f"{key}: {show(below)}" for key, below in value.items()) + "}"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, int) and abs(value) >= 10**_SHOWN_WIDTH:
        return "a very large int"
    text = "[" + ", ".join(map(show, value[:8])) + "]" if isinstance(value, list) else repr(value)
    return text if len(text) <= _SHOWN_WIDTH else text[: _SHOWN_WIDTH - 4] + " ..."


def dotted(path: Path) -> str:
    """Returns `scenario.agents[0].wallet` for `("scenario", "agents", 0, "wallet")`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(c if c.isprintable() else " " for c in text.removeprefix("."))
