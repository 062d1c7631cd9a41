"""Real towns for the fault scripts: saved once by the simulation, then held as plain arrays."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np

from townlet_jax.snapshots import arrays, metadata, store
from townlet_jax.snapshots.metadata import Metadata

ROOT = Path(__file__).parents[2]
_READ = """
import sys, numpy as np
from pathlib import Path
from townlet_jax.snapshots import arrays, metadata, store
for step in store.steps(Path(sys.argv[1])):
    about = metadata.read(step.path)
    size = sum(leaf.num_bytes for leaf in about.table)
    form = ("uint8", (about.run["num_towns"], size))
    rows = arrays.read(step.path / arrays.FOLDER, {"towns": form})["towns"]
    np.save(Path(sys.argv[2]) / f"{step.path.name}.npy", rows)
"""


@dataclasses.dataclass(frozen=True)
class Sample:
    """A snapshot in memory.

    Attributes:
      about: its metadata.
      config: its resolved configuration, YAML.
      rows: its records, uint8 `[E, R]`.
    """

    about: Metadata
    config: str
    rows: np.ndarray

    def fill(self, folder: Path, tick: int) -> None:
        """Writes it as if it had been taken at another tick."""
        arrays.write(folder / arrays.FOLDER, {"towns": self.rows})
        metadata.write(folder, dataclasses.replace(self.about, tick=tick), self.config)


def towns(folder: Path, num_towns: int = 1, num_ticks: int = 600) -> Path:
    """Runs towns with a snapshot every 100 ticks; returns the folder of snapshots."""
    root = folder / "sample"
    command = [sys.executable, "launch/run_simulation.py", "configs/tiny.yaml", "--json"]
    command += [f"--tick-limit={num_ticks}", f"--towns={num_towns}", f"--snapshot-dir={root}"]
    command += ["--set=snapshot.autosave.cadence_ticks=100", "--set=snapshot.autosave.retain=1000"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return root


def samples(root: Path) -> list[Sample]:
    """Reads all snapshots of a folder, arrays in another process: this one may fork."""
    plain = root.parent / "plain"
    plain.mkdir()
    command = [sys.executable, "-c", _READ, str(root), str(plain)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return [
        Sample(
            metadata.read(step.path),
            metadata.read_config(step.path),
            np.load(plain / f"{step.path.name}.npy", allow_pickle=False),
        )
        for step in store.steps(root)
    ]


def bytes_per_town(about: Metadata) -> int:
    """Returns the length of a record."""
    return sum(leaf.num_bytes for leaf in about.table)
