import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from townlet_jax.snapshots import records
from townlet_jax.snapshots.errors import CorruptSnapshotError, SnapshotError
from townlet_jax.snapshots.records import Leaf

DTYPES = ["bool", "int8", "int32", "uint8", "uint32", "float32"]


@st.composite
def leaves(draw):
    num_towns = draw(st.integers(1, 3))
    names = draw(st.lists(st.text("abc.", min_size=1), min_size=1, max_size=4, unique=True))
    shapes = arrays.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)
    return {
        name: draw(arrays.arrays(draw(st.sampled_from(DTYPES)), (num_towns, *draw(shapes))))
        for name in names
    }


@given(leaves())
def test_what_is_packed_is_unpacked_byte_for_byte(given_leaves):
    rows, table = records.pack(given_leaves)
    found = records.unpack(rows, records.from_json(records.to_json(table)))
    assert list(found) == list(given_leaves)
    for name, x in given_leaves.items():
        assert found[name].dtype == x.dtype and found[name].shape == x.shape
        assert found[name].tobytes() == x.tobytes()


def test_a_row_is_one_town():
    rows, _ = records.pack(
        {"a": np.array([[1, 2], [3, 4]], np.int8), "b": np.array([5, 6], np.int8)}
    )
    assert rows.tolist() == [[1, 2, 5], [3, 4, 6]]


def test_rows_of_another_length_are_refused():
    rows, table = records.pack({"a": np.zeros((2, 3), np.float32)})
    with pytest.raises(CorruptSnapshotError, match=r"uint8 \[2, 11\].*\[_, 12\]"):
        records.unpack(rows[:, 1:], table)


@pytest.mark.parametrize(
    "values",
    [None, 3, ["abc", "x"], [["a", "object", []]], [["a", "int32", [-1]]], [["a", "int32", "x"]]],
)
def test_tables_that_are_none(values):
    with pytest.raises(CorruptSnapshotError, match="table of records"):
        records.from_json(values)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ([], "a is missing, the town needs float32 [2]"),
        ([Leaf("a", "float32", (3,))], "a is float32 [3], the town needs float32 [2]"),
        ([Leaf("a", "int32", (2,))], "a is int32 [2], the town needs float32 [2]"),
        (
            [Leaf("a", "float32", (2,)), Leaf("b", "bool", ())],
            "b is not part of a town of this version",
        ),
    ],
)
def test_the_first_difference_is_named(found, line):
    with pytest.raises(SnapshotError) as error:
        records.compare(tuple(found), (Leaf("a", "float32", (2,)),))
    assert str(error.value) == line


def test_equal_tables_pass():
    records.compare((Leaf("a", "bool", ()),), (Leaf("a", "bool", ()),))
