"""One HTTP call to a gateway, as a platform makes it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from tests.support.waiting import GUARD_S

__all__ = ["Answer", "call"]


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float

    @property
    def json(self) -> Any:
        """The body's value."""
        return msgspec.json.decode(self.body)


def call(
    port: int,
    path: str,
    *,
    method: str = "POST",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = GUARD_S,
) -> Answer:
    """Call and return the whole answer; header names are lower case.  *timeout_s* is the longest silence."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        content = response.read()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, content, time.monotonic() - started)
    finally:
        connection.close()
