"""A training run on behalf of a script: chunks, records, evaluations, snapshots, stopping."""

import dataclasses
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import numpy as np

from townlet_jax.config import Town, dump
from townlet_jax.ops.early_stop import Stop, StopRules
from townlet_jax.ops.evaluation import figures, mean
from townlet_jax.ops.stopwatch import CompileClock
from townlet_jax.ops.training_log import TrainingLog, cut
from townlet_jax.ops.training_plan import Plan, divisor
from townlet_jax.ops.training_records import Facts, Record, records
from townlet_jax.snapshots import learners, leaves, metadata, policies, store
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.snapshots.loading import Restored
from townlet_jax.snapshots.store import Store
from townlet_jax.train import lanes, processes
from townlet_jax.train.config import train_params, train_shape, training_numbers
from townlet_jax.train.evaluate import Mind, evaluate
from townlet_jax.train.town_world import TownWorld
from townlet_jax.train.types import LearnerState

FIRST_EVALUATION_SEED = 5000
"""Seed of the first town of evaluations within a run; reports use others, from 10000 on."""


class Training:
    """Learners that learn, chunk by chunk.

    Attributes:
      epoch: updates done. num_updates: of the whole run.
      last: records of the latest update, one per lane. evaluations: of all checkpoints.
    """

    def __init__(self, town: Town, plan: Plan, restored: Restored[LearnerState] | None = None):
        """Makes fresh learners, or goes on with those of a snapshot.

        Args:
          town: the loaded configuration.
          plan: what is run.
          restored: learners of the same plan.

        Raises:
          ConfigError: the configuration cannot be trained with.
          SnapshotError: `training.init_from` names no policy that fits.
          ValueError: lanes or groups of towns cannot be split over the processes.
        """
        self.town, self.plan = town, plan
        self.shape = train_shape(town)
        self.num_updates = town.config.training.num_updates
        self.shape = dataclasses.replace(
            self.shape, updates_per_chunk=divisor(self.num_updates, self.shape.updates_per_chunk)
        )
        self._world, self._numbers = TownWorld(town.shape), training_numbers(town)
        self._params = lanes.stack_params([self._lane_params(stage) for _, stage in plan.lanes])
        self._given = lanes.place_numbers(
            self.shape, len(plan.lanes), self._numbers, self._params
        )
        rules = [StopRules(town.config.early_stop, plan.goal) for _ in plan.lanes]
        self.epoch = 0
        self.last: list[Record] = []
        self.evaluations: list[Record] = []
        self._steps, self._offsets = [0] * len(rules), [0] * len(rules)
        self._rules, self._best = rules, (-1.0, 0.0)
        self._history = restored.history if restored else ()
        self.compile_seconds, self.run_seconds = 0.0, 0.0
        with CompileClock() as clock:
            if restored is None:
                self._learner = self._start()
            else:
                self._learner = restored.state
                self._take_up(restored.metadata.run, restored.metadata.tick)
            self.compile_seconds += clock.seconds()
        self._logs = self._open_logs()
        self._stores = self._open_stores()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for log in self._logs:
            log.close()
        for place in self._stores.values():
            place.close()

    def notes(self) -> list[str]:
        """Says what is not as asked for, a line each."""
        found, ppo = [], self.town.config.ppo
        if self.shape.num_mini_batches != ppo.num_mini_batches:
            found.append(
                f"ppo.num_mini_batches is {self.shape.num_mini_batches}, not "
                f"{ppo.num_mini_batches}: minibatches are whole towns, and there are "
                f"{self.shape.num_towns}"
            )
        if "mini_batch_size" in ppo.model_fields_set:
            found.append("ppo.mini_batch_size has no effect in rollouts: minibatches are towns")
        layout = self._numbers[1]
        is_free = layout.residents.is_resident & ~layout.schedules.has_schedule
        if not np.asarray(is_free).any():
            found.append("all residents follow schedules: nothing is learned, events are counted")
        return found

    def advance(self) -> Stop | None:
        """Does a chunk of updates and logs them.

        Returns:
          Why the run is to end, None = it is not.
        """
        with CompileClock() as clock:
            start = time.perf_counter()
            learner, metrics = lanes.train(self._world, self.shape, self._learner, *self._given)
            self._learner, metrics = learner, processes.to_host(metrics)
            compile_seconds = clock.seconds()
            seconds = time.perf_counter() - start - compile_seconds
        is_first = self.epoch == 0
        self.compile_seconds += compile_seconds
        self.run_seconds += seconds
        is_finite = processes.to_host(lanes.all_finite(learner.params))
        stops = []
        self.last = []
        for lane, facts in enumerate(self._facts()):
            own = {name: x[lane] for name, x in metrics.items()}
            found = records(
                own, facts, self.epoch + 1, self._steps[lane], seconds,
                self.compile_seconds if is_first else None,
            )  # fmt: skip
            self._steps[lane] = found[-1]["steps"]
            self.last.append(found[-1])
            stops.append(self._judge(lane, found, bool(is_finite[lane])))
        self.epoch += self.shape.updates_per_chunk
        return self._decide(stops)

    def evaluate(self) -> Stop | None:
        """Lets all policies live in the unmodified town, and saves the best ones apart.

        Returns:
          Why the run is to end, None = it is not.
        """
        seeds = range(FIRST_EVALUATION_SEED, FIRST_EVALUATION_SEED + self.plan.eval_towns)
        stops, scores = [], []
        # Towns are spread otherwise than learners, in each process for itself.
        nets = processes.to_host(self._learner.params)
        for lane, (_, stage) in enumerate(self.plan.lanes):
            net = jax.tree.map(lambda x, lane=lane: x[lane], nets)
            seen = evaluate(
                self.town, Mind("network"), seeds, self.plan.eval_days,
                shape=self.shape, params=net, stage=stage,
            )  # fmt: skip
            kpis = figures(self.town, "network", [seen]).by_town
            found = processes.of_first(np.array([mean(x, (0, 1)) for x in kpis.values()]))
            scores.append(dict(zip(kpis, found.tolist(), strict=True)))
            stop = self._rules[lane].evaluated(self.epoch, scores[-1])
            self._tell(lane, {"event": "evaluation", "epoch": self.epoch, **_known(scores[-1])})
            stops.append(self._noted(lane, stop))
        both = {
            name: float(mean(np.array([kpis[name] for kpis in scores]), 0)) for name in scores[0]
        }
        self.evaluations.append({"epoch": self.epoch, **_known(both)})
        score = (both["self_sufficiency"], both["discounted_return"])
        if score > self._best:
            self._best = score
            self.save(policies.BEST)
        return self._decide(stops)

    def save(self, folder: str = policies.LAST) -> bool:
        """Saves the learners; if that fails, says so on stderr.

        All processes of a run take part; the first one writes.

        Returns:
          Whether they are saved; True as well where nothing is to be.

        Raises:
          SnapshotError: a number is not finite.
        """
        if self.plan.workdir is None:
            return True
        for log in self._logs:
            log.sync()
        content = leaves.to_host(self._learner)
        about = learners.describe(self.town, content, self._record(), self._history)
        fill, is_saved = leaves.writer(dump(self.town.config), content, about), True
        if processes.is_first():
            try:
                self._stores[folder].save(self.epoch, fill)
            except OSError as error:
                print(f"{self.plan.workdir}: snapshot was not saved: {error}", file=sys.stderr)
                is_saved = False
        return not processes.any_of(not is_saved)

    def end(self, stop: Stop) -> None:
        """Writes the last line of every log."""
        for lane in range(len(self._logs)):
            self._tell(lane, stop.record())

    def report(self) -> Record:
        """Returns how the run stands: figures of the latest update, by lane."""
        return {
            "config_id": self.town.config_id,
            "config_hash": self.town.identity,
            "workdir": None if self.plan.workdir is None else str(self.plan.workdir),
            "epoch": self.epoch,
            "num_updates": self.num_updates,
            "lanes": self.plan.lane_names,
            "compile_seconds": round(self.compile_seconds, 3),
            "run_seconds": round(self.run_seconds, 3),
            "evaluations": self.evaluations,
            "records": self.last,
        }

    def _start(self) -> LearnerState:
        seeds = [seed for seed, _ in self.plan.lanes]
        learner = lanes.start(self._world, self.shape, seeds, self._numbers, self._params)
        source = self.town.config.training.init_from
        if source is None:
            return learner
        step = policies.find(Path(source).expanduser())
        policies.load(step, self.town)  # refuses what does not fit
        return learners.adopt(learner, leaves.read(step, metadata.read(step)))

    def _take_up(self, run: Mapping[str, Any], epoch: int) -> None:
        self.epoch, self._steps = epoch, list(run["steps"])
        self._offsets, self._best = list(run["log_offsets"]), (run["best"][0], run["best"][1])
        self.evaluations = list(run["evaluations"])
        for rules, state in zip(self._rules, run["stop_rules"], strict=True):
            rules.restore(state)

    def _record(self) -> dict[str, Any]:
        """Returns what, with the learners, a later process needs to go on: JSON values."""
        record = {
            "policy": "network",
            "seed": self.plan.seeds[0],
            "seeds": [seed for seed, _ in self.plan.lanes],
            "stages": [stage for _, stage in self.plan.lanes],
            "num_learners": len(self.plan.lanes),
            "steps": self._steps,
            "log_offsets": [log.offset for log in self._logs] or self._offsets,
            "stop_rules": [rules.state() for rules in self._rules],
            "evaluations": self.evaluations,
            "best": list(self._best),
        }
        return json.loads(json.dumps(record))  # a copy

    def _lane_params(self, stage: str | None) -> Any:
        config = self.town.config
        if stage is None:
            return train_params(config)
        training = config.training.model_copy(
            update={"social_reward_stage_override": stage, "social_reward_schedule": ()}
        )
        return train_params(config.model_copy(update={"training": training}))

    def _facts(self) -> list[Facts]:
        return [
            Facts(self.shape, self.town.identity, seed, -1 if len(self.plan.lanes) == 1 else lane)
            for lane, (seed, _) in enumerate(self.plan.lanes)
        ]

    def _open_logs(self) -> list[TrainingLog]:
        if self.plan.log is None or not processes.is_first():
            return []
        logs = []
        for name, offset in zip(self.plan.lane_names, self._offsets, strict=True):
            path = Path(self.plan.log)
            if len(self._offsets) > 1:
                path = path.with_name(f"{path.stem}-{name}{path.suffix}")
            path.parent.mkdir(parents=True, exist_ok=True)
            cut(str(path), self.epoch)
            logs.append(
                TrainingLog(
                    str(path), self.plan.log_frequency, self.plan.max_log_entries, offset
                )
            )
        return logs

    def _open_stores(self) -> dict[str, Store]:
        workdir = self.plan.workdir
        if workdir is None or not processes.is_first():
            return {}
        workdir.mkdir(parents=True, exist_ok=True)
        (workdir / "config.yaml").write_text(dump(self.town.config), encoding="utf-8")
        keep = {policies.LAST: self.town.config.training.keep, policies.BEST: 1}
        return {name: Store(workdir / name, number) for name, number in keep.items()}

    def _judge(self, lane: int, found: Sequence[Record], is_finite: bool) -> Stop | None:
        """Logs the records of a lane and applies the rules to them."""
        if self._logs:
            self._logs[lane].write([record for record in found if _is_writable(record)])
        stop = None
        for i, record in enumerate(found):
            is_last = i == len(found) - 1
            stop = self._rules[lane].update(record, is_finite or not is_last) or stop
        return self._noted(lane, stop)

    def _noted(self, lane: int, stop: Stop | None) -> Stop | None:
        """Notes a stop that does not end the run: one of several lanes, or a hold."""
        if stop is None or (len(self.plan.lanes) == 1 and stop.status is not None):
            return stop
        self._tell(lane, {**stop.record(), "event": "hold"})
        return stop if stop.status is not None else None

    def _decide(self, stops: Sequence[Stop | None]) -> Stop | None:
        """Ends the run where every lane is to end."""
        found = [stop for stop in stops if stop is not None]
        return found[0] if found and len(found) == len(stops) else None

    def _tell(self, lane: int, record: Record) -> None:
        if self._logs:
            self._logs[lane].write_event(record)


def resume(town: Town, plan: Plan) -> Restored[LearnerState]:
    """Brings back the newest snapshot of a run.

    Args:
      town: the configuration.
      plan: with the working folder.

    Raises:
      SnapshotError: there is none, or it is of another plan.
      CorruptSnapshotError: the newest is corrupt.
    """
    assert plan.workdir is not None
    step, _ = store.newest(plan.workdir / policies.LAST)
    restored = learners.load(town, step.path)
    run = restored.metadata.run
    given = {"seeds": [seed for seed, _ in plan.lanes], "stages": [s for _, s in plan.lanes]}
    for key, value in given.items():
        if run.get(key) != value:
            raise SnapshotError(f"{step.path}: its {key} are {run.get(key)}, not {value}")
    return restored


def _is_writable(record: Record) -> bool:
    """Tells whether all numbers are finite; those of a broken network are not."""
    return all(np.isfinite(x) for x in record.values() if isinstance(x, float))


def _known(kpis: Mapping[str, float]) -> dict[str, float | None]:
    """Returns figures as JSON has them: without cases there is none."""
    return {name: None if np.isnan(value) else value for name, value in kpis.items()}
