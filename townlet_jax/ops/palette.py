"""Colours of a town's picture, and which ties are worth a line."""

import colorsys
from collections.abc import Iterable

from townlet_jax.ops.scene import Bond, Scene

GROUND = ("#f4ead8", "#5d5866", "#c58f52", "#cfccc7", "#b7d19a", "#e9e9dd")
"""Colour of each tile kind: floor, wall, door, road, grass, outdoors."""
OBJECTS = ("#8e6bb5", "#3f7cac", "#d1793f", "#4f8f6b", "#b5534d", "#2f8f9d", "#9a7b3c", "#6b7280")
"""Colours of object types, in turn."""
TRUST, RIVALRY, ACQUAINTANCE, WAIT = "#2e8b57", "#c0392b", "#7d8aa0", "#1f2933"
INK = "#24292f"
NEEDS = {"hunger": "#d1793f", "hygiene": "#3f7cac", "energy": "#8e6bb5"}
"""Colours of the needs."""
STORIES = {
    "talk": "#2e8b57", "queue": "#c0392b", "work": "#3f7cac", "money": "#b58a2b",
    "life": "#24292f", "town": "#8e6bb5", "daily": "#a3adba",
}  # fmt: skip
"""Colours of what stories are about."""
LOW, ALARM = 0.3, "#cf222e"
"""Needs below the first are drawn in the second."""
MIN_BOND = 0.1
"""Ties weaker than this are not drawn."""
TIES_EACH = 2
"""Ties drawn per resident, so that the picture stays readable."""


def object_colours(scene: Scene) -> dict[str, str]:
    """Returns the colour of each object type."""
    return type_colours(place.type for place in scene.places)


def type_colours(types: Iterable[str]) -> dict[str, str]:
    """Returns the colour of each of these object types."""
    return {kind: OBJECTS[i % len(OBJECTS)] for i, kind in enumerate(sorted(set(types)))}


def person_colour(slot: int) -> tuple[float, float, float]:
    """Returns a colour per slot; neighbouring slots differ widely."""
    return colorsys.hls_to_rgb(slot * 0.618034 % 1, 0.42, 0.62)


def bond_colour(bond: Bond) -> str:
    """Returns red for rivals, green for trust, grey for mere acquaintance."""
    if bond.rivalry > max(bond.trust, 0.0) or bond.trust < 0:
        return RIVALRY
    return TRUST if bond.trust >= 0.05 else ACQUAINTANCE


def shown_bonds(scene: Scene) -> list[Bond]:
    """Chooses the ties to draw: the strongest of each resident."""
    count = dict.fromkeys((person.slot for person in scene.people), 0)
    shown = []
    for bond in scene.bonds:
        is_wanted = count[bond.a] < TIES_EACH or count[bond.b] < TIES_EACH
        if bond.strength >= MIN_BOND and is_wanted:
            shown.append(bond)
            count[bond.a] += 1
            count[bond.b] += 1
    return shown
