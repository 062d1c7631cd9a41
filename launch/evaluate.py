"""Lets policies live in fresh towns for days and reports how the residents fared, with intervals.

    python launch/evaluate.py --config configs/town.yaml --policy scripted --against random,idle

All policies live in the same towns, those of the seeds 10000, 10001 and so on, which nothing is
trained in. A learned policy is named by its path; if it was learned from several seeds, all of them
are evaluated, or one with --lane. docs/evaluation.md says what each figure means.

With --json the report is one JSON object on stdout. With --output it is also written into a folder,
as report.json, report.csv and four pictures, which need matplotlib. Targets that are missed do not
change the status, except with --check: then it is 1.
"""

import dataclasses
import difflib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import Exit, UsageError, run, set_host_devices
from townlet_jax.config import Town, load
from townlet_jax.ops import closing
from townlet_jax.ops.evaluation import Figures, Report, figures, report
from townlet_jax.ops.evaluation_table import evaluation_table, write_csv
from townlet_jax.ops.terminal import console
from townlet_jax.town.policies import POLICIES
from townlet_jax.train.evaluate import Evaluation, Mind, evaluate

if TYPE_CHECKING:
    from townlet_jax.train.policy import TrainedPolicy

CHECKPOINT = "checkpoint:"

_CONFIG = flags.DEFINE_string(
    "config", None, "configuration file; if not given, that of the learned policy"
)
_SET = flags.DEFINE_multi_string("set", [], "path=value, put on top of the file")
_STRICT = flags.DEFINE_boolean("strict", False, "refuse what is doubtful")
_POLICY = flags.DEFINE_string(
    "policy", "scripted", "scripted, random, idle, or the path of a learned policy"
)
_AGAINST = flags.DEFINE_list("against", [], "policies to compare it with, separated by commas")
_TOWNS = flags.DEFINE_integer("towns", 32, "number of towns", 1, 2**20)
_DAYS = flags.DEFINE_integer("days", 5, "days in each town", 1, 1000)
_SEEDS = flags.DEFINE_integer("seeds", 10_000, "seed of the first town", 0, 2**31 - 1)
_LANE = flags.DEFINE_integer(
    "lane", None, "which of the seeds of a learned policy; if not given, all", 0
)
_GREEDY = flags.DEFINE_boolean("greedy", False, "learned policies take their likeliest action")
_STAGE = flags.DEFINE_enum(
    "stage", None, ["OFF", "C1", "C2", "C3"], "social rewards; if not given, as configured"
)
_ARM = flags.DEFINE_string("arm", None, "stage, of a run that was trained at several")
_OUTPUT = flags.DEFINE_string("output", None, "folder for the report and its pictures")
_CHECK = flags.DEFINE_boolean("check", False, "status 1 if a target of the charter is missed")
_JSON = flags.DEFINE_boolean("json", False, "print the report as one JSON object")
flags.DEFINE_alias("out", "output")


@dataclasses.dataclass(frozen=True)
class _Contender:
    """A policy to evaluate.

    Attributes:
      name: by which reports call it.
      learned: policies of the learned seeds; none for a built-in policy.
    """

    name: str
    learned: "tuple[TrainedPolicy, ...]" = ()


def main(argv: list[str]) -> Exit:
    """Evaluates, prints and writes."""
    del argv
    set_host_devices(min(_num_cores(), _TOWNS.value))
    town = load(_config(), _SET.value, _STRICT.value)
    contenders = _contenders(town, [_POLICY.value, *_AGAINST.value])
    folder = _folder(_OUTPUT.value)
    for line in closing.notes(town):
        print(line, file=sys.stderr)
    lives = [_live(town, contender) for contender in contenders]
    found = [
        _figures(town, contender, life) for contender, life in zip(contenders, lives, strict=True)
    ]
    settings = {"stage": _STAGE.value, "greedy": _GREEDY.value}
    told = report(town, found[0], found[1:], settings)
    if folder is not None:
        _write(folder, town, lives[0], told)
    if _JSON.value:
        print(json.dumps(told, indent=2))
    else:
        screen = console(sys.stdout)
        screen.print(evaluation_table(told, screen.width))
    is_missed = any(standing["passed"] is False for standing in told["charter"].values())
    return Exit.CHECK_FAILED if _CHECK.value and is_missed else Exit.DONE


