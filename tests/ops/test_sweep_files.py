"""The folder of a sweep: nothing finished is lost, nothing damaged is used."""

import json

import pytest

from townlet_jax.ops.sweep_files import SweepFolder, from_csv, part_path, to_csv
from townlet_jax.ops.sweep_results import read_results
from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError

ABOUT = {"name": "a", "paths": ["p"]}
ROWS = [
    {"setting": 0, "seed": 3, "status": "done", "p": "OFF", "q": 0.1 + 0.2, "r": None},
    {"setting": 1, "seed": 3, "status": "done", "p": True, "q": 1e-300, "r": [1, 2.5]},
]


def opened(path, key="k", is_resumed=False):
    return SweepFolder(path, key, ABOUT, is_resumed)


def test_rows_come_back_as_they_were():
    assert from_csv(to_csv(ROWS)) == ROWS


def test_finished_parts_are_taken_up(tmp_path):
    with opened(tmp_path) as folder:
        folder.decide(2)
        folder.finish(0, ROWS)
    with opened(tmp_path, is_resumed=True) as folder:
        assert folder.progress.chunks == [2]
        assert folder.finished(0) == ROWS
        assert folder.finished(1) is None
    assert read_results(tmp_path) == (ABOUT, ROWS)


def test_a_part_that_is_not_listed_is_computed_again(tmp_path):
    with opened(tmp_path) as folder:
        part_path(tmp_path, 0).write_text("half a li")
        assert folder.finished(0) is None
        folder.finish(0, ROWS)
        assert folder.finished(0) == ROWS
        part_path(tmp_path, 0).unlink()
        assert folder.finished(0) is None


@pytest.mark.parametrize("damage", ["cut", "flip", "plan", "json"])
def test_damage_is_found(tmp_path, damage):
    with opened(tmp_path) as folder:
        folder.finish(0, ROWS)
    path = part_path(tmp_path, 0) if damage in ("cut", "flip") else tmp_path / "sweep.json"
    text = path.read_text()
    changed = {
        "cut": text[:-5],
        "flip": text.replace("OFF", "OFE"),
        "plan": text.replace('"k"', '"l"'),
        "json": text[:-5],
    }[damage]
    path.write_text(changed)
    with pytest.raises(CorruptSnapshotError, match=path.name):
        read_results(tmp_path)


def test_another_sweep_is_refused(tmp_path):
    with opened(tmp_path) as folder:
        with pytest.raises(SnapshotError, match="another process"):
            opened(tmp_path, is_resumed=True)
        folder.finish(0, ROWS)
    with pytest.raises(SnapshotError, match="1 finished part.*add --resume"):
        opened(tmp_path)
    with pytest.raises(SnapshotError, match="is another sweep"):
        opened(tmp_path, "other", is_resumed=True)
    with pytest.raises(SnapshotError, match="no sweep to resume"):
        opened(tmp_path / "empty", is_resumed=True)
    with opened(tmp_path, is_resumed=True) as folder:
        assert folder.finished(0) == ROWS, "a refusal leaves the folder free"


def test_a_folder_without_results_is_told(tmp_path):
    for place, said in ((tmp_path / "no", "no such folder"), (tmp_path, "holds no sweep")):
        with pytest.raises(SnapshotError, match=said):
            read_results(place)
    with opened(tmp_path):
        pass
    with pytest.raises(SnapshotError, match="no part"):
        read_results(tmp_path)
    plan = json.loads((tmp_path / "sweep.json").read_text())
    assert plan["about"] == ABOUT
