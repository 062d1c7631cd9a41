"""Shares of a sweep, each run by a process of its own into a folder of its own, and their union."""

import re
from pathlib import Path
from typing import Any

from townlet_jax.ops.sweep_files import PLAN, Row, read_progress
from townlet_jax.ops.sweep_results import read_results
from townlet_jax.snapshots.errors import SnapshotError

_NAME = re.compile(r"share-(\d+)-of-(\d+)")


def share_folder(root: Path, share: int, num_shares: int) -> Path:
    """Returns the folder of a share.

    Args:
      root: of the whole sweep.
      share: in [0, N). num_shares: N.
    """
    return root / f"share-{share + 1}-of-{num_shares}"


def merge(root: Path) -> tuple[dict[str, Any], list[Row]]:
    """Reads the shares of a sweep.

    Args:
      root: of the whole sweep.

    Returns:
      What was swept; a row per lane, in order.

    Raises:
      SnapshotError: shares are missing, not finished, or of different sweeps.
      CorruptSnapshotError: a file is not what was written.
    """
    if not root.is_dir():
        raise SnapshotError(f"{root}: no such folder")
    named = [match for path in root.iterdir() if (match := _NAME.fullmatch(path.name))]
    numbers = {int(match[2]) for match in named}
    if len(numbers) != 1:
        found = "no shares" if not numbers else f"shares of {sorted(numbers)} at once"
        raise SnapshotError(f"{root}: holds {found} of a sweep")
    (number,) = numbers
    folders = [share_folder(root, share, number) for share in range(number)]
    begun = [folder for folder in folders if (folder / PLAN).exists()]
    plans = [read_progress(folder) for folder in begun]
    for folder, plan in zip(begun, plans, strict=True):
        if plan.key != plans[0].key:
            raise SnapshotError(f"{folder}: is of another sweep than {begun[0].name}")
    rows = [row for folder, plan in zip(begun, plans, strict=True) if plan.parts
            for row in read_results(folder)[1]]  # fmt: skip
    rows.sort(key=lambda row: row["lane"])
    about = plans[0].about if plans else {"num_settings": 0, "num_seeds": 0}
    expected = about["num_settings"] * about["num_seeds"]
    if not rows or [row["lane"] for row in rows] != list(range(expected)):
        raise SnapshotError(
            f"{root}: {len(rows)} of {expected or 'all'} lanes are finished, {len(begun)} of "
            f"{number} shares begun; run those that are not finished again"
        )
    return about, rows
