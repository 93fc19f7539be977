"""Which response_url may be called: an address in a payload is a place that others choose for us."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from gateway.settings.accounts import SlackAccount

__all__ = ["is_allowed"]

#: urlsplit drops tabs and line ends in silence, and browsers read a backslash as a slash.
_VISIBLE = re.compile(r"[!-\[\]-~]+")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_allowed(url: str, account: SlackAccount) -> bool:
    """Return whether *url* is https at one of the account's ``response_url_hosts``.

    An account whose own API is plain HTTP on this machine is a stand-in for tests: its response URLs may be
    too.
    """
    if not _VISIBLE.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if parts.hostname not in account.response_url_hosts or parts.username is not None:
        return False
    if parts.scheme == "https":
        return port in {None, 443} or _is_stand_in(account)
    return parts.scheme == "http" and _is_stand_in(account)


def _is_stand_in(account: SlackAccount) -> bool:
    api = urlsplit(account.api_base_url)
    return api.scheme == "http" and api.hostname in _LOOPBACK
