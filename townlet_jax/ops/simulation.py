"""Runs towns chunk by chunk on behalf of a script, and watches one of them if asked to."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax

from townlet_jax.config.params import TownParams
from townlet_jax.config.town import Town
from townlet_jax.env import batch
from townlet_jax.ops.events import Record, decode
from townlet_jax.ops.host import fetch
from townlet_jax.ops.kpi_days import churn_record, day_record, mean_record, targets
from townlet_jax.ops.labels import labels
from townlet_jax.ops.stopwatch import CompileClock
from townlet_jax.ops.summary import Run, summarise
from townlet_jax.snapshots.towns import RestoredTowns
from townlet_jax.state import Metrics, Relationships, TownState
from townlet_jax.town.metrics import DayKpi, Kpi, churn_alert, day_kpi, kpi

CHUNK = 360
"""Most ticks between two looks at the clock, at signals and at what happened."""
CHUNK_TOWN_TICKS = 400_000
"""Most ticks of all towns together between two looks: a few seconds on a few cores."""

Listener = Callable[[list[Record]], None]
"""Receives the records of a chunk of the watched town."""


class Simulation:
    """Towns that live under a built-in policy.

    Attributes:
      num_ticks: [tick] lived so far.
      run_seconds, compile_seconds: [s] spent living and compiling; telling the listener counts for
        neither.
    """

    def __init__(
        self,
        town: Town,
        policy: str,
        seed: int,
        num_towns: int,
        listener: Listener | None = None,
        restored: RestoredTowns | None = None,
    ):
        """Starts fresh towns, or goes on with those of a snapshot.

        Args:
          town: the loaded configuration.
          policy: name of a built-in policy.
          seed: of town 0; town i has `seed + i`.
          num_towns: E.
          listener: receives what happens in town 0.
          restored: towns that `record` was saved with; policy, seed and number are theirs.
        """
        self.num_ticks, self.run_seconds, self.compile_seconds = 0, 0.0, 0.0
        self._town, self._policy, self._seed, self._listener = town, policy, seed, listener
        self._labels = labels(town)
        self._days: list[dict[str, Any]] = []
        self._num_earlier_ticks = 0
        with CompileClock() as clock:
            if restored is None:
                self._towns = batch.start(town, seed, num_towns)
            else:
                self._towns = restored.state
                self._days = list(restored.metadata.run["days"])
                self.num_ticks = self._num_earlier_ticks = restored.metadata.run["num_ticks"]
            self.compile_seconds += clock.seconds()

    @property
    def towns(self) -> batch.Towns:
        """The towns as they are now, on the devices; `advance` gives them up."""
        return self._towns

    def record(self) -> dict[str, Any]:
        """Returns what, with the towns, a later process needs to go on: JSON values."""
        return {
            "policy": self._policy,
            "seed": self._seed,
            "num_towns": self._towns.state.clock.tick.shape[0],
            "num_ticks": self.num_ticks,
            "days": self._days,
        }

    def advance(self, num_ticks: int) -> None:
        """Lives so many ticks, at most `CHUNK` of them if the town is watched."""
        if self._listener is not None:
            generation = jax.device_get(self._towns.state.agents.generation)[0]
        with CompileClock() as clock:
            start = time.perf_counter()
            if self._listener is None:
                towns = batch.advance(self._town, self._policy, self._towns, num_ticks)
            else:
                towns, events = batch.watch(self._town, self._policy, self._towns, num_ticks)
            self._towns = jax.block_until_ready(towns)
            compile_seconds = clock.seconds()
            self.run_seconds += time.perf_counter() - start - compile_seconds
            self.compile_seconds += compile_seconds
        if self._listener is not None:
            self._listener(decode(events, self._labels, generation, self.num_ticks))
        self.num_ticks += num_ticks

    def fetch(self) -> TownState:
        """Returns the towns as they are now, numpy leaves `[E, ...]`."""
        return fetch(self._towns.state)

    def close_day(self) -> None:
        """Notes the figures of the day that has just ended, for the report."""
        params, state = self._town.params, self._towns.state
        figures, alerts = _day_figures(state.metrics, state.relationships, params)
        day = self.num_ticks // int(params.time.ticks_per_day) - 1
        seen = jax.device_get((figures, state.metrics.last_day, alerts))
        self._days.append(day_record(self._town, day, *seen))

    def report(self, limit: int, has_days: bool = False) -> dict[str, object]:
        """Returns the figures of the run so far, see `summary.summarise`.

        Args:
          limit: [tick] that were asked for.
          has_days: whether the days that were closed, their mean and their targets are part of it.
        """
        towns = self.fetch()
        run = Run(
            policy=self._policy,
            seed=self._seed,
            num_towns=towns.clock.tick.shape[0],
            num_ticks=self.num_ticks,
            num_lived_ticks=self.num_ticks - self._num_earlier_ticks,
            limit=limit,
            run_seconds=self.run_seconds,
            compile_seconds=self.compile_seconds,
        )
        figures = _figures(self._towns.state, self._town.params)
        report = summarise(self._town, towns, jax.device_get(figures), run)
        if has_days:
            report["kpi_days"] = self._days
            report["kpi_days_mean"] = mean_record(self._town, self._days)
            report["kpi_targets"] = targets(self._town)
            report["churn"] = churn_record(self._town, towns.relationships, self.num_ticks)
        return report


def chunks(limit: int, *periods: int | None, num_towns: int = 1, done: int = 0) -> Iterator[int]:
    """Yields lengths of chunks that lead to a number of ticks.

    Args:
      limit: [tick] at the end.
      *periods: [tick], a chunk ends with every multiple of each; None = does not matter.
      num_towns: E.
      done: [tick] lived already.
    """
    longest = max(1, min(CHUNK, CHUNK_TOWN_TICKS // num_towns))
    while done < limit:
        ends = [period - done % period for period in periods if period is not None]
        length = min(longest, limit - done, *ends)
        yield length
        done += length


def _figures_of(towns: TownState, params: TownParams) -> Kpi:
    return jax.vmap(kpi, in_axes=(0, None))(towns, params)


def _day_figures_of(
    metrics: Metrics, relationships: Relationships, params: TownParams
) -> tuple[DayKpi, jax.Array]:
    """Returns the figures of the day that has just ended, and whether too many ties were lost."""
    alerts = jax.vmap(churn_alert, in_axes=(0, 0, None))
    figures = jax.vmap(day_kpi, in_axes=(0, 0, None))
    return (
        figures(metrics, relationships, params),
        alerts(metrics, relationships, params.relationships),
    )


# A program each; one operation after the other, all of them would be compiled on their own.
_figures = jax.jit(_figures_of)
_day_figures = jax.jit(_day_figures_of)
