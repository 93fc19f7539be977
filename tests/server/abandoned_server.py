"""A server in a process of its own whose callers are going to leave it, and which tells what it still holds.

    python -m gevent.monkey --module tests.server.abandoned_server <certificate> <key>

prints its port and its port with TLS, and serves until its standard input ends.
"""

from __future__ import annotations

import _socket
import ctypes
import gc
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.fileobject import FileObject
from greenlet import greenlet

from gateway.server.connection import Connection
from gateway.server.exchange import Exchange
from gateway.server.forwarded import TrustedPeers
from gateway.server.held import HeldStream
from gateway.server.reader import Request
from gateway.server.server import Server
from gateway.server.writer import Writer
from gateway.settings.server import ServerSettings
from tests.server.tls_material import Certificate

#: More than the kernel takes for a reader that does not read.
_LARGE = bytes(250_000)
_LIMITS = ServerSettings(write_timeout_s=0.5, transfer_rate_min_bytes_s=1_073_741_824)

began: Counter[str] = Counter()
go = Event()
servers: list[Server] = []


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    began[path] += 1
    start_response("200 OK", [])
    match path:
        case "/wait":
            go.wait()
        case "/go":
            go.set()
            gevent.sleep(0)
            go.clear()
            began.clear()
        case "/whole":
            return [_LARGE]
        case "/pieces":
            return (_LARGE for _ in range(4))
        case "/held" | "/full":
            opened = (lambda stream: stream.send(_LARGE)) if path == "/full" else (lambda _: None)
            return environ["gateway.hold"](opened, lambda _: None)  # type: ignore[no-any-return]
        case "/holds":
            return [json.dumps(holds()).encode()]
    return [b"done"]


def holds() -> dict[str, Any]:
    """What is left: of everything that a connection may have made."""
    gc.collect()
    # glibc keeps what was freed in the middle of its heap; that is nobody's leak.
    ctypes.CDLL(None).malloc_trim(0)
    kinds = Counter(type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, _KINDS))
    return {
        "began": dict(began),
        "pss_kb": _pss_kb(),
        "blocks": sys.getallocatedblocks(),
        "left": {
            **{kind.__name__: kinds[kind.__name__] for kind in _KINDS},
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "connections": sum(len(server.connections) for server in servers),
            "watched": sum(server.wheel.watched for server in servers),
            "in_flight": sum(server.in_flight for server in servers),
            "buffered_bytes": sum(server.buffered_bytes for server in servers),
        },
    }


_KINDS = (greenlet, Connection, Writer, Exchange, Request, HeldStream)


def _pss_kb() -> int:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def listening() -> _socket.socket:
    listener = _socket.socket()
    # Inherited by what it accepts: the kernel is to be full soon.
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, 4_096)
    listener.bind(("127.0.0.1", 0))
    listener.listen(4_096)
    return listener


def main() -> None:
    tls = Certificate(sys.argv[1], sys.argv[2]).server_context()
    for context in (None, tls):
        server = Server(application, _LIMITS, trusted=TrustedPeers(""), tls=context)
        listener = listening()
        servers.append(server)
        print(listener.getsockname()[1], flush=True)
        server.listen(listener)
    FileObject(sys.stdin.buffer, "rb").read()
    for server in servers:
        server.stop()


if __name__ == "__main__":
    main()
