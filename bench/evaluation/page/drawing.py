"""Specifications drawn: SVG that may stand in a page beside others, and PNG.

Vega draws, by vl-convert: a V8 in a wheel, no browser and no network.  What it draws is made fit for a page of many: no
identifiers that could meet, coordinates to a tenth of a pixel, one description for the whole instead of one for each
axis, and what a mark says of itself as its title, which browsers show to who points at it.
"""

from __future__ import annotations

import io
import re
import sys
from typing import Any
from xml.etree import ElementTree as ET

from bench.evaluation.page.plots import FONT
from bench.needs import missing, peer_folder

__all__ = ["lack", "png", "svg"]

_SVG = "{http://www.w3.org/2000/svg}"
_NEED = "vega"
#: Attributes that only Vega's own styles and a reader of every single mark would need.
_NEEDLESS = ("role", "aria-roledescription", "aria-hidden", "class", "aria-label", "opacity")
_NOWHERE = "translate(0,0)"


def lack() -> str:
    """Install what draws, if it is missing; return why that cannot be and what would help, or an empty text."""
    return missing([_NEED])


def svg(spec: dict[str, Any], description: str) -> str:
    """Return *spec* as an element of a page, with *description* for who does not see it."""
    # The text is Vega's own, of numbers and of titles that it has escaped.
    root = ET.fromstring(_vega().vegalite_to_svg(spec))  # noqa: S314
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    _prune(root)
    for element in root.iter():
        _tidy(element)
    # It fills what it stands in; the style sheet says how far.
    root.attrib |= {"role": "img", "aria-label": description, "width": width, "height": height}
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def png(spec: dict[str, Any], *, scale: float) -> bytes:
    """Return *spec* as a picture, *scale* pixels for each of its own."""
    drawn = _vega().vegalite_to_png(spec, scale=scale)
    from PIL import Image

    # A palette is a tenth of the size, and nobody sees the difference.
    written = io.BytesIO()
    with Image.open(io.BytesIO(drawn)) as whole:
        whole.convert("RGB").quantize(64).save(written, "png", optimize=True)
    return written.getvalue()


def _vega() -> Any:
    folder = str(peer_folder(_NEED))
    if folder not in sys.path:
        sys.path.append(folder)
    import vl_convert

    return vl_convert


def _prune(element: ET.Element) -> None:
    """Remove what is not seen."""
    for child in list(element):
        if child.get("display") == "none" or child.get("class") == "background" or child.get("opacity") == "0":
            element.remove(child)
            continue
        _prune(child)
        if child.tag != f"{_SVG}g":
            continue
        # Groups that hold nothing, or change nothing.
        at = list(element).index(child)
        if not len(child) or (child.get("transform", _NOWHERE) == _NOWHERE and not child.get("fill")):
            element.remove(child)
            element[at:at] = list(child)


def _tidy(element: ET.Element) -> None:
    element.tag = element.tag.removeprefix(_SVG)
    told = element.get("aria-label") if element.get("role") == "graphics-symbol" else None
    for name in _NEEDLESS:
        element.attrib.pop(name, None)
    if element.get("font-family") == FONT:
        # The page's own is of about that width.
        del element.attrib["font-family"]
    for name in ("d", "transform", "x", "y", "x1", "y1", "x2", "y2"):
        if name in element.attrib:
            element.attrib[name] = re.sub(r"-?\d+\.\d{2,}", _tenth, element.attrib[name])
    if told and element.tag != "g":
        title = ET.Element("title")
        title.text = told
        element.insert(0, title)


def _tenth(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")
