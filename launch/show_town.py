"""Draws a town: as text on the terminal, and as a picture where a file is named.

    python launch/show_town.py configs/town.yaml --output town.png

The town is run by its scripted residents to the moment that is drawn.
"""

import sys
from pathlib import Path

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from launch.flags import UsageError, run
from townlet_jax.config import Town, load
from townlet_jax.ops import scene, text_map
from townlet_jax.ops.host import town_at
from townlet_jax.ops.simulation import Simulation, chunks
from townlet_jax.ops.terminal import console
from townlet_jax.state import TownState

FORMATS = (".png", ".svg", ".pdf")

_CONFIG = flags.DEFINE_string("config", None, "configuration file")
_SET = flags.DEFINE_multi_string("set", [], "path=value, put on top of the file")
_STRICT = flags.DEFINE_boolean("strict", False, "refuse what is doubtful")
_TICKS = flags.DEFINE_integer(
    "ticks",
    None,
    "tick to draw; if not given, the middle of the scenario, or noon of the first day",
    lower_bound=0,
    upper_bound=2**30 - 1,
)
_SEED = flags.DEFINE_integer(
    "seed", None, "seed; if not given, that of the configuration", 0, 2**31 - 1
)
_OUTPUT = flags.DEFINE_string("output", None, "image file (.png, .svg, .pdf); needs matplotlib")


def main(argv: list[str]) -> None:
    """Loads a town, lets it live and draws it."""
    del argv
    if not _CONFIG.value:
        raise UsageError("name a configuration, such as configs/town.yaml")
    _check_output(_OUTPUT.value)
    town = load(_CONFIG.value, _SET.value, _STRICT.value)
    for note in town.notes:
        print(f"note: {note}", file=sys.stderr)
    drawn = scene.scene(town, _state(town))
    screen = console(sys.stdout)
    screen.print(text_map.picture(drawn, screen.width))
    if _OUTPUT.value:
        from townlet_jax.ops import drawing

        drawing.save(drawn, _OUTPUT.value)
        print(f"\nwrote {_OUTPUT.value}")


def _check_output(path: str | None) -> None:
    """Refuses an image that could not be written, before the town has been run."""
    if path is None:
        return
    if Path(path).suffix.lower() not in FORMATS:
        raise UsageError(f"--output={path}: the ending must be one of {', '.join(FORMATS)}")
    if not Path(path).absolute().parent.is_dir():
        raise UsageError(f"--output={path}: no such folder")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        hint = "pip install 'townlet-jax[observer]'"
        raise UsageError(f"--output needs matplotlib: {hint}") from None


def _state(town: Town) -> TownState:
    """Runs a fresh town to the moment to draw."""
    ticks = _TICKS.value
    if ticks is None:
        ticks = (town.config.scenario.ticks or int(town.params.time.ticks_per_day)) // 2
    policy = "scripted" if town.shape.action_level == "option" else "random"
    seed = town.seed if _SEED.value is None else _SEED.value
    simulation = Simulation(town, policy, seed, 1, lambda records: None)
    for num_ticks in chunks(ticks):
        simulation.advance(num_ticks)
    return town_at(simulation.fetch(), 0)


if __name__ == "__main__":
    run(main)
