"""Progress of a long run: a bar on a terminal, a few plain lines in a log."""

import time
from types import TracebackType
from typing import TextIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from townlet_jax.ops.terminal import console

MIN_SECONDS = 5.0
"""Shortest time between two plain lines [s]."""


class Ticker:
    """Shows how many ticks of a run are done."""

    def __init__(self, num_ticks: int, stream: TextIO):
        """Starts at 0.

        Args:
          num_ticks: [tick] of the whole run.
          stream: where to show it.
        """
        self._num_ticks, self._stream = num_ticks, stream
        self._shown = time.monotonic()
        self._bar: Progress | None = None
        if stream.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("ticks"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=console(stream), transient=True)
            self._task = self._bar.add_task("compiling", total=num_ticks)

    def __enter__(self) -> "Ticker":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done: int) -> None:
        """Shows that so many ticks are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description="running")
        elif time.monotonic() - self._shown >= MIN_SECONDS:
            self._shown = time.monotonic()
            share = 100 * done // max(self._num_ticks, 1)
            print(f"{done} of {self._num_ticks} ticks, {share} %", file=self._stream, flush=True)
