"""Runs that take turns, so that noise disturbs all alike; medians and spreads of what they took."""

import dataclasses
import resource
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

Name = TypeVar("Name", bound=Hashable)


@dataclasses.dataclass(frozen=True)
class Timing:
    """What a run took.

    Attributes:
      seconds: median wall time [s]. low, high: least and most [s].
      cpu_seconds: median processor time of all threads [s].
    """

    seconds: float
    low: float
    high: float
    cpu_seconds: float

    def rates(self, work: float) -> dict[str, Any]:
        """Returns work per second by key: of the median, of the slowest and the fastest run.

        Args:
          work: done in a run.
        """
        return {
            "per_second": round(work / self.seconds),
            "spread": [round(work / self.high), round(work / self.low)],
            "cpu_seconds": round(self.cpu_seconds, 4),
        }


def in_turn(runs: Mapping[Name, Callable[[], Any]], repeats: int) -> dict[Name, Timing]:
    """Times runs, each of them so many times, one after the other and again from the first.

    Args:
      runs: by name; each returns when it is done, and has run before, so that nothing compiles.
      repeats: how often.
    """
    wall: dict[Name, list[float]] = {name: [] for name in runs}
    cpu: dict[Name, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            used, start = time.process_time(), time.perf_counter()
            run()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - used)
    return {
        name: Timing(statistics.median(x), min(x), max(x), statistics.median(cpu[name]))
        for name, x in wall.items()
    }


def peak_bytes() -> int:
    """Returns the most memory this process has held at once [B]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
