"""Where text goes: a terminal as wide as it is, or a file or pipe of 100 columns."""

import io
from typing import TextIO

from rich.console import Console

PLAIN_WIDTH = 100
"""Columns where there is no terminal."""


def console(stream: TextIO) -> Console:
    """Returns a console for a stream; text for a file or pipe has neither colours nor markup."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a terminal without Unicode shows question marks
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
