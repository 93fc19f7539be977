"""Tasted's process: ``python -m gateway.demo.tasted --port 8091``.

Nothing is patched: the few places that wait ask gevent for it by name.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from socket import socket

import gevent
from gevent.event import Event

from gateway.demo.serving.server import Server, listener
from gateway.demo.tasted.catalogue.load import Catalogue, load_catalogue
from gateway.demo.tasted.pictures.gallery import Gallery
from gateway.demo.tasted.serving.app import App
from gateway.demo.tasted.serving.options import Options, read_options
from gateway.demo.tasted.tasted import Tasted

#: From the signal to the end: shorter than the ten seconds that whoever stops us is likely to give.
DRAIN_S = 8.0
#: Whose users sit at the same machine where no public address is told.
_HERE = frozenset({"webchat"})


def main() -> int:
    """Serve until a signal says stop."""
    options = read_options(sys.argv[1:], os.environ)
    sockets: list[socket] = []
    try:
        if options.socket:
            sockets.append(listener(unix=options.socket))
        if options.port is not None:
            sockets.append(listener(host=options.host, port=options.port))
    except OSError as error:
        at = f"unix:{options.socket}" if len(sockets) < bool(options.socket) else _url(options.host, options.port or 0)
        sys.stderr.write(f"Tasted cannot listen on {at}: {error.strerror}\n")
        return 1
    port = sockets[-1].getsockname()[1] if options.port is not None else None
    catalogue = load_catalogue()
    app = App(
        _tasted(catalogue, options, port),
        Gallery(catalogue),
        signing_keys=options.signing_keys,
        wall=time.time,
        now=time.monotonic,
    )
    servers = [Server(each, app) for each in sockets]
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopped.set)
    for server in servers:
        server.start()
    at = " and ".join(filter(None, (options.socket and f"unix:{options.socket}", port and _url(options.host, port))))
    sys.stdout.write(f"Tasted listens on {at}\n")
    sys.stdout.flush()
    stopped.wait()
    gevent.joinall([gevent.spawn(server.drain, DRAIN_S) for server in servers])
    if options.socket:
        Path(options.socket).unlink(missing_ok=True)
    return 0


def _tasted(catalogue: Catalogue, options: Options, port: int | None) -> Tasted:
    if options.public_url:
        return Tasted(catalogue, pictures=options.public_url)
    if port is None:
        return Tasted(catalogue)
    # A platform cannot fetch from this machine, and might refuse the whole message because of it.
    return Tasted(catalogue, pictures=_url(options.host, port), pictures_of=_HERE)


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
