"""Where an endpoint is: the parts of its base URL, checked once."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from gateway.rpc.errors import InvalidCall

__all__ = ["DEFAULT_PORTS", "Address", "parse_base_url"]

_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_PATH = re.compile(r"(/[!-\"$->@-~]*)?")  # visible ASCII without "#" and "?"
DEFAULT_PORTS = {"http": 80, "https": 443}


class Address(msgspec.Struct, frozen=True):
    """A place to connect to, and how it is named to the server."""

    scheme: Literal["http", "https", "http+unix"]
    #: Host name or IP address without brackets; empty for a unix socket.
    host: str
    port: int
    #: Path of the unix socket, else empty.
    socket_path: str
    #: Comes before every call's path; without a slash at its end.
    path_prefix: str
    #: The Host header.
    authority: str


def parse_base_url(base_url: str) -> Address:
    """Return the parts of *base_url*, or raise :exc:`InvalidCall`.

    Refused: user information (it would end up in logs), query and fragment, names that are not ASCII (write
    them in their ``xn--`` form: two spellings of one name must not be two endpoints by accident).
    """
    if not base_url.isascii() or not base_url.isprintable():
        raise InvalidCall("a base URL is printable ASCII")  # urlsplit would drop line ends in silence
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidCall("a base URL cannot be read: its host or port is malformed") from None
    prefix = parts.path.rstrip("/")
    if parts.query or parts.fragment or "@" in parts.netloc or not _PATH.fullmatch(prefix):
        raise InvalidCall("a base URL holds scheme, host, port and a path prefix, and nothing else")
    if parts.scheme == "http+unix":
        # urlsplit lowers ``hostname``; a path must keep its case.
        socket_path = unquote(parts.netloc)
        if not socket_path.startswith("/") or "\0" in socket_path:
            raise InvalidCall("a unix socket is written http+unix://%2Fabsolute%2Fpath.sock")
        return Address("http+unix", "", 0, socket_path, prefix, "localhost")
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or port == 0:
        raise InvalidCall("a base URL is http, https or http+unix and names an ASCII host")
    shown = f"[{host}]" if ":" in host else host
    default_port = DEFAULT_PORTS[parts.scheme]
    authority = shown if port in (None, default_port) else f"{shown}:{port}"
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    return Address(scheme, host, port or default_port, "", prefix, authority)
