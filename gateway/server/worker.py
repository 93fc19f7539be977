"""The worker class for gunicorn: ``worker_class = "gateway.server.worker.Worker"``.

gunicorn's master keeps what it is good at: it binds, starts and restarts workers, and turns signals into theirs.  Its
settings that hold here: bind, backlog, workers, TLS (certfile, keyfile, ...), ``forwarded_allow_ips``, timeout (the
loop's sign of life), ``graceful_timeout``, ``max_requests``, user and group.  Every other bound is in
:class:`gateway.settings.server.ServerSettings`, which has names and units for all of them.

The application may be any WSGI application.  One that has more to say has attributes:

    wsgi              what to call instead of itself
    limits            a ServerSettings
    drain(deadline)   bring work to its end while requests are still answered (deadline: monotonic seconds)
    stop(deadline)    nothing is answered any more
"""

from __future__ import annotations

import _socket
import contextlib
import faulthandler
import os
import resource
import sys
import time
from collections.abc import Iterator
from ssl import SSLContext
from typing import TYPE_CHECKING, Any

import gevent
import msgspec
from gevent import hub, monkey
from gevent.event import Event
from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker as GunicornWorker

from gateway import telemetry
from gateway.settings.server import ServerSettings

if TYPE_CHECKING:
    from gateway.server.server import Server

__all__ = ["Worker"]

#: Seconds between two signs of life to the master.
_NOTIFY_S = 1.0
#: Seconds before the master kills in which the application stops.
_STOP_S = 1.0
#: The master looks ten times a second; what ends this long before its kill is not killed.
_KILL_MARGIN_S = 0.2
#: Descriptors for everything that is not a caller's connection: stores, assistants, files.
_OWN_DESCRIPTORS = 512


class Worker(GunicornWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process with one event loop."""

    def init_process(self) -> None:
        """Patch, then load the application and run."""
        monkey.patch_all()
        # The master may have used a hub; a forked one would share its epoll descriptor.
        hub.reinit()
        self._told = Event()
        self._wake = gevent.get_hub().loop.async_()
        self._wake.start(self._told.set)
        self._at_once = False
        super().init_process()

    def run(self) -> None:
        """Serve until told to stop, then end in order."""
        # The master, which is not patched, imports this module for the class; what serves is for the worker alone.
        from gateway.server.forwarded import TrustedPeers
        from gateway.server.server import Server

        application: Any = self.wsgi
        server = Server(
            getattr(application, "wsgi", application),
            _within_descriptors(getattr(application, "limits", None) or ServerSettings()),
            trusted=TrustedPeers(self.cfg.forwarded_allow_ips),
            tls=_tls(self.cfg) if self.cfg.is_ssl else None,
            multiprocess=self.cfg.workers > 1,
        )
        try:
            for listener in self.sockets:
                server.listen(_socket.socket(fileno=listener.sock.detach()))
            self._serve(server)
            self._drain(server, application)
        finally:
            server.stop()
            stop = getattr(application, "stop", None)
            if stop is not None:
                stop(time.monotonic() + _STOP_S)

    def _serve(self, server: Server) -> None:
        while self.alive:
            self.notify()
            if self.ppid != os.getppid():
                self.log.info("the master is gone, stopping: %s", self)
                return
            if server.answered >= self.max_requests:
                self.log.info("max_requests is reached, stopping: %s", self)
                return
            self._told.wait(_NOTIFY_S)

    def _drain(self, server: Server, application: object) -> None:
        """Let what runs come to its end, side by side: requests here, and the application's own work."""
        seconds = min(server.limits.drain_s, self.cfg.graceful_timeout - _STOP_S - _KILL_MARGIN_S)
        deadline = time.monotonic() + (0.0 if self._at_once else max(0.0, seconds))
        drain = getattr(application, "drain", None)
        working = None if drain is None else gevent.spawn(drain, deadline)
        with self._alive_meanwhile():
            server.drain(deadline)
            if working is not None:
                working.join(max(0.0, deadline - time.monotonic()))

    @contextlib.contextmanager
    def _alive_meanwhile(self) -> Iterator[None]:
        notifying = gevent.get_hub().loop.timer(0, repeat=_NOTIFY_S)
        notifying.start(self.notify)
        try:
            yield
        finally:
            notifying.close()

    # Signals.  Python calls these between any two steps of any greenlet: they only leave word.

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: end in order."""
        self.alive = False
        self._wake.send()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT, SIGQUIT: end at once."""
        self._at_once = True
        self.handle_exit(sig, frame)
        gevent.spawn(self.cfg.worker_int, self)

    def handle_usr1(self, sig: int, frame: Any) -> None:
        """SIGUSR1: open the log files anew, which takes locks."""
        gevent.spawn(super().handle_usr1, sig, frame)

    def handle_abort(self, sig: int, frame: Any) -> None:
        """SIGABRT: the master has seen no sign of life for ``timeout``.  Something does not let go of the loop, and
        would catch an exception as well; say what it is, and go."""
        sys.stderr.write(
            f"the event loop has not run for {self.cfg.timeout} s (gunicorn's timeout); it stands in:\n"
        )
        faulthandler.dump_traceback(all_threads=False)
        self.cfg.worker_abort(self)
        os._exit(1)


def _tls(cfg: Any) -> SSLContext:
    context: SSLContext = ssl_context(cfg)
    # gunicorn offers a protocol only where HTTP/2 is wanted, and would then agree to it.
    context.set_alpn_protocols(["http/1.1"])
    return context


def _within_descriptors(limits: ServerSettings) -> ServerSettings:
    """Return *limits* with no more connections than this process may have descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = max(64, hard - _OWN_DESCRIPTORS)
    if hard == resource.RLIM_INFINITY or limits.connections_max <= room:
        return limits
    telemetry.event("server.limited", reason="descriptors", connections=room)
    return msgspec.structs.replace(limits, connections_max=room)
