"""A sweep on behalf of a script: settings become lanes, lanes calls, calls parts of the results."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import numpy as np

from townlet_jax.config import ConfigError, Town
from townlet_jax.config.sweep import Base, check, placed
from townlet_jax.config.sweep_file import Setting, Sweep
from townlet_jax.ops.stopwatch import CompileClock
from townlet_jax.ops.sweep_files import Row, SweepFolder, digest_of
from townlet_jax.ops.sweep_lanes import FIRST_TOWN_SEED, Lanes, Run, call_of
from townlet_jax.snapshots.store import Store
from townlet_jax.train.stacking import evaluated, simulated, sizes, stack, trained

CPU_MEMORY_GIB = 4.0
MEMORY_SHARE = 0.6
"""Of a device that says how much it has."""
CALL_TOWN_TICKS = {"cpu": 8_000_000}
"""Most ticks of all towns in one call of mode simulate, a minute or so; elsewhere `MOST_TICKS`."""
MOST_TICKS = 1_000_000_000
GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
      mode: `simulate` or `train`.
      num_seeds: R, lanes per setting.
      workdir: where results go, None = nowhere.
      is_exact: whether lanes run one by one.
      is_resumed: whether to go on with what is in `workdir`.
      share: which of the settings to run: `(i, N)` is part i, from 0, of N equal ones.
    """

    mode: str
    num_seeds: int
    workdir: Path | None = None
    is_exact: bool = False
    is_resumed: bool = False
    share: tuple[int, int] = (0, 1)


