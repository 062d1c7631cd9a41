"""What a snapshot says of itself, as JSON beside its arrays."""

import dataclasses
import functools
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from townlet_jax.snapshots import records, seal
from townlet_jax.snapshots.errors import CorruptSnapshotError
from townlet_jax.snapshots.records import Leaf

SCHEMA_VERSION = 1
"""Version of the format; a change that older code cannot read raises it."""
METADATA = "metadata.json"
CONFIG = "config.yaml"
PACKAGES = ("townlet-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What a snapshot says of itself.

    Attributes:
      schema_version: of the format.
      kind: who wrote it: `simulation` (a row is a town) or `training` (a row is a learner).
      tick: absolute tick of all towns; of a training, updates done.
      config_id: as given in the configuration.
      config_hash: SHA-256 of configuration, manifest and map, hexadecimal.
      identity: `policy_hash`, `policy_artifact`, `observation_variant`, `anneal_ratio`.
      layout_hash: of the observation layout.
      actions: names by action code.
      agents: names of the slots.
      run: what a resumed run goes on with, such as `policy`, `seed` and `num_towns`.
      migrations: what was applied, oldest first: `from`, `to`, `handler`, `time`, `source`.
      versions: of the packages that wrote it.
      table: what is in a row of records.
    """

    schema_version: int
    kind: str
    tick: int
    config_id: str
    config_hash: str
    identity: dict[str, Any]
    layout_hash: str
    actions: tuple[str, ...]
    agents: tuple[str, ...]
    run: dict[str, Any]
    migrations: tuple[dict[str, Any], ...]
    versions: dict[str, str]
    table: tuple[Leaf, ...]

    @property
    def rows(self) -> str:
        """Name of the array of records."""
        return _ROWS.get(self.kind, "towns")

    @property
    def row(self) -> str:
        """What a record is."""
        return self.rows.removesuffix("s")

    @property
    def num_rows(self) -> int:
        """Number of records, 0 where `run` does not say it."""
        number = self.run.get(f"num_{self.rows}")
        return number if isinstance(number, int) else 0

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values."""
        return dataclasses.asdict(self) | {"table": records.to_json(self.table)}


_ROWS = {"simulation": "towns", "training": "learners"}
"""What a record of each kind of snapshot is, plural."""
_FORMS: dict[str, type | tuple[type, ...]] = {
    "schema_version": int,
    "kind": str,
    "tick": int,
    "config_id": str,
    "config_hash": str,
    "identity": dict,
    "layout_hash": str,
    "actions": list,
    "agents": list,
    "run": dict,
    "migrations": list,
    "versions": dict,
    "table": list,
}


@functools.cache
def versions() -> dict[str, str]:
    """Returns the versions of the packages that matter."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def write(folder: Path, metadata: Metadata, config: str) -> None:
    """Writes metadata and the resolved configuration (YAML) into an unsealed folder."""
    seal.write(folder / METADATA, json.dumps(metadata.to_json(), indent=1) + "\n")
    seal.write(folder / CONFIG, config)


def read(folder: Path) -> Metadata:
    """Reads the metadata of a snapshot; reads no arrays and does not verify.

    Raises:
      CorruptSnapshotError: they are missing or have another form.
    """
    path = folder / METADATA
    data = seal.read_json(path)
    if not isinstance(data, dict):
        raise CorruptSnapshotError(f"{path}: must be an object")
    for key, form in _FORMS.items():
        if not isinstance(data.get(key), form) or isinstance(data.get(key), bool):
            raise CorruptSnapshotError(f"{path}: {key} is missing or no {form}")
    values = {key: data[key] for key in _FORMS}
    for key in ("actions", "agents", "migrations"):
        values[key] = tuple(values[key])
    values["table"] = records.from_json(values["table"])
    return Metadata(**values)


def read_config(folder: Path) -> str:
    """Reads the resolved configuration of a snapshot, YAML."""
    return seal.read_text(folder / CONFIG)
