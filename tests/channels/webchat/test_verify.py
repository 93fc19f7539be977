"""Only our own page speaks for a visitor."""

from __future__ import annotations

import pytest

from gateway.channels.registry import CHANNELS
from gateway.domain.errors import Unauthentic
from gateway.domain.http import Request
from tests.channels.webchat.visitors import ACCOUNT, NOW_S, post

WEBCHAT = CHANNELS["webchat"]


def refusal(request: Request) -> str:
    with pytest.raises(Unauthentic) as caught:
        WEBCHAT.verify(request, ACCOUNT, NOW_S)
    return caught.value.reason


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://chat.example"},
        {"origin": "http://chat.example:80"},
        {"origin": "https://chat.example:443", "host": "CHAT.example"},
        {"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"},
        {"content_type": "Application/JSON; charset=utf-8"},
    ],
)
def test_our_page_and_programs_without_origin_are_let_in(headers: dict[str, str]) -> None:
    WEBCHAT.verify(post({}, **headers), ACCOUNT, NOW_S)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "https://chat.example.evil.example",
        "https://chat.example:8443",
        "https://evil.example@chat.example",
        "file://chat.example",
        "https://[",
        "chat.example",
    ],
)
def test_another_origin_is_refused(origin: str) -> None:
    assert refusal(post({}, origin=origin)) == "foreign_origin"


def test_an_origin_without_a_host_to_compare_is_refused() -> None:
    assert refusal(post({}, origin="http://", host="")) == "foreign_origin"


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
def test_what_a_form_on_another_site_can_send_is_refused(content_type: str) -> None:
    assert refusal(post({}, content_type=content_type)) == "wrong_content_type"


def test_a_stranger_is_refused() -> None:
    assert refusal(post({}, cookie="")) == "no_visitor"
