"""HTTP calls of a trial: to the gateway as a platform, and to the stand-in's own addresses."""

from __future__ import annotations

import http.client
import time
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from gateway.platforms.base import Answer, Seen, Signed
from gateway.platforms.faults import Fault
from gateway.platforms.stand_in import HEADER, WAIT_S_MAX, Misfortune, Showing
from gateway.platforms.transcript import Entry

__all__ = ["NotThere", "Shown", "StandInClient", "connect", "deliver", "why"]

#: Seconds of silence after which nobody answers any more: longer than any channel lets the gateway take.
SILENCE_S_MAX = 60.0

T = TypeVar("T")


class NotThere(Exception):
    """Nobody listens at *origin*, or what listens there is something else."""

    def __init__(self, origin: str, why: str) -> None:
        super().__init__(f"{origin} {why}")
        self.origin = origin


class Shown(msgspec.Struct, frozen=True):
    """What the stand-in says of a conversation: the number that it gave last, and the messages that were asked for."""

    last: int
    entries: tuple[Entry, ...]


def connect(origin: str, *, silence_s_max: float = SILENCE_S_MAX) -> http.client.HTTPConnection:
    """Return a connection to *origin*, not yet made."""
    parts = urlsplit(origin)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=silence_s_max)


def deliver(origin: str, signed: Signed) -> tuple[Answer, float]:
    """Make a platform's call to the gateway and return its answer, and the seconds that it took.

    :raises NotThere: there is no answer.
    """
    started = time.monotonic()
    connection = connect(origin)
    try:
        connection.request(signed.method, signed.path, signed.body, dict(signed.headers))
        response = connection.getresponse()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, body, headers), time.monotonic() - started
    except (OSError, http.client.HTTPException) as error:
        raise NotThere(origin, f"does not answer: {why(error)}") from None
    finally:
        connection.close()


class StandInClient:
    """The stand-in, as whoever tries things sees it."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def past(self, platform: str, account: str, place: str) -> Shown:
        """Return all that a conversation was shown, and the place behind it."""
        return self._seen({"platform": platform, "account": account, "place": place})

    def wait(self, platform: str, account: str, place: str, after: int) -> Shown:
        """Return what it was shown behind *after*, as soon as there is something, or nothing after a while."""
        asked = {"platform": platform, "account": account, "place": place, "after": after, "wait_s": WAIT_S_MAX}
        return self._seen(asked)

    def keep(self, platform: str, account: str, place: str, seen: tuple[Seen, ...]) -> tuple[int, ...]:
        """Have it keep what was shown in a response; return the numbers that it gave."""
        showing = Showing(platform, account, place, seen)
        numbers = self._call("POST", "/seen", msgspec.json.encode(showing))["numbers"]
        return tuple(numbers)

    def tell(self, platform: str, account: str, place: str, fault: Fault, count: int) -> None:
        """Have the next *count* messages of a conversation meet *fault*."""
        self._call("POST", "/faults", msgspec.json.encode(Misfortune(platform, account, place, fault, count)))

    def clear(self, platform: str, account: str, place: str) -> int:
        """Have no more of a conversation's messages meet a fault; return how many would have."""
        asked = urlencode({"platform": platform, "account": account, "place": place})
        return int(self._call("DELETE", f"/faults?{asked}")["cleared"])

    def _seen(self, query: dict[str, Any]) -> Shown:
        return msgspec.convert(self._call("GET", "/seen?" + urlencode(query)), Shown)

    def _call(self, method: str, path: str, body: bytes = b"") -> Any:
        headers = {HEADER: "1", "Content-Type": "application/json"}
        answer, _ = deliver(self.origin, Signed(f"/stand-in{path}", headers, body, method))
        try:
            value = msgspec.json.decode(answer.body)
        except msgspec.DecodeError:
            raise NotThere(self.origin, "is not the platforms' stand-in") from None
        if answer.status != 200:
            raise NotThere(self.origin, f"refuses: {value.get('error', answer.status)}")
        return value


def why(error: Exception) -> str:
    """Return in a few words why there is no answer."""
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection"
    return str(error) or type(error).__name__
