"""Trains residents: recurrent PPO in live towns, all on the device.

    python launch/train.py --config configs/train/ppo_town.yaml --workdir runs/town

Sizes, numbers and schedules come from the configuration (`training`, `ppo`, `policy`, `network`,
`early_stop`) or --set. --workdir receives config.yaml, the log train.jsonl, `snapshots/` (every
`training.checkpoint_every` updates, at the start and at the end) and `best/`; --resume goes on from
the newest snapshot as if nothing had happened. --seeds N trains N seeds side by side in one
program, --stages OFF,C1 each of them at several social reward stages; they have logs of their own,
train-<seed>.jsonl.

Several processes, on one host or on many, share a run if each is started with the same command and
--coordinator HOST:PORT --num-processes P --process-id I, or all of them by srun; --workdir is then
on a file system that all of them see. docs/devices.md says what does not depend on their number.

Status 0: done, or the goal of --until was reached; 1: interrupted without a --workdir; 3: stopped
because the variance of the reward exploded; 4: stopped by numbers that are not finite; 75: stopped
after a snapshot, by a signal or because another process was lost, --resume goes on.
"""

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from jax.errors import JaxRuntimeError

from launch.flags import Exit, UsageError, at_end, run, set_host_devices
from townlet_jax.config import Town, dump, load
from townlet_jax.config.town_params import REWARD_STAGES
from townlet_jax.ops import closing
from townlet_jax.ops.cluster import Cluster, Place, place_in_slurm, place_of
from townlet_jax.ops.early_stop import Goal, Stop, parse_goal
from townlet_jax.ops.peers import PeerError
from townlet_jax.ops.training import Training, resume
from townlet_jax.ops.training_log import log_files
from townlet_jax.ops.training_plan import GOALS, Plan
from townlet_jax.ops.training_progress import TrainingTicker
from townlet_jax.snapshots import policies, store
from townlet_jax.snapshots.errors import SnapshotError
from townlet_jax.train import lanes, processes
from townlet_jax.train.config import train_shape

LATER = {
    "replay": "replay and mixed training come with the wave of data sets",
    "mixed": "replay and mixed training come with the wave of data sets",
    "bc": "behaviour cloning and annealing come with the wave after that of data sets",
    "anneal": "behaviour cloning and annealing come with the wave after that of data sets",
}
"""Modes that are not built yet."""

_CONFIG = flags.DEFINE_string("config", None, "configuration file")
_SET = flags.DEFINE_multi_string("set", [], "path=value, put on top of the file")
_STRICT = flags.DEFINE_boolean("strict", False, "refuse what is doubtful")
_MODE = flags.DEFINE_enum(
    "mode", None, ["rollout", *LATER], "where experience comes from; if not given, training.source"
)
_TRAIN_PPO = flags.DEFINE_boolean(
    "train_ppo", True, "accepted for older commands; this script does nothing else"
)
_CAPTURE_DIR = flags.DEFINE_string("capture_dir", None, "captures to train on (a later wave)")
_REPLAY_MANIFEST = flags.DEFINE_string("replay_manifest", None, "the same, by their manifest")
_ROLLOUT_TICKS = flags.DEFINE_integer(
    "rollout_ticks", None, "ticks per rollout; if not given, training.rollout_ticks", 0, 100_000
)
_SEED_AGENTS = flags.DEFINE_boolean(
    "rollout_auto_seed_agents", False, "put residents into a town that has none"
)
_UPDATES = flags.DEFINE_integer(
    "updates", None, "updates; if not given, training.num_updates", 1, 2**30
)
_EPOCHS = flags.DEFINE_integer("epochs", None, "the same as --updates", 1, 2**30)
_UNTIL = flags.DEFINE_string("until", None, "NAME=VALUE, a KPI of evaluations that ends the run")
_PPO_LOG = flags.DEFINE_string("ppo_log", None, "training log; if not given, WORKDIR/train.jsonl")
_LOG_FREQUENCY = flags.DEFINE_integer("log_frequency", 1, "updates per record", 1)
_MAX_LOG_ENTRIES = flags.DEFINE_integer(
    "max_log_entries", None, "records per file of the log; if not given, no limit", 1
)
_SEED = flags.DEFINE_integer(
    "seed", None, "seed of the first lane; if not given, that of the configuration", 0, 2**31 - 1
)
_SEEDS = flags.DEFINE_integer("seeds", 1, "seeds to train side by side", 1, 4096)
_STAGES = flags.DEFINE_list("stages", [], "social reward stages to compare, each with all seeds")
_WORKDIR = flags.DEFINE_string("workdir", None, "folder of the run; if not given, nothing is saved")
_RESUME = flags.DEFINE_boolean("resume", False, "go on from the newest snapshot of --workdir")
_EVAL_TOWNS = flags.DEFINE_integer("eval_towns", 8, "towns of an evaluation; 0 = none", 0, 4096)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "HOST:PORT of process 0, which uses the port after it as well"
)
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "processes of the run", 2)
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "of this process, from 0", 0)
_EVAL_DAYS = flags.DEFINE_integer("eval_days", 2, "days of an evaluation", 1, 1000)
_QUIET = flags.DEFINE_boolean("quiet", False, "show no progress")
_JSON = flags.DEFINE_boolean("json", False, "print the closing report as one JSON object")


