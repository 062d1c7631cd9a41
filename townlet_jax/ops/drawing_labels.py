"""Finds room for labels in a picture, so that they cover neither things nor each other."""

import dataclasses
from typing import Any

from matplotlib import patheffects
from matplotlib.axes import Axes

_HALO = [patheffects.withStroke(linewidth=2.2, foreground="white")]
_CHARACTER, _LINE = 0.6, 1.15
"""Mean width of a character and height of a line, by font size."""
BELOW, ABOVE = ("below", "above", "right", "left"), ("above", "below", "right", "left")
"""Sides of a thing in the order in which a label tries them."""


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle [tile]; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """Returns the area common to both [tile^2]."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)


class Room:
    """What is taken on a map."""

    def __init__(self, axes: Axes, points: float):
        """Starts with an empty map.

        Args:
          axes: where to draw; one unit = one cell.
          points: size of a cell [1/72 inch].
        """
        self._axes, self._points = axes, points
        self._boxes: list[Box] = []

    def block(self, x: float, y: float, radius: float) -> None:
        """Takes a square around a point."""
        self._boxes.append(Box(x - radius, y - radius, x + radius, y + radius))

    def label(
        self, text: str, x: float, y: float, gap: float, size: float, sides: tuple[str, ...],
        max_cover: float = float("inf"), **style: Any,
    ) -> None:  # fmt: skip
        """Writes a label on the side of a thing that leaves most of the rest visible.

        Args:
          text: the label. size: font size.
          x, y: middle of the thing. gap: distance of the label from it.
          sides: in order of preference.
          max_cover: share of the label that may cover other things; beyond it nothing is written.
          **style: further properties of the text.
        """
        width = _CHARACTER * size * len(text) / self._points
        height = _LINE * size / self._points
        choices = {
            "below": (x - width / 2, y + gap),
            "above": (x - width / 2, y - gap - height),
            "right": (x + gap, y - height / 2),
            "left": (x - gap - width, y - height / 2),
        }
        boxes = [Box(u, v, u + width, v + height) for u, v in (choices[side] for side in sides)]
        best = min(boxes, key=lambda box: round(self._cost(box), 3))
        if self._cost(best) > max_cover * width * height:
            return
        self._boxes.append(best)
        u, v = (best.left + best.right) / 2, (best.top + best.bottom) / 2
        align: dict[str, Any] = {"ha": "center", "va": "center_baseline", "path_effects": _HALO}
        self._axes.text(u, v, text, size=size, **align, **style)

    def _cost(self, box: Box) -> float:
        """Returns the area that a label would cover or lose beyond the edge of the map."""
        left, right = sorted(self._axes.get_xlim())
        top, bottom = sorted(self._axes.get_ylim())
        area = (box.right - box.left) * (box.bottom - box.top)
        outside = area - box.overlap(Box(left, top, right, bottom))
        return outside + sum(box.overlap(other) for other in self._boxes)
