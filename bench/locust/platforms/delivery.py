"""What goes over the wires in both directions, whatever the platform is."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["Call", "Delivery", "json_answer", "request"]


class Delivery(msgspec.Struct, frozen=True):
    """A POST of a platform's to the gateway, proved."""

    #: The conversation in the platform's own words: by it an answer finds it.
    place: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def raw(self, host: str) -> bytes:
        """Return its bytes for *host*."""
        return request("POST", self.path, host, {**self.headers, "Content-Length": str(len(self.body))}) + self.body


class Call(msgspec.Struct, frozen=True):
    """What a call of the gateway's comes to: the platform's answer, and what somebody at ``place`` reads by it."""

    answer: bytes
    place: str = ""
    text: str = ""
    #: Why nobody reads it, for who looks for a mistake in the settings.
    wrong: str = ""


def request(method: str, path: str, host: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode("latin-1")


def json_answer(value: object, status: int = 200) -> bytes:
    """Return an answer with *value* as its JSON; none for a 204."""
    body = b"" if status == 204 else msgspec.json.encode(value)
    return (
        b"HTTP/1.1 %d OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
        % (status, len(body), body)
    )
