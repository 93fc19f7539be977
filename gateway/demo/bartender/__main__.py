"""The Bartender's process: ``python -m gateway.demo.bartender --port 8090``.

Nothing is patched: the few places that wait ask gevent for it by name.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import gevent
from gevent.event import Event

from gateway.demo.bartender.bartender import Bartender
from gateway.demo.bartender.catalogue.load import load_catalogue
from gateway.demo.bartender.serving.app import App
from gateway.demo.bartender.serving.options import Options, read_options
from gateway.demo.serving.server import Server, listener

#: From the signal to the end: shorter than the ten seconds that whoever stops us is likely to give.
DRAIN_S = 8.0


def main() -> int:
    """Serve until a signal says stop."""
    options = read_options(sys.argv[1:], os.environ)
    try:
        sock = listener(host=options.host, port=options.port, unix=options.socket)
    except OSError as error:
        sys.stderr.write(
            f"The Bartender cannot listen on {_address(options, options.port)}: {error.strerror}\n"
        )
        return 1
    app = App(Bartender(load_catalogue()), options, wall=time.time, now=time.monotonic, sleep=gevent.sleep)
    server = Server(sock, app)
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopped.set)
    server.start()
    port = 0 if options.socket else sock.getsockname()[1]
    sys.stdout.write(f"The Bartender listens on {_address(options, port)}\n")
    sys.stdout.flush()
    stopped.wait()
    server.drain(DRAIN_S)
    if options.socket:
        Path(options.socket).unlink(missing_ok=True)
    return 0


def _address(options: Options, port: int) -> str:
    if options.socket:
        return f"unix:{options.socket}"
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
