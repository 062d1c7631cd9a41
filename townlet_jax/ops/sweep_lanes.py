"""Lanes of a sweep: what one call of a program does, in either mode, and the rows it gives."""

import dataclasses
import functools
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config import Town, dump
from townlet_jax.ops.early_stop import StopRules
from townlet_jax.ops.evaluation import figures, mean
from townlet_jax.ops.stopwatch import CompileClock
from townlet_jax.ops.sweep_files import Row
from townlet_jax.ops.training_plan import divisor
from townlet_jax.snapshots import learners, leaves
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.snapshots.store import Step, Store, newest, steps
from townlet_jax.train import lanes
from townlet_jax.train.config import train_shape
from townlet_jax.train.evaluate import Mind, Stay
from townlet_jax.train.evaluate_lanes import Ending, LaneNotes, evaluate_lanes, evaluator
from townlet_jax.train.stacking import Stack
from townlet_jax.train.town_world import TownWorld
from townlet_jax.train.types import LearnerState

FIRST_TOWN_SEED = 10_000
"""Seed of the first town that lanes live in, or are evaluated in; nothing is trained there."""
TAIL = 0.1
"""Share of the updates, the last ones, over which training metrics are averaged."""
METRICS = (
    "need_mean.hunger", "need_mean.hygiene", "need_mean.energy", "need_low.hunger",
    "need_low.hygiene", "need_low.energy", "deaths_per_1k", "loss_entropy", "loss_policy",
    "loss_value", "grad_norm", "explained_variance", "approx_kl_k3", "return_mean", "reward_mean",
    "reward_variance", "self_sufficiency", "relationship_coverage", "lateness_rate",
    "option_switch_rate", "queue_conflict_events", "chat_success_events", "chat_failure_events",
)  # fmt: skip
"""Training metrics in the results, besides the mean of every reward term."""
Given = tuple[Any, Any]
"""Numbers of a town and of a learner."""


@dataclasses.dataclass(frozen=True)
class Call:
    """Lanes that run in one call, L of them.

    Attributes:
      settings: row of the stacks by lane. seeds: index of the seed by lane.
      devices: D, over which they are split.
    """

    settings: tuple[int, ...]
    seeds: tuple[int, ...]
    devices: int


