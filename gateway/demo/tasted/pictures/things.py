"""What lies on a plate, one function a shape: scattered evenly, a little out of line, and the same every time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import msgspec

from gateway.demo.language.words import draw
from gateway.demo.tasted.pictures.canvas import Canvas, Point
from gateway.demo.tasted.pictures.palette import darker, lighter

__all__ = ["SHAPES", "Area"]

#: Turning by it from point to point covers a disc evenly (the golden angle).
_TURN = math.pi * (3 - math.sqrt(5))


class Area(msgspec.Struct, frozen=True):
    """Where food lies: an ellipse, and the *seed* that decides how."""

    centre: Point
    radii: Point
    seed: str

    def spread(self, count: int, within: float = 0.9) -> Iterator[tuple[Point, float]]:
        """Yield *count* points, each with an angle of its own."""
        turned = self.chance("turn") * math.tau
        for number in range(count):
            far = within * math.sqrt((number + 0.5) / count)
            angle = turned + number * _TURN + (self.chance(f"a{number}") - 0.5) * 0.5
            yield self.at(far, angle), self.chance(f"b{number}") * math.tau

    def at(self, far: float, angle: float) -> Point:
        """Return the point so *far* (1: at the edge) in the direction of *angle*."""
        (x, y), (across, down) = self.centre, self.radii
        return x + far * across * math.cos(angle), y + far * down * math.sin(angle)

    def chance(self, what: str) -> float:
        """Return a number from 0 to 1 that *what* decides."""
        return draw(f"{self.seed}:{what}", 1_000) / 1_000


def _dots(canvas: Canvas, area: Area, colour: str) -> None:
    for (x, y), angle in area.spread(16):
        size = 7 + 2 * math.sin(angle)
        canvas.circle((x, y + 2), size, darker(colour))
        canvas.circle((x, y), size, colour)
        canvas.circle((x - 2, y - 2), size / 3, lighter(colour))


def _specks(canvas: Canvas, area: Area, colour: str) -> None:
    for point, _ in area.spread(70, 0.95):
        canvas.circle(point, 1.6, colour)


def _curds(canvas: Canvas, area: Area, colour: str) -> None:
    for (x, y), angle in area.spread(46, 0.85):
        size = 10 + 3 * math.sin(angle)
        canvas.ellipse((x, y + 2), (size * 1.2, size * 0.8), darker(colour, 0.12))
        canvas.ellipse((x, y), (size * 1.2, size * 0.8), lighter(colour, 0.12 if angle < math.pi else 0.0))


def _leaves(canvas: Canvas, area: Area, colour: str) -> None:
    for point, angle in area.spread(7, 0.7):
        canvas.leaf((point[0], point[1] + 2), 30, angle, darker(colour, 0.3))
        canvas.leaf(point, 28, angle, colour)
        canvas.leaf(point, 20, angle, lighter(colour, 0.15))


def _drops(canvas: Canvas, area: Area, colour: str) -> None:
    for (x, y), angle in area.spread(6, 0.6):
        canvas.ellipse((x, y), (15 + 4 * math.sin(angle), 10), colour)
        canvas.ellipse((x - 3, y - 3), (4, 2), lighter(colour))


def _discs(canvas: Canvas, area: Area, colour: str) -> None:
    for number in range(6):
        (x, y) = area.at(0.5, number * math.tau / 6)
        across, down = area.radii[0] * 0.36, area.radii[1] * 0.36
        canvas.ellipse((x, y + 4), (across, down), darker(colour, 0.3))
        canvas.ellipse((x, y), (across, down), darker(colour, 0.1))
        canvas.ellipse((x, y), (across * 0.86, down * 0.86), lighter(colour, 0.15))


def _rings(canvas: Canvas, area: Area, colour: str) -> None:
    for point, _ in area.spread(9, 0.8):
        canvas.circle((point[0], point[1] + 2), 17, darker(colour, 0.35))
        canvas.circle(point, 17, colour)
        canvas.circle(point, 13, lighter(colour, 0.45))
        canvas.circle(point, 4, lighter(colour, 0.2))


def _cube(canvas: Canvas, area: Area, colour: str) -> None:
    for (x, y), angle in area.spread(11, 0.72):
        canvas.square((x, y + 5), 21, angle, darker(colour, 0.3))
        canvas.square((x, y), 21, angle, colour)
        canvas.square((x, y), 13, angle, lighter(colour, 0.2))


def _swirl(canvas: Canvas, area: Area, colour: str) -> None:
    points = [area.at(0.1 + 0.56 * step / 60, step / 60 * math.tau * 1.8) for step in range(61)]
    canvas.stroke(points, 8, colour)


def _strands(canvas: Canvas, area: Area, colour: str) -> None:
    for number, (_, angle) in enumerate(area.spread(34)):
        begin, bend = 0.25 + 0.6 * area.chance(f"s{number}"), 0.8 + area.chance(f"t{number}")
        points = [area.at(begin * (1 - 0.25 * step / 8), angle + bend * step / 8 * 1.6) for step in range(9)]
        canvas.stroke(points, 5.5, darker(colour, 0.15))
        canvas.stroke([(x, y - 1) for x, y in points], 3.5, lighter(colour, 0.1 + 0.2 * area.chance(f"u{number}")))


def _tubes(canvas: Canvas, area: Area, colour: str) -> None:
    for (x, y), angle in area.spread(24, 0.82):
        dx, dy = 15 * math.cos(angle), 15 * math.sin(angle)
        canvas.stroke(((x - dx, y - dy + 2), (x + dx, y + dy + 2)), 13, darker(colour, 0.25))
        canvas.stroke(((x - dx, y - dy), (x + dx, y + dy)), 11, colour)
        canvas.circle((x + dx, y + dy), 3.5, darker(colour, 0.4))


def _slices(canvas: Canvas, area: Area, colour: str) -> None:
    for number in range(5):
        x, y = area.at(0.55, math.pi * (0.2 + number * 0.4))
        canvas.box((x, y + 4), (62, 46), darker(colour, 0.3), round_by=14)
        canvas.box((x, y), (62, 46), darker(colour, 0.08), round_by=14)
        canvas.box((x, y), (48, 33), lighter(colour, 0.25), round_by=10)


def _folds(canvas: Canvas, area: Area, colour: str) -> None:
    (x, y), (across, down) = area.centre, area.radii
    for number, lift in enumerate((0.3, 0.0, -0.3)):
        centre = (x + (number - 1) * across * 0.12, y + lift * down)
        half = [area.at(0.82, math.pi + math.pi * step / 24) for step in range(25)]
        shape = [(px + centre[0] - x, py + centre[1] - y + down * 0.3) for px, py in half]
        canvas.polygon([(px, py + 5) for px, py in shape], darker(colour, 0.3))
        canvas.polygon(shape, lighter(colour, 0.1 * number))


def _eggs(canvas: Canvas, area: Area, colour: str) -> None:
    for number in range(4):
        x, y = area.at(0.5, math.pi / 4 + number * math.pi / 2)
        canvas.ellipse((x, y + 3), (35, 28), "#d8cdb4")
        canvas.ellipse((x, y), (35, 28), "#fdf9ef")
        canvas.circle((x + 2, y), 12, darker(colour, 0.08))
        canvas.circle((x, y - 2), 9, lighter(colour, 0.2))


def _cake(canvas: Canvas, area: Area, colour: str) -> None:
    (x, y), (across, down) = area.centre, area.radii
    canvas.ellipse((x, y + 6), (across * 0.88, down * 0.88), darker(colour, 0.35))
    canvas.ellipse((x, y), (across * 0.88, down * 0.88), darker(colour, 0.1))
    canvas.ellipse((x, y), (across * 0.8, down * 0.8), lighter(colour, 0.08))


def _loaf(canvas: Canvas, area: Area, colour: str) -> None:
    (x, y), (across, down) = area.centre, area.radii
    canvas.box((x, y + 6), (across * 1.5, down * 1.15), darker(colour, 0.35), round_by=down * 0.5)
    canvas.box((x, y), (across * 1.5, down * 1.15), colour, round_by=down * 0.5)
    canvas.box((x, y - 6), (across * 1.3, down * 0.8), lighter(colour, 0.15), round_by=down * 0.38)
    for number in range(3):
        left = x + (number - 1) * across * 0.42
        canvas.stroke(((left - 12, y + down * 0.24), (left + 14, y - down * 0.3)), 6, lighter(colour, 0.5))


def _roast(canvas: Canvas, area: Area, colour: str) -> None:
    (x, y), (across, down) = area.centre, area.radii
    for side in (-1, 1):
        knee = (x + side * across * 0.78, y + down * 0.5)
        canvas.stroke(((x + side * across * 0.3, y + 8), knee), 34, darker(colour))
        canvas.stroke((knee, (x + side * across * 0.92, y + down * 0.6)), 13, "#f4ead8")
    canvas.ellipse((x, y + 5), (across * 0.55, down * 0.68), darker(colour, 0.3))
    canvas.ellipse((x, y), (across * 0.55, down * 0.68), colour)
    canvas.ellipse((x - 14, y - 16), (across * 0.24, down * 0.32), lighter(colour, 0.25))


def _fillet(canvas: Canvas, area: Area, colour: str) -> None:
    (x, y), (across, down) = area.centre, area.radii
    canvas.box((x, y + 6), (across * 1.5, down * 0.85), darker(colour, 0.3), round_by=26)
    canvas.box((x, y), (across * 1.5, down * 0.85), colour, round_by=26)
    for number in range(5):
        left = x + (number - 2) * across * 0.26
        bow = [(left + 16 * math.sin(math.pi * step / 8), y + down * (step / 8 - 0.5) * 0.7) for step in range(9)]
        canvas.stroke(bow, 4, lighter(colour, 0.5))


def _florets(canvas: Canvas, area: Area, colour: str) -> None:
    for (x, y), _ in area.spread(8, 0.75):
        canvas.stroke(((x, y + 4), (x, y + 18)), 8, lighter(colour, 0.4))
        for dx, dy in ((-8, 0), (8, 0), (0, -7), (0, 3)):
            canvas.circle((x + dx, y + dy), 9, darker(colour, 0.1 if dy else 0.0))
        canvas.circle((x - 3, y - 6), 4, lighter(colour, 0.2))


#: Each shape that a recipe may name.
SHAPES: Mapping[str, Callable[[Canvas, Area, str], None]] = {
    "cake": _cake,
    "cube": _cube,
    "curds": _curds,
    "discs": _discs,
    "dots": _dots,
    "drops": _drops,
    "eggs": _eggs,
    "fillet": _fillet,
    "florets": _florets,
    "folds": _folds,
    "leaves": _leaves,
    "loaf": _loaf,
    "rings": _rings,
    "roast": _roast,
    "slices": _slices,
    "specks": _specks,
    "strands": _strands,
    "swirl": _swirl,
    "tubes": _tubes,
}