def main(argv: list[str]) -> Exit:
    """Joins the other processes, if there are any, and trains."""
    del argv
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    set_host_devices(num_cores or 1)
    try:
        cluster = Cluster(_place(), _lost)
    except PeerError as error:
        raise UsageError(f"several processes: {error}") from None
    if cluster.is_shared:
        at_end(cluster.abandon)
    try:
        status = _run()
    except JaxRuntimeError:
        cluster.check_loss()
        raise
    cluster.leave()
    return status


def _run() -> Exit:
    """Trains and says how it went."""
    town = _load()
    _check_mode(town)
    plan = _plan(town)
    restored = resume(town, plan) if _RESUME.value else None
    _check_processes(town, plan, -1 if restored is None else restored.metadata.tick)
    with Training(town, plan, restored) as training:
        if processes.is_first():
            for line in [*closing.notes(town), *(f"note: {note}" for note in training.notes())]:
                print(line, file=sys.stderr)
        stop = _train(training)
    report = training.report() | {"stop": stop.record()}
    if not processes.is_first():
        pass
    elif _JSON.value:
        print(json.dumps(report, indent=2))
    elif not _QUIET.value:
        _close(training, stop)
    if stop.reason == "signal" and plan.workdir is None:
        return Exit.CHECK_FAILED
    return Exit(stop.status or 0)


def _place() -> Place | None:
    """Returns the place of this process among several, None if it is alone."""
    coordinator, number, own = _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
    if coordinator is None and number is None and own is None:
        return place_in_slurm()
    if coordinator is None or number is None or own is None:
        raise UsageError("--coordinator, --num-processes and --process-id go together")
    return place_of(coordinator, number, own)


def _lost(how: str) -> int:
    """Says that another process is lost; returns the exit status."""
    saved = Path(_WORKDIR.value).expanduser() / policies.LAST if _WORKDIR.value else None
    is_saved = saved is not None and saved.is_dir() and bool(store.steps(saved))
    advice = "--resume goes on from the newest snapshot" if is_saved else "nothing was saved"
    print(f"train.py: {how}, so that this process ends as well; {advice}", file=sys.stderr)
    return Exit.STOPPED if is_saved else Exit.CHECK_FAILED


def _check_processes(town: Town, plan: Plan, epoch: int) -> None:
    """Refuses processes that cannot share a run; none of them writes before all are here."""
    try:
        lanes.most_devices(train_shape(town), len(plan.lanes))
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not processes.agree(f"{plan} {epoch} {dump(town.config)}"):
        raise UsageError("the processes were started with different commands or files")


def _load() -> Town:
    """Loads the configuration; flags that stand for a key go on top."""
    if not _CONFIG.value:
        raise UsageError("name a configuration, such as configs/train/ppo_town.yaml")
    settings = list(_SET.value)
    if _UPDATES.value is not None and _EPOCHS.value is not None:
        raise UsageError("--epochs and --updates mean the same; give one")
    updates = _UPDATES.value or _EPOCHS.value
    if updates is not None:
        settings.append(f"training.num_updates={updates}")
    if _ROLLOUT_TICKS.value:
        settings.append(f"training.rollout_ticks={_ROLLOUT_TICKS.value}")
    town = load(_CONFIG.value, settings, _STRICT.value)
    if town.config.scenario.agents:
        return town
    if not (_SEED_AGENTS.value or town.config.training.rollout_auto_seed_agents):
        raise UsageError(
            f"{_CONFIG.value}: nobody lives in this town; name scenario.agents, or add "
            "--rollout-auto-seed-agents"
        )
    names = [f"resident_{slot}" for slot in range(town.shape.num_agents)]
    agents = ", ".join(f"{{id: {name}, needs: random, wallet: 2.0}}" for name in names)
    return load(_CONFIG.value, [*settings, f"scenario.agents=[{agents}]"], _STRICT.value)


def _check_mode(town: Town) -> None:
    """Refuses modes that are not built yet."""
    if _CAPTURE_DIR.value is not None and _REPLAY_MANIFEST.value is not None:
        raise UsageError("--capture-dir and --replay-manifest exclude each other")
    mode = _MODE.value
    if mode is None:
        source = town.config.training.source
        mode = "rollout" if source == "replay" and _ROLLOUT_TICKS.value else source
    if mode in LATER:
        raise UsageError(f"mode {mode} is not built yet: {LATER[mode]}; use --mode=rollout")
    for flag in (_CAPTURE_DIR, _REPLAY_MANIFEST):
        if flag.value is not None:
            name = flag.name.replace("_", "-")
            raise UsageError(f"--{name} needs mode replay or mixed: {LATER['replay']}")