@dataclasses.dataclass(frozen=True)
class Lanes:
    """What all calls of one combination of sizes have in common.

    Attributes:
      town: without any setting.
      policy: a built-in policy, or `network`.
      first_seed: of training; lane r of a setting has `first_seed + r`.
      num_towns, num_days: E, D, that each lane lives in, or is evaluated in.
      life: numbers of the towns that are lived in, S settings.
      training: numbers in training, None where nothing is trained.
      is_exact: whether lanes run one by one.
    """

    town: Town
    policy: str
    first_seed: int
    num_towns: int
    num_days: int
    life: Stack
    training: Stack | None
    is_exact: bool

    @functools.cached_property
    def world(self) -> TownWorld:
        """The place."""
        return TownWorld(self.town.shape)

    @functools.cached_property
    def num_updates(self) -> int:
        """Updates of a lane, 0 where nothing is trained."""
        return 0 if self.training is None else self.town.config.training.num_updates

    @functools.cached_property
    def shape(self) -> Any:
        """Sizes of the learner."""
        found = train_shape(self.town)
        length = divisor(self.town.config.training.num_updates, found.updates_per_chunk)
        return dataclasses.replace(found, updates_per_chunk=length)

    @functools.cached_property
    def stay(self) -> Stay:
        """The program of an evaluation."""
        shape = train_shape(self.town)
        num_ticks = self.num_days * int(self.town.params.time.ticks_per_day)
        num_windows = -(-num_ticks // shape.decide_every)
        mind = Mind(self.policy)
        return Stay(self.world, mind, shape, self.num_days, num_windows, is_watched=False)

    def town_seeds(self, call: Call) -> np.ndarray:
        """Returns the seeds of the towns, uint32 `[L, E]`; the same for all settings."""
        first = FIRST_TOWN_SEED + np.array(call.seeds, np.int64) * self.num_towns
        if self.training is not None:  # learners of all seeds are measured in the same towns
            first = np.full_like(first, FIRST_TOWN_SEED)
        return (first[:, None] + np.arange(self.num_towns)).astype(np.uint32)

    def memory(self, call: Call) -> int:
        """Compiles the programs of a call; returns the bytes that they take on one device.

        The programs are kept: a call of the same size compiles nothing any more.
        """
        words = jax.ShapeDtypeStruct((len(call.seeds), self.num_towns), jnp.uint32)
        life = self.life.take(call.settings, lanes.mesh(call.devices))
        nets: Any = {}
        programs = []
        if self.training is not None:
            given = self.training.take(call.settings, lanes.mesh(call.devices))
            axes = self.training.axes
            size = len(call.seeds)
            numbers, params = given
            forms = lanes.forms(self.world, self.shape, size, numbers, params, axes)
            nets = forms.params
            run = lanes.trainer(self.world, self.shape, size, call.devices, axes, self.is_exact)
            programs.append(run.lower(forms, *given))
        live = evaluator(self.stay, len(call.seeds), call.devices, self.life.axes, self.is_exact)
        programs.append(live.lower(words, nets, *life))
        return max(_bytes(program.compile().memory_analysis()) for program in programs)


def _bytes(analysis: Any) -> int:
    """Adds up what a program needs on one device; 0 where the compiler does not say."""
    if analysis is None:
        return 0
    given, made = analysis.argument_size_in_bytes, analysis.output_size_in_bytes
    return int(given + made + analysis.temp_size_in_bytes - analysis.alias_size_in_bytes)


@dataclasses.dataclass
class Run:
    """A call that is under way, and what is remembered of its lanes.

    Attributes:
      lanes, call: what runs.
      seconds, compile_seconds: [s] spent running and compiling.
      epoch: updates done.
      steps: valid rows by lane. stops: by lane why it would have ended, None = it would not.
      tail: sums of metrics over the last updates by lane. num_tail: how many were added.
    """

    lanes: Lanes
    call: Call
    seconds: float = 0.0
    compile_seconds: float = 0.0
    epoch: int = 0
    steps: list[int] = dataclasses.field(default_factory=list)
    stops: list[str | None] = dataclasses.field(default_factory=list)
    tail: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    num_tail: int = 0

    def __post_init__(self) -> None:
        size = len(self.call.seeds)
        self.steps, self.stops = [0] * size, [None] * size
        self._rules = [StopRules(self.lanes.town.config.early_stop) for _ in range(size)]
        self._nets: Any = {}

    def train(
        self,
        store: Store | None,
        key: str,
        is_stopping: Callable[[], bool],
        say: Callable[[str], None],
    ) -> bool:
        """Trains all lanes, from their newest snapshot if there is one.

        Args:
          store: where snapshots go every `training.checkpoint_every` updates, None = nowhere.
          key: of the sweep; a snapshot of another one is refused.
          is_stopping: asked after every chunk of updates.
          say: told of progress, a line.

        Returns:
          Whether all updates are done; if not, the learners are saved.

        Raises:
          SnapshotError: a snapshot does not fit.
          CorruptSnapshotError: the newest snapshot is corrupt.
        """
        with CompileClock() as clock:
            began = time.perf_counter()
            stack = self.lanes.training
            assert stack is not None
            given = stack.take(self.call.settings, lanes.mesh(self.call.devices))
            numbers, params = given
            learner = self._begin(store, key, given)
            cadence = self.lanes.town.config.training.checkpoint_every
            saved = self.epoch
            while self.epoch < self.lanes.num_updates:
                if is_stopping():
                    self._save(store, key, learner)
                    return False
                learner, metrics = lanes.train(
                    self.lanes.world, self.lanes.shape, learner, numbers, params, stack.axes,
                    self.lanes.is_exact,
                )  # fmt: skip
                is_finite = np.asarray(lanes.all_finite(learner.params))
                self._note(jax.device_get(metrics), is_finite)
                if self.epoch // cadence > saved // cadence and self.epoch < self.lanes.num_updates:
                    self._save(store, key, learner)
                    saved = self.epoch
                say(f"{self.epoch} of {self.lanes.num_updates} updates")
            self._nets = learner.params
            self._took(clock, began)
        return True

    def live(self) -> list[Row]:
        """Lets all lanes live in their towns.

        Returns:
          A row per lane, without what names its setting.
        """
        with CompileClock() as clock:
            began = time.perf_counter()
            mesh = lanes.mesh(self.call.devices)
            numbers, params = self.lanes.life.take(self.call.settings, mesh)
            seeds = self.lanes.town_seeds(self.call)
            found = evaluate_lanes(
                self.lanes.stay, jnp.asarray(seeds), self._nets, numbers, params,
                self.lanes.life.axes, self.lanes.is_exact,
            )  # fmt: skip
            diary, ending = jax.device_get(found)
            self._took(clock, began)
        flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), diary)
        stay = self.lanes.stay
        notes = LaneNotes(
            stay.num_days, tuple(seeds.ravel().tolist()), flat, stay.shape.decide_every
        )
        kpis = figures(self.lanes.town, self.lanes.policy, [notes]).by_town
        size = len(self.call.seeds)
        columns = {f"kpi.{name}": mean(x[0].reshape(size, -1), 1) for name, x in kpis.items()}
        columns |= _ties(ending) | _queues(ending, stay.num_days, self.lanes.town.shape.num_agents)
        lived = np.asarray(diary.living, np.int64).reshape(size, -1).sum(axis=1)
        return [self._row(lane, columns, int(lived[lane])) for lane in range(size)]

    def _row(self, lane: int, columns: dict[str, np.ndarray], lived: int) -> Row:
        training, shape = self.lanes.training, self.lanes.shape
        ticks = shape.num_steps * shape.decide_every * shape.num_towns * shape.num_agents
        stop = self.stops[lane]
        row: Row = {
            "status": "nonfinite" if stop == "nonfinite" else "done",
            "updates": None if training is None else self.epoch,
            "steps": None if training is None else self.steps[lane],
            "agent_ticks": lived if training is None else self.epoch * ticks,
            "wall_sec": round(self.seconds / len(self.call.seeds), 6),
        }
        row |= {
            name: _plain(x[lane] / max(self.num_tail, 1)) for name, x in self.tail.items()
        }
        row |= {name: _plain(x[lane]) for name, x in columns.items()}
        return row | {"stop_reason": stop or "done"}

    def _begin(self, store: Store | None, key: str, given: Given) -> LearnerState:
        """Makes fresh learners, or takes up those that were saved."""
        step = None if store is None else _latest(store)
        if step is None:
            first = self.lanes.first_seed
            seeds = [first + seed for seed in self.call.seeds]
            stack = self.lanes.training
            assert stack is not None
            return lanes.start(
                self.lanes.world, self.lanes.shape, seeds, *given, stack.axes, self.lanes.is_exact
            )
        restored = learners.load(self.lanes.town, step.path)
        run = restored.metadata.run
        if run.get("sweep") != key:
            raise SnapshotError(f"{step.path}: is of another sweep")
        self.epoch, self.steps = restored.metadata.tick, list(run["steps"])
        self.stops, self.num_tail = list(run["stops"]), run["num_tail"]
        self.tail = {name: np.array(x, np.float64) for name, x in run["tail"].items()}
        self.seconds, self.compile_seconds = run["seconds"], run["compile_seconds"]
        for rules, state in zip(self._rules, run["stop_rules"], strict=True):
            rules.restore(state)
        return restored.state

    def _save(self, store: Store | None, key: str, learner: LearnerState) -> None:
        """Saves all lanes; if that fails, says so on stderr and goes on."""
        if store is None:
            return
        content = leaves.to_host(learner)
        run = {
            "policy": "network",
            "seed": self.lanes.first_seed,
            "num_learners": len(self.call.seeds),
            "sweep": key,
            "steps": self.steps,
            "stops": self.stops,
            "num_tail": self.num_tail,
            "tail": {name: x.tolist() for name, x in self.tail.items()},
            "seconds": self.seconds,
            "compile_seconds": self.compile_seconds,
            "stop_rules": [rules.state() for rules in self._rules],
        }
        town = self.lanes.town
        try:
            about = learners.describe(town, content, run)
            store.save(self.epoch, leaves.writer(dump(town.config), content, about))
        except (OSError, SnapshotError) as error:
            print(f"{store.root}: snapshot was not saved: {error}", file=sys.stderr)

    def _note(self, metrics: dict[str, np.ndarray], is_finite: np.ndarray) -> None:
        """Takes in a chunk of updates, `[L, U]` by name."""
        num_updates = self.lanes.num_updates
        length = max(1, round(TAIL * num_updates))
        names = [*METRICS, *sorted(n for n in metrics if _is_term(n))]
        chunk = metrics["transitions"].shape[1]
        for u in range(chunk):
            self.epoch += 1
            is_tail = self.epoch > num_updates - length
            self.num_tail += is_tail
            for name in names if is_tail else ():
                given = np.asarray(metrics[name][:, u], np.float64)
                self.tail[name] = self.tail.get(name, 0.0) + given
            for lane in range(len(self.stops)):
                self._judge(lane, u, metrics, bool(is_finite[lane]) or u < chunk - 1)
        transitions = metrics["transitions"].sum(axis=1)
        self.steps = [old + int(new) for old, new in zip(self.steps, transitions, strict=True)]

    def _judge(self, lane: int, u: int, metrics: dict[str, np.ndarray], is_finite: bool) -> None:
        """Notes why a lane would end; it goes on all the same, as the others do."""
        names = ("reward_variance", "nonfinite_minibatches", "social_stage")
        record = {name: metrics[name][lane, u].item() for name in names}
        stop = self._rules[lane].update({**record, "epoch": self.epoch}, is_finite)
        if stop is not None and self.stops[lane] != "nonfinite":
            self.stops[lane] = self.stops[lane] or stop.reason
            if stop.reason == "nonfinite":
                self.stops[lane] = "nonfinite"

    def _took(self, clock: CompileClock, began: float) -> None:
        self.compile_seconds += clock.seconds()
        self.seconds += max(time.perf_counter() - began - clock.seconds(), 0.0)


