"""A sealed snapshot of made-up towns, without jax."""

import json
from pathlib import Path

import numpy as np
import pytest

from townlet_jax.snapshots import metadata, records, store
from townlet_jax.snapshots.metadata import SCHEMA_VERSION, Metadata

LEAVES = {
    "state.clock.tick": np.array([7, 7], np.int32),
    "state.needs.level": np.array([[[0.5, 1]], [[0.25, 0]]], np.float32),
    "state.agents.is_alive": np.array([[True], [False]]),
}


def about(tick: int = 7, **changes) -> Metadata:
    _, table = records.pack(LEAVES)
    values = {
        "schema_version": SCHEMA_VERSION, "kind": "simulation", "tick": tick,
        "config_id": "old", "config_hash": "0" * 64,
        "identity": {"policy_hash": None}, "layout_hash": "1" * 64, "actions": ("rest",),
        "agents": ("amira",), "run": {"num_towns": 2, "policy": "idle", "seed": 3},
        "migrations": (), "versions": {"numpy": "2"}, "table": table,
    }  # fmt: skip
    return Metadata(**values | changes)


def fill(tick: int = 7, **changes):
    """Returns what fills a folder: metadata, a configuration and a file in the place of arrays."""

    def write(folder: Path) -> None:
        (folder / "arrays").mkdir()
        (folder / "arrays" / "data").write_bytes(records.pack(LEAVES)[0].tobytes())
        metadata.write(folder, about(tick, **changes), "config_id: old\n")

    return write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def place(root: Path):
    place = store.Store(root)
    yield place
    place.close()


@pytest.fixture
def step(place: store.Store) -> Path:
    return place.save(7, fill())


def edit(path: Path, change) -> None:
    data = json.loads(path.read_text())
    path.write_text(json.dumps(change(data) or data))
