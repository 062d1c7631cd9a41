import json
import os

import pytest

from tests.snapshots.conftest import fill
from townlet_jax.snapshots import seal, store
from townlet_jax.snapshots.errors import CorruptSnapshotError

PLAIN = ("rename", "fsync", "open", "mkdir")


def test_an_intact_snapshot_passes(step):
    names = [path for path in step.rglob("*") if path.is_file() and path.name != seal.MANIFEST]
    assert seal.verify(step) == sum(path.stat().st_size for path in names)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda step: (step / "config.yaml").unlink(), "config.yaml: is missing"),
        (lambda step: (step / "new").write_text("x"), "new: is not in the manifest"),
        (lambda step: (step / "config.yaml").write_text("x"), "has 1 bytes, 15 were sealed"),
        (
            lambda step: (step / "config.yaml").write_text("config_id: odd\n"),
            "config.yaml: differs from what was sealed",
        ),
        (lambda step: (step / "manifest.json").unlink(), "manifest.json: is missing"),
        (lambda step: (step / "manifest.json").write_text("{"), "manifest.json: no JSON"),
        (lambda step: (step / "manifest.json").write_text("[" * 10**5), "manifest.json: no JSON"),
        (lambda step: (step / "manifest.json").write_text("[]"), "manifest.json: differs"),
        (
            lambda step: (step / "manifest.json").write_bytes(b"\xff"),
            "manifest.json: cannot be read",
        ),
        (
            lambda step: os.truncate(step / "manifest.json", seal.MAX_MANIFEST_BYTES + 1),
            "manifest.json: larger than",
        ),
    ],
)
def test_damage_is_found(step, damage, line):
    damage(step)
    with pytest.raises(CorruptSnapshotError) as error:
        seal.verify(step)
    assert line in str(error.value) and "\n" not in str(error.value)


def test_the_manifest_has_one_spelling(step):
    path = step / seal.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text())))
    with pytest.raises(CorruptSnapshotError, match="differs from what was sealed"):
        seal.verify(step)


def test_links_are_refused(step, tmp_path):
    outside = tmp_path / "outside"
    (step / "config.yaml").rename(outside)
    (step / "config.yaml").symlink_to(outside)
    with pytest.raises(CorruptSnapshotError, match="is not a plain file"):
        seal.verify(step)


def test_linked_folders_are_refused(step, tmp_path):
    (step / "arrays").rename(tmp_path / "arrays")
    (step / "arrays").symlink_to(tmp_path / "arrays")
    with pytest.raises(CorruptSnapshotError, match="arrays"):
        seal.verify(step)


@pytest.mark.parametrize("k", range(1, 40))
def test_a_failing_file_operation_leaves_the_old_or_the_new(root, monkeypatch, k):
    """Every k-th call of the operating system that changes something fails."""
    place = store.Store(root, retain=2)
    place.save(1, fill(1))
    place.save(2, fill(2))
    calls = 0

    def failing(call):
        def wrapped(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls % k == 0:
                raise OSError(28, "No space left on device")
            return call(*args, **kwargs)

        return wrapped

    with monkeypatch.context() as patch:
        for name in PLAIN:
            patch.setattr(os, name, failing(getattr(os, name)))
        try:
            place.save(3, fill(3))
            did_save = True
        except OSError:
            did_save = False
    found = store.steps(root)
    for one in found:
        store.check(one.path)
    ticks = [one.tick for one in found]
    assert ticks[-1] == 3 if did_save else ticks[:2] in ([1, 2], [2, 3])
    place.close()
    again = store.Store(root, retain=2)
    again.save(4, fill(4))
    assert [one.tick for one in store.steps(root)] == [ticks[-1], 4]
    assert {path.name for path in root.iterdir()} == {
        ".lock",
        *(f"{t:010d}" for t in (ticks[-1], 4)),
    }
    again.close()
