"""The right-hand side of a town's picture: residents with their needs, objects, line styles."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from townlet_jax.ops import palette
from townlet_jax.ops.census import NEEDS, Resident
from townlet_jax.ops.scene import Scene

_GREY = "#57606a"


def draw(axes: Axes, scene: Scene, width: float, height: float) -> None:
    """Fills the panel.

    Args:
      axes: where to draw; one unit = one inch, y grows downwards.
      scene: what to draw.
      width, height: size of the panel [inch].
    """
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    types = sorted({(place.type, place.letter) for place in scene.places})
    legend_height = 0.3 + 0.27 * len(types) + 0.45 + 0.27 * len(_lines(scene))
    room = height - legend_height - 0.75
    row = min(0.42, max(0.12, room / max(len(scene.people), 1)))
    _heading(axes, 0.0, "residents", width)
    for i, name in enumerate(NEEDS):
        axes.text(1.32 + 0.62 * i, 0.22, name, size=7, color=_GREY, ha="left", va="center")
    axes.text(3.5, 0.22, "money", size=7, color=_GREY, ha="right", va="center")
    for i, person in enumerate(scene.people):
        _draw_person(axes, scene, person, 0.42 + i * row, min(row, 0.34))
    y = 0.42 + len(scene.people) * row + 0.2
    y = _draw_types(axes, scene, types, y, width)
    _draw_lines(axes, scene, y + 0.2, width)


def _heading(axes: Axes, y: float, text: str, width: float) -> None:
    axes.text(0, y, text, size=10.5, weight="bold", color=palette.INK, va="center")
    axes.plot([0, width], [y + 0.12, y + 0.12], color="#d0d7de", linewidth=0.8)


def _draw_person(axes: Axes, scene: Scene, person: Resident, y: float, row: float) -> None:
    """Draws one line: dot, name, needs, money, what it is doing."""
    size = min(8.5, 72 * row * 0.42)
    colour = palette.person_colour(person.slot)
    axes.plot([0.1], [y], marker="o", markersize=size * 1.35, color=colour)
    middle: dict[str, Any] = {"va": "center", "size": size}
    axes.text(
        0.1, y, scene.marks[person.slot], color="white", ha="center", va="center",
        size=size * 0.75, weight="bold",
    )  # fmt: skip
    axes.text(0.26, y, _cut(person.name, 13), color=palette.INK, weight="bold", **middle)
    for i, need in enumerate(NEEDS):
        level = person.needs[need]
        x, thick = 1.32 + 0.62 * i, min(0.11, row * 0.5)
        axes.add_patch(Rectangle((x, y - thick / 2), 0.52, thick, color="#eaeef2"))
        fill = palette.ALARM if level < palette.LOW else palette.NEEDS[need]
        axes.add_patch(Rectangle((x, y - thick / 2), 0.52 * level, thick, color=fill))
    axes.text(3.5, y, f"{person.money:.2f}", color=palette.INK, ha="right", **middle)
    axes.text(3.62, y, _cut(person.doing(), 34), color=_GREY, va="center", size=size * 0.86)


def _draw_types(
    axes: Axes, scene: Scene, types: list[tuple[str, str]], y: float, width: float
) -> float:
    """Explains the letters of objects; returns where the next part begins."""
    if not types:
        return y
    _heading(axes, y, "objects", width)
    y += 0.3
    colours = palette.object_colours(scene)
    for kind, letter in types:
        tile = FancyBboxPatch(
            (0.02, y - 0.08), 0.16, 0.16, boxstyle="round,pad=0,rounding_size=0.03",
            color=colours[kind],
        )  # fmt: skip
        axes.add_patch(tile)
        style: dict[str, Any] = {"ha": "center", "va": "center", "size": 7, "weight": "bold"}
        axes.text(0.1, y, letter, color="white", **style)
        axes.text(0.26, y, kind.replace("_", " "), size=8.5, va="center", color=palette.INK)
        places = [place for place in scene.places if place.type == kind]
        names = ", ".join(f"{place.name} {place.load()}" for place in places)
        axes.text(1.32, y, _cut(names, 60), size=7.5, va="center", color=_GREY)
        y += 0.27
    return y


def _lines(scene: Scene) -> list[tuple[str, str, str]]:
    """Returns (colour, style, meaning) of the lines that occur in the picture."""
    colours = {palette.bond_colour(bond) for bond in palette.shown_bonds(scene)}
    meanings = {
        palette.TRUST: "friends: trust",
        palette.RIVALRY: "rivals: rivalry or mistrust",
        palette.ACQUAINTANCE: "acquainted: familiarity only",
    }
    lines = [(colour, "-", text) for colour, text in meanings.items() if colour in colours]
    if any(place.users for place in scene.places):
        lines.append((palette.WAIT, "-", "uses or holds"))
    if any(place.waiting for place in scene.places):
        lines.append((palette.WAIT, "--", "waits for; the number is the place in line"))
    return lines


def _draw_lines(axes: Axes, scene: Scene, y: float, width: float) -> None:
    """Explains the lines between residents."""
    lines = _lines(scene)
    if not lines:
        return
    _heading(axes, y, "lines", width)
    for i, (colour, style, text) in enumerate(lines):
        height = y + 0.3 + 0.27 * i
        axes.plot([0.02, 0.9], [height, height], color=colour, linestyle=style, linewidth=1.8)
        axes.text(1.32, height, text, size=8.5, va="center", color=palette.INK)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
