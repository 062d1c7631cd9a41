"""A town as a picture. Needs matplotlib, which nothing else on this path imports."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from townlet_jax.ops import drawing_panel
from townlet_jax.ops.drawing_labels import ABOVE, BELOW, Room
from townlet_jax.ops.palette import (
    GROUND,
    INK,
    WAIT,
    bond_colour,
    object_colours,
    person_colour,
    shown_bonds,
)
from townlet_jax.ops.scene import OUTDOORS, Scene

MARGIN = 3
"""Cells shown around everything on a bare plain [tile]."""
MAX_COVER = 0.35
"""Share of a resident's name that may cover something else."""


def save(scene: Scene, path: str) -> None:
    """Draws a town into an image file; the ending of the name decides the format."""
    figure = draw(scene)
    kind = Path(path).suffix.lstrip(".").lower() or "png"
    with open(path, "wb") as file:
        figure.savefig(file, format=kind, dpi=130)


def draw(scene: Scene) -> Figure:
    """Draws the map on the left, and people, objects and the meaning of lines on the right."""
    x_from, x_to, y_from, y_to = window(scene)
    width, height = x_to - x_from, y_to - y_from
    longest = max(width, height)
    cell = min(max(9.6 / longest, 0.27), 12.9 / longest, 0.62)  # [inch]
    map_width, map_height = max(width * cell, 5.0), max(height * cell, 7.0)
    panel_width = 5.6
    figure = Figure(figsize=(map_width + panel_width + 0.8, map_height + 1.0), facecolor="white")
    total_width, total_height = figure.get_size_inches()
    left, bottom = 0.3 / total_width, 0.25 / total_height
    share = (map_width / total_width, map_height / total_height)
    axes = figure.add_axes((left, bottom, *share))
    panel = figure.add_axes(
        ((map_width + 0.55) / total_width, bottom, panel_width / total_width, share[1])
    )
    title = f"{scene.title}, {scene.moment}"
    top = 1 - 0.42 / total_height
    figure.text(left, top, title, size=17, weight="bold", color=INK, va="center")
    people = f"tick {scene.tick}, {len(scene.people)} residents"
    right = (map_width + 0.55 + panel_width) / total_width
    figure.text(right, top, people, size=10, color="#57606a", va="center", ha="right")
    _draw_map(axes, scene, cell)
    drawing_panel.draw(panel, scene, panel_width, map_height)
    return figure


def window(scene: Scene) -> tuple[int, int, int, int]:
    """Returns the part of the map worth showing: all of it, but the middle of a bare plain.

    Returns:
      x_from, x_to, y_from, y_to [tile]; the ends are not included.
    """
    height, width = scene.ground.shape
    spots = [place.position for place in scene.places]
    spots += [person.position for person in scene.people]
    if (scene.ground != OUTDOORS).any() or not spots:
        return 0, width, 0, height
    low, high = np.min(spots, axis=0) - MARGIN, np.max(spots, axis=0) + MARGIN + 1
    x_from, y_from = np.maximum(low, 0).tolist()
    x_to, y_to = np.minimum(high, (width, height)).tolist()
    return x_from, x_to, y_from, y_to


def _draw_map(axes: Axes, scene: Scene, cell: float) -> None:
    """Draws everything that has a place on the map.

    Args:
      axes: where to draw; one unit = one cell.
      scene: what to draw.
      cell: size of a cell [inch].
    """
    height, width = scene.ground.shape
    axes.imshow(scene.ground, ListedColormap(GROUND), vmin=0, vmax=len(GROUND) - 1, zorder=0)
    axes.set_xticks(np.arange(-0.5, width), labels=[])
    axes.set_yticks(np.arange(-0.5, height), labels=[])
    x_from, x_to, y_from, y_to = window(scene)
    axes.set(xlim=(x_from - 0.5, x_to - 0.5), ylim=(y_to - 0.5, y_from - 0.5), anchor="NW")
    axes.grid(color="white", linewidth=0.5, alpha=0.55, zorder=1)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set(color="#8b8794", linewidth=1.2)
    points = 72 * cell
    radius = 0.3 if cell > 0.3 else 0.42
    spots, room = _spots(scene, radius), Room(axes, points)
    for x, y in spots.values():
        room.block(x, y, radius)
    for place in scene.places:
        room.block(*place.position, 0.4)
    _draw_links(axes, scene, spots, points)
    _draw_places(axes, scene, points, room)
    _draw_people(axes, scene, spots, points, radius, room)


