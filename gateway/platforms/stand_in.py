"""The stand-in as an application: every platform's send API, and an own small one for whoever tries things.

| address                          | who calls                | what                                              |
|----------------------------------|--------------------------|---------------------------------------------------|
| `/<platform>/<account>/...`      | the gateway, the workers | the platform's own API                            |
| `GET /stand-in`                  | `switchboard up`, anyone | which accounts it stands in for                   |
| `GET /stand-in/seen?...`         | simulate, play           | what a conversation was shown; waits for news     |
| `POST /stand-in/seen`            | simulate, play           | keeps what was shown in a response to a delivery  |
| `POST`, `DELETE /stand-in/faults`| simulate, play           | what happens to the next messages                 |

Its own addresses but the first want the header ``X-Stand-In``, which a web page of somebody else cannot send.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta

from gateway.domain.http import status_line
from gateway.platforms.base import Answer, Call, Platform, Seen, json_answer
from gateway.platforms.faults import Fault, Faults
from gateway.platforms.transcript import Transcript
from gateway.settings.accounts import Account

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

__all__ = ["HEADER", "StandIn"]

HEADER = "X-Stand-In"
BODY_BYTES_MAX = 1_048_576
#: A platform reads a call as the loose JSON that it is.  What is not of the type that it goes on with is the caller's
#: mistake, and refused for good: a 500 would have it sent again and again.
_ILL_TYPED = (AttributeError, LookupError, TypeError, ValueError, msgspec.MsgspecError)
#: Seconds that one request may wait for news.
WAIT_S_MAX = 25.0


class Place(msgspec.Struct, frozen=True):
    """A conversation, as a query names it."""

    platform: str
    account: str
    place: str = ""
    after: int = -1
    wait_s: Annotated[float, Meta(ge=0)] = 0.0


class Showing(msgspec.Struct, frozen=True):
    """Messages that somebody was shown in the response to their own delivery."""

    platform: str
    account: str
    place: str
    seen: tuple[Seen, ...]


class Misfortune(msgspec.Struct, frozen=True):
    """A fault for a conversation's next messages."""

    platform: str
    account: str
    place: str
    fault: Fault
    count: Annotated[int, Meta(ge=1, le=100)] = 1


class _HangUp(Exception):
    """Answer nothing, and close the connection."""


class StandIn:
    """The WSGI application.  The clock (Unix seconds) and *sleep* are handed in."""

    def __init__(
        self,
        platforms: Mapping[str, Platform[Any]],
        accounts: Mapping[tuple[str, str], Account],
        *,
        now: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._platforms = platforms
        self._accounts = accounts
        self._now = now
        self._sleep = sleep
        # Behind those of an earlier run: who holds a place in it is not shown the past again, nor an id given twice.
        # In milliseconds, because it may give more than one a second.
        first = int(now() * 1_000)
        self._numbers = itertools.count(first)
        self.faults = Faults()
        self.transcript = Transcript(first, now)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        try:
            answer = self._answer(environ)
        except _HangUp:
            environ["stand_in.hang_up"]()
            answer = Answer(500)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            answer = json_answer({"error": str(error)}, 400)
        headers = {**answer.headers, "content-length": str(len(answer.body))}
        start_response(status_line(answer.status), list(headers.items()))
        return [answer.body]

    def _answer(self, environ: Mapping[str, Any]) -> Answer:
        body = environ["wsgi.input"].read(BODY_BYTES_MAX + 1)
        if len(body) > BODY_BYTES_MAX:
            return json_answer({"error": "too large"}, 413)
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        if path == "/stand-in" or path.startswith("/stand-in/"):
            if path != "/stand-in" and not environ.get("HTTP_X_STAND_IN"):
                return json_answer({"error": f"expected the header {HEADER}"}, 403)
            return self._own(environ["REQUEST_METHOD"], path.removeprefix("/stand-in"), query, body)
        call = Call(
            method=environ["REQUEST_METHOD"],
            path=path,
            query=query,
            headers=_headers(environ),
            body=body,
            at_s=self._now(),
            number=next(self._numbers),
        )
        return self._served(call)

    def _served(self, call: Call) -> Answer:
        _, platform_name, account_name, *rest = [*call.path.split("/", 3), "", "", ""]
        platform = self._platforms.get(platform_name)
        account = self._accounts.get((platform_name, account_name))
        if platform is None or account is None:
            return json_answer({"error": f"there is no account {platform_name}/{account_name} in the settings"}, 404)
        try:
            served = platform.served(account, msgspec.structs.replace(call, path="/" + rest[0]))
            # What is no text would be kept as one, and nobody could read the conversation any more.
            msgspec.convert(msgspec.to_builtins(served.seen), tuple[Seen, ...])
        except _ILL_TYPED as error:
            return json_answer({"error": f"{type(error).__name__}: {error}"}, 400)
        shows = any(seen.kind == "message" for seen in served.seen)
        account_name = served.account or account_name
        fault = self.faults.next((platform_name, account_name, served.place)) if shows else None
        if fault is not None and fault.kind in ("429", "500"):
            return platform.refusal(429 if fault.kind == "429" else 500, max(1, round(fault.seconds)))
        if fault is not None and fault.kind == "slow":
            self._sleep(fault.seconds)
        for seen in served.seen:
            self.transcript.add(platform_name, account_name, served.place, seen)
        if fault is not None and fault.kind == "cut":
            raise _HangUp
        return served.answer

    def _own(self, method: str, path: str, query: str, body: bytes) -> Answer:
        match method, path:
            case "GET", "":
                return json_answer({"accounts": sorted(f"{channel}/{name}" for channel, name in self._accounts)})
            case "GET", "/seen":
                return self._seen(query)
            case "POST", "/seen":
                showing = msgspec.json.decode(body, type=Showing)
                self._require(showing.platform, showing.account)
                numbers = [
                    self.transcript.add(showing.platform, showing.account, showing.place, seen)
                    for seen in showing.seen
                ]
                return json_answer({"numbers": numbers})
            case "POST", "/faults":
                told = msgspec.json.decode(body, type=Misfortune)
                self._require(told.platform, told.account)
                key = (told.platform, told.account, told.place)
                return json_answer({"waiting": self.faults.tell(key, told.fault, told.count)})
            case "DELETE", "/faults":
                asked = _place(query)
                return json_answer({"cleared": self.faults.clear((asked.platform, asked.account, asked.place))})
        return json_answer({"error": "no such address"}, 404)

    def _require(self, platform: str, account: str) -> None:
        # Nobody could ever meet or see what is kept for another one.
        if (platform, account) not in self._accounts:
            raise msgspec.ValidationError(f"there is no account {platform}/{account} in the settings")

    def _seen(self, query: str) -> Answer:
        """Return what a conversation was shown; without ``after``, where it stands now."""
        asked = _place(query)
        if asked.after < 0:
            found = self.transcript.since(-1, asked.platform, asked.account, asked.place)
        else:
            key = (asked.platform, asked.account, asked.place)
            found = self.transcript.wait(asked.after, key, min(asked.wait_s, WAIT_S_MAX))
        return json_answer({"last": self.transcript.last, "entries": found})


def _place(query: str) -> Place:
    fields = {name: values[-1] for name, values in parse_qs(query).items()}
    return msgspec.convert(fields, Place, strict=False)


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
    }
    if content_type := environ.get("CONTENT_TYPE"):
        headers["content-type"] = content_type
    return headers
