"""Progress of a training run: live figures on a terminal, a plain line per chunk in a log."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TextIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from townlet_jax.ops.terminal import console

MIN_SECONDS = 5.0
"""Shortest time between two plain lines [s]."""
Record = Mapping[str, Any]


class TrainingTicker:
    """Shows how far a run is and how it goes."""

    def __init__(self, num_updates: int, stream: TextIO, is_quiet: bool = False):
        """Starts at 0.

        Args:
          num_updates: of the whole run.
          stream: where to show it.
          is_quiet: whether to show nothing.
        """
        self._num_updates, self._stream, self._is_quiet = num_updates, stream, is_quiet
        self._shown = -MIN_SECONDS
        self._bar: Progress | None = None
        if stream.isatty() and not is_quiet:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[figures]}"),
            )
            self._bar = Progress(*columns, console=console(stream), transient=True)
            self._task = self._bar.add_task("compiling", total=num_updates, figures="")

    def __enter__(self) -> Self:
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

    def show(self, epoch: int, records: Sequence[Record]) -> None:
        """Shows the latest update; several lanes by their mean."""
        if self._is_quiet:
            return
        if self._bar is not None:
            self._bar.update(
                self._task, completed=epoch, description="learning", figures=figures(records)
            )
        elif epoch >= self._num_updates or time.monotonic() - self._shown >= MIN_SECONDS:
            self._shown = time.monotonic()
            line = f"{epoch} of {self._num_updates} updates: {figures(records)}"
            print(line, file=self._stream, flush=True)

    def say(self, line: str) -> None:
        """Says something between two updates."""
        if self._is_quiet:
            return
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        else:
            print(line, file=self._stream, flush=True)


def figures(records: Sequence[Record]) -> str:
    """Describes the latest update in half a line.

    Args:
      records: of the training log, one per lane.
    """

    def mean(key: str) -> float:
        return sum(float(record[key]) for record in records) / len(records)

    needs = " ".join(f"{mean(f'need_mean.{need}'):.2f}" for need in ("hunger", "hygiene", "energy"))
    return (
        f"reward {mean('reward_mean'):.4f}, needs {needs}, deaths {mean('deaths_per_1k'):.2f}/1k, "
        f"entropy {mean('loss_entropy'):.2f}, {sum(r['steps_per_second'] for r in records):,.0f} "
        "decisions/s"
    )
