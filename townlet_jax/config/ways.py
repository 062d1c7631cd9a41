"""Direction and distance tables, and the cells that have one. World text §4.3."""

import functools

import numpy as np

from townlet_jax import grid

Cell = tuple[int, int]


class Targets:
    """Cells with a table: object rows first, then every other cell once, in order of asking."""

    def __init__(self, rows: list[Cell | None]):
        """Starts with the interact cells of the object rows; None marks a padding row."""
        self.cells: list[Cell | None] = list(rows)
        self._index: dict[Cell, int] = {}
        for row, cell in enumerate(rows):
            if cell is not None:
                self._index.setdefault(cell, row)

    def index(self, cell: Cell) -> int:
        """Returns the table row of a cell; a cell that had none gets one."""
        if cell not in self._index:
            self._index[cell] = len(self.cells)
            self.cells.append(cell)
        return self._index[cell]


def tables(is_walkable: np.ndarray, cells: list[Cell | None]) -> tuple[np.ndarray, np.ndarray]:
    """Makes the tables of all targets; those of a map and cell seen before are reused.

    Args:
      is_walkable: bool `[H, W]`.
      cells: G targets (x, y); None makes a table without any way.

    Returns:
      direction: int8 `[H, W, G]`; distance: int16 `[H, W, G]` [tile], as `grid.tables`.
    """
    height, width = is_walkable.shape
    direction = np.full((len(cells), height, width), grid.STAY, np.int8)
    distance = np.full((len(cells), height, width), grid.UNREACHABLE, np.int16)
    for target, cell in enumerate(cells):
        if cell is not None:
            direction[target], distance[target] = to_cell(is_walkable, cell)
    return np.moveaxis(direction, 0, -1).copy(), np.moveaxis(distance, 0, -1).copy()


def to_cell(is_walkable: np.ndarray, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Returns direction and distance `[H, W]` to one cell, read only."""
    return _search(is_walkable.tobytes(), is_walkable.shape, cell)


@functools.lru_cache(maxsize=2048)
def _search(raw: bytes, shape: tuple[int, int], cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    found = grid.tables(np.frombuffer(raw, bool).reshape(shape), cell)
    for table in found:
        table.setflags(write=False)
    return found
