"""A small painter: filled shapes on a canvas, smoothed by painting three times as large, written as PNG.

A point of the large canvas is one byte, the number of its colour, so that a shape is a slice a line.  What nine of them
become together is looked up, and mostly it was seen before.  https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

__all__ = ["HEIGHT", "WIDTH", "Canvas", "Point"]

WIDTH, HEIGHT = 480, 320
_SCALE = 3
#: Corners of what stands for a round end of a stroke.
_ROUND = 10

Point = tuple[float, float]


class Canvas:
    """What is painted later lies over what was painted before.  Colours are ``#rrggbb``."""

    def __init__(self, background: str) -> None:
        self._colours: dict[str, int] = {}
        self._width = WIDTH * _SCALE
        self._rows = [bytearray([self._number(background)]) * self._width for _ in range(HEIGHT * _SCALE)]

    def ellipse(self, centre: Point, radii: Point, colour: str) -> None:
        """Fill an ellipse."""
        (x, y), (across, down) = centre, radii
        for row, at in self._lines(y - down, y + down):
            rest = 1 - ((at - y) / down) ** 2
            if rest > 0:
                half = across * math.sqrt(rest)
                self._fill(row, x - half, x + half, colour)

    def circle(self, centre: Point, radius: float, colour: str) -> None:
        """Fill a circle."""
        self.ellipse(centre, (radius, radius), colour)

    def polygon(self, points: Sequence[Point], colour: str) -> None:
        """Fill a polygon; where it crosses itself, every other part."""
        edges = list(zip(points, [*points[1:], points[0]], strict=True))
        for row, at in self._lines(min(y for _, y in points), max(y for _, y in points)):
            crossings = sorted(
                x0 + (at - y0) * (x1 - x0) / (y1 - y0) for (x0, y0), (x1, y1) in edges if (y0 <= at) != (y1 <= at)
            )
            for left, right in zip(crossings[::2], crossings[1::2], strict=True):
                self._fill(row, left, right, colour)

    def box(self, centre: Point, size: Point, colour: str, *, round_by: float = 0.0) -> None:
        """Fill an upright rectangle with round corners."""
        (x, y), (across, down) = centre, (size[0] / 2, size[1] / 2)
        for row, at in self._lines(y - down, y + down):
            inside = max(0.0, abs(at - y) - (down - round_by))
            cut = round_by - math.sqrt(max(0.0, round_by**2 - inside**2))
            self._fill(row, x - across + cut, x + across - cut, colour)

    def stroke(self, points: Sequence[Point], width: float, colour: str) -> None:
        """Draw a line of round ends through *points*."""
        for (x0, y0), (x1, y1) in pairwise(points):
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            dx, dy = (y1 - y0) / length * width / 2, (x0 - x1) / length * width / 2
            self.polygon(((x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy)), colour)
        for point in points:
            self.circle(point, width / 2, colour)

    def leaf(self, centre: Point, length: float, angle: float, colour: str) -> None:
        """Fill a leaf that points to *angle*."""
        self.polygon([_turned(centre, angle, point) for point in _leaf(length)], colour)

    def square(self, centre: Point, side: float, angle: float, colour: str) -> None:
        """Fill a square, turned by *angle*."""
        half = side / 2
        corners = ((-half, -half), (half, -half), (half, half), (-half, half))
        self.polygon([_turned(centre, angle, corner) for corner in corners], colour)

    def png(self) -> bytes:
        """Return the picture as a file."""
        mixed = _Mixed([bytes.fromhex(colour[1:]) for colour in self._colours])
        lines = bytearray()
        for top in range(0, len(self._rows), _SCALE):
            columns = [row[at::_SCALE] for row in self._rows[top : top + _SCALE] for at in range(_SCALE)]
            # Each line begins with its filter: none, because flat colours pack well as they are.
            lines += b"\0" + b"".join(map(mixed.__getitem__, zip(*columns, strict=True)))
        head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(lines), 9)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)

    def _number(self, colour: str) -> int:
        return self._colours.setdefault(colour, len(self._colours))

    def _lines(self, top: float, bottom: float) -> Iterable[tuple[int, float]]:
        """Yield the lines whose middle lies between *top* and *bottom*, each with where that is."""
        first = max(0, math.ceil(top * _SCALE - 0.5))
        last = min(len(self._rows) - 1, math.floor(bottom * _SCALE - 0.5))
        return ((row, (row + 0.5) / _SCALE) for row in range(first, last + 1))

    def _fill(self, row: int, left: float, right: float, colour: str) -> None:
        start = min(max(0, round(left * _SCALE)), self._width)
        end = min(max(start, round(right * _SCALE)), self._width)
        self._rows[row][start:end] = bytes([self._number(colour)]) * (end - start)


class _Mixed(dict[tuple[int, ...], bytes]):
    """What the points of a pixel become together, worked out once for each mixture."""

    def __init__(self, colours: Sequence[bytes]) -> None:
        super().__init__()
        self._colours = colours

    def __missing__(self, points: tuple[int, ...]) -> bytes:
        channels = zip(*(self._colours[point] for point in points), strict=True)
        colour = bytes(sum(channel) // len(points) for channel in channels)
        self[points] = colour
        return colour


def _leaf(length: float) -> list[Point]:
    steps = [at / _ROUND for at in range(_ROUND + 1)]
    above = [(length * (at - 0.5), -length * 0.28 * math.sin(math.pi * at)) for at in steps]
    return above + [(x, -y) for x, y in reversed(above)]


def _turned(centre: Point, angle: float, point: Point) -> Point:
    cos, sin = math.cos(angle), math.sin(angle)
    return centre[0] + point[0] * cos - point[1] * sin, centre[1] + point[0] * sin + point[1] * cos


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
