"""Tells the time spent compiling from the time spent running."""

import time
from types import TracebackType

import jax

_COMPILING = "/jax/core/compile/"


class CompileClock:
    """Adds up the time jax spends on tracing, lowering and compiling while the clock is open.

    jax reports each step when it ends; steps may lie within others, so spans are joined.
    """

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []

    def __enter__(self) -> "CompileClock":
        jax.monitoring.register_event_duration_secs_listener(self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        jax.monitoring.unregister_event_duration_listener(self._hear)

    def _hear(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.startswith(_COMPILING):
            end = time.perf_counter()
            self._spans.append((end - duration_secs, end))

    def seconds(self) -> float:
        """Returns the time spent so far [s]."""
        return joined(self._spans)


def joined(spans: list[tuple[float, float]]) -> float:
    """Returns the length of the union of time spans."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return total
