"""The arrays of a snapshot, written and read by Orbax. The only file that imports it, and that only
when it is needed, because the import takes half a second.
"""

import io
import os
import subprocess
import sys
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
    import jax
    from orbax.checkpoint import v1 as ocp

    if jax.process_count() > 1:
        return _write_apart(folder, tree)
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


def _write_apart(folder: Path, tree: dict[str, Any]) -> None:
    """Writes in a process of its own, because Orbax waits until all processes of a run save."""
    content = io.BytesIO()
    np.savez(content, **tree)
    done = subprocess.run(
        [sys.executable, "-m", "townlet_jax.snapshots.arrays", str(folder.absolute())],
        input=content.getvalue(),
        capture_output=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)},
        process_group=0,  # an interrupt from the terminal is for the run
        check=False,
    )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines() or [f"status {done.returncode}"]
        raise OSError(lines[-1])


def _alone() -> AbstractContextManager[Any]:
    """Keeps Orbax from waiting for other processes of the run when it reads."""
    import jax
    from orbax.checkpoint import v1 as ocp

    if jax.process_count() == 1:
        return nullcontext()
    own = jax.process_index()
    context = ocp.Context()
    context.multiprocessing.primary_host = own
    context.multiprocessing.active_processes = {own}
    context.multiprocessing.barrier_sync_key_prefix = f"process_{own}"
    return cast(AbstractContextManager[Any], context)


def _main() -> None:
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as content:
        try:
            write(Path(sys.argv[1]), dict(content))
        except OSError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    _main()
