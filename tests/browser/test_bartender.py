"""The first thing that anybody does: ask The Bartender."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Visit

#: Keeps every state of the log in which an answer is shown that does not stand yet.
WATCH = """() => {
    window.previews = [];
    new MutationObserver(() => {
        const live = document.querySelector(".answer.live");
        if (live?.textContent) window.previews.push(live.textContent);
    }).observe(document.getElementById("log"), {subtree: true, childList: true, characterData: true});
}"""


def test_a_question_typed_into_the_page_streams_the_right_answer(visit: Visit, site: str) -> None:
    """Through every part: page, hook, ledger, lane, assistant, previews, settle, stream."""
    chat = ChatPage(visit().new_page(), f"{site}/chat/bartender").open()
    expect(chat.page.get_by_role("heading", level=1)).to_have_text("The Bartender")
    chat.run(WATCH)
    chat.say("what is a negroni?")
    answer = chat.wait_answered("what is a negroni?")

    for ingredient in ("gin", "Campari", "vermouth"):
        expect(answer).to_contain_text(re.compile(ingredient, re.IGNORECASE))
    # Previews are painted frame by frame, and a browser that is starved may have none while one answer streams.
    for question in ("what is a daiquiri?", "what is a margarita?", "what is a mojito?", "what is a martini?"):
        if not chat.run("() => window.previews.length"):
            chat.say(question)
            chat.wait_answered(question)
    assert chat.run("() => window.previews.length") > 0
    expect(chat.page.locator(".answer.live")).to_have_count(0)


def test_a_follow_up_by_a_tap_goes_on_with_the_conversation(visit: Visit, site: str) -> None:
    chat = ChatPage(visit().new_page(), f"{site}/chat/bartender").open()
    chat.say("I have gin, lemon and honey")
    first = chat.wait_answered("I have gin, lemon and honey").locator("button.item").first
    drink = first.locator(".name").inner_text()
    first.click()

    expect(chat.wait_answered(drink)).to_contain_text(drink)
