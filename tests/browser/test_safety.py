"""Whatever users and assistants say is shown as text: nothing of it becomes part of the page."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import Visit
from tests.browser.stage import Stage, text

ATTACKS = [
    "<script>window.owned = 1</script>",
    "<img src=x onerror='window.owned = 1'>",
    '"><svg onload="window.owned = 1">',
    "<iframe srcdoc='<script>parent.owned = 1</script>'></iframe>",
    "{{ 7 * 7 }} ${7 * 7} <%= 7 %>",
    "&lt;script&gt;window.owned = 1&lt;/script&gt;",
]
MARKDOWN_ATTACKS = [
    "[click](javascript:window.owned=1)",
    "[click](data:text/html,<script>window.owned=1</script>)",
    "![x](x' onerror='window.owned=1)",
    '[x](https://example.org/"onmouseover="window.owned=1)',
    "<a href='javascript:window.owned=1'>x</a>",
    "`<img src=x onerror=window.owned=1>`",
    "# <img src=x onerror=window.owned=1>",
    "- <b onmouseover=window.owned=1>",
]
#: Elements and attributes by which a text could act.
FOUND = """() => ({
    owned: window.owned ?? null,
    elements: document.querySelectorAll("#log :is(script, iframe, object, embed, svg, form, style, link)").length,
    handlers: [...document.querySelectorAll("#log *")].flatMap(({attributes}) => [...attributes])
        .filter(({name, value}) => name.startsWith("on") || /^\\s*(javascript|data|vbscript):/i.test(value)).length,
})"""
NOTHING = {"owned": None, "elements": 0, "handlers": 0}


def everything(words: str) -> list[dict[str, Any]]:
    """Return a part of every kind with *words* wherever words can stand."""
    short = words[:75]
    buttons = [{"label": short, "value": words}]
    return [
        text(words),
        text(words, markdown=True),
        {"type": "speech", "text": words, "ssml": f"<speak>{words}</speak>"},
        {"type": "image", "url": "https://127.0.0.1:9/x.png", "alt": words, "title": words},
        {"type": "audio", "url": "https://127.0.0.1:9/x.mp3", "transcript": words, "title": words},
        {"type": "file", "url": "https://127.0.0.1:9/x.pdf", "name": words, "media_type": words},
        {"type": "card", "title": words, "text": words, "subtitle": words, "buttons": buttons},
        {"type": "list", "title": words, "items": [{"title": words, "text": words, "value": words}]},
        {"type": "buttons", "text": words, "buttons": buttons},
        {"type": "suggestions", "texts": [short]},
    ]


def test_what_a_visitor_says_is_text(chat: ChatPage) -> None:
    """In the page that said it, and in one that reads it from the ledger."""
    for attack in ATTACKS:
        chat.say(attack)
        chat.wait_answered(attack)
        assert chat.run(FOUND) == NOTHING, attack
    chat.page.reload()
    chat.wait_ready()

    assert chat.transcript() == [(attack, f"echo: {attack}") for attack in ATTACKS]
    assert chat.run(FOUND) == NOTHING


@pytest.mark.parametrize("attacks", [ATTACKS, MARKDOWN_ATTACKS], ids=["html", "markdown"])
def test_every_kind_of_part_is_text(chat: ChatPage, stage: Stage, attacks: list[str]) -> None:
    """As a preview, and as what stands."""
    for attack in attacks:
        show_everything(chat, stage, attack)


def show_everything(chat: ChatPage, stage: Stage, attack: str) -> None:
    parts = everything(attack)
    held = stage.hold(f"attack {attack}")
    chat.say(f"attack {attack}")
    held.wait_asked()
    for part in parts:
        held.part(part)
    held.delta(attack)
    expect(chat.page.locator(".live > .part")).to_have_count(len(parts) + 1)
    assert chat.run(FOUND) == NOTHING, attack

    held.reply(*parts)
    answer = chat.wait_answered(f"attack {attack}")
    # Speech that says what the text says is left out: it is on the screen already.
    expect(answer.locator("> .part")).to_have_count(len(parts) - 1)
    assert chat.run(FOUND) == NOTHING
    for control in answer.get_by_role("button").all():
        control.hover()
    assert chat.run(FOUND) == NOTHING, attack


def test_a_link_goes_to_the_web_and_takes_nothing_along(chat: ChatPage, stage: Stage) -> None:
    stage.answer(
        "links", text("[one](https://example.org/a) and https://example.org/b.", markdown=True), text("http://example.org/c")
    )
    chat.say("links")
    links = chat.wait_answered("links").get_by_role("link")

    assert links.evaluate_all("all => all.map(link => link.href)") == [
        "https://example.org/a",
        "https://example.org/b",
        "http://example.org/c",
    ]
    for link in links.all():
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
        assert link.get_attribute("target") == "_blank"


def test_only_web_addresses_become_links(chat: ChatPage) -> None:
    """The reply schema refuses others before; the page does not rely on it."""
    made = chat.run(
        """async () => {
            const {link} = await import("/static/chat/markdown.js");
            const addresses = ["javascript:1", " javascript:1", "data:text/html,x", "//example.org", "HTTPS://example.org"];
            return addresses.map(address => link(address, "x")?.href ?? null);
        }"""
    )

    assert made == [None, None, None, None, "https://example.org/"]


def test_an_address_that_is_no_web_address_fails_the_turn(chat: ChatPage, stage: Stage) -> None:
    stage.answer("evil button", {"type": "buttons", "text": "x", "buttons": [{"label": "x", "url": "javascript:1"}]})
    chat.say("evil button")

    expect(chat.wait_answered("evil button")).to_contain_text("Sorry, I could not answer that")


def test_markdown_is_shown_as_meant(chat: ChatPage, stage: Stage) -> None:
    marked = (
        "# Title\n\nSome **bold**, *slanted*, ~~gone~~ and `code`.\nA second line\n\n- one\n- two\n  goes on\n\n"
        "3. three\n4. four\n\n> quoted\n\n```\n<b> & **not bold**\n```\n\n2 * 3 * 4, snake_case_name, **unclosed"
    )
    stage.answer("markdown", text(marked, markdown=True))
    chat.say("markdown")
    part = chat.wait_answered("markdown").locator(".part")

    shape = part.evaluate("part => [...part.children].map(({tagName, innerText}) => `${tagName} ${innerText}`)")
    assert shape == [
        "H3 Title",
        "P Some bold, slanted, gone and code.\nA second line",
        "UL one\ntwo\ngoes on",
        "OL three\nfour",
        "BLOCKQUOTE quoted",
        "PRE <b> & **not bold**",
        "P 2 * 3 * 4, snake_case_name, **unclosed",
    ]
    assert part.locator("ol").get_attribute("start") == "3"
    assert part.evaluate("part => [...part.querySelectorAll('strong, em, s, p code')].map(e => e.textContent)") == [
        "bold", "slanted", "gone", "code",
    ]  # fmt: skip


def test_no_markdown_makes_the_page_slow(chat: ChatPage) -> None:
    for words in ("*", "[", "`", "_a ", "**a", "~~a ", "> ", "[a](https://", "https://", "- a\n "):
        duration_ms = chat.run(
            """async text => {
                const {markdown} = await import("/static/chat/markdown.js");
                const start = performance.now();
                markdown(text);
                return performance.now() - start;
            }""",
            words * (40_000 // len(words)),
        )
        assert duration_ms < 2_000, words


def test_the_page_of_an_unknown_account_is_not_there(visit: Visit, site: str) -> None:
    answer = visit().new_page().goto(f"{site}/chat/nobody")

    assert answer is not None
    assert answer.status == 404
