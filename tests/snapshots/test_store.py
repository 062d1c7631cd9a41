import pytest

from tests.snapshots.conftest import fill
from townlet_jax.snapshots import seal, store
from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError


def ticks(root):
    return [step.tick for step in store.steps(root)]


def test_only_sealed_snapshots_are_listed(place, root):
    place.save(7, fill())
    (root / ".new-8-1").mkdir()
    (root / "0000000008").mkdir()
    (root / "notes").mkdir()
    (root / "٣").mkdir()
    assert ticks(root) == [7]


def test_a_snapshot_that_lost_its_manifest_is_not_passed_over_in_silence(place, root, step):
    newest = place.save(8, fill(8))
    (newest / seal.MANIFEST).unlink()
    assert ticks(root) == [7]
    with pytest.raises(CorruptSnapshotError, match=r"0000000008/manifest\.json: is missing"):
        store.newest(root)
    assert store.newest(root, is_fallback_fine=True)[0].path == step
    assert place.save(8, fill(8)) == newest
    assert ticks(root) == [7, 8]


def test_the_newest_few_stay(root):
    place = store.Store(root, retain=2)
    for tick in (1, 3, 2, 10**11):
        place.save(tick, fill(tick))
    assert ticks(root) == [3, 10**11]
    assert not (root / seal.BIN).exists()
    place.close()


def test_leftovers_are_cleared(root):
    store.Store(root).close()
    (root / ".new-8-1").mkdir()
    (root / seal.BIN / "0000000001").mkdir(parents=True)
    store.Store(root).close()
    assert [path.name for path in root.iterdir()] == [store.LOCK]


def test_one_writer_at_a_time(place, root):
    with pytest.raises(SnapshotError, match="another process writes there"):
        store.Store(root)


def test_a_failure_leaves_nothing_behind(place, root, step):
    def fail(folder):
        (folder / "half").write_text("x")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        place.save(8, fail)
    assert ticks(root) == [7]
    assert {path.name for path in root.iterdir()} == {store.LOCK, step.name}


def test_a_tick_is_saved_once_but_a_corrupt_one_again(place, step):
    def refuse(folder):
        raise AssertionError("saved again")

    assert place.save(7, refuse) == step
    (step / "config.yaml").write_text("")
    assert place.save(7, fill()) == step
    store.check(step)


def test_the_newest_intact_one_is_found_if_asked(place, root, step):
    newest = place.save(8, fill(8))
    assert store.newest(root) == (store.Step(8, newest), [])
    (newest / "config.yaml").unlink()
    with pytest.raises(CorruptSnapshotError, match=r"0000000008/config\.yaml: is missing"):
        store.newest(root)
    found, passed = store.newest(root, is_fallback_fine=True)
    assert found.path == step and len(passed) == 1
    (step / "config.yaml").unlink()
    with pytest.raises(CorruptSnapshotError, match="no intact snapshot"):
        store.newest(root, is_fallback_fine=True)


def test_none_is_found(root, tmp_path):
    with pytest.raises(SnapshotError, match="no such folder"):
        store.newest(root)
    with pytest.raises(SnapshotError, match="holds no snapshot"):
        store.newest(tmp_path)


def test_a_snapshot_under_another_name_is_corrupt(step):
    moved = step.rename(step.parent / "0000000009")
    with pytest.raises(CorruptSnapshotError, match="holds tick 7"):
        store.check(moved)
    store.check(moved.rename(step.parent / "kept"))
