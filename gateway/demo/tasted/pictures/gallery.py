"""All pictures by name: ``<recipe>`` is the dish, ``<technique>-<recipe>`` is what is done for it in a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import msgspec

from gateway.demo.tasted.catalogue.load import Catalogue
from gateway.demo.tasted.catalogue.recipe import TECHNIQUES, Picture
from gateway.demo.tasted.pictures.canvas import Canvas
from gateway.demo.tasted.pictures.palette import PALETTE, darker, lighter
from gateway.demo.tasted.pictures.things import SHAPES
from gateway.demo.tasted.pictures.vessels import VESSELS

__all__ = ["Gallery", "paint"]

_TABLES = ("#e9dcc4", "#dfe3d5", "#e6d6cf", "#d8dfe4")
_STEEL = "#c4c9cc"


class Gallery:
    """Pictures, each painted when it is first asked for and then kept: there are only so many."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._painted: dict[str, bytes] = {}
        for recipe in catalogue.recipes.values():
            _check(recipe.name, recipe.picture)

    def png(self, name: str) -> bytes | None:
        """Return the picture called *name*; None where there is none."""
        if name not in self._painted:
            recipe = self._catalogue.recipes.get(name)
            technique = ""
            if recipe is None:
                technique, _, slug = name.partition("-")
                recipe = self._catalogue.recipes.get(slug)
                if recipe is None or technique not in TECHNIQUES:
                    return None
            self._painted[name] = paint(recipe.picture, recipe.slug, technique)
        return self._painted[name]


def paint(picture: Picture, seed: str, technique: str = "") -> bytes:
    """Return *picture* as PNG, of the finished dish or while it is made by *technique*."""
    canvas = Canvas(_TABLES[sum(seed.encode()) % len(_TABLES)])
    if technique:
        _BEING_MADE[technique](canvas, picture, seed)
    else:
        _lay(canvas, picture, seed, picture.vessel)
    return canvas.png()


def _lay(canvas: Canvas, picture: Picture, seed: str, vessel: str, *, count: int | None = None) -> None:
    """Paint a vessel with the first *count* of the picture's things; all of them by default."""
    area = VESSELS[vessel](canvas, PALETTE[picture.of], seed)
    for thing in picture.things[:count]:
        shape, _, colour = thing.partition(":")
        # Each thing has a chance of its own, or all would lie on one another.
        SHAPES[shape](canvas, msgspec.structs.replace(area, seed=f"{seed}:{thing}"), PALETTE[colour])


def _cut(canvas: Canvas, picture: Picture, seed: str) -> None:
    area = VESSELS["board"](canvas, "#c79a68", seed)
    for thing in picture.things[:2]:
        colour = thing.partition(":")[2]
        SHAPES["cube"](canvas, msgspec.structs.replace(area, seed=f"{seed}:{thing}"), PALETTE[colour])
    canvas.polygon(((120, 60), (330, 60), (348, 84), (330, 96), (120, 96)), darker(_STEEL, 0.25))
    canvas.polygon(((120, 60), (330, 60), (344, 80), (330, 88), (120, 88)), lighter(_STEEL, 0.3))
    canvas.stroke(((66, 74), (122, 74)), 24, "#3a2a20")


def _mix(canvas: Canvas, picture: Picture, seed: str) -> None:
    area = VESSELS["bowl"](canvas, lighter(PALETTE[picture.of], 0.25), seed)
    SHAPES["swirl"](canvas, area, lighter(PALETTE[picture.of], 0.5))
    for bend in (-26, -13, 0, 13, 26):
        bows = [(step, bend * math.sin(math.pi * step / 10)) for step in range(11)]
        wire = [(240 + step * 9 + bow, 180 - step * 7 + bow * 0.6) for step, bow in bows]
        canvas.stroke(wire, 3, darker(_STEEL, 0.2))
    canvas.stroke(((330, 110), (430, 32)), 16, darker(_STEEL, 0.35))


