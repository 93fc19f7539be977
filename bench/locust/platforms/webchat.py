"""Web chat: what the page sends, and what it reads in its stream."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from bench.locust.platforms.delivery import Delivery

__all__ = ["Events", "Webchat", "cookie_given", "words"]

_COOKIE = re.compile(rb"\r\n[Ss]et-[Cc]ookie: *([^;\r\n]+)")
_EVENT = re.compile(rb"(?:^|\n)event: ?(\w+)")
_DATA = re.compile(rb"(?:^|\n)data: ?([^\n]*)")


class Webchat(msgspec.Struct, frozen=True, kw_only=True):
    """A page, as a browser has it."""

    account: str
    #: Only where no page is opened: then the cookie is made here.
    cookie_secret: str = ""

    @property
    def page(self) -> str:
        """Where it is opened; whoever opens it is given a cookie."""
        return f"/chat/{self.account}"

    @property
    def stream(self) -> str:
        """Where it reads."""
        return f"/chat/{self.account}/events?chat=main"

    def message(self, person: int, number: int, text: str, cookie: str) -> Delivery:
        """Return what a visitor says."""
        headers = {"Content-Type": "application/json", "Cookie": cookie}
        body = msgspec.json.encode({"id": f"load-{number}", "chat": "main", "text": text})
        return Delivery(str(person), f"/hooks/webchat/{self.account}", headers, body)

    def again(self, delivery: Delivery, retry: int, at_s: float) -> Delivery:
        """Return *delivery* as the page makes it once more, under the same id."""
        return delivery

    def cookie(self, person: int, at_s: float) -> str:
        """Return a cookie without opening the page."""
        visitor = base64.urlsafe_b64encode(hashlib.sha256(b"visitor %d" % person).digest()[:18]).decode()
        proved = f"webchat|{self.account}|{visitor}|{int(at_s)}".encode()
        signature = hmac.digest(self.cookie_secret.encode(), proved, "sha256").hex()
        return f"switchboard_{self.account}={visitor}.{int(at_s)}.{signature}"


def cookie_given(head: bytes) -> str:
    """Return the cookie of an answer's head, or an empty text."""
    found = _COOKIE.search(head)
    return found[1].decode("latin-1") if found else ""


def words(parts: list[dict[str, Any]]) -> str:
    """Return what a visitor reads of an answer's parts."""
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))


class Events:
    """What has come of a stream, cut into events; chunks are to be taken off before."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Yield name and data of each event that is whole now."""
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        for block in whole:
            name, said = _EVENT.search(block), _DATA.search(block)
            if name and said:
                yield name[1], msgspec.json.decode(said[1], type=dict[str, Any])
