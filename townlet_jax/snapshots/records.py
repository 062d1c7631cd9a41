"""Towns as records: one row of bytes per town, and a table that says what is where in it.

One array instead of a hundred is written several times as fast, and a town can be read alone.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError

_DTYPES = ("bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float32")


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One array of a town.

    Attributes:
      name: path in the tree, such as `state.needs.level`.
      dtype: its name.
      shape: of one town.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Bytes of one town."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join(map(str, self.shape))}]"


def pack(leaves: dict[str, np.ndarray]) -> tuple[np.ndarray, tuple[Leaf, ...]]:
    """Lays towns out as records.

    Args:
      leaves: arrays `[E, ...]` by name.

    Returns:
      uint8 `[E, R]`; what is in a row, in order.
    """
    table = tuple(Leaf(name, str(x.dtype), x.shape[1:]) for name, x in leaves.items())
    columns = [
        np.ascontiguousarray(x)
        .reshape(x.shape[0], leaf.num_bytes // x.dtype.itemsize)
        .view(np.uint8)
        for x, leaf in zip(leaves.values(), table, strict=True)
    ]
    return np.concatenate(columns, axis=1), table


def unpack(rows: np.ndarray, table: tuple[Leaf, ...]) -> dict[str, np.ndarray]:
    """Reads records; the inverse of `pack`.

    Raises:
      CorruptSnapshotError: the rows are not as long as the table says.
    """
    length = sum(leaf.num_bytes for leaf in table)
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != length:
        raise CorruptSnapshotError(
            f"records are {rows.dtype} {list(rows.shape)}, their table says uint8 [_, {length}]"
        )
    leaves, start = {}, 0
    for leaf in table:
        part = np.ascontiguousarray(rows[:, start : start + leaf.num_bytes])
        leaves[leaf.name] = part.view(leaf.dtype).reshape(len(rows), *leaf.shape)
        start += leaf.num_bytes
    return leaves


def to_json(table: tuple[Leaf, ...]) -> list[list[Any]]:
    """Returns a table as JSON values."""
    return [[leaf.name, leaf.dtype, list(leaf.shape)] for leaf in table]


def from_json(values: Any) -> tuple[Leaf, ...]:
    """Reads a table.

    Raises:
      CorruptSnapshotError: it is none.
    """
    try:
        table = tuple(Leaf(str(n), str(d), tuple(int(x) for x in s)) for n, d, s in values)
    except (TypeError, ValueError) as error:
        raise CorruptSnapshotError(f"the table of records cannot be read ({error})") from None
    for leaf in table:
        if leaf.dtype not in _DTYPES or min(leaf.shape, default=0) < 0:
            raise CorruptSnapshotError(f"the table of records has {leaf.name} as {leaf}")
    return table


def compare(found: tuple[Leaf, ...], wanted: tuple[Leaf, ...]) -> None:
    """Compares what a snapshot holds with what a town of this configuration is made of.

    Raises:
      SnapshotError: names the first leaf that differs.
    """
    for line in differences(found, wanted):
        raise SnapshotError(line)


def differences(found: tuple[Leaf, ...], wanted: tuple[Leaf, ...]) -> Iterator[str]:
    """Yields one line per leaf that is missing, unknown or of another form."""
    have, need = ({leaf.name: leaf for leaf in table} for table in (found, wanted))
    for name in sorted(need.keys() | have.keys()):
        if name not in have:
            yield f"{name} is missing, the town needs {need[name]}"
        elif name not in need:
            yield f"{name} is not part of a town of this version"
        elif have[name] != need[name]:
            yield f"{name} is {have[name]}, the town needs {need[name]}"
