"""Maps: what is read, what is refused, and the ways over them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from townlet_jax import grid
from townlet_jax.config import ConfigError, load, ways
from townlet_jax.config.map_file import read_map


def refusals(tmp_path, data):
    path = tmp_path / "map.txt"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as error:
        read_map(str(path))
    return [line.split("map.txt:")[1] for line in str(error.value).splitlines()]


def test_characters_are_tile_kinds(tmp_path):
    path = tmp_path / "map.txt"
    path.write_text(".#+=,\n" * 4)
    assert read_map(str(path)).tolist() == [[0, 1, 2, 3, 4]] * 4
    assert read_map(str(path)).dtype == np.int8


def test_line_ends_and_empty_lines_at_the_end_do_not_matter(tmp_path):
    path = tmp_path / "map.txt"
    path.write_bytes(b"\xef\xbb\xbf....\r\n....\r\n....\r\n....\r\n\r\n\n")
    assert read_map(str(path)).shape == (4, 4)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"....\n....\n.....\n....\n", "3:1: the line has 5 cells, the first line has 4"),
        (b"....\n\n....\n....\n", "2:1: the line has 0 cells, the first line has 4"),
        (b"....\n..x.\n....\n....\n", "2:3: unknown character 'x'; a map is made of . # + = ,"),
        (b"....\n....\n....\n...\t\n", "4:4: unknown character '\\t'"),
        (b"...\n...\n...\n...\n", "1:1: a map is 4...64 cells wide, this one is 3"),
        (b"." * 65 + b"\n", "1:1: a map is 4...64 cells wide, this one is 65"),
        (b"....\n" * 3, "3:1: a map is 4...64 cells high, this one is 3"),
        (b"....\n" * 65, "65:1: a map is 4...64 cells high, this one is 65"),
        (b"", "1:1: is empty"),
        (b"\n\n", "1:1: is empty"),
        (b"\xff\xfe\x00", "1:1: is not UTF-8 text (byte 0)"),
        (b"\x00" * 40, "1:1: unknown character '\\x00'"),
        (b".\n" * 50_000, "1:1: is larger than 64 KiB"),
    ],
)
def test_faults_name_line_and_column(tmp_path, data, line):
    assert any(found.startswith(line) for found in refusals(tmp_path, data))


def test_all_faulty_lines_are_named_at_once(tmp_path):
    assert len(refusals(tmp_path, b"....\n.?..\n...\n....\n")) == 2


def test_missing_files_and_folders_are_refused(tmp_path):
    for name in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_map(str(name))


def test_ex_map_1():
    town = load("configs/town.yaml")
    tables, names = town.layout.map, town.names.objects
    for (x, y), name, distance, direction in (
        ((4, 4), "shower_1", 28, 1),
        ((4, 4), "table.0", 17, 1),
        ((2, 5), "cafe_counter", 17, 1),
        ((12, 12), "till", 15, 1),
        ((0, 10), "beds_a.0", 14, 0),
    ):
        target = names.index(name)
        assert tables.distance[y, x, target] == distance
        assert tables.direction[y, x, target] == direction


@settings(max_examples=40)
@given(st.data())
def test_following_the_direction_arrives_in_distance_steps(data):
    """INV-MAP."""
    height, width = data.draw(st.integers(4, 9)), data.draw(st.integers(4, 9))
    cells = st.lists(st.booleans(), min_size=height * width, max_size=height * width)
    is_walkable = ~np.reshape(data.draw(cells), (height, width))
    if not is_walkable.any():
        is_walkable[0, 0] = True
    choices = [(int(x), int(y)) for y, x in np.argwhere(is_walkable)]
    target = data.draw(st.sampled_from(choices))
    direction, distance = ways.tables(is_walkable, [target, None])
    assert (distance[..., 1] == grid.UNREACHABLE).all() and (direction[..., 1] == grid.STAY).all()
    for x, y in choices:
        steps = 0
        while direction[y, x, 0] != grid.STAY:
            before = distance[y, x, 0]
            dx, dy = grid.STEPS[direction[y, x, 0]]
            x, y = x + int(dx), y + int(dy)
            assert is_walkable[y, x] and distance[y, x, 0] == before - 1
            steps += 1
        if steps:
            assert (x, y) == target
        elif (x, y) != target:
            assert distance[y, x, 0] == grid.UNREACHABLE


def test_directions_prefer_north_then_east_then_south():
    direction, _ = ways.tables(np.ones((5, 5), bool), [(2, 2)])
    assert direction[..., 0].tolist() == [
        [1, 1, 2, 2, 2],
        [1, 1, 2, 2, 2],
        [1, 1, 4, 3, 3],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]


def test_tables_of_a_map_and_cell_are_searched_once(monkeypatch):
    calls = []
    monkeypatch.setattr(grid, "tables", lambda *a, f=grid.tables: calls.append(a) or f(*a))
    is_walkable = np.ones((7, 6), bool)
    is_walkable[3, 2:5] = False
    for _ in range(3):
        ways.tables(is_walkable, [(0, 0), (5, 6)])
    assert len(calls) == 2
