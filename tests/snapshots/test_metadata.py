import json

import pytest

from tests.snapshots.conftest import about, edit
from townlet_jax.snapshots import metadata, seal
from townlet_jax.snapshots.errors import CorruptSnapshotError


def test_what_is_written_is_read(step):
    assert metadata.read(step) == about()
    assert metadata.read_config(step) == "config_id: old\n"


@pytest.mark.parametrize("key", list(about().to_json()))
@pytest.mark.parametrize("value", [None, True, 0.5])
def test_values_of_another_type(step, key, value):
    edit(step / metadata.METADATA, lambda data: data.update({key: value}))
    with pytest.raises(CorruptSnapshotError, match=f"metadata.json: {key} is missing or no"):
        metadata.read(step)


def test_no_object(step):
    (step / metadata.METADATA).write_text("[]")
    with pytest.raises(CorruptSnapshotError, match="must be an object"):
        metadata.read(step)


def test_large_files_are_not_read(step, monkeypatch):
    monkeypatch.setattr(seal, "MAX_JSON_BYTES", 10)
    with pytest.raises(CorruptSnapshotError, match="larger than 10 bytes"):
        seal.read_json(step / metadata.METADATA, seal.MAX_JSON_BYTES)


def test_it_is_plain_json(step):
    data = json.loads((step / metadata.METADATA).read_text())
    assert data["table"][0] == ["state.clock.tick", "int32", []]