def _draw_places(axes: Axes, scene: Scene, points: float, room: Room) -> None:
    """Draws objects as tiles with the letter of their type, their name and their seats."""
    colours = object_colours(scene)
    middle: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "color": "white",
        "weight": "bold",
        "zorder": 4,
    }
    size = min(max(points * 0.27, 6), 9)
    for place in scene.places:
        (x, y), colour = place.position, colours[place.type]
        tile = FancyBboxPatch(
            (x - 0.4, y - 0.4), 0.8, 0.8, boxstyle="round,pad=0,rounding_size=0.16",
            facecolor=colour, edgecolor="white", linewidth=1, zorder=3,
        )  # fmt: skip
        axes.add_patch(tile)
        axes.text(x, y, place.letter, size=points * 0.4, **middle)
        seats = f" {place.load()}" if place.seats > 1 or place.users else ""
        style: dict[str, Any] = {"color": colour, "style": "italic", "zorder": 9.5}
        room.label(place.name + seats, x, y, 0.42, size, ABOVE, **style)


def _draw_people(
    axes: Axes,
    scene: Scene,
    spots: dict[int, tuple[float, float]],
    points: float,
    radius: float,
    room: Room,
) -> None:
    """Draws residents as dots with their names; a small number tells the place in a line."""
    places = {slot: i + 1 for place in scene.places for i, slot in enumerate(place.waiting)}
    middle: dict[str, Any] = {"ha": "center", "va": "center", "color": "white", "weight": "bold"}
    size = min(max(points * 0.29, 6.6), 10)
    for person in scene.people:
        x, y = spots[person.slot]
        colour = person_colour(person.slot)
        dot = Circle((x, y), radius, facecolor=colour, edgecolor="white", linewidth=1, zorder=8)
        axes.add_patch(dot)
        mark = scene.marks[person.slot]
        axes.text(x, y, mark, size=points * radius * 1.15, zorder=9, **middle)
        # In a crowd the mark alone must do; the panel tells whose it is.
        room.label(person.name, x, y, radius, size, BELOW, MAX_COVER, color=INK, zorder=10)
        if person.slot in places:
            u, v = x + radius * 0.85, y - radius * 0.85
            badge = Circle((u, v), radius * 0.5, facecolor=WAIT, edgecolor="white", zorder=11)
            axes.add_patch(badge)
            axes.text(
                u, v, str(places[person.slot]), size=points * radius * 0.6, zorder=12, **middle
            )


def _spots(scene: Scene, radius: float) -> dict[int, tuple[float, float]]:
    """Returns where each resident is drawn; those who share a cell stand in a ring.

    Args:
      scene: what to draw.
      radius: of a dot [tile].
    """
    objects = {place.position for place in scene.places}
    cells: dict[tuple[int, int], list[int]] = {}
    for person in scene.people:
        cells.setdefault(person.position, []).append(person.slot)
    spots = {}
    for (x, y), slots in cells.items():
        number = len(slots)
        ring = 0.0 if number == 1 and (x, y) not in objects else 0.42
        if number > 1:
            ring = max(ring, 1.05 * radius / np.sin(np.pi / number))
        for i, slot in enumerate(slots):
            angle = np.pi * (1 + 2 * i / number) if number > 1 else np.pi / 4
            spots[slot] = (x + ring * np.cos(angle), y + ring * np.sin(angle))
    return spots


def _draw_links(
    axes: Axes, scene: Scene, spots: dict[int, tuple[float, float]], points: float
) -> None:
    """Draws ties, and who uses and who waits for what."""
    for bond in shown_bonds(scene):
        weight = min(bond.strength, 1.5) / 1.5
        curve = FancyArrowPatch(
            spots[bond.a], spots[bond.b], connectionstyle="arc3,rad=0.16", arrowstyle="-",
            color=bond_colour(bond), linewidth=0.7 + 1.8 * weight, alpha=0.3 + 0.45 * weight,
            zorder=6,
        )  # fmt: skip
        axes.add_patch(curve)
    for place in scene.places:
        for slot in place.users:
            (x, y), (u, v) = spots[slot], place.position
            axes.plot([x, u], [y, v], color=WAIT, linewidth=1.3, alpha=0.75, zorder=2)
        for slot in place.waiting:
            arrow = FancyArrowPatch(
                spots[slot], place.position, arrowstyle="-|>", mutation_scale=points * 0.3,
                linestyle=(0, (3, 2)), color=WAIT, linewidth=1.1, shrinkA=points * 0.3,
                shrinkB=points * 0.42, zorder=7,
            )  # fmt: skip
            axes.add_patch(arrow)
