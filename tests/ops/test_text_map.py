"""The town as text."""

import dataclasses
import io

import numpy as np

from townlet_jax.ops.scene import Scene, scene
from townlet_jax.ops.terminal import console
from townlet_jax.ops.text_map import picture, queues, town_map


def text(renderable) -> list[str]:
    out = io.StringIO()
    console(out).print(renderable)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_tiny_town(tiny, newborn) -> None:
    newborn.agents.position[1] = (3, 3)  # on the beds
    lines = text(picture(scene(tiny, newborn)))
    assert lines[0] == "tiny  day 1 00:00 (tick 0)"
    assert lines[2:9] == [
        "· · · · · · · · · · · ·",
        "· ##########+ ########·",
        "· ##. . . . . . F . ##·",
        "· ##. Bb. . . . . . ##·",
        "· ##. . . . c . . . + ·",
        "· ##S . a . . . T . ##·",
        "· ######+ ############·",
    ]
    assert "a  ada   (4, 5)  just arrived" in lines
    assert "B  bed      beds 0/3" in lines


def test_narrow_and_crowded_maps(tiny, newborn) -> None:
    newborn.agents.position[:] = (3, 3)
    drawn = scene(tiny, newborn)
    assert any("B*" in line for line in text(town_map(drawn)))
    wide = np.pad(drawn.ground, ((0, 0), (0, 52)), constant_values=5)
    narrow = text(town_map(dataclasses.replace(drawn, ground=wide)))
    assert len(narrow[0]) == 64
    assert narrow[3].startswith("·#.*....")
    assert "*  several residents" in text(picture(drawn))


def test_queues_and_ties(tiny, newborn) -> None:
    shower = tiny.names.objects.index("shower")
    newborn.queues.holder[shower] = 2
    newborn.queues.waiting_for[:2] = shower
    newborn.queues.joined_tick[:2] = [5, 4]
    newborn.relationships.is_tie[0, 1] = True
    newborn.relationships.trust[0, 1] = 0.5
    drawn = scene(tiny, newborn)
    assert queues(drawn) == ["shower: cleo in front of ben, ada"]
    assert "  ada and ben: trust +0.25, familiarity +0.00, rivalry 0.00" in text(picture(drawn))


def test_empty_town(tiny, newborn) -> None:
    newborn.agents.is_alive[:] = False
    drawn: Scene = scene(tiny, newborn)
    assert drawn.people == ()
    assert "queues" not in text(picture(drawn))
