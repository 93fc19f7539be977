"""Accepting when the listening socket itself fails."""

from __future__ import annotations

import _socket
import socket

from gateway.server.forwarded import TrustedPeers
from gateway.server.server import Server
from gateway.settings.server import ServerSettings
from tests.server.echo import echo
from tests.server.telling import told
from tests.support.waiting import until


def test_a_socket_that_listens_no_more_neither_spins_nor_holds_up_the_end() -> None:
    """Whoever shares it, like a master or its other workers, can shut it down; accept then fails again and again."""
    listener = _socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)
    server = Server(echo, ServerSettings(), trusted=TrustedPeers(""))
    with told("server.exhausted") as exhausted:
        server.listen(listener)
        shared = socket.fromfd(listener.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        shared.shutdown(socket.SHUT_RDWR)
        shared.close()
        until("it rests", lambda: exhausted.reasons)
        assert set(exhausted.reasons) == {"EINVAL"}
        server.stop()
