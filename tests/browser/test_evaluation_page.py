"""The evaluation's page as people see it: on a telephone, in the dark, without network; and the picture beside it."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from bench.evaluation.page.page import render, write
from bench.needs import NEEDS
from tests.bench.evaluation_sample import sample
from tests.browser.conftest import Visit
from tests.browser.contrast import LOW_CONTRAST

#: As many as show everything: ours, one that is out of lines, one that is better, one that is not there.
WHO = ("ours", "falcon_sync", "go", "aleph")
#: A telephone's, a tablet's and a desk's.
WIDTHS = (360, 768, 1280)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page, with drawings where what draws them is there; python -m bench.evaluation installs it."""
    page = tmp_path_factory.mktemp("page") / "evaluation.html"
    lack = "" if NEEDS["vega"].there else "not installed"
    page.write_text(render(sample(who=WHO), lack), encoding="utf-8")
    return page.as_uri()


def opened(visit: Visit, address: str, **device: Any) -> Page:
    page = visit(**device).new_page()
    page.goto(address)
    # Tables are looked at too.
    page.evaluate("() => document.querySelectorAll('details').forEach(each => each.open = true)")
    return page


def test_nothing_is_wider_than_the_page(visit: Visit, address: str) -> None:
    """Wide tables scroll by themselves, and can be reached by keyboard for it."""
    page = opened(visit, address)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        out = page.evaluate(
            """width => [...document.querySelectorAll("main *, header *")]
                .filter(e => !e.closest(".scroll > *, pre, svg") && e.getBoundingClientRect().right > width + 0.5)
                .map(e => e.outerHTML.slice(0, 80))""",
            width,
        )
        assert out == []
    assert page.evaluate("() => [...document.querySelectorAll('.scroll')].every(e => e.tabIndex === 0 && e.ariaLabel)")


def test_the_answer_is_whole_on_a_telephone(visit: Visit, address: str) -> None:
    """Ours and the best of the others are seen without a scroll to the side, which nothing would hint at."""
    page = opened(visit, address)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(
            """() => {
                const around = document.querySelector(".glance").parentElement;
                return around.scrollWidth <= around.clientWidth;
            }"""
        )


def test_all_words_can_be_read(visit: Visit, address: str) -> None:
    """Those in drawings too, on either ground."""
    page = opened(visit, address)
    for scheme, ground in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(19, 23, 28)")):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == ground
        assert page.evaluate(LOW_CONTRAST) == []


def test_every_measure_has_its_section_and_every_link_a_goal(visit: Visit, address: str) -> None:
    """Headings go down by one at a time."""
    page = opened(visit, address)
    names = [measured.name for measured in sample(who=WHO).measures]
    assert page.evaluate("() => [...document.querySelectorAll('section.measure')].map(e => e.id)") == names
    dead = "() => [...document.links].filter(e => !document.querySelector(e.hash)).map(e => e.hash)"
    assert page.evaluate(dead) == []
    levels = page.evaluate("() => [...document.querySelectorAll('h1, h2, h3')].map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.skipif(not NEEDS["vega"].there, reason="what draws is not installed (python -m bench.evaluation)")
def test_drawings_describe_themselves(visit: Visit, address: str) -> None:
    """To who does not see them as a whole, to who points at a mark by its title; they take the page's colours."""
    page = opened(visit, address, color_scheme="dark")
    drawings = page.locator("figure svg, .panels svg")
    assert drawings.count() > 30
    described = "es => es.map(e => e.role === 'img' ? e.getAttribute('aria-label') : '')"
    assert all(len(each) > 20 for each in drawings.evaluate_all(described))
    assert (page.locator("#echo svg title").first.text_content() or "").startswith("Go, net/http: 37,900/s (")
    ours = page.locator("#echo svg path[fill='var(--ours)']").first
    assert ours.evaluate("e => getComputedStyle(e).fill") == "rgb(74, 163, 234)"


@pytest.mark.slow
def test_page_and_picture_are_written(visit: Visit, tmp_path: Path) -> None:
    """What draws is installed for it.  The picture fits into a README."""
    assert write(sample(), tmp_path / "evaluation.json") == ""
    picture = (tmp_path / "evaluation.png").read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    assert 1_550 <= width <= 1_650
    assert height < 2_000
    assert 20_000 < len(picture) < 250_000
    page = tmp_path / "evaluation.html"
    assert page.stat().st_size < 1_500_000
    # Ten panels for each of two measures that have curves, less those who are out.
    assert opened(visit, page.as_uri()).locator(".panels svg").count() >= 18