def _knead(canvas: Canvas, picture: Picture, seed: str) -> None:  # noqa: ARG001  # all take the same
    area = VESSELS["board"](canvas, "#d9bd92", seed)
    SHAPES["specks"](canvas, area, PALETTE["sugar"])
    canvas.ellipse((240, 172), (104, 70), darker(PALETTE["rice"], 0.25))
    canvas.ellipse((240, 164), (104, 70), PALETTE["rice"])
    crease = [(176 + step * 12, 150 - 22 * math.sin(math.pi * step / 10)) for step in range(11)]
    canvas.stroke(crease, 5, darker(PALETTE["rice"], 0.14))


def _boil(canvas: Canvas, picture: Picture, seed: str) -> None:
    _lay(canvas, picture, seed, "pot", count=1)
    for x, y, size in ((190, 120, 9), (290, 130, 12), (230, 200, 8), (300, 210, 10), (170, 180, 11), (250, 150, 7)):
        canvas.circle((x, y), size, lighter(PALETTE[picture.of], 0.55))
        canvas.circle((x + 1, y + 1), size - 2.5, lighter(PALETTE[picture.of], 0.2))


def _fry(canvas: Canvas, picture: Picture, seed: str) -> None:
    _lay(canvas, picture, seed, "pan", count=2)


def _bake(canvas: Canvas, picture: Picture, seed: str) -> None:  # noqa: ARG001  # all take the same
    canvas.box((240, 168), (400, 280), "#b8ab93", round_by=18)
    canvas.box((240, 160), (400, 280), "#5a5f63", round_by=18)
    for x in (100, 150, 330, 380):
        canvas.circle((x, 50), 12, _STEEL)
        canvas.stroke(((x, 50), (x + 5, 42)), 3, "#3b3a3a")
    canvas.box((240, 180), (340, 190), "#2f2a28", round_by=12)
    canvas.box((240, 180), (318, 168), "#e8963c", round_by=8)
    for y in (132.0, 214.0):
        canvas.stroke(((84, y), (396, y)), 4, "#a8622c")
    canvas.box((240, 200), (210, 26), darker(PALETTE[picture.of], 0.3), round_by=10)
    canvas.ellipse((240, 186), (96, 26), PALETTE[picture.of])
    canvas.stroke(((120, 82), (360, 82)), 8, _STEEL)


def _rest(canvas: Canvas, picture: Picture, seed: str) -> None:  # noqa: ARG001  # all take the same
    canvas.circle((240, 168), 122, "#cdbfa6")
    canvas.circle((240, 160), 122, PALETTE[picture.of])
    canvas.circle((240, 160), 106, "#fdfbf5")
    for number in range(12):
        angle = number * math.tau / 12
        place = (240 + 90 * math.cos(angle), 160 + 90 * math.sin(angle))
        canvas.circle(place, 5 if number % 3 == 0 else 2.5, "#3b3a3a")
    canvas.stroke(((240, 160), (240, 96)), 7, "#3b3a3a")
    canvas.stroke(((240, 160), (288, 188)), 7, "#3b3a3a")
    canvas.circle((240, 160), 8, darker(PALETTE[picture.of]))


_BEING_MADE: Mapping[str, Callable[[Canvas, Picture, str], None]] = {
    "bake": _bake,
    "boil": _boil,
    "cut": _cut,
    "fry": _fry,
    "knead": _knead,
    "mix": _mix,
    "rest": _rest,
}


def _check(name: str, picture: Picture) -> None:
    """Stop the start where a recipe asks for what cannot be painted.

    :raises ValueError: it names the recipe and the word.
    """
    words = [(picture.vessel, VESSELS), (picture.of, PALETTE)]
    for thing in picture.things:
        shape, _, colour = thing.partition(":")
        words += [(shape, SHAPES), (colour, PALETTE)]
    for word, known in words:
        if word not in known:
            raise ValueError(f"{name}: expected one of {', '.join(sorted(known))} in its picture, got {word!r}")
