"""Everything can be done by keyboard, and the focus is always somewhere sensible."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Visit
from tests.browser.stage import Stage, text

FOCUSED = "() => document.activeElement.textContent || document.activeElement.id"


def test_a_whole_conversation_without_a_mouse(chat: ChatPage, stage: Stage) -> None:
    """Type, choose from a list, press a button, take a suggestion: with Tab, Enter and Space alone."""
    keyboard = chat.page.keyboard
    stage.answer(
        "menu",
        {"type": "list", "items": [{"title": "Soup", "value": "soup"}, {"title": "Salad", "value": "salad"}]},
        {"type": "buttons", "text": "Anything else?", "buttons": [{"label": "The bill", "value": "bill"}]},
        {"type": "suggestions", "texts": ["Thank you"]},
    )
    expect(chat.box).to_be_focused()
    keyboard.type("menu")
    keyboard.press("Enter")
    chat.wait_answered("menu")
    expect(chat.box).to_be_focused()

    reached = []
    for _ in range(4):
        keyboard.press("Shift+Tab")
        reached.append(chat.run(FOCUSED))
    assert reached == ["Thank you", "The bill", "Salad", "Soup"]

    keyboard.press("Space")
    chat.wait_answered("Soup")
    expect(chat.box).to_be_focused()
    assert stage.heard[-1]["kind"] == "tap"
    assert stage.heard[-1]["value"] == "soup"


def test_enter_sends_and_shift_enter_does_not(chat: ChatPage) -> None:
    chat.box.press_sequentially("one")
    chat.box.press("Shift+Enter")
    chat.box.press_sequentially("two")
    height = chat.box.bounding_box()
    assert height is not None
    assert chat.turns.count() == 0

    chat.box.press("Enter")
    chat.wait_answered("one")
    shrunk = chat.box.bounding_box()
    assert shrunk is not None
    assert shrunk["height"] < height["height"]
    assert chat.transcript()[0][0] == "one\ntwo"
    expect(chat.box).to_have_value("")


def test_nothing_is_sent_when_there_is_nothing_to_say(chat: ChatPage) -> None:
    expect(chat.page.get_by_role("button", name="Send")).to_be_disabled()
    chat.say("   \n ")
    assert chat.turns.count() == 0


def test_enter_that_chooses_a_word_of_an_input_method_sends_nothing(chat: ChatPage) -> None:
    chat.box.fill("にほん")
    chat.box.evaluate(
        """box => box.dispatchEvent(
            new KeyboardEvent("keydown", {key: "Enter", isComposing: true, bubbles: true, cancelable: true}))"""
    )
    assert chat.turns.count() == 0

    chat.box.press("Enter")
    chat.wait_answered("にほん")


def test_the_first_tab_offers_to_skip_to_the_message_box(visit: Visit, site: str) -> None:
    """Where the box has not got the focus by itself: on a tablet with a keyboard."""
    chat = ChatPage(visit(is_mobile=True, has_touch=True).new_page(), f"{site}/chat/stage").open()
    chat.page.keyboard.press("Tab")
    skip = chat.page.get_by_role("link", name="Skip to the message box")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    chat.page.keyboard.press("Enter")

    expect(chat.box).to_be_focused()


def test_whatever_has_the_focus_shows_it(chat: ChatPage, stage: Stage) -> None:
    stage.answer("focus", text("x"), {"type": "buttons", "text": "?", "buttons": [{"label": "Yes", "value": "y"}]})
    chat.say("focus")
    chat.wait_answered("focus")
    for _ in range(2):
        outline = chat.run("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", chat.run(FOCUSED)
        chat.page.keyboard.press("Shift+Tab")


def test_controls_have_names_that_say_what_they_do(chat: ChatPage) -> None:
    nameless = chat.run(
        """() => [...document.querySelectorAll("button, a, textarea, input")]
            .filter(e => !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length)).length"""
    )

    assert nameless == 0
    expect(chat.page.get_by_role("textbox", name="Message to The Stage")).to_be_visible()
    expect(chat.page.get_by_role("log", name="Conversation with The Stage")).to_be_attached()
