"""Pictures: they come out, show what they should, and labels keep clear of each other."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from townlet_jax.ops.drawing import draw, save, window
from townlet_jax.ops.drawing_labels import BELOW, Box, Room
from townlet_jax.ops.palette import RIVALRY, TRUST, bond_colour, shown_bonds
from townlet_jax.ops.scene import OUTDOORS, Bond, scene


@pytest.fixture
def busy(tiny, newborn):
    """Two residents share a cell, one waits for the other; there is a tie."""
    shower = tiny.names.objects.index("shower")
    newborn.queues.holder[shower] = 0
    newborn.queues.waiting_for[1] = shower
    newborn.agents.position[:2] = (3, 5)
    newborn.relationships.is_tie[0, 1] = True
    newborn.relationships.rivalry[0, 1] = 0.6
    newborn.needs.level[2, 0] = 0.1
    return scene(tiny, newborn)


def words(figure: Figure) -> set[str]:
    return {text.get_text() for axes in figure.axes for text in axes.texts}


def test_picture_names_everything(busy) -> None:
    found = words(draw(busy))
    assert {"ada", "ben", "cleo", "shower 1/1", "fridge", "rivals: rivalry or mistrust"} <= found
    assert {"waits for shower (1st)", "uses or holds", "objects", "residents"} <= found


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_file(busy, tmp_path, kind: str) -> None:
    path = tmp_path / f"town.{kind}"
    save(busy, str(path))
    assert path.stat().st_size > 10_000
    if kind == "png":
        pixels = imread(path)
        assert pixels.shape[0] > 600 and pixels.shape[1] > 900
        assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 50


def test_empty_town_can_be_drawn(tiny, newborn) -> None:
    newborn.agents.is_alive[:] = False
    assert "residents" in words(draw(scene(tiny, newborn)))


def test_window(busy) -> None:
    assert window(busy) == (0, 12, 0, 12)
    plain = dataclasses.replace(busy, ground=np.full((40, 40), OUTDOORS, np.int8))
    x_from, x_to, y_from, y_to = window(plain)
    assert (x_from, y_from) == (0, 0) and x_to < 20 and y_to < 20


@pytest.mark.parametrize(
    ("bond", "colour"),
    [
        (Bond(0, 1, 0.5, 0.5, 0.2), TRUST),
        (Bond(0, 1, 0.1, 0.5, 0.2), RIVALRY),
        (Bond(0, 1, -0.1, 0.5, 0.0), RIVALRY),
    ],
)
def test_bond_colour(bond: Bond, colour: str) -> None:
    assert bond_colour(bond) == colour


def test_weak_ties_are_not_drawn(busy) -> None:
    weak = dataclasses.replace(busy, bonds=(*busy.bonds, Bond(0, 2, 0.05, 0.0, 0.0)))
    assert shown_bonds(weak) == list(busy.bonds)


def test_boxes() -> None:
    box = Box(0, 0, 2, 1)
    assert box.overlap(Box(1, 0.5, 3, 3)) == 0.5
    assert box.overlap(Box(2, 0, 3, 1)) == 0
    assert box.overlap(Box(5, 5, 6, 6)) == 0


def test_labels_go_where_there_is_room() -> None:
    axes = Figure().add_subplot()
    axes.set(xlim=(0, 10), ylim=(10, 0))
    room = Room(axes, points=20)
    room.block(5, 6, 0.5)  # below the thing
    for name, x, y in (("first", 5, 5), ("second", 5, 9.9), ("third", 5, 5)):
        room.label(name, x, y, 0.5, 8, BELOW)
    place = {text.get_text(): text.get_position() for text in axes.texts}
    assert place["first"][1] < 5  # above
    assert place["second"][1] < 9.9  # below lies beyond the edge
    assert place["third"][0] > 5  # above is taken by now
    for x in range(3, 8):
        room.block(x, 5, 2)
    room.label("fourth", 5, 5, 0.5, 8, BELOW, 0.3)
    assert "fourth" not in {text.get_text() for text in axes.texts}
