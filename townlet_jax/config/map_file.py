"""Reads map files: text, one character per cell. World text §4.1."""

import numpy as np

from townlet_jax.config.errors import ConfigError, Problem, show

TILES = ".#+=,"
"""Characters by tile kind: floor, wall, door, road, grass."""
WALL = 1
SIDE = 4, 64
"""Least and largest side of a map [tile]."""
_MAX_BYTES = 65_536


def read_map(path: str) -> np.ndarray:
    """Reads a map file.

    Args:
      path: file name; relative to the working directory.

    Returns:
      int8 `[H, W]`, tile kinds in 0..4.

    Raises:
      ConfigError: one line per fault: a file that cannot be read or is not text, unknown
        characters, lines of unequal length, sides outside 4...64.
    """
    lines = _lines(path)
    problems = []

    def fault(line: int, column: int, message: str) -> None:
        problems.append(Problem(path, line, column, "", message))

    width = len(lines[0]) if lines else 0
    for number, text in enumerate(lines, 1):
        unknown = [(column, c) for column, c in enumerate(text, 1) if c not in TILES]
        if unknown:
            column, character = unknown[0]
            fault(
                number,
                column,
                f"unknown character {show(character)}; a map is made of {' '.join(TILES)}",
            )
        elif len(text) != width:
            fault(number, 1, f"the line has {len(text)} cells, the first line has {width}")
    if not problems and not SIDE[0] <= width <= SIDE[1]:
        fault(1, 1, f"a map is 4...64 cells wide, this one is {width}")
    if not problems and not SIDE[0] <= len(lines) <= SIDE[1]:
        fault(len(lines) or 1, 1, f"a map is 4...64 cells high, this one is {len(lines)}")
    if problems:
        raise ConfigError(problems[:20])
    return np.array([[TILES.index(c) for c in text] for text in lines], np.int8)


def _lines(path: str) -> list[str]:
    """Returns the lines of a file without their ends, and without empty ones at its end."""
    try:
        with open(path, "rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise _refusal(path, f"cannot be read: {reason.lower()}") from None
    if len(raw) > _MAX_BYTES:
        raise _refusal(path, f"is larger than {_MAX_BYTES // 1024} KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal(path, f"is not UTF-8 text (byte {error.start})") from None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise _refusal(path, "is empty")
    return lines


def _refusal(path: str, message: str) -> ConfigError:
    return ConfigError([Problem(path, 1, 1, "", message)])
