"""The stand-in's process: ``python -m gateway.platforms --port 8089``.

It reads the settings that the gateway reads: accounts and their tokens, by which it knows who calls.  Nothing is
patched: the few places that wait ask gevent for it by name.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

import gevent
from gevent.event import Event

from gateway.platforms.registry import platforms
from gateway.platforms.server import Server
from gateway.platforms.stand_in import StandIn
from gateway.settings.load import SettingsError, load

#: ``os.EX_CONFIG``: whoever started this need not try again.
_MISFIT = 78


def main() -> int:
    """Serve until a signal says stop."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.platforms", description="Stand in for the platforms' send APIs."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8089, help="port to listen on (default 8089)")
    given = parser.parse_args()
    try:
        settings = load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return _MISFIT
    stand_in = StandIn(platforms(settings.home), settings.accounts, now=time.time, sleep=gevent.sleep)
    server = Server((given.host, given.port), stand_in)
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopped.set)
    try:
        server.start()
    except OSError as error:
        sys.stderr.write(f"cannot listen on {given.host}:{given.port}: {error.strerror}\n")
        return 1
    sys.stdout.write(f"Standing in for the platforms on http://{given.host}:{server.server_port}\n")
    sys.stdout.flush()
    stopped.wait()
    server.stop(timeout=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
