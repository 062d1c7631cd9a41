import json
from datetime import UTC, datetime

import pytest

from tests.snapshots.conftest import fill
from townlet_jax.snapshots import cli, handover, metadata, seal, store
from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def named(place):
    """A snapshot that names its policy."""
    return place.save(9, fill(9, identity={"policy_hash": "a" * 64}))


def test_a_release_is_a_verified_copy(named, tmp_path):
    found = handover.release(named, tmp_path / "release", NOON)
    copy = tmp_path / "release" / "20300102T120000Z"
    assert found == {"path": str(copy), "policy_hash": "a" * 64, "tick": 9}
    assert seal.verify(copy) == seal.verify(named)
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    with pytest.raises(SnapshotError, match="is there already"):
        handover.release(named, tmp_path / "release", NOON)


def test_a_release_must_name_its_policy(step, tmp_path):
    with pytest.raises(SnapshotError, match="no policy_hash, which a release must carry"):
        handover.release(step, tmp_path / "release")


def test_what_is_corrupt_is_not_released(named, tmp_path):
    config = named / metadata.CONFIG
    config.write_text(config.read_text() + "#")
    with pytest.raises(CorruptSnapshotError):
        handover.release(named, tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_a_bundle_holds_the_newest_intact_snapshot(place, root, tmp_path, capsys):
    good = place.save(1, fill(1))
    bad = place.save(2, fill(2))
    (bad / metadata.CONFIG).write_text("changed")
    log = tmp_path / "stderr.txt"
    log.write_text("one\nlast words\n")
    output = tmp_path / "incident"
    assert cli.main(["bundle", str(root), "--output", str(output), "--logs", str(log)]) == 0
    assert str(good) in capsys.readouterr().out
    assert store.check(output / "snapshot") == store.check(good)
    assert (output / "logs" / "00-stderr.txt").read_text() == log.read_text()
    lines = [json.loads(line) for line in (output / "timeline.jsonl").read_text().splitlines()]
    told = {line["what"]: line["detail"] for line in lines}
    assert told["last line written"] == "last words" and str(bad) in told["found corrupt"]
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert seal.verify(output) > 0
    assert cli.main(["bundle", str(root), "--output", str(output)]) == 2
