"""The arrays of a snapshot, written and read by Orbax. The only file that imports it, and that only
when it is needed, because the import takes half a second.
"""

from pathlib import Path
from typing import Any

import numpy as np

from townlet_jax.snapshots.errors import CorruptSnapshotError

FOLDER = "arrays"


def write(folder: Path, tree: dict[str, Any]) -> None:
    """Writes a tree of arrays into a folder that does not exist yet.

    Raises:
      OSError: it could not; the folder is of no use then.
    """
    from orbax.checkpoint import v1 as ocp

    try:
        ocp.save(folder.absolute(), tree)
    except OSError:
        raise
    except Exception as error:  # Orbax and its storage raise whatever they like
        line = " ".join(str(error).split())[:200]
        raise OSError(f"{folder}: arrays cannot be written ({line})") from error


def read(folder: Path, forms: dict[str, tuple[str, tuple[int, ...]]]) -> dict[str, np.ndarray]:
    """Reads arrays.

    Args:
      folder: as written.
      forms: dtype and shape of each array; Orbax would cast whatever it is not told to compare.

    Raises:
      CorruptSnapshotError: they cannot be read, or have another form.
    """
    from orbax.checkpoint import v1 as ocp

    try:
        kept = ocp.metadata(folder.absolute()).metadata
        arrays = {name: np.asarray(x) for name, x in ocp.load(folder.absolute(), kept).items()}
    except Exception as error:  # Orbax and its storage raise whatever they like
        line = " ".join(str(error).split())[:200]
        raise CorruptSnapshotError(f"{folder}: arrays cannot be read ({line})") from None
    found = {name: (str(x.dtype), x.shape) for name, x in arrays.items()}
    if found != forms:
        raise CorruptSnapshotError(f"{folder}: arrays are {found}, the metadata says {forms}")
    return arrays
