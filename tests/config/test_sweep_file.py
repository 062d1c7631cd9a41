"""Sweep files: axes become settings, and whatever is wrong is one line with its place."""

import glob

import pytest

from townlet_jax.config import ConfigError
from townlet_jax.config.sweep_file import read_sweep


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "sweep.yaml"
        path.write_text(text)
        return read_sweep(path)

    return read


def plain(settings):
    return [{path: value.data for path, value in setting.items()} for setting in settings]


def test_the_last_axis_of_a_grid_is_the_fastest(read):
    sweep = read("grid: {chat.a: [1, 2], chat.b: [x, y]}")
    assert plain(sweep.settings) == [
        {"chat.a": 1, "chat.b": "x"},
        {"chat.a": 1, "chat.b": "y"},
        {"chat.a": 2, "chat.b": "x"},
        {"chat.a": 2, "chat.b": "y"},
    ]
    assert (sweep.name, plain(sweep.static)) == ("sweep", [{}])


def test_dotted_paths_alone_are_a_grid(read):
    sweep = read("chat.a: [1, 2]\nppo.b: {linspace: [0, 1, 3]}\n")
    assert [row["ppo.b"] for row in plain(sweep.settings)] == [0.0, 0.5, 1.0] * 2
    assert sweep.settings[0]["chat.a"].mark[1:] == (1, 10)


def test_groups_advance_together_and_points_come_last(read):
    sweep = read(
        "grid: {a.x: [1, 2]}\nzip: [{b.y: [3, 4], b.z: [5, 6]}]\npoints: [{a.x: 9}]\n"
        "static: {n.w: [8, 16], n.h: [8]}\n"
    )
    assert plain(sweep.settings) == [
        {"a.x": 1, "b.y": 3, "b.z": 5},
        {"a.x": 1, "b.y": 4, "b.z": 6},
        {"a.x": 2, "b.y": 3, "b.z": 5},
        {"a.x": 2, "b.y": 4, "b.z": 6},
        {"a.x": 9},
    ]
    assert plain(sweep.static) == [{"n.w": 8, "n.h": 8}, {"n.w": 16, "n.h": 8}]


def test_spaces(read):
    sweep = read("zip: [{a.x: {logspace: [0.01, 100, 3]}, a.y: {random: [2, 3, 3]}}]")
    rows = plain(sweep.settings)
    assert [row["a.x"] for row in rows] == [0.01, 1.0, 100.0]
    drawn = [row["a.y"] for row in rows]
    assert all(2 <= x < 3 for x in drawn) and len(set(drawn)) == 3
    again = read("grid: {b.z: [1], a.y: {random: [2, 3, 3]}}")
    assert [row["a.y"] for row in plain(again.settings)] == drawn, "whatever else is swept"


def test_sizes_alone_are_a_sweep(read):
    sweep = read("static: {network.gru_hidden: [8, 16]}")
    assert (len(sweep.settings), len(sweep.static)) == (1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("grid: {a.x: []}", ":1:13: grid.a.x: is empty; an axis needs at least one value"),
        ("grid: {a.x: 3}", ":1:13: grid.a.x: must be a list of values, or {linspace: [a, b, n]}"),
        ("grid: {a.x: {linspace: [0, 1]}}", ":1:24: grid.a.x.linspace: must be [a, b, n], three"),
        ("grid: {a.x: {logspace: [0, 1, 3]}}", "both ends must be above 0"),
        ("grid: {a.x: {random: [0, 1, 0]}}", "n must be an int in 1...65536, got 0"),
        ("zip: [{a.x: [1], a.y: [1, 2]}]", "lists must be of equal length: a.x has 1, a.y has 2"),
        ("gird: {a.x: [1]}", ":1:1: gird: unknown key; did you mean 'grid'?"),
        ("grid: {a.x: [1]}\nseeds: 0", ":2:8: seeds: must be an int in 1...4096, got 0"),
        ("grid: {a.x: [1]}\nmode: learn", "mode: must be one of simulate, train, got 'learn'"),
        ("grid: {a.x: [1]}\nstatic: {a.x: [1]}", ":2:10: static.a.x: is swept twice, first in"),
        ("points: [{a.x: 1}]\nstatic: {a.x: [1]}", "is given under static already"),
        ("seeds: 3", "names no parameter to sweep"),
        ("grid: {a..x: [1]}", "is no path of a parameter"),
        ("grid: {a.x: {linspace: [0, 1, 300]}, a.y: {linspace: [0, 1, 300]}}", "90000 settings"),
        ("- 3", "must be a mapping, got [3]"),
    ],
)
def test_bad_files_are_one_line(read, text, said):
    with pytest.raises(ConfigError) as caught:
        read(text)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 and said in lines[0], lines


@pytest.mark.parametrize("path", sorted(glob.glob("configs/sweeps/*.yaml")))
def test_shipped_files_are_read(path):
    sweep = read_sweep(path)
    assert sweep.name == path.split("/")[-1].removesuffix(".yaml")
    assert len(sweep.settings) > 1
