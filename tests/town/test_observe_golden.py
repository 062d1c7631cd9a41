"""Observations stay what they were; `python tests/town/social_snippet.py` writes new ones."""

import numpy as np

from tests.town.social_snippet import PATH, snippet


def test_the_social_snippet():
    with np.load(PATH, allow_pickle=False) as golden:
        now = snippet()
        assert set(golden.files) == set(now)
        assert golden["names"].tolist() == now["names"].tolist()
        assert str(golden["layout_hash"]) == str(now["layout_hash"])
        np.testing.assert_allclose(golden["features"], now["features"], atol=2e-6)
        for name in ("map", "action_mask"):
            assert np.array_equal(golden[name], now[name])
    row = dict(zip(now["names"].tolist(), now["features"][0].tolist(), strict=True))
    assert [row[f"social_{slot}_is_present"] for slot in ("friend1", "rival0", "rival1")] == [
        1,
        1,
        0,
    ]
