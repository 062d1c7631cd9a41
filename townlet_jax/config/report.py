"""Gathers what is wrong or doubtful while tables are built, so that a user sees it all at once."""

import dataclasses

from townlet_jax.config.document import Document
from townlet_jax.config.errors import ConfigError, Note, Path, Problem


@dataclasses.dataclass
class Report:
    """Problems and notes of one load.

    Attributes:
      document: tells where in which file a value of the configuration stands.
      is_strict: whether doubtful values are refused.
      problems, notes: what was found so far.
    """

    document: Document
    is_strict: bool = False
    problems: list[Problem] = dataclasses.field(default_factory=list)
    notes: list[Note] = dataclasses.field(default_factory=list)

    def error(self, path: Path, message: str, at_key: bool = False) -> None:
        """Adds a problem of the value (or key) at `path`."""
        self.problems.append(self.document.problem(path, message, at_key))

    def note(self, path: Path, message: str, at_key: bool = False) -> None:
        """Adds a note about the value (or key) at `path`."""
        self.notes.append(self.document.note(path, message, at_key))

    def doubt(self, path: Path, message: str, at_key: bool = False) -> None:
        """Adds a note, or a problem where the load is strict."""
        (self.error if self.is_strict else self.note)(path, message, at_key)

    def within(self, document: Document) -> "Report":
        """Returns a report about another file that adds to the same lists."""
        return Report(document, self.is_strict, self.problems, self.notes)

    def check(self) -> None:
        """Raises `ConfigError` if any problem was found so far."""
        if self.problems:
            raise ConfigError(sorted(self.problems, key=lambda p: (p.file, p.line, p.column)))
