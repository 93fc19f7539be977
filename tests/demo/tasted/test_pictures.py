"""The painter and its pictures: files that anybody can read, and no two alike."""

from __future__ import annotations

import struct
import zlib

import msgspec
import pytest

from gateway.demo.tasted.catalogue.load import Catalogue
from gateway.demo.tasted.catalogue.recipe import TECHNIQUES, Picture
from gateway.demo.tasted.pictures.canvas import HEIGHT, WIDTH, Canvas
from gateway.demo.tasted.pictures.gallery import Gallery, paint

RED, WHITE = (255, 0, 0), (255, 255, 255)


def pixels(png: bytes) -> list[list[tuple[int, int, int]]]:
    """Read *png* by its specification, and nothing of ours: chunks with their sums, lines without a filter."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, []
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        name, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(name + data)
        chunks.append((name, data))
        at += 12 + length
    assert [name for name, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *how = struct.unpack(">IIBBBBB", chunks[0][1])
    assert how == [8, 2, 0, 0, 0]
    lines = zlib.decompress(chunks[1][1])
    stride = 1 + 3 * width
    assert len(lines) == stride * height
    rows = [lines[row * stride : (row + 1) * stride] for row in range(height)]
    assert all(row[0] == 0 for row in rows)
    return [list(zip(row[1::3], row[2::3], row[3::3], strict=True)) for row in rows]


def test_what_is_painted_is_where_it_was_painted() -> None:
    """A circle, a box, a polygon: inside the colour, outside the background, between them a mixture."""
    canvas = Canvas("#ffffff")
    canvas.circle((100, 100), 50, "#ff0000")
    canvas.box((300, 100), (60, 40), "#ff0000")
    canvas.polygon(((200, 200), (260, 200), (200, 260)), "#ff0000")
    shown = pixels(canvas.png())

    assert (len(shown), len(shown[0])) == (HEIGHT, WIDTH)
    for x, y in ((100, 100), (140, 100), (100, 60), (275, 100), (325, 115), (205, 205)):
        assert shown[y][x] == RED, (x, y)
    for x, y in ((10, 10), (100, 45), (155, 100), (340, 100), (255, 255)):
        assert shown[y][x] == WHITE, (x, y)
    edge = {shown[y][x] for y in range(40, 160) for x in range(40, 160)} - {RED, WHITE}
    assert edge, "edges are smooth"
    assert all(red == 255 and green == blue for red, green, blue in edge)


def test_what_lies_partly_outside_is_cut() -> None:
    """No shape runs over an edge to the other side."""
    canvas = Canvas("#ffffff")
    canvas.circle((0, 0), 40, "#ff0000")
    canvas.stroke(((470, 160), (600, 160)), 20, "#ff0000")
    shown = pixels(canvas.png())

    assert shown[0][0] == RED
    assert shown[160][479] == RED
    assert {shown[y][x] for y in (300, 319) for x in range(WIDTH)} == {WHITE}
    assert shown[160][3] == WHITE


def test_a_recipe_has_a_picture_that_a_platform_takes(catalogue: Catalogue) -> None:
    gallery = Gallery(catalogue)
    for slug in list(catalogue.recipes)[::20]:
        png = gallery.png(slug)
        assert png
        assert len(pixels(png)) == HEIGHT
        assert len(png) < 60_000


@pytest.mark.slow
def test_every_recipe_has_a_picture_of_its_own(catalogue: Catalogue) -> None:
    gallery = Gallery(catalogue)
    painted = [gallery.png(slug) for slug in catalogue.recipes]

    assert None not in painted
    assert len(set(painted)) == len(painted)


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_every_technique_has_one(catalogue: Catalogue, technique: str) -> None:
    png = Gallery(catalogue).png(f"{technique}-dal")

    assert png
    assert len({colour for row in pixels(png) for colour in row}) > 5


@pytest.mark.parametrize("name", ["", "no-such-dish", "burn-dal", "dal-", "-dal", "../dal", "cut-"])
def test_there_is_no_picture_of_anything_else(catalogue: Catalogue, name: str) -> None:
    """So what is kept of them is bounded by what there is."""
    assert Gallery(catalogue).png(name) is None


def test_the_same_picture_twice() -> None:
    """Chance is decided by the name: a platform's copy and ours are one."""
    picture = Picture("plate", "rice", ("dots:peas", "leaves:herb"))

    assert paint(picture, "a") == paint(picture, "a")
    assert paint(picture, "a") != paint(picture, "b")


@pytest.mark.parametrize(
    "picture", [Picture("hat", "rice"), Picture("bowl", "blue"), Picture("bowl", "rice", ("dots:blue",))]
)
def test_a_picture_that_cannot_be_painted_stops_the_start(
    catalogue: Catalogue, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the recipe's name, and the words that there are."""
    recipe = msgspec.structs.replace(catalogue.recipes["dal"], picture=picture)
    monkeypatch.setitem(catalogue.recipes, "dal", recipe)

    with pytest.raises(ValueError, match="Dal: expected one of"):
        Gallery(catalogue)
