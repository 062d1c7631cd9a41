"""The map of a town and the cells where newcomers appear. World text §4.1."""

import hashlib
import os

import numpy as np

from townlet_jax.config.document import Document
from townlet_jax.config.errors import ConfigError, Path, Problem, show
from townlet_jax.config.limits import MAX_ENTRY
from townlet_jax.config.map_file import WALL, read_map
from townlet_jax.config.objects import standing_fault
from townlet_jax.config.report import Report
from townlet_jax.config.schema import Config
from townlet_jax.config.ways import Cell

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def find(name: str, path: Path, document: Document) -> str:
    """Returns where a file is that a configuration names.

    Looks next to the configuration, in the folders above it, in the working directory and in the
    folder of this project, in this order.

    Args:
      name: as written. path: the value's place in the configuration.
      document: the configuration.

    Raises:
      ConfigError: if there is no such file.
    """
    name = os.path.expanduser(name)
    folder = os.path.dirname(os.path.abspath(document.place(path).file))
    above = [folder]
    while os.path.dirname(above[-1]) != above[-1]:
        above.append(os.path.dirname(above[-1]))
    for start in (*above, os.getcwd(), _ROOT):
        choice = os.path.join(start, name)
        try:
            if os.path.isfile(choice):
                is_below = choice.startswith(os.getcwd() + os.sep)
                return os.path.relpath(choice) if is_below else choice
        except ValueError:  # a name with a null byte
            break
    raise ConfigError([document.problem(path, f"no such file: {show(name)}")])


def read_ground(config: Config, report: Report) -> tuple[np.ndarray, str]:
    """Reads the map of a town; without one it is floor.

    Args:
      config: the configuration.
      report: about its document.

    Returns:
      int8 `[H, W]` tile kinds, and the SHA-256 of the map in hexadecimal.

    Raises:
      ConfigError: for a faulty map, or one that is not of the given size.
    """
    size = config.world.grid_size
    if config.world.map is None:
        width, height = size or (24, 24)
        tiles = np.zeros((height, width), np.int8)
    else:
        tiles = read_map(find(config.world.map, ("world", "map"), report.document))
        height, width = tiles.shape
        if size is not None and tuple(size) != (width, height):
            fault = f"the map has {width} x {height} cells, grid_size says {size[0]} x {size[1]}"
            raise ConfigError([report.document.problem(("world", "grid_size"), fault)])
    return tiles, hashlib.sha256(tiles.tobytes() + bytes(tiles.shape)).hexdigest()


def entry_cells(config: Config, tiles: np.ndarray, report: Report) -> list[Cell]:
    """Returns the cells where newcomers appear; by default the first walkable ones of the border.

    Raises:
      ConfigError: if one is off the map or a wall, or there is none.
    """
    is_walkable = tiles != WALL
    given = config.world.entry
    if given is None:
        border = np.zeros_like(is_walkable)
        border[[0, -1]] = border[:, [0, -1]] = True
        cells = [(int(x), int(y)) for y, x in np.argwhere(border & is_walkable)[:MAX_ENTRY]]
        if not cells:
            message = "the border of the map is all wall; say where newcomers appear in world.entry"
            raise ConfigError([report.document.problem(("world", "map"), message)])
        return cells
    problems: list[Problem] = []
    for i, cell in enumerate(given):
        if (fault := standing_fault(is_walkable, cell)) is not None:
            problems.append(report.document.problem(("world", "entry", i), fault))
    if problems:
        raise ConfigError(problems)
    return list(given)
