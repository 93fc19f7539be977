"""What food is in, seen from above: each function paints one and returns where the food lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.demo.tasted.pictures.canvas import Canvas, Point
from gateway.demo.tasted.pictures.palette import darker, lighter
from gateway.demo.tasted.pictures.things import Area

__all__ = ["VESSELS"]

_MIDDLE: Point = (240.0, 160.0)
_SHADOW = "#cdbfa6"
_CHINA, _IRON, _STEEL, _WOOD, _CLAY = "#fdfbf5", "#3b3a3a", "#b9bec2", "#b98a58", "#4f7688"


def _plate(canvas: Canvas, food: str, seed: str) -> Area:
    canvas.circle((240, 168), 142, _SHADOW)
    canvas.circle(_MIDDLE, 142, _CHINA)
    canvas.circle(_MIDDLE, 112, darker(_CHINA, 0.06))
    canvas.circle(_MIDDLE, 106, lighter(food, 0.1))
    return Area(_MIDDLE, (104, 104), seed)


def _bowl(canvas: Canvas, food: str, seed: str) -> Area:
    canvas.circle((240, 170), 140, _SHADOW)
    canvas.circle(_MIDDLE, 140, _CLAY)
    canvas.circle(_MIDDLE, 132, lighter(_CLAY, 0.3))
    canvas.circle((240, 164), 118, darker(food, 0.22))
    canvas.circle(_MIDDLE, 116, food)
    return Area(_MIDDLE, (110, 110), seed)


def _pan(canvas: Canvas, food: str, seed: str) -> Area:
    canvas.stroke(((330, 170), (466, 170)), 30, _SHADOW)
    canvas.circle((220, 168), 142, _SHADOW)
    canvas.stroke(((330, 160), (464, 160)), 26, darker(_IRON, 0.2))
    canvas.circle((456, 160), 5, _SHADOW)
    canvas.circle((220, 160), 140, _IRON)
    canvas.circle((220, 160), 126, lighter(_IRON, 0.15))
    canvas.circle((220, 160), 116, food)
    return Area((220, 160), (110, 110), seed)


def _pot(canvas: Canvas, food: str, seed: str) -> Area:
    canvas.circle((240, 170), 138, _SHADOW)
    canvas.stroke(((86, 160), (394, 160)), 30, darker(_STEEL, 0.35))
    canvas.circle(_MIDDLE, 136, _STEEL)
    canvas.circle(_MIDDLE, 126, darker(_STEEL, 0.25))
    canvas.circle(_MIDDLE, 118, food)
    return Area(_MIDDLE, (110, 110), seed)


def _glass(canvas: Canvas, food: str, seed: str) -> Area:
    for x in (150.0, 330.0):
        canvas.circle((x, 168), 82, _SHADOW)
        canvas.circle((x, 160), 82, "#e4eef0")
        canvas.circle((x, 160), 72, darker(food, 0.2))
        canvas.circle((x, 158), 69, food)
    return Area((330, 158), (52, 52), seed)


def _dish(canvas: Canvas, food: str, seed: str) -> Area:
    canvas.box((240, 170), (380, 250), _SHADOW, round_by=46)
    canvas.box(_MIDDLE, (380, 250), _CLAY, round_by=46)
    canvas.box(_MIDDLE, (352, 222), darker(food, 0.25), round_by=34)
    canvas.box((240, 158), (346, 214), food, round_by=32)
    return Area(_MIDDLE, (158, 96), seed)


def _tray(canvas: Canvas, food: str, seed: str) -> Area:
    canvas.box((240, 170), (412, 262), _SHADOW, round_by=20)
    canvas.box(_MIDDLE, (412, 262), darker(_IRON, 0.1), round_by=20)
    canvas.box(_MIDDLE, (384, 234), lighter(_IRON, 0.2), round_by=12)
    canvas.box(_MIDDLE, (366, 216), food, round_by=26)
    return Area(_MIDDLE, (166, 98), seed)


def _board(canvas: Canvas, food: str, seed: str) -> Area:
    canvas.box((240, 168), (428, 268), _SHADOW, round_by=24)
    canvas.box(_MIDDLE, (428, 268), _WOOD, round_by=24)
    for y in (74.0, 116.0, 160.0, 204.0, 246.0):
        canvas.stroke(((44, y), (436, y + 4)), 2, darker(_WOOD, 0.12))
    canvas.circle((58, 54), 11, _SHADOW)
    canvas.ellipse((240, 164), (136, 108), darker(food, 0.2))
    canvas.ellipse(_MIDDLE, (134, 106), food)
    return Area(_MIDDLE, (124, 98), seed)


#: Each vessel that a recipe may name.
VESSELS: Mapping[str, Callable[[Canvas, str, str], Area]] = {
    "board": _board,
    "bowl": _bowl,
    "dish": _dish,
    "glass": _glass,
    "pan": _pan,
    "plate": _plate,
    "pot": _pot,
    "tray": _tray,
}
