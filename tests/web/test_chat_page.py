"""The page, and who may read a stream: only the browser with the cookie under which the conversation was held."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from gateway.channels.webchat.cookie import visitor
from gateway.domain.http import Request
from gateway.settings.accounts import WebchatAccount
from tests.web.chat_site import VISITOR, Site, site


@pytest.fixture
def chat(database: str) -> Iterator[Site]:
    with site(database) as running:
        yield running


def visitor_of(chat: Site, set_cookie: str, name: str = "bartender") -> str:
    account = chat.settings.accounts["webchat", name]
    assert isinstance(account, WebchatAccount)
    request = Request("GET", "/", "", {"cookie": set_cookie.partition(";")[0]}, b"")
    return visitor(request, account, time.time())


def test_the_page_makes_its_reader_a_visitor(chat: Site) -> None:
    response, _ = chat.get("/chat/bartender")
    cookie = response.headers["Set-Cookie"]

    assert response.status == 200
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert re.fullmatch(r"[A-Za-z0-9_-]{24}", visitor_of(chat, cookie))
    assert visitor_of(chat, cookie) != visitor_of(chat, chat.get("/chat/bartender")[0].headers["Set-Cookie"])


def test_a_visitor_who_comes_back_stays_the_same(chat: Site) -> None:
    response, _ = chat.get("/chat/bartender", chat.cookie())

    assert visitor_of(chat, response.headers["Set-Cookie"]) == VISITOR


@pytest.mark.parametrize("forged", ["nonsense", f"{VISITOR}.1.{'0' * 64}", f"{VISITOR}..", ""])
def test_a_forged_cookie_becomes_a_new_visitor_on_the_page(chat: Site, forged: str) -> None:
    response, _ = chat.get("/chat/bartender", {"Cookie": f"switchboard_bartender={forged}"})

    assert visitor_of(chat, response.headers["Set-Cookie"]) != VISITOR


def test_the_page_lets_nothing_in_but_its_own_files(chat: Site) -> None:
    response, body = chat.get("/chat/bartender")
    policy = dict(rule.split(maxsplit=1) for rule in response.headers["Content-Security-Policy"].split("; "))
    page = body.decode()

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", page)
    assert all(link.startswith(("/", "#")) for link in re.findall(r'(?:src|href)="([^"]+)"', page))


def test_what_the_settings_say_is_text_on_the_page(chat: Site) -> None:
    _, body = chat.get("/chat/bartender")

    assert b"The &lt;Bartender&gt;" in body
    assert b"<Bartender>" not in body


def test_every_file_that_the_page_asks_for_is_there(chat: Site) -> None:
    """Scripts import each other: those are followed too."""
    _, body = chat.get("/chat/bartender")
    waiting = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', body.decode()))
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        response, text = chat.get(path)
        assert response.status == 200, path
        if path.endswith(".js"):
            assert response.headers["Content-Type"].startswith("text/javascript"), path
            folder = path.rpartition("/")[0]
            imports = re.findall(r'from "\./([^"]+)"', text.decode())
            waiting |= {f"{folder}/{name}" for name in imports} - seen
    assert len(seen) > 3


@pytest.mark.parametrize("path", ["/chat/nobody", "/chat/nobody/events", "/chat/bartender/other"])
def test_unknown_paths_are_not_found(chat: Site, path: str) -> None:
    response, _ = chat.get(path, chat.cookie())

    assert response.status == 404
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_stream_needs_the_cookie(chat: Site, method: str) -> None:
    """None, a foreign account's, one with another visitor's id, one with a broken signature."""
    real = chat.cookie()["Cookie"]
    foreign = chat.cookie(name="tasted")["Cookie"].replace("switchboard_tasted", "switchboard_bartender")
    guessed = real.replace(VISITOR, "w" * 24)
    broken = real[:-1] + ("0" if real[-1] != "0" else "1")
    for headers in ({}, {"Cookie": foreign}, {"Cookie": guessed}, {"Cookie": broken}):
        response, _ = chat.get("/chat/bartender/events", headers, method)
        assert response.status == 401, headers
    assert len(chat.live) == 0


def test_a_conversation_has_no_address_to_guess(chat: Site) -> None:
    """No parameter names a conversation or a visitor: what the cookie does not open stays shut."""
    talk = chat.talk()
    talk.exchange(1)
    stranger = chat.cookie("w" * 24)
    for guess in (f"chat={VISITOR}:main", f"chat=main&visitor={VISITOR}", f"conversation={talk.id}", "after=0"):
        response, _ = chat.get(f"/chat/bartender/events?{guess}", stranger, "HEAD")
        assert response.status in (200, 400)
    stream = chat.stream(headers=stranger)

    assert [event.name for event in stream.until("ready")] == ["ready"]


@pytest.mark.parametrize("name", ["", "a" * 65, "a:b", "a/b", "ä", "a%00"])
def test_a_chat_name_is_a_short_word(chat: Site, name: str) -> None:
    response, _ = chat.get(f"/chat/bartender/events?chat={quote(name)}", chat.cookie())

    assert response.status == 400


def test_head_opens_no_stream(database: str) -> None:
    """A page asks with it why its stream was refused: that must not cost a place, least of all another tab's."""
    with site(database, visitor_streams_max=1) as chat:
        stream = chat.stream()
        stream.until("ready")
        response, _ = chat.get("/chat/bartender/events", chat.cookie(), "HEAD")
        chat.talk().exchange(1)

        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.until("turn")[-1].data["seq"] == 1


def test_without_a_secret_nobody_becomes_a_visitor(chat: Site) -> None:
    response, _ = chat.get("/chat/bare")

    assert response.status == 401
    assert "Set-Cookie" not in response.headers
