import pytest

from townlet_jax.ops.sweep_files import SweepFolder, part_path
from townlet_jax.ops.sweep_shares import merge, share_folder
from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError

ABOUT = {"name": "a", "paths": ["p"], "num_settings": 3, "num_seeds": 2}


def share(root, index, settings, key="k", parts=1):
    rows = [
        {"setting": s, "seed": r, "lane": 2 * s + r, "status": "done", "p": s, "kpi.x": 0.5}
        for s in settings
        for r in (0, 1)
    ]
    with SweepFolder(share_folder(root, index, 2), key, ABOUT, False) as folder:
        for part in range(parts):
            folder.finish(part, rows)


def test_shares_are_put_in_the_order_of_their_lanes(tmp_path):
    share(tmp_path, 1, [2, 1])
    share(tmp_path, 0, [0])
    about, rows = merge(tmp_path)
    assert about == ABOUT
    assert [row["lane"] for row in rows] == [0, 1, 2, 3, 4, 5]


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(SnapshotError, match="holds no shares"):
        merge(tmp_path)
    share(tmp_path, 0, [0])
    with pytest.raises(SnapshotError, match="2 of 6 lanes are finished, 1 of 2 shares begun"):
        merge(tmp_path)
    share(tmp_path, 1, [1, 2], parts=0)
    with pytest.raises(SnapshotError, match="2 of 6 lanes are finished, 2 of 2 shares begun"):
        merge(tmp_path)


def test_shares_of_another_sweep_are_refused(tmp_path):
    share(tmp_path, 0, [0])
    share(tmp_path, 1, [1, 2], key="other")
    with pytest.raises(SnapshotError, match="share-2-of-2: is of another sweep than share-1-of-2"):
        merge(tmp_path)
    share_folder(tmp_path, 0, 3).mkdir()
    with pytest.raises(SnapshotError, match=r"shares of \[2, 3\] at once"):
        merge(tmp_path)


def test_a_damaged_part_is_refused(tmp_path):
    share(tmp_path, 0, [0])
    share(tmp_path, 1, [1, 2])
    part_path(share_folder(tmp_path, 1, 2), 0).write_text("setting\n")
    with pytest.raises(CorruptSnapshotError, match="delete it"):
        merge(tmp_path)
