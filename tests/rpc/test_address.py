"""The laws of base URLs."""

from __future__ import annotations

import pytest

from gateway.rpc.address import Address, parse_base_url
from gateway.rpc.errors import InvalidCall

GOOD = {
    "http://localhost": Address("http", "localhost", 80, "", "", "localhost"),
    "http://localhost:80/": Address("http", "localhost", 80, "", "", "localhost"),
    "http://localhost:8080": Address("http", "localhost", 8080, "", "", "localhost:8080"),
    "https://slack.com/api": Address("https", "slack.com", 443, "", "/api", "slack.com"),
    "https://slack.com:80/api/": Address("https", "slack.com", 80, "", "/api", "slack.com:80"),
    "HTTP://Slack.COM": Address("http", "slack.com", 80, "", "", "slack.com"),
    "http://[::1]:81": Address("http", "::1", 81, "", "", "[::1]:81"),
    "http+unix://%2Frun%2FApp.sock": Address("http+unix", "", 0, "/run/App.sock", "", "localhost"),
    "http+unix://%2Frun%2Fapp.sock/v1": Address("http+unix", "", 0, "/run/app.sock", "/v1", "localhost"),
}


@pytest.mark.parametrize("base_url", GOOD)
def test_a_base_url_is_taken_apart(base_url: str) -> None:
    assert parse_base_url(base_url) == GOOD[base_url]


@pytest.mark.parametrize(
    "base_url",
    [
        "", "localhost", "ftp://host", "http://", "http://user@host", "http://user:secret@host", "http://host?x",
        "http://host/#f", "http://ho st", "http://höst", "http://host:99999", "http://host:0", "http://host:x",
        "http://host/a b", "http://host/\r\nX: y", "http://[::1", "http+unix://",
        "http+unix://run", "http+unix://%2Fa%00", "http://ho\nst",
    ],
)  # fmt: skip
def test_anything_else_is_refused_without_being_repeated(base_url: str) -> None:
    """A URL may hold a password: no error repeats it."""
    with pytest.raises(InvalidCall) as caught:
        parse_base_url(base_url)

    assert "secret" not in str(caught.value)
