"""A call as bytes: one head, one body, one write.

Injection is impossible rather than filtered: names must be tokens, values and paths must hold no control
character, and a call that breaks this is refused whole (RFC 9110, section 5.5).  What frames the message
(Content-Length, Transfer-Encoding, Connection), what names the host and what says which codings are understood are
written here and nowhere else.

Each header is asked two quick questions: is its name known, is its value printable?  Only one that fails, because it is
new, or rare, or bad, is looked at closely.

The time that is left is known only when an attempt is sent: :func:`finish` writes it, and only for calls that want it.
Pure.
"""

from __future__ import annotations

import re

from gateway.rpc.address import Address
from gateway.rpc.call import Call
from gateway.rpc.errors import InvalidCall

__all__ = ["RequestWriter", "finish"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH = re.compile(r"(/[!-\"$-~]*)?")  # visible ASCII without "#"
#: Everything that may not stand in a header's value: C0 without TAB, and DEL.  ``str.isprintable`` knows all of these
#: for unprintable, and a few that may.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

#: Headers that belong to the client.
OWN_HEADERS = frozenset(
    {
        "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip

_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})

#: Names that were found to be good.  Bounded, because a name may come out of a payload; big enough for every name that
#: we write ourselves.
_good_names: set[str] = set()
GOOD_NAMES_MAX = 1024

#: Beginnings of requests that a writer remembers, and the longest path of one: most calls go to a few paths.
BEGINNINGS_MAX = 64
REMEMBERED_PATH_CHARS_MAX = 200


class RequestWriter:
    """Writes the requests of one endpoint; what they share is made once."""

    __slots__ = ("_beginnings", "_prefix", "_shared")

    def __init__(self, address: Address) -> None:
        self._prefix = address.path_prefix
        self._shared = f" HTTP/1.1\r\nHost: {address.authority}\r\nUser-Agent: switchboard\r\nAccept-Encoding: "
        #: By method, path and whether gzip is offered: all that comes before a call's own headers.
        self._beginnings: dict[tuple[str, str, bool], str] = {}

    def write(self, call: Call) -> bytes:
        """Return the bytes of *call*, or raise :exc:`InvalidCall`.

        They lack the deadline header, if *call* names one: see :func:`finish`.
        """
        key = (call.method, call.path, call.gzip)
        head = self._beginnings.get(key) or self._begin(*key)
        if call.deadline_header:
            check_deadline_header(call)
        for name, value in call.headers.items():
            if name not in _good_names or not value.isprintable():
                check_header(name, value)
            head += f"{name}: {value}\r\n"
        body = call.body
        if body or call.method in _BODY_EXPECTED:
            head = f"{head}Content-Length: {len(body)}\r\n\r\n"
        else:
            head += "\r\n"
        try:
            return head.encode("latin-1") + body
        except UnicodeEncodeError:
            raise InvalidCall("expected header values in latin-1, got a character outside of it") from None

    def _begin(self, method: str, path: str, gzip: bool) -> str:
        # CONNECT would turn the connection into a tunnel, which a pool must not get back.
        if not _TOKEN.fullmatch(method) or not method.isupper() or method == "CONNECT":
            raise InvalidCall("expected a method that is an upper-case token and not CONNECT, got another")
        if not _PATH.fullmatch(path):
            raise InvalidCall(
                "expected a path that begins with / and is visible ASCII (percent-encode the rest), got another"
            )
        coding = "gzip" if gzip else "identity"
        beginning = f"{method} {self._prefix + path or '/'}{self._shared}{coding}\r\n"
        if len(path) <= REMEMBERED_PATH_CHARS_MAX:
            if len(self._beginnings) >= BEGINNINGS_MAX:
                self._beginnings.clear()
            self._beginnings[method, path, gzip] = beginning
        return beginning


def finish(call: Call, request: bytes, left_ms: int) -> bytes:
    """Return *request*, which ``write`` made of *call*, with the milliseconds left in ``call.deadline_header``.

    To be asked anew for each attempt: what the one before has spent is gone.
    """
    end_of_headers = len(request) - len(call.body) - len(b"\r\n")
    name = call.deadline_header.encode("latin-1")
    return b"%b%b: %d\r\n%b" % (request[:end_of_headers], name, left_ms, request[end_of_headers:])


def check_header(name: str, value: str) -> None:
    """Raise :exc:`InvalidCall` unless a caller may set this header; remember its name if so."""
    if not _TOKEN.fullmatch(name):
        raise InvalidCall("expected a header's name to be a token, got something else")
    if name.lower() in OWN_HEADERS:
        raise InvalidCall(f"header {name} is written by the client itself")
    if found := _CONTROL.search(value):
        raise InvalidCall(
            f"expected a value for header {name} without any control character, "
            f"got one at its character {found.start() + 1}"
        )
    if len(_good_names) >= GOOD_NAMES_MAX:
        _good_names.clear()
    _good_names.add(name)


def check_deadline_header(call: Call) -> None:
    """Raise :exc:`InvalidCall` unless :func:`finish` may write *call*'s deadline header."""
    check_header(call.deadline_header, "")
    if any(name.lower() == call.deadline_header.lower() for name in call.headers):
        raise InvalidCall(f"header {call.deadline_header} is the call's deadline_header, which is written here")
