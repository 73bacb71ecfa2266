"""Cut a rectangle into pieces as large as weights say, none of them longer than it need be. Pure.

Source: Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle: its corner at the top left, and its sides."""

    x: float
    y: float
    width: float
    height: float

    def inside(self, edge: float, top: float = 0.0) -> "Box":
        """Return it without an edge all around, and a heading; never less than nothing."""
        return Box(
            self.x + edge,
            self.y + edge + top,
            max(self.width - 2 * edge, 0.0),
            max(self.height - 2 * edge - top, 0.0),
        )


def cut(weights: Sequence[float], box: Box) -> list[Box]:
    """Return a piece of the box for each weight, in their order: the largest weights should come first.

    Args:
        weights: each more than nothing.
        box: what to cut; its area is shared out in proportion to the weights.
    """
    total = sum(weights)
    if not total:
        return [Box(box.x, box.y, 0.0, 0.0) for _ in weights]
    scale = box.width * box.height / total
    return list(_laid([weight * scale for weight in weights], box))


def _laid(areas: Sequence[float], box: Box) -> Iterator[Box]:
    at = 0
    while at < len(areas):
        side = min(box.width, box.height)
        end = at + 1
        while end < len(areas) and _worst(areas[at : end + 1], side) <= _worst(areas[at:end], side):
            end += 1
        pieces, box = _row(areas[at:end], box)
        yield from pieces
        at = end


def _worst(areas: Sequence[float], side: float) -> float:
    """Return how much longer than wide the worst piece of a row is."""
    total = sum(areas)
    if not total or not side:
        return float("inf")
    return max(side * side * max(areas) / total**2, total**2 / (side * side * min(areas) or 1e-12))


def _row(areas: Sequence[float], box: Box) -> tuple[list[Box], Box]:
    """Lay a row along the shorter side of a box; return it, and what is left.

    What is left of a side after many cuts is not exact: nothing may stand out of the box for that.
    """
    total = sum(areas)
    side = min(box.width, box.height)
    deep = min(total / side, max(box.width, box.height)) if side else 0.0
    pieces, at = [], 0.0
    for area in areas:
        length = min(area / deep, side - at) if deep else 0.0
        if box.width >= box.height:
            pieces.append(Box(box.x, box.y + at, deep, length))
        else:
            pieces.append(Box(box.x + at, box.y, length, deep))
        at += length
    if box.width >= box.height:
        return pieces, Box(box.x + deep, box.y, max(box.width - deep, 0.0), box.height)
    return pieces, Box(box.x, box.y + deep, box.width, max(box.height - deep, 0.0))
