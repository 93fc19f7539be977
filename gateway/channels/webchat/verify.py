"""Who may speak on web chat: a visitor whose cookie we signed, from our own page.

SameSite=Lax already keeps the cookie from other sites' POSTs in today's browsers.  The two checks behind it
need no browser's goodwill: a form cannot send ``application/json``, and a script elsewhere sends its own
``Origin``.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.channels.webchat.cookie import visitor
from gateway.domain.errors import Unauthentic, WrongMediaType
from gateway.domain.http import Request
from gateway.settings.accounts import WebchatAccount

__all__ = ["verify"]

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def verify(request: Request, account: WebchatAccount, now_s: float) -> None:
    """Return if the request comes from our page and a known visitor, or raise Unauthentic."""
    media_type = request.header("content-type").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise WrongMediaType(
            f"expected the header Content-Type: application/json, got {media_type[:80] or 'none'}",
            reason="wrong_content_type",
        )
    if "origin" in request.headers and not _is_ours(request.header("origin"), request.header("host")):
        raise Unauthentic("Origin is not this host", reason="foreign_origin")
    visitor(request, account, now_s)


def _is_ours(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    port = _DEFAULT_PORTS.get(parts.scheme)
    if port is None or not host:
        return False
    return parts.netloc.lower().removesuffix(port) == host.lower().removesuffix(port)
