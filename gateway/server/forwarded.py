"""What proxies say of the caller: believed from trusted peers, removed from everybody else's requests.  Pure.

A peer is trusted by gunicorn's ``forwarded_allow_ips``: addresses, networks, or ``*`` for every peer.  The peer of a
unix socket has no address and is trusted, as under gunicorn: the socket file's permissions decided who may connect.

From a trusted peer:

- ``X-Forwarded-For`` sets REMOTE_ADDR.  Every proxy appends whom it was called by, so the list is read from its right
  end and only as far as a trusted address vouches for what stands to the left of it; the first one that is not trusted
  is the caller.  What the caller itself wrote stands further left and is never reached.  ``*`` vouches for the peer
  alone: else the leftmost entry, which anybody can write, would win.  Ports and brackets are understood
  (``192.0.2.1:4711``, ``[2001:db8::1]:4711``); REMOTE_PORT becomes the port named there, or is removed.  An entry that
  is no address, where one has to be read, leaves REMOTE_ADDR and REMOTE_PORT as they are: the peer's.
- ``X-Forwarded-Proto`` sets ``wsgi.url_scheme``: ``http`` or ``https``, several times only if each says the same.
  Anything else is refused, because an application behind us could read it differently.
- ``Forwarded`` (RFC 7239), ``X-Real-IP``, ``X-Forwarded-Protocol`` and ``X-Forwarded-Ssl`` are removed.  They answer
  the same two questions again, and the usual proxies, which do not set them, pass on whatever their caller wrote.
- ``X-Forwarded-Host`` and all others are left for the application, and mean nothing here.

From any other peer all of these are removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from gateway.domain.errors import BadRequest

__all__ = ["TrustedPeers", "apply_forwarded"]

#: Peers and proxies whose judgement is remembered.  Callers behind a proxy are judged too, and may be many.
_JUDGED_MAX = 4_096
#: The prefix of ``::ffff:0:0/96``, behind which an IPv4 address is written as an IPv6 one.
_MAPPED_BITS = 96
_PREFIX = "HTTP_X_FORWARDED_"
#: Second answers to what X-Forwarded-For and X-Forwarded-Proto say.
_SECOND_ANSWERS = ("HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_PROTOCOL", "HTTP_X_FORWARDED_SSL")
#: An address with or without a port.  A bare IPv6 address has none, because it could not be told apart.
_NODE = re.compile(
    r"\[(?P<bracketed>[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)\](?::(?P<port6>[0-9]{1,5}))?"
    r"|(?P<v4>[0-9.]+)(?::(?P<port4>[0-9]{1,5}))?"
    r"|(?P<bare>[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)"
)


class TrustedPeers:
    """Whose word about others is believed."""

    __slots__ = ("_everybody", "_networks", "vouches_for")

    def __init__(self, allowed: str | Iterable[str]) -> None:
        """Take gunicorn's setting: its text, or the list made of it."""
        entries = allowed.split(",") if isinstance(allowed, str) else allowed
        names = [name for entry in entries if (name := entry.strip())]
        self._everybody = "*" in names
        self._networks = tuple(map(_network, (name for name in names if name != "*")))
        #: Whether the setting names this address itself, be it within a network.
        self.vouches_for = lru_cache(maxsize=_JUDGED_MAX)(self._names)

    def __repr__(self) -> str:
        return f"<TrustedPeers {'*' if self._everybody else ','.join(map(str, self._networks))}>"

    def trusts(self, host: str) -> bool:
        """Return whether what the peer *host* says of its caller is believed; an empty host is a unix socket's."""
        return self._everybody or not host or self.vouches_for(host)

    def _names(self, host: str) -> bool:
        try:
            address = _plain(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def apply_forwarded(environ: dict[str, object], trusted: TrustedPeers) -> None:
    """Put into *environ* what a trusted peer says of its caller, or take out what another one says.

    :raises BadRequest: a trusted peer says two things at once, or nothing that is known, about the scheme.
    """
    peer = environ["REMOTE_ADDR"]
    assert isinstance(peer, str)
    if not trusted.trusts(peer):
        for key in [key for key in environ if key.startswith(_PREFIX)]:
            del environ[key]
        environ.pop("HTTP_FORWARDED", None)
        environ.pop("HTTP_X_REAL_IP", None)
        return
    for key in _SECOND_ANSWERS:
        environ.pop(key, None)
    if "HTTP_X_FORWARDED_PROTO" in environ:
        environ["wsgi.url_scheme"] = _scheme(str(environ["HTTP_X_FORWARDED_PROTO"]))
    if "HTTP_X_FORWARDED_FOR" in environ:
        caller = _caller(str(environ["HTTP_X_FORWARDED_FOR"]), trusted)
        if caller is not None:
            environ["REMOTE_ADDR"], port = caller
            if port is None:
                environ.pop("REMOTE_PORT", None)
            else:
                environ["REMOTE_PORT"] = port


def _scheme(value: str) -> str:
    schemes = {scheme.strip(" \t").lower() for scheme in value.split(",")}
    if len(schemes) == 1 and schemes <= {"http", "https"}:
        return schemes.pop()
    raise BadRequest("expected one X-Forwarded-Proto, http or https", reason="forwarded")


def _caller(value: str, trusted: TrustedPeers) -> tuple[str, str | None] | None:
    """Return the address and port of the farthest caller that is vouched for, or ``None`` if that cannot be read."""
    caller = None
    for entry in reversed(value.split(",")):
        node = entry.strip(" \t")
        if not node:
            # RFC 9110, section 5.6.1.2: empty elements of a list do not count.
            continue
        caller = _node(node)
        if caller is None or not trusted.vouches_for(caller[0]):
            break
    return caller


def _node(text: str) -> tuple[str, str | None] | None:
    """Return an entry's address in its usual spelling, and its port, or ``None`` if it is no address."""
    node = _NODE.fullmatch(text)
    if node is None:
        return None
    port = node["port6"] or node["port4"]
    if port is not None and int(port) > 65_535:
        return None
    try:
        return str(_plain(node["bracketed"] or node["v4"] or node["bare"])), port
    except ValueError:
        return None


def _plain(host: str) -> IPv4Address | IPv6Address:
    """Return *host*'s address; a socket that listens on IPv6 too shows an IPv4 peer as ``::ffff:192.0.2.1``."""
    address = ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address


def _network(name: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(name)
    except ValueError as error:
        raise ValueError(
            f"expected an address, a network or * in forwarded_allow_ips, got {name!r}: {error}"
        ) from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= _MAPPED_BITS:
        # Addresses are compared in their plain spelling, so the setting is read in it too.
        return ip_network((mapped, network.prefixlen - _MAPPED_BITS))
    return network