def _plan(town: Town) -> Plan:
    """Decides what is run, and refuses a folder that holds another run."""
    for stage in _STAGES.value:
        if stage not in REWARD_STAGES:
            raise UsageError(f"--stages: {stage!r} is none of {', '.join(REWARD_STAGES)}")
    seed = town.seed if _SEED.value is None else _SEED.value
    workdir = Path(_WORKDIR.value).expanduser() if _WORKDIR.value else None
    if _RESUME.value and workdir is None:
        raise UsageError("--resume needs --workdir")
    goal = _goal()
    if goal is not None and not _EVAL_TOWNS.value:
        raise UsageError("--until needs evaluations; --eval-towns is 0")
    log = _PPO_LOG.value or (str(workdir / "train.jsonl") if workdir else None)
    plan = Plan(
        seeds=tuple((seed + i) % 2**31 for i in range(_SEEDS.value)),
        stages=tuple(_STAGES.value),
        workdir=workdir,
        log=log,
        log_frequency=_LOG_FREQUENCY.value,
        max_log_entries=_MAX_LOG_ENTRIES.value,
        eval_towns=_EVAL_TOWNS.value if workdir or goal else 0,
        eval_days=_EVAL_DAYS.value,
        goal=goal,
    )
    if not _RESUME.value:
        _refuse_used(plan)
    return plan


def _goal() -> Goal | None:
    if _UNTIL.value is None:
        return None
    try:
        return parse_goal(_UNTIL.value, GOALS)
    except ValueError as error:
        raise UsageError(f"--until: {error}") from None


def _refuse_used(plan: Plan) -> None:
    """Refuses to write over an earlier run."""
    saved = None if plan.workdir is None else plan.workdir / policies.LAST
    if saved is not None and saved.is_dir() and store.steps(saved):
        raise SnapshotError(
            f"{plan.workdir}: holds a run of {store.steps(saved)[-1].tick} updates; add --resume "
            "to go on from there, or name another folder"
        )
    if plan.workdir is None and plan.log is not None and log_files(plan.log):
        raise UsageError(f"{plan.log}: holds the log of an earlier run; name another file")


def _train(training: Training) -> Stop:
    """Runs chunks to the end, to a stop, or to a signal."""
    is_stopping = False

    def heed(number: int, frame: FrameType | None) -> None:
        nonlocal is_stopping
        if is_stopping:
            raise KeyboardInterrupt
        is_stopping = True
        if processes.is_first():
            print("stopping after this chunk; once more stops at once", file=sys.stderr)

    def is_to_stop() -> bool:
        return processes.any_of(is_stopping)

    former = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM)}
    cadence = training.town.config.training.checkpoint_every
    saved, stop = -1, None
    try:
        is_quiet = _QUIET.value or not processes.is_first()
        with TrainingTicker(training.num_updates, sys.stderr, is_quiet) as ticker:
            if training.epoch == 0 and training.save():
                saved = 0
            while stop is None and training.epoch < training.num_updates and not is_to_stop():
                before = training.epoch // cadence
                stop = training.advance()
                ticker.show(training.epoch, training.last)
                is_last = training.epoch >= training.num_updates
                if stop is None and (training.epoch // cadence > before or is_last):
                    saved = training.epoch if training.save() else saved
                    if training.plan.eval_towns and not is_to_stop():
                        stop = training.evaluate()
                        ticker.say(_evaluation(training))
        if stop is None and training.epoch < training.num_updates:
            stop = Stop("signal", training.epoch)
        stop = stop or Stop("done", training.epoch)
        training.end(stop)
        if stop.reason != "nonfinite" and saved != training.epoch:
            training.save()
        return stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _evaluation(training: Training) -> str:
    """Describes the latest evaluation in one line."""
    kpis = training.evaluations[-1]
    shown = ("self_sufficiency", "relationship_coverage", "lateness_rate", "discounted_return")
    text = ", ".join(
        f"{name.replace('_', ' ')} {'-' if kpis[name] is None else format(kpis[name], '.3f')}"
        for name in shown
    )
    return f"evaluation after {kpis['epoch']} updates: {text}"


def _close(training: Training, stop: Stop) -> None:
    """Prints how the run ended."""
    report = training.report()
    print(
        f"{stop.reason} after {report['epoch']} of {report['num_updates']} updates, "
        f"{report['run_seconds']:.0f} s and {report['compile_seconds']:.0f} s of compiling"
    )
    if training.plan.workdir is not None:
        print(f"saved in {training.plan.workdir}; python launch/evaluate.py --policy that")


if __name__ == "__main__":
    run(main)
