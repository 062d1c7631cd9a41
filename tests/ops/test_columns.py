"""Columns come back as they were."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.ops.columns import TYPES, pack, unpack


@given(
    st.sampled_from(TYPES), st.lists(st.integers(1, 4), max_size=2), st.integers(0, 5), st.data()
)
def test_round_trip(kind: str, axes: list[int], length: int, data) -> None:
    limits = np.iinfo(kind)
    number = int(np.prod([*axes, length]))
    values = data.draw(
        st.lists(st.integers(limits.min, limits.max), min_size=number, max_size=number)
    )
    array = np.array(values, kind).reshape(*axes, length)
    back = unpack(pack(array))
    assert back.dtype == array.dtype and back.shape == array.shape
    np.testing.assert_array_equal(back, array)


def test_what_stays_as_it_was_is_short() -> None:
    steady = np.repeat(np.arange(8, dtype=np.int16)[:, None], 10_000, axis=1)
    assert len(pack(steady)["data"]) < 500


def test_other_types_are_refused() -> None:
    with pytest.raises(ValueError, match="float64 is none of uint8"):
        pack(np.zeros(3))
    with pytest.raises(ValueError, match="'object' is none of uint8"):
        unpack({"type": "object", "shape": [1], "data": ""})


@pytest.mark.parametrize("text", ["AAAA", "?", base64.b64encode(zlib.compress(bytes(99))).decode()])
def test_damage_is_told(text: str) -> None:
    with pytest.raises(ValueError):
        unpack({"type": "uint8", "shape": [4], "data": text})