def _num_cores() -> int:
    """Returns the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _config() -> str | Path:
    """Returns the configuration; without one a learned policy lives where it was trained."""
    if _CONFIG.value:
        return _CONFIG.value
    if _POLICY.value in POLICIES:
        raise UsageError("name a configuration, such as configs/town.yaml")
    path = _path(_POLICY.value)
    from townlet_jax.snapshots import policies

    return policies.config_file(path)


def _contenders(town: Town, texts: Sequence[str]) -> list[_Contender]:
    """Finds the policies that are asked for; no two of them have the same name."""
    found: dict[str, _Contender] = {}
    for text in texts:
        contender = _contender(town, text)
        if contender.name in found:
            contender = dataclasses.replace(contender, name=text)
        if contender.name in found:
            raise UsageError(f"{text} is named twice")
        found[contender.name] = contender
    return list(found.values())


def _contender(town: Town, text: str) -> _Contender:
    """Finds a policy by its name or path."""
    if text == "scripted" and town.shape.action_level == "primitive":
        raise UsageError(
            "the scripted policy acts at the option level, and world.action_level is primitive; "
            "use random or idle"
        )
    if text in POLICIES:
        return _Contender(text)
    path = _path(text)
    learned = _learned(path, town, _LANE.value)
    return _Contender(learned[0].name if len(learned) == 1 else path, learned)


def _path(text: str) -> str:
    """Returns the path that stands for a learned policy."""
    path = text.removeprefix(CHECKPOINT)
    if not path or not Path(path).exists():
        close = difflib.get_close_matches(text, POLICIES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"built in are {', '.join(POLICIES)}"
        raise UsageError(f"{text!r} is neither a policy nor a path; {hint}")
    return path


def _learned(path: str, town: Town, lane: int | None) -> "tuple[TrainedPolicy, ...]":
    """Loads the policies of a training run, or that of one lane."""
    from townlet_jax.snapshots import policies

    found = policies.load(path, town)
    if lane is not None:
        return (policies.choose(found, lane),)
    arms = sorted({policy.stage for policy in found if policy.stage is not None})
    if arms and _ARM.value not in arms:
        raise UsageError(f"{path}: compares stages; name one with --arm: {', '.join(arms)}")
    return tuple(policy for policy in found if not arms or policy.stage == _ARM.value)


def _live(town: Town, contender: _Contender) -> list[Evaluation]:
    """Lets a policy live in all towns, once for each of its seeds."""
    seeds = range(_SEEDS.value, _SEEDS.value + _TOWNS.value)
    place = f"{_TOWNS.value} town(s), {_DAYS.value} day(s)"
    lives = []
    for learned in contender.learned:
        print(f"{contender.name}, seed {learned.seed}: {place}", file=sys.stderr)
        mind = Mind("network", is_greedy=_GREEDY.value)
        lives.append(
            evaluate(
                town,
                mind,
                seeds,
                _DAYS.value,
                shape=learned.shape,
                params=learned.params,
                policy=learned.numbers,
                stage=_STAGE.value,
            )  # fmt: skip
        )
    if not lives:
        print(f"{contender.name}: {place}", file=sys.stderr)
        lives.append(evaluate(town, Mind(contender.name), seeds, _DAYS.value, stage=_STAGE.value))
    return lives


def _figures(town: Town, contender: _Contender, lives: Sequence[Evaluation]) -> Figures:
    learned = contender.learned
    return figures(
        town,
        contender.name,
        lives,
        [int(one.seed) for one in learned],
        [one.policy_hash for one in learned],
    )


def _folder(name: str | None) -> Path | None:
    """Makes the folder of the report, before anything takes time."""
    if name is None:
        return None
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        hint = "pip install 'townlet-jax[analysis]'"
        raise UsageError(f"--output draws pictures, which needs matplotlib: {hint}") from None
    folder = Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(folder: Path, town: Town, lives: Sequence[Evaluation], told: Report) -> None:
    """Writes the report and its pictures."""
    from townlet_jax.ops.evaluation_plots import save_all

    paths = [folder / "report.json", folder / "report.csv"]
    paths[0].write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    write_csv(told, paths[1])
    paths += save_all(folder, town, lives, told)
    for path in paths:
        print(f"wrote {path}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
