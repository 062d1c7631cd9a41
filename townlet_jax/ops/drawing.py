"""A town as a picture. Needs matplotlib, which nothing else on this path imports."""

from pathlib import Path

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from townlet_jax.ops import drawing_panel
from townlet_jax.ops.palette import (
    GROUND,
    INK,
    WAIT,
    bond_colour,
    object_colours,
    person_colour,
    shown_bonds,
)
from townlet_jax.ops.scene import OUTDOORS, Bond, Place, Scene

MARGIN = 3
"""Cells shown around everything on a bare plain [tile]."""

_HALO = [patheffects.withStroke(linewidth=2.2, foreground="white")]


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
    colours = object_colours(scene)
    points = 72 * cell
    for place in scene.places:
        _draw_place(axes, place, colours[place.type], points)
    spots = _spots(scene)
    for bond in shown_bonds(scene):
        _draw_bond(axes, bond, spots)
    for place in scene.places:
        for number, slot in enumerate(place.waiting, start=1):
            _draw_wait(axes, spots[slot], place.position, number, points)
    for person in scene.people:
        x, y = spots[person.slot]
        radius = 0.3 if cell > 0.3 else 0.42
        colour = person_colour(person.slot)
        dot = Circle((x, y), radius, facecolor=colour, edgecolor="white", linewidth=1, zorder=8)
        axes.add_patch(dot)
        mark = scene.marks[person.slot]
        style = {"ha": "center", "va": "center", "zorder": 9}
        axes.text(x, y, mark, size=points * radius * 1.15, color="white", weight="bold", **style)
        name_size = min(max(points * 0.29, 6.6), 10)
        name_style = {"ha": "center", "va": "top", "zorder": 10, "path_effects": _HALO}
        axes.text(x, y + radius, person.name, size=name_size, color=INK, **name_style)


def _draw_place(axes: Axes, place: Place, colour: str, points: float) -> None:
    """Draws an object as a tile with the letter of its type, its name and its seats."""
    x, y = place.position
    tile = FancyBboxPatch(
        (x - 0.4, y - 0.4), 0.8, 0.8, boxstyle="round,pad=0,rounding_size=0.16",
        facecolor=colour, edgecolor="white", linewidth=1, zorder=3,
    )  # fmt: skip
    axes.add_patch(tile)
    middle = {"ha": "center", "va": "center", "zorder": 4}
    axes.text(x, y, place.letter, size=points * 0.4, color="white", weight="bold", **middle)
    seats = f" {place.load()}" if place.seats > 1 or place.used else ""
    label = {"ha": "center", "va": "bottom", "zorder": 5, "path_effects": _HALO}
    size = min(max(points * 0.27, 6), 9)
    axes.text(x, y - 0.42, place.name + seats, size=size, color=colour, style="italic", **label)


def _spots(scene: Scene) -> dict[int, tuple[float, float]]:
    """Returns where each resident is drawn; those who share a cell stand around its middle."""
    objects = {place.position for place in scene.places}
    cells: dict[tuple[int, int], list[int]] = {}
    for person in scene.people:
        cells.setdefault(person.position, []).append(person.slot)
    spots = {}
    for (x, y), slots in cells.items():
        is_alone = len(slots) == 1 and (x, y) not in objects
        for i, slot in enumerate(slots):
            angle = np.pi / 4 + 2 * np.pi * i / max(len(slots), 3)
            radius = 0.0 if is_alone else 0.42
            spots[slot] = (x + radius * np.cos(angle), y + radius * np.sin(angle))
    return spots


def _draw_bond(axes: Axes, bond: Bond, spots: dict[int, tuple[float, float]]) -> None:
    """Draws a tie as a thin curve, thicker and darker for a stronger one."""
    weight = min(bond.strength, 1.5) / 1.5
    curve = FancyArrowPatch(
        spots[bond.a], spots[bond.b], connectionstyle="arc3,rad=0.16", arrowstyle="-",
        color=bond_colour(bond), linewidth=0.7 + 1.8 * weight, alpha=0.3 + 0.45 * weight, zorder=6,
    )  # fmt: skip
    axes.add_patch(curve)


def _draw_wait(
    axes: Axes, start: tuple[float, float], end: tuple[int, int], number: int, points: float
) -> None:
    """Links a waiting resident to its object, with its place in the line."""
    arrow = FancyArrowPatch(
        start, end, arrowstyle="-|>", mutation_scale=points * 0.35, linestyle=(0, (3, 2)),
        color=WAIT, linewidth=1.1, shrinkA=points * 0.3, shrinkB=points * 0.35, zorder=7,
    )  # fmt: skip
    axes.add_patch(arrow)
    x, y = (np.array(start) + np.array(end)) / 2
    style = {"ha": "center", "va": "center", "zorder": 11, "path_effects": _HALO}
    axes.text(x, y, str(number), size=points * 0.28, color=WAIT, weight="bold", **style)