class SweepRun:
    """A sweep, part by part.

    Attributes:
      paths: what is swept, static parameters first.
      rows: of the parts that are finished.
      num_settings: over all combinations of sizes.
      run_seconds, compile_seconds: [s] of this process.
    """

    def __init__(self, base: Base, sweep: Sweep, plan: Plan, say: Callable[[str], None]):
        """Checks everything that can be checked before anything runs.

        Args:
          base: the configuration.
          sweep: the sweep file.
          plan: what is asked for.
          say: is told of decisions and progress, a line each.

        Raises:
          ConfigError: lists what is wrong with the sweep file.
          SnapshotError: the folder holds another sweep, or none to go on with.
          CorruptSnapshotError: the folder is damaged.
        """
        self._base, self._sweep, self._plan, self._say = base, sweep, plan, say
        check(sweep, base, sizes, self._reads)
        self.paths = _paths(sweep)
        self.num_settings = len(sweep.static) * len(sweep.settings)
        self.rows: list[Row] = []
        self.run_seconds, self.compile_seconds = 0.0, 0.0
        self._key = digest_of([base.town.identity, self.about, _written(sweep)])
        self._combinations = [self._lanes(fixed) for fixed in sweep.static]
        self._folder: SweepFolder | None = None
        if plan.workdir is not None:
            self._folder = SweepFolder(plan.workdir, self._key, self.about, plan.is_resumed)
        self._tell_size()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.__exit__(kind, error, trace)

    def run(self, is_stopping: Callable[[], bool]) -> bool:
        """Runs all parts that are not finished yet.

        Args:
          is_stopping: asked between parts and, in training, between chunks of updates.

        Returns:
          Whether the sweep is complete.
        """
        index = 0
        for number, fixed in enumerate(self._sweep.static):
            first = number * len(self._sweep.settings)
            for lanes, chunk, settings in self._parts(number, fixed):
                if not self._part(index, lanes, chunk, settings, first, is_stopping):
                    return False
                index += 1
        return True

    def _parts(
        self, number: int, fixed: Setting
    ) -> Iterator[tuple[Lanes, int, Sequence[int]]]:
        """Yields the calls of a combination of sizes: lanes, settings per call, settings."""
        lanes = self._combinations[number]
        if fixed:
            text = ", ".join(f"{name} {value.data}" for name, value in fixed.items())
            total = len(self._sweep.static)
            self._say(f"sizes {number + 1} of {total}, a program of their own: {text}")
        known = [] if self._folder is None else self._folder.progress.chunks
        if number < len(known):
            chunk = known[number]
        else:
            chunk = self._chunk(lanes)
            if self._folder is not None:
                self._folder.decide(chunk)
        own = self._own
        if chunk < len(own):
            self._say(
                f"chunked: {len(own)} settings, {chunk} per call, {-(-len(own) // chunk)} calls "
                "of the same program"
            )
        for start in range(0, len(own), chunk):
            yield lanes, chunk, own[start : start + chunk]

    def _part(
        self,
        index: int,
        lanes: Lanes,
        chunk: int,
        settings: Sequence[int],
        first: int,
        is_stopping: Callable[[], bool],
    ) -> bool:
        """Runs a part, or reads it if it is finished; returns whether it is complete."""
        done = None if self._folder is None else self._folder.finished(index)
        if done is not None:
            self.rows += done
            self._say(f"part {index}: finished before, {len(done)} lanes")
            return True
        if is_stopping():
            return False
        call = call_of(settings, self._plan.num_seeds, chunk, self._devices(chunk))
        run = Run(lanes, call)
        with ExitStack() as opened:
            store = None
            if lanes.training is not None:
                if self._folder is not None:
                    store = Store(self._folder.running(index), 1)
                    opened.callback(store.close)
                told = self._progress(index)
                if not run.train(store, self._key, is_stopping, told):
                    return False
            found = run.live()
        self.run_seconds += run.seconds
        self.compile_seconds += run.compile_seconds
        rows = [
            self._named(row, first + settings[lane // self._plan.num_seeds], lane, first)
            for lane, row in enumerate(found[: len(settings) * self._plan.num_seeds])
        ]
        if self._folder is not None:
            self._folder.finish(index, rows)
        self.rows += rows
        last = settings[-1] + first
        self._say(
            f"part {index}: settings {settings[0] + first} to {last} of {self.num_settings}, "
            f"{len(rows)} lanes, {run.seconds:.1f} s and {run.compile_seconds:.1f} s of compiling"
        )
        return True

    def _named(self, row: Row, setting: int, lane: int, first: int) -> Row:
        """Puts in front of a row what it is of."""
        seed = lane % self._plan.num_seeds
        static = self._sweep.static[setting // len(self._sweep.settings)]
        values = {**static, **self._sweep.settings[setting - first]}
        return {
            "sweep": self._sweep.name,
            "setting": setting,
            "seed": self._seed(seed),
            "lane": setting * self._plan.num_seeds + seed,
            "status": row.pop("status"),
            **{
                path: values[path].data if path in values else self._base.value(path)
                for path in self.paths
            },
            **row,
        }

    def _seed(self, seed: int) -> int:
        """Returns the seed of a lane: of training, or of the first town that it lives in."""
        if self._plan.mode == "train":
            return self._base.town.seed + seed
        return FIRST_TOWN_SEED + seed * self._sweep.file.evaluate.towns

    def _lanes(self, fixed: Setting) -> Lanes:
        """Builds the towns of all settings at one combination of sizes."""
        base = self._base.fixed(fixed)
        is_trained = self._plan.mode == "train"
        own, evaluate = base.town, self._sweep.file.evaluate
        lived = evaluated if is_trained else simulated
        life = stack(lived(own), self._read(base, lived))
        training = stack(trained(own), self._read(base, trained)) if is_trained else None
        return Lanes(
            town=own,
            policy="network" if is_trained else self._sweep.file.policy,
            first_seed=own.seed,
            num_towns=evaluate.towns,
            num_days=evaluate.days,
            life=life,
            training=training,
            is_exact=self._plan.is_exact,
        )

    def _read(self, base: Base, read: Callable[[Town], Any]) -> Iterator[Any]:
        """Yields what lanes read of the town of each setting; in the end raises all faults."""
        problems = []
        for setting in self._sweep.settings:
            try:
                yield read(base.at(setting))
            except ConfigError as error:
                problems += placed(error, setting)
        if problems:
            raise ConfigError(problems)

    def _chunk(self, lanes: Lanes) -> int:
        """Decides how many settings run in one call."""
        size, seeds = len(self._own), self._plan.num_seeds
        unit = jax.device_count() // math.gcd(seeds, jax.device_count())
        # A single lane would be spread by its towns; with several devices there are two at least.
        least = 2 if seeds == 1 and jax.device_count() > 1 else 1
        given = self._sweep.file.chunk
        if isinstance(given, int):
            return max(min(given, size), least)
        most = size
        if lanes.training is None:
            day = int(lanes.town.params.time.ticks_per_day)
            ticks = seeds * lanes.num_towns * lanes.num_days * day
            limit = CALL_TOWN_TICKS.get(jax.default_backend(), MOST_TICKS)
            most = min(size, max(1, limit // ticks))
        chunk = _even(size, most, unit)
        cap, split = self._cap(), jax.device_count() if jax.default_backend() == "cpu" else 1
        call = call_of(self._own[:chunk], seeds, chunk, self._devices(chunk))
        with CompileClock() as clock:
            needed = lanes.memory(call) * min(split, call.devices)
        self.compile_seconds += clock.seconds()
        self._say(f"compiled in {clock.seconds():.1f} s")
        if needed <= cap:
            return chunk
        each = needed / chunk
        fitting = _even(size, max(1, int(cap / each)), 1)
        fitting = max(unit, fitting // unit * unit) if fitting >= unit else fitting
        self._say(
            f"memory: {needed / GIB:.2f} GiB for {chunk} settings, {cap / GIB:.2f} GiB are allowed"
        )
        return max(fitting, least)

    def _cap(self) -> float:
        """Returns the bytes that lanes may take: on a CPU all of them, elsewhere per device."""
        given = self._sweep.file.memory_gib
        if given is not None:
            return given * GIB
        stats = None
        if jax.default_backend() != "cpu":
            stats = jax.devices()[0].memory_stats()
        limit = (stats or {}).get("bytes_limit")
        return MEMORY_SHARE * limit if limit else CPU_MEMORY_GIB * GIB

    def _devices(self, chunk: int) -> int:
        """Returns over how many devices the lanes of a call are split."""
        size = chunk * self._plan.num_seeds
        return max(n for n in range(1, jax.device_count() + 1) if size % n == 0)

    def _reads(self, town: Town) -> list[np.ndarray]:
        """Returns everything that lanes read of a town."""
        if self._plan.mode == "train":
            read = evaluated(town), trained(town)
        else:
            read, _ = simulated(town)  # a built-in policy has no use for the numbers of a learner
        return [np.asarray(x) for x in jax.tree.leaves(read)]

    def _progress(self, index: int) -> Callable[[str], None]:
        return lambda line: self._say(f"part {index}: {line}")

    @property
    def _own(self) -> range:
        """Settings of this share, of each combination of sizes."""
        size, (share, number) = len(self._sweep.settings), self._plan.share
        return range(size * share // number, size * (share + 1) // number)

    @property
    def about(self) -> dict[str, Any]:
        """Describes the sweep, for people and for plots."""
        file, plan = self._sweep.file, self._plan
        return {
            "name": self._sweep.name,
            "config_id": self._base.town.config_id,
            "mode": plan.mode,
            "policy": "network" if plan.mode == "train" else file.policy,
            "num_seeds": plan.num_seeds,
            "num_settings": len(self._sweep.static) * len(self._sweep.settings),
            "paths": _paths(self._sweep),
            "towns": file.evaluate.towns,
            "days": file.evaluate.days,
            "is_exact": plan.is_exact,
        }

    def _tell_size(self) -> None:
        share, shares = self._plan.share
        size, seeds, evaluate = self.num_settings, self._plan.num_seeds, self._sweep.file.evaluate
        self._say(
            f"{self._sweep.name}: {size} settings x {seeds} seeds, {size * seeds} lanes of "
            f"{evaluate.towns} town(s) and {evaluate.days} day(s), {jax.device_count()} device(s)"
            + (", one by one" if self._plan.is_exact else "")
            + (f"; this is share {share + 1} of {shares}" if shares > 1 else "")
        )
        number = len(self._sweep.static)
        if number > 1:
            self._say(f"static: {number} combinations of sizes in turn, each compiles its program")


def _even(size: int, most: int, unit: int) -> int:
    """Returns settings per call so that calls are equally large, a multiple of a unit."""
    calls = -(-size // most)
    each = -(-size // calls)
    return -(-each // unit) * unit


def _paths(sweep: Sweep) -> list[str]:
    """Returns what is swept, in order, static parameters first."""
    settings = (*sweep.static, *sweep.settings)
    return list(dict.fromkeys(path for setting in settings for path in setting))


def _written(sweep: Sweep) -> list[Any]:
    """Returns all values, fit for JSON."""
    return [
        [{path: value.data for path, value in setting.items()} for setting in settings]
        for settings in (sweep.static, sweep.settings)
    ]
