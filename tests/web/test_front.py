"""The page at ``/`` names who wants to be named; and what a browser is refused, it can show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import flask
import pytest

from gateway.settings.settings import Settings
from gateway.web.front import front_page
from tests.web.chat_site import Site, account, site

#: What Chromium sends for a page.
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}


@pytest.fixture
def chat(database: str) -> Iterator[Site]:
    with site(database) as running:
        yield running


@pytest.mark.parametrize("path", ["/", "/chat/"])
def test_the_page_leads_to_chats_that_are_listed_and_names_no_other(chat: Site, path: str) -> None:
    response, body = chat.get(path, BROWSER)
    page = body.decode()

    assert response.status == 200
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert page.count("<li>") == 1
    assert 'href="/chat/bartender"' in page
    assert "The &lt;Bartender&gt;" in page
    assert "tasted" not in page
    assert "bare" not in page
    assert chat.get("/chat/bartender", BROWSER)[0].status == 200
    assert chat.get("/static/chat/chat.css")[0].status == 200


def test_where_nobody_is_listed_there_is_nothing() -> None:
    app = flask.Flask("gateway.web")
    accounts = MappingProxyType({("webchat", "inner"): account("inner", title="Our plans")})
    app.register_blueprint(front_page(Settings(home=Path("unused"), accounts=accounts, assistants={})))
    for headers in ({}, BROWSER):
        answer = app.test_client().get("/", headers=headers)
        assert answer.status_code == 404
        assert not any(word in answer.text for word in ("inner", "Our plans", 'href="/"'))


@pytest.mark.parametrize(
    ("path", "status"), [("/chat/nobody", 404), ("/chat/bare", 401), ("/chat/bartender?chat=a:b", 400)]
)
def test_a_person_reads_a_page_and_a_program_json(chat: Site, path: str, status: int) -> None:
    shown, page = chat.get(path, BROWSER)
    told, words = chat.get(path, {"Accept": "*/*"})

    assert (shown.status, told.status) == (status, status)
    assert shown.headers["Content-Type"] == "text/html; charset=utf-8"
    assert shown.headers["Content-Security-Policy"]
    assert b"Switchboard" in page
    assert told.headers["Content-Type"] == "application/json"
    assert words.startswith(b'{"error":')
    assert {one.headers["Cache-Control"] for one in (shown, told)} == {"no-store"}
    assert "Set-Cookie" not in shown.headers


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nope", 404), ("POST", "/chat/bartender", 405)])
def test_what_is_nowhere_is_a_page_too_and_leads_to_who_is_here(
    chat: Site, method: str, path: str, status: int
) -> None:
    shown, page = chat.get(path, BROWSER, method=method)

    assert (shown.status, shown.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert shown.headers["Content-Security-Policy"]
    # RFC 9110, section 15.5.6: it must say what may be asked here.
    assert ("GET" in shown.headers.get("Allow", "")) == (status == 405)
    assert b'<a href="/">' in page
    assert b'<a href="/">' in chat.get("/chat/nobody", BROWSER)[1]
    assert b"Switchboard" not in chat.get(path, {"Accept": "*/*"}, method=method)[1]


def test_what_a_stream_is_refused_is_no_page(chat: Site) -> None:
    response, _ = chat.get("/chat/bartender/events", {"Accept": "text/event-stream"})

    assert (response.status, response.headers["Content-Type"]) == (401, "application/json")
