"""A replay as one HTML file that plays it in any browser and asks nothing of any other machine."""

import functools
import html
import json
import os
import re
from importlib import resources
from pathlib import Path

from townlet_jax.ops import palette
from townlet_jax.ops.replay import Replay

SCRIPTS = (
    "data", "model", "sky", "ground", "icons", "figures", "names", "stage", "timeline", "cards",
    "ticker", "player",
)  # fmt: skip
"""Parts of the program in the order in which they run; they share one scope."""


def page(replay: Replay) -> str:
    """Returns the file.

    Args:
      replay: what it plays.
    """
    title = str(replay.about["title"])
    parts = {
        "title": html.escape(title),
        "style": _part("replay.css"),
        "palette": embedded(json.dumps(colours(replay))),
        "replay": embedded(replay.to_json()),
        "script": "\n".join(_part(f"{name}.js") for name in SCRIPTS),
    }
    # One pass, so that a part may contain what looks like the place of another.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _part("replay.html"))


def write(replay: Replay, path: str | os.PathLike[str]) -> int:
    """Writes the file; whoever opens the path finds all of it or what was there before.

    Args:
      replay: what it plays.
      path: of the file.

    Returns:
      Its size [bytes].

    Raises:
      OSError: it cannot be written.
    """
    target = Path(path)
    data = page(replay).encode()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        os.replace(draft, target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        error.filename, error.filename2 = str(target), None
        raise
    return len(data)


def embedded(text: str) -> str:
    """Returns JSON that may stand inside a script element: nothing in it can end the element."""
    return text.replace("<", "\\u003c")


def colours(replay: Replay) -> dict[str, object]:
    """Returns the colours of everything in a replay, as `palette` has them."""
    about = replay.about
    types = palette.type_colours(place["type"] for place in about["places"])
    return {
        "ground": palette.GROUND,
        "places": [types[place["type"]] for place in about["places"]],
        "residents": [_hex(palette.person_colour(a)) for a in range(len(about["residents"]))],
        "needs": [palette.NEEDS[name] for name in about["needs"]],
        "stories": [palette.STORIES[name] for name in about["categories"]],
        "trust": palette.TRUST,
        "rivalry": palette.RIVALRY,
        "acquaintance": palette.ACQUAINTANCE,
        "wait": palette.WAIT,
        "ink": palette.INK,
        "low": palette.LOW,
        "alarm": palette.ALARM,
        "min_bond": palette.MIN_BOND,
        "ties_each": palette.TIES_EACH,
    }


def _hex(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


@functools.cache
def _part(name: str) -> str:
    return resources.files("townlet_jax.ops").joinpath("web", name).read_text(encoding="utf-8")
