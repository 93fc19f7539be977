"""A call as bytes: one head, one body, one write.

Injection is impossible rather than filtered: names must be tokens, values and paths must hold no control
character, and a call that breaks this is refused whole (RFC 9110, section 5.5).  What frames the message
(Content-Length, Transfer-Encoding, Connection) and what names the host are written here and nowhere else.
Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache

from gateway.rpc.address import Address
from gateway.rpc.call import Call
from gateway.rpc.errors import InvalidCall

__all__ = ["RequestWriter"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH = re.compile(r"(/[!-\"$-~]*)?")  # visible ASCII without "#"
#: Everything that may not stand in a header's value: C0 without TAB, and DEL.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

#: Headers that belong to the client.  ``accept-encoding`` is here because nothing decodes a compressed body
#: yet.
OWN_HEADERS = frozenset(
    {
        "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip

_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})


class RequestWriter:
    """Writes the requests of one endpoint; what they all share is made once."""

    __slots__ = ("_prefix", "_shared")

    def __init__(self, address: Address) -> None:
        self._prefix = address.path_prefix
        self._shared = (
            f" HTTP/1.1\r\nHost: {address.authority}\r\n"
            "User-Agent: switchboard\r\nAccept-Encoding: identity\r\n"
        )

    def write(self, call: Call) -> bytes:
        """Return the bytes of *call*, or raise :exc:`InvalidCall`."""
        method, path, body = call.method, call.path, call.body
        if not _known_method(method):
            raise InvalidCall("a method is an upper-case token")
        if not _PATH.fullmatch(path):
            raise InvalidCall("a path begins with / and is visible ASCII: percent-encode the rest")
        lines = [method, " ", self._prefix + path or "/", self._shared]
        for name, value in call.headers.items():
            if _CONTROL.search(value):
                raise InvalidCall(f"the value of header {checked_name(name)} holds a control character")
            lines += (checked_name(name), ": ", value, "\r\n")
        if body or method in _BODY_EXPECTED:
            lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        else:
            lines.append("\r\n")
        try:
            return "".join(lines).encode("latin-1") + body
        except UnicodeEncodeError:
            raise InvalidCall("a header holds a character outside latin-1") from None


# Bounded, because a name may come out of a payload; big enough for every name that we write ourselves.
@lru_cache(maxsize=1024)
def checked_name(name: str) -> str:
    """Return *name* if a caller may set this header."""
    if not _TOKEN.fullmatch(name):
        raise InvalidCall("a header's name is not a token")
    if name.lower() in OWN_HEADERS:
        raise InvalidCall(f"header {name} is written by the client itself")
    return name


@lru_cache(maxsize=64)
def _known_method(method: str) -> bool:
    # CONNECT would turn the connection into a tunnel, which a pool must not get back.
    return bool(_TOKEN.fullmatch(method)) and method.isupper() and method != "CONNECT"
