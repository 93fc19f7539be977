"""The page fits a phone, can be read by everybody in both colour schemes, and keeps still when it is asked to."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Visit
from tests.browser.contrast import LOW_CONTRAST
from tests.browser.stage import Stage, text

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SMALL = {"viewport": {"width": 320, "height": 568}, "is_mobile": True, "has_touch": True}

GALLERY: list[dict[str, Any]] = [
    text("Plain words, and one that is long: " + "Donaudampfschiffahrtsgesellschaft" * 8),
    text("`" + "code" * 80 + "`\n\n```\n" + "a line of code that goes on and on " * 8 + "\n```", markdown=True),
    {"type": "card", "title": "A card " + "x" * 120, "text": "Text", "subtitle": "Subtitle",
     "buttons": [{"label": f"Choice {number}", "value": "x"} for number in range(6)]},
    {"type": "list", "title": "A list", "numbered": True,
     "items": [{"title": f"Item {number}", "text": "y" * 90, "value": "x"} for number in range(4)]},
    {"type": "file", "url": "https://127.0.0.1:9/x.pdf", "name": "z" * 90 + ".pdf", "media_type": "application/pdf"},
    {"type": "audio", "url": "https://127.0.0.1:9/x.mp3", "transcript": "What it says", "title": "A sound"},
    {"type": "image", "url": "https://127.0.0.1:9/x.png", "alt": "A picture that does not come", "title": "Title"},
    {"type": "buttons", "text": "Which?", "buttons": [{"label": "Yes", "value": "y"}, {"label": "No", "value": "n"}]},
    {"type": "suggestions", "texts": ["One", "Two", "A suggestion of the greatest length that is allowed here"]},
]  # fmt: skip


@pytest.fixture
def gallery(stage: Stage) -> str:
    stage.answer("gallery", *GALLERY)
    return "gallery"


@pytest.mark.parametrize("device", [PHONE, SMALL], ids=["phone", "small"])
def test_on_a_phone_everything_fits_and_can_be_hit(
    visit: Visit, site: str, gallery: str, device: dict[str, Any]
) -> None:
    chat = ChatPage(visit(**device).new_page(), f"{site}/chat/stage").open()
    width, height = device["viewport"]["width"], device["viewport"]["height"]
    chat.say(gallery)
    chat.wait_answered(gallery)

    assert chat.run("() => document.documentElement.scrollWidth") <= width
    too_wide = chat.run(
        """width => [...document.querySelectorAll("#log *")].filter(e => !e.closest("pre"))
            .filter(e => e.getBoundingClientRect().right > width + 0.5).map(e => e.className || e.tagName)""",
        width,
    )
    assert too_wide == []
    box = chat.box.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= height
    # Below 16 px iOS zooms into the box, and does not zoom back.
    assert chat.run("() => parseFloat(getComputedStyle(document.getElementById('words')).fontSize)") >= 16
    small = chat.run(
        """() => [...document.querySelectorAll("#log button, #log a.control")]
            .filter(e => e.getBoundingClientRect().height < 43.5).map(e => e.textContent)"""
    )
    assert small == []


def test_a_tap_on_a_phone_does_not_bring_up_the_keyboard(visit: Visit, site: str) -> None:
    chat = ChatPage(visit(**PHONE).new_page(), f"{site}/chat/stage").open()
    chat.page.get_by_role("button", name="Second line").tap()
    chat.wait_answered("Second line")

    expect(chat.box).not_to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(visit: Visit, site: str, gallery: str, scheme: str) -> None:
    page = visit(color_scheme=scheme, reduced_motion="reduce").new_page()
    chat = ChatPage(page, f"{site}/chat/stage").open()
    assert chat.run(LOW_CONTRAST) == []

    chat.say(gallery)
    chat.wait_answered(gallery)
    page.route("**/hooks/**", lambda route: route.fulfill(status=400, body='{"message": "No."}'))
    chat.say("refused")
    expect(chat.turn("refused").locator(".note")).to_contain_text("No.")
    assert chat.run(LOW_CONTRAST) == []
    assert chat.run("() => getComputedStyle(document.body).backgroundColor") == (
        "rgb(250, 248, 244)" if scheme == "light" else "rgb(21, 20, 18)"
    )


def test_nothing_moves_for_who_asks_for_no_motion(visit: Visit, site: str, stage: Stage) -> None:
    chat = ChatPage(visit(reduced_motion="reduce").new_page(), f"{site}/chat/stage").open()
    held = stage.hold("still")
    chat.say("still")
    held.wait_asked()
    held.typing()
    expect(chat.page.locator(".live .dots")).to_be_visible()
    moving = chat.run(
        "() => document.getAnimations().filter(a => a.playState === 'running').map(a => a.animationName)"
    )
    held.reply(text("done"))

    assert moving == []
    chat.wait_answered("still")


def test_a_picture_that_does_not_come_is_described(chat: ChatPage, gallery: str) -> None:
    chat.say(gallery)
    answer = chat.wait_answered(gallery)
    answer.locator(".image").scroll_into_view_if_needed()

    expect(answer.get_by_text("A picture that does not come")).to_be_visible()


def test_a_long_answer_is_read_from_its_beginning(chat: ChatPage, stage: Stage) -> None:
    """The page follows what is new until the question is at the top, and then leaves the reader alone."""
    stage.answer("long", text("\n\n".join(f"Paragraph {number}" for number in range(80))))
    chat.say("first")
    chat.wait_answered("first")
    chat.say("long")
    chat.wait_answered("long")

    expect(chat.turn("long").locator(".said")).to_be_in_viewport()
    expect(chat.turn("first")).not_to_be_in_viewport()


def test_who_reads_above_is_left_there_and_told(chat: ChatPage, stage: Stage) -> None:
    for number in range(4):
        stage.answer(f"page {number}", text("\n\n".join(f"Paragraph {n}" for n in range(30))))
        chat.say(f"page {number}")
        chat.wait_answered(f"page {number}")
    held = stage.hold("below")
    chat.say("below")
    held.wait_asked()
    chat.page.locator("main").hover()
    chat.page.mouse.wheel(0, -100_000)
    top = chat.turn("page 0").locator(".said")
    expect(top).to_be_in_viewport()
    held.reply(text("new down here"))
    newest = chat.page.get_by_role("button", name="Newest messages")
    expect(newest).to_be_visible()
    expect(top).to_be_in_viewport()
    newest.click()

    expect(chat.wait_answered("below")).to_be_in_viewport()
    expect(newest).to_be_hidden()
