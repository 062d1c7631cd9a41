"""Plays a town: as text on the terminal, or as a page to watch in a browser.

    python launch/play.py scripted --config configs/town.yaml --days 2 --html town.html

The first argument says who acts for the residents: scripted, random, idle, or the folder of a
trained run. A configuration in its place is played by scripted residents. Without --html the town
passes by as text: at an easy pace on a terminal, frame below frame in a log.
"""

import difflib
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import UsageError, run
from townlet_jax.config import Town, load
from townlet_jax.env.filming import LiveOne, built_in, film
from townlet_jax.ops import replay_html
from townlet_jax.ops.host import town_at
from townlet_jax.ops.labels import labels
from townlet_jax.ops.progress import Ticker
from townlet_jax.ops.replay import Recorder, good_stride
from townlet_jax.ops.scene import scene
from townlet_jax.ops.stories import Story, tell
from townlet_jax.ops.terminal import console
from townlet_jax.ops.text_frames import frame, moments
from townlet_jax.snapshots import policies
from townlet_jax.town.policies import POLICIES
from townlet_jax.train.policy import live

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "town.yaml"
"""Where built-in policies live if nothing else is named."""
PACE = 0.5
"""Time that a frame stays on a terminal [s]."""

_POLICY = flags.DEFINE_string(
    "policy", None, f"{', '.join(POLICIES)}, or the folder of a trained run"
)
_CONFIG = flags.DEFINE_string(
    "config", None, "configuration file; if not given, configs/town.yaml, or that of the run"
)
_SET = flags.DEFINE_multi_string("set", [], "path=value, put on top of the file")
_STRICT = flags.DEFINE_boolean("strict", False, "refuse what is doubtful")
_TICKS = flags.DEFINE_integer(
    "ticks",
    None,
    "ticks to play; if neither these nor days are given, the length of the scenario, or one day",
    lower_bound=1,
    upper_bound=2**24,
)
_DAYS = flags.DEFINE_float("days", None, "days to play", lower_bound=0.001, upper_bound=1_000)
_SEED = flags.DEFINE_integer(
    "seed", None, "seed; if not given, that of the configuration", 0, 2**31 - 1
)
_LANE = flags.DEFINE_integer("lane", 0, "which seed of a trained run acts, from 0", 0)
_HTML = flags.DEFINE_string("html", None, "HTML file to write; it needs no other file")
_FRAMES = flags.DEFINE_integer(
    "frames", None, "frames of text; if not given, 24", lower_bound=1, upper_bound=100_000
)


class Cast(NamedTuple):
    """A town and how it lives.

    Attributes:
      town: the loaded configuration.
      who: acts for the residents, for the heading.
      seed: of the town.
      live_one: lives one tick, see `townlet_jax.env.filming`.
      carry: what that starts from.
    """

    town: Town
    who: str
    seed: int
    live_one: LiveOne[Any]
    carry: Any


def main(argv: list[str]) -> None:
    """Lets a town live and shows it."""
    del argv
    if _HTML.value is not None and _FRAMES.value is not None:
        raise UsageError("--frames is for text; a page has every tick")
    if _TICKS.value is not None and _DAYS.value is not None:
        raise UsageError("give either --ticks or --days")
    if _HTML.value is not None:
        _check_page(_HTML.value)
    cast = _cast()
    for note in cast.town.notes:
        print(f"note: {note}", file=sys.stderr)
    if _HTML.value is None:
        _show_text(cast, _num_ticks(cast.town), _FRAMES.value or 24)
    else:
        _write_page(cast, _num_ticks(cast.town), _HTML.value)


def _check_page(path: str) -> None:
    """Refuses a page that could not be written, before the town has been run."""
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise UsageError(f"--html={path}: no such folder")
    if Path(path).is_dir():
        raise UsageError(f"--html={path}: is a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--html={path}: the folder cannot be written to")


def _cast() -> Cast:
    """Loads the town and whoever lives in it."""
    policy, config = _POLICY.value, _CONFIG.value
    if policy is not None and policy.endswith((".yaml", ".yml")):
        if config is not None:
            raise UsageError(f"two configurations, {policy} and --config={config}")
        policy, config = None, policy
    if policy is None or policy in POLICIES:
        return _built_in(policy, config or str(CONFIG))
    if not os.path.exists(policy):
        close = difflib.get_close_matches(policy, POLICIES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it is none of {', '.join(POLICIES)}"
        raise UsageError(f"--policy={policy}: there is no such trained run; {hint}")
    return _trained(policy, config)


def _built_in(policy: str | None, config: str) -> Cast:
    """Loads a town for a built-in policy, None = the one that suits it best."""
    town = load(config, _SET.value, _STRICT.value)
    is_option = town.shape.action_level == "option"
    if policy is None:
        policy = "scripted" if is_option else "random"
    if policy == "scripted" and not is_option:
        raise UsageError(
            "--policy=scripted acts at the option level, and world.action_level is primitive; "
            "use random or idle"
        )
    seed = town.seed if _SEED.value is None else _SEED.value
    return Cast(town, policy, seed, *built_in(town, policy, seed))


def _trained(path: str, config: str | None) -> Cast:
    """Loads a trained run; without a configuration it lives in the one it was trained in."""
    town = load(config or policies.config_file(path), _SET.value, _STRICT.value)
    policy = policies.choose(policies.load(path, town), _LANE.value)
    seed = town.seed if _SEED.value is None else _SEED.value
    return Cast(town, policy.name, seed, *live(town, policy, seed))


def _num_ticks(town: Town) -> int:
    """Returns the ticks to play."""
    day = int(town.params.time.ticks_per_day)
    if _DAYS.value is not None:
        return max(1, round(_DAYS.value * day))
    return _TICKS.value or town.config.scenario.ticks or day


def _show_text(cast: Cast, num_ticks: int, num_frames: int) -> None:
    """Prints evenly spaced frames, each with what happened since the last one."""
    town, names = cast.town, labels(cast.town)
    screen, pending = console(sys.stdout), moments(num_ticks, num_frames)
    untold: list[Story] = []
    done = 0
    for states, events in film(cast.live_one, cast.carry, town.params, town.layout, num_ticks):
        untold += tell(names, states, events)
        done += len(states.clock.tick)
        while pending and pending[0] <= done:
            state = town_at(states, pending.pop(0) - done - 1)
            told = [story for story in untold if story.tick < state.clock.tick]
            untold = untold[len(told) :]
            if screen.is_terminal:
                screen.clear()
            screen.print(frame(scene(town, state), told, names, screen.width))
            if screen.is_terminal and pending:
                time.sleep(PACE)


def _write_page(cast: Cast, num_ticks: int, path: str) -> None:
    """Records the town and writes the page."""
    town = cast.town
    recorder = Recorder(town, cast.who, cast.seed, good_stride(town, num_ticks))
    done = 0
    with Ticker(num_ticks, sys.stderr) as ticker:
        for chunk in film(cast.live_one, cast.carry, town.params, town.layout, num_ticks):
            recorder.add(*chunk)
            done += len(chunk[0].clock.tick)
            ticker.show(done)
    replay = recorder.replay()
    size = replay_html.write(replay, path)
    print(
        f"wrote {path}: {size / 1e6:.2f} MB, {num_ticks} ticks of {town.config_id}, "
        f"{replay.num_frames} frames, {len(replay.stories)} stories"
    )


if __name__ == "__main__":
    run(main, positional="policy")
