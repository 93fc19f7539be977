"""From a host's name to its addresses, inside a bound.

gevent resolves in a pool of ten threads, so one slow name server delays all names: what needs no look-up does
not go there.  A cache that is refreshed off the path of calls takes the place of ``resolve_now`` when it
comes.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import gevent
import gevent.socket

from gateway.rpc.errors import ConnectFailed

__all__ = ["Resolve", "SocketAddress", "resolve_now"]

SocketAddress = tuple[Any, ...] | str

#: Takes host, port and the seconds it may last; returns families and addresses in the order in which to try
#: them.
Resolve = Callable[[str, int, float], list[tuple[int, SocketAddress]]]


def resolve_now(host: str, port: int, wait_s: float) -> list[tuple[int, SocketAddress]]:
    """Ask the system.

    :raises ConnectFailed: there is no such name.
    :raises TimeoutError: no answer within *wait_s*.
    """
    family = _literal_family(host)
    if family is not None:
        return [(family, (host, port))]
    timeout = gevent.Timeout.start_new(wait_s)
    try:
        found = gevent.socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except gevent.Timeout as error:
        if error is not timeout:
            raise
        raise TimeoutError from None
    except (OSError, UnicodeError):
        raise ConnectFailed("the host's name cannot be resolved", reason="unknown_host") from None
    finally:
        timeout.close()
    return [(int(entry[0]), entry[4]) for entry in found]


def _literal_family(host: str) -> int | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return family
    return None
