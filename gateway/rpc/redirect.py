"""Redirects: where a call may go on, when its owner allows that at all (``Call.redirects_max``, by default 0).

Rules:

1. GET and HEAD only: nothing that changes something is done at a place that nobody chose.
2. The same scheme, host and port only, and below the base URL's path prefix: the call's headers (tokens, signatures)
   were made for that place.
3. At most ``redirects_max``.  Whoever follows one asks again with a call whose ``redirects_max`` is one less.
4. What comes out is a path like any other: visible ASCII, the fragment dropped, dot segments resolved.

Pure.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urljoin, urlsplit

import msgspec

from gateway.rpc.address import Address
from gateway.rpc.call import Call

__all__ = ["Refused", "next_target"]

#: 300 names several places and 304 none; 303 after a POST is a GET, but no POST is redirected here.
_STATUSES = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_VISIBLE = re.compile(r"[!-~]+")
#: An encoded dot is a dot (RFC 3986, section 6.2.2.2), also where two of them lead upwards.
_ENCODED_DOT = re.compile("%2e", re.IGNORECASE)
#: urljoin resolves these only in a reference without a host.
_DOT_SEGMENT = re.compile(r"/\.\.?(/|$)")

Reason = Literal["no_redirect", "redirects_max", "method", "no_location", "bad_location", "other_origin", "outside"]


class Refused(msgspec.Struct, frozen=True):
    """The answer stays as it is: its status is the caller's to read.  ``outside``: not below the base URL."""

    reason: Reason


def next_target(status: int, location: str | None, call: Call, address: Address) -> str | Refused:
    """Return the ``path`` with which *call* goes on after an answer from *address*, or why it does not."""
    if status not in _STATUSES:
        return Refused("no_redirect")
    if call.redirects_max <= 0:
        return Refused("redirects_max")
    if call.method not in ("GET", "HEAD"):
        return Refused("method")
    if not location:
        return Refused("no_location")
    # urlsplit drops line ends and tabs in silence: what it would drop must not come to it.
    if not _VISIBLE.fullmatch(location):
        return Refused("bad_location")
    return _resolved(_ENCODED_DOT.sub(".", location), call.path or "/", address)


def _resolved(location: str, path: str, address: Address) -> str | Refused:
    # A socket's requests name the host "localhost"; urljoin knows no scheme that leads to it.
    scheme = "http" if address.scheme == "http+unix" else address.scheme
    ours = (scheme, address.host or "localhost", address.port or _DEFAULT_PORTS[scheme])
    try:
        parts = urlsplit(urljoin(f"{scheme}://{address.authority}{address.path_prefix}{path}", location))
        port = _DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError:
        return Refused("bad_location")
    if (parts.scheme, parts.hostname, port) != ours or "@" in parts.netloc:
        return Refused("other_origin")
    if _DOT_SEGMENT.search(parts.path):
        return Refused("bad_location")
    return _below(address.path_prefix, parts.path or "/", parts.query)


def _below(prefix: str, path: str, query: str) -> str | Refused:
    rest = path.removeprefix(prefix)
    # "/apix" is not below "/api", and neither is "/api" itself with a query: no call's path can say that.
    if not path.startswith(prefix) or (rest and not rest.startswith("/")) or (query and not rest):
        return Refused("outside")
    return f"{rest}?{query}" if query else rest
