"""Parts of libraries that may not be installed."""

import contextlib
import importlib
import io
from typing import Any

INSTALL = "pip install 'townlet-jax[env]'"


def part_of(module: str, name: str) -> Any:
    """Imports a class or function.

    Args:
      module: where it is; its first part is the library.
      name: what it is called there.

    Returns:
      It; without the library, a class that says what to install when it or a child is made.
    """
    try:
        # One of them talks while it is imported, which would spoil the output of programs.
        with contextlib.redirect_stdout(io.StringIO()):
            return getattr(importlib.import_module(module), name)
    except ImportError as error:
        library = module.partition(".")[0]
        message = f"this adapter needs {library}: {INSTALL} ({error})"
        return type("Missing", (Missing,), {"message": message})


class Missing:
    """Stands in for a class of a library that is not installed."""

    message: str

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Says what to install.

        Raises:
          ImportError: always.
        """
        raise ImportError(cls.message)


def is_missing(part: Any) -> bool:
    """Tells whether `part_of` found nothing."""
    return isinstance(part, type) and issubclass(part, Missing)
