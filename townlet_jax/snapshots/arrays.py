"""The arrays of a snapshot, written and read by Orbax. The only file that imports it, and that only
when it is needed, because the import takes half a second.
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

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
        with _alone():
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
        with _alone():
            kept = ocp.metadata(folder.absolute()).metadata
            arrays = {n: np.asarray(x) for n, x in ocp.load(folder.absolute(), kept).items()}
    except Exception as error:  # Orbax and its storage raise whatever they like
        line = " ".join(str(error).split())[:200]
        raise CorruptSnapshotError(f"{folder}: arrays cannot be read ({line})") from None
    found = {name: (str(x.dtype), x.shape) for name, x in arrays.items()}
    if found != forms:
        raise CorruptSnapshotError(f"{folder}: arrays are {found}, the metadata says {forms}")
    return arrays


def _alone() -> AbstractContextManager[Any]:
    """Keeps Orbax from waiting for other processes of the run, which do not call it now."""
    import jax
    from orbax.checkpoint import v1 as ocp

    if jax.process_count() == 1:
        return nullcontext()
    own = jax.process_index()
    options = ocp.options.MultiprocessingOptions(
        primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"process_{own}"
    )
    return cast(AbstractContextManager[Any], ocp.Context(multiprocessing_options=options))
