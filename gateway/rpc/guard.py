"""Where a URL out of a payload may lead: a payload is written by others, and so is the place it names.

Two checks, because neither holds alone:

1. ``check_payload_url``, before a call: https, a host that the settings name, nothing that two parsers could read
   in two ways.  It returns the URL put together again from what was checked, so that nobody parses the other one.
2. ``is_public``, asked by :mod:`gateway.rpc.connect` about the very address that it connects to.  A name that was
   harmless when it was looked at may stand for 127.0.0.1 when it is connected to (DNS rebinding); an address cannot.

``rpc.private_addresses_allowed`` relaxes both: for trials on one machine.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from gateway.rpc.address import DEFAULT_PORTS, Address, parse_base_url
from gateway.rpc.errors import InvalidCall

__all__ = ["check_payload_url", "is_public"]

#: urlsplit drops tabs and line ends in silence, and browsers read a backslash as a slash.
_VISIBLE = re.compile(r"[!-\[\]-~]+")
_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")

#: Of IPv6, only this is given out for global unicast (IANA, "IPv6 Address Space"): site-local addresses, translations
#: of local use (RFC 8215) and whatever comes next lie outside.
_IPV6_UNICAST = IPv6Network("2000::/3")
#: Inside of it, but nobody's: Teredo, benchmarking, ORCHID (RFC 6890) and two ranges for documentation.
_IPV6_SPECIAL = (IPv6Network("2001::/23"), IPv6Network("2001:db8::/32"), IPv6Network("3fff::/20"))
#: Prefixes with an IPv4 address in them, and how many bits stand behind it: IPv4-mapped, NAT64 (RFC 6052), 6to4.
_EMBEDDING = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
#: What Python's ``is_global`` lets pass: a cloud's metadata service lies in the first (192.0.0.192), and another's in
#: the last, which is a public address by its look only.
_IPV4_SPECIAL = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv4Network("168.63.129.16/32"))


def check_payload_url(url: str, allowed_hosts: Iterable[str], *, private_allowed: bool = False) -> str:
    """Return *url*, normalised and without its fragment, if it may be called; else raise :exc:`InvalidCall`.

    *allowed_hosts* holds ``host``, ``*.suffix`` (any name below it, not the suffix itself), and either with a
    ``:port``; without one the scheme's own port is meant.  An IPv6 address stands in brackets.  ``http`` only if
    *private_allowed*.
    """
    if not _VISIBLE.fullmatch(url):
        raise InvalidCall("expected a URL of visible ASCII in a payload, got other characters")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidCall("expected a URL in a payload, got something that cannot be read as one") from None
    if parts.scheme != "https" and not (private_allowed and parts.scheme == "http"):
        raise InvalidCall("expected https in a URL of a payload (or http with rpc.private_addresses_allowed)")
    # The parser that the connection will go by: what is checked here is what is called.
    address = parse_base_url(f"{parts.scheme}://{parts.netloc}")
    if not any(_names(allowed, address) for allowed in allowed_hosts):
        raise InvalidCall("expected one of the allowed hosts in a URL of a payload, got another")
    query = f"?{parts.query}" if parts.query else ""
    return f"{address.scheme}://{address.authority}{parts.path or '/'}{query}"


def is_public(ip: str) -> bool:
    """Return whether *ip* is one host's address on the internet, and nobody's private, local or special one."""
    address = ip_address(ip.partition("%")[0])
    if isinstance(address, IPv6Address):
        embedded = _embedded(address)
        if embedded is None:
            return address in _IPV6_UNICAST and not any(address in special for special in _IPV6_SPECIAL)
        address = embedded
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return not any(address in special for special in _IPV4_SPECIAL)


def _names(allowed: str, address: Address) -> bool:
    found = _HOST_AND_PORT.fullmatch(allowed.lower())
    # Ports as numbers: the authority does not name the scheme's own one, and a setting may.
    if found is None or int(found["port"] or DEFAULT_PORTS[address.scheme]) != address.port:
        return False
    name = found["host"]
    if not name.startswith("*."):
        return name == (f"[{address.host}]" if ":" in address.host else address.host)
    # An empty label is no name below anything.
    return address.host.endswith(name[1:]) and "" not in address.host.split(".")


def _embedded(address: IPv6Address) -> IPv4Address | None:
    for prefix, bits_behind in _EMBEDDING:
        if address in prefix:
            return IPv4Address(int(address) >> bits_behind & 0xFFFF_FFFF)
    return None