def _latest(store: Store) -> Step | None:
    """Finds the newest snapshot of a part."""
    return newest(store.root)[0] if steps(store.root) else None


def _is_term(name: str) -> bool:
    return name.startswith("reward.") and name.endswith("_mean")


def _ties(ending: Ending) -> dict[str, np.ndarray]:
    """Returns ties per town and their mean strength by lane."""
    number = np.asarray(ending.num_ties, np.float64)
    cases = number.sum(axis=1)
    columns = {"ties.number": number.mean(axis=1)}
    for name in ("trust", "familiarity", "rivalry"):
        total = np.asarray(getattr(ending, name), np.float64).sum(axis=1)
        columns[f"ties.{name}"] = np.where(cases > 0, total / np.maximum(cases, 1), np.nan)
    return columns


def _queues(ending: Ending, num_days: int, num_agents: int) -> dict[str, np.ndarray]:
    """Returns the wait of a slot on the last day [tick], and events per town and day."""
    waits = np.asarray(ending.wait_ticks, np.float64).mean(axis=1) / num_agents
    events = np.asarray(ending.queue_events, np.float64).mean(axis=1) / num_days  # [L, 3]
    names = ("refusals", "ghost_steps", "rotations")
    columns = {f"queues.{name}_per_day": events[:, i] for i, name in enumerate(names)}
    return {"queues.wait_ticks": waits, **columns}


def _plain(value: Any) -> float | None:
    """Returns a figure as JSON and CSV have it."""
    number = float(value)
    return number if np.isfinite(number) else None


def call_of(settings: Sequence[int], num_seeds: int, chunk: int, devices: int) -> Call:
    """Returns the call of some settings; the last one is repeated up to the size of a chunk.

    Args:
      settings: rows of the stacks, at most `chunk` of them.
      num_seeds: R, lanes per setting.
      chunk: settings per call.
      devices: D.
    """
    padded = [*settings, *[settings[-1]] * (chunk - len(settings))]
    rows = tuple(setting for setting in padded for _ in range(num_seeds))
    return Call(rows, tuple(range(num_seeds)) * chunk, devices)
