"""The worker class for gunicorn: ``worker_class = "gateway.server.worker.Worker"``.

gunicorn's master keeps what it is good at: it binds, starts and restarts workers, and turns signals into theirs.  Which
of its settings hold here is in README.md beside this file; every other bound is in
:class:`gateway.settings.server.ServerSettings`, which has names and units for all of them.

The application may be any WSGI application.  One that has more to say has attributes:

    wsgi              what to call instead of itself; if that has ``direct(environ)``, it is asked first (README.md)
    limits            a ServerSettings; without them the drain lasts as long as ``graceful_timeout`` allows
    drain(deadline)   bring work to its end while requests are still answered (deadline: monotonic seconds)
    stop(deadline)    nothing is answered any more

Signals: TERM drains and stops, and a second one changes nothing.  INT and QUIT stop at once, also in the middle of a
drain, but in order: streams are told, and the application's ``stop`` runs.  USR1 opens the log files anew.  ABRT comes
from the master when the loop stands still: the worker says where, and goes.
"""

from __future__ import annotations

import _socket
import contextlib
import faulthandler
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
import msgspec
from gevent import hub, monkey
from gevent.event import Event
from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker as GunicornWorker

from gateway import telemetry
from gateway.settings.server import ServerSettings

if TYPE_CHECKING:
    # At run time a module that holds the class keeps gevent from patching it, and gevent says so.
    from ssl import SSLContext

__all__ = ["Worker"]

#: Seconds between two signs of life to the master, and between two looks at what sends no signal.
_NOTIFY_S = 1.0
_LOOK_S = 1.0
#: Seconds before the master kills in which the application stops.
_STOP_S = 1.0
#: The master looks ten times a second; what ends this long before its kill is not killed.
_KILL_MARGIN_S = 0.2
#: Descriptors for everything that is not a caller's connection: stores, assistants, files.
_OWN_DESCRIPTORS = 512
#: What the master and people tell a worker.
_ORDERS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGHUP)
#: gunicorn's settings that bound what a caller may do; ours are [server].
_OURS_INSTEAD = (
    "accesslog",
    "keepalive",
    "limit_request_field_size",
    "limit_request_fields",
    "limit_request_line",
    "threads",
    "worker_connections",
)


class Worker(GunicornWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process with one event loop."""

    #: What signals have left word of, and what then wakes the loop.
    _at_once = _interrupted = _reopen = False
    _wake: Any = None
    #: In the master: what it forks a process for next.
    unborn: ClassVar[Worker | None] = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # The master makes the object, then forks: see _before_fork.
        Worker.unborn = self

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Called by the master when it starts: refuse what cannot be done, and name what does nothing.

        :raises RuntimeError: which gunicorn tells in one line.
        """
        if cfg.proxy_protocol != "off":
            raise RuntimeError("gateway.server does not read the PROXY protocol: expected proxy_protocol = off")
        for name in _OURS_INSTEAD:
            setting = cfg.settings[name]
            if setting.get() != setting.default:
                log.warning("gunicorn's %s means nothing to this worker: gateway/server/README.md says what does", name)

    def init_process(self) -> None:
        """Patch, then load the application and run."""
        monkey.patch_all()
        # The master may have used a hub; a forked one would share its epoll descriptor.
        hub.reinit()
        #: Set whenever there is something to look at.
        self._told = Event()
        self._wake = gevent.get_hub().loop.async_()
        self._wake.start(self._on_signal)
        # For what was told before.
        self._wake.send()
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application and build its server: who fails here would fail again, and the master is to end."""
        # The master, which is not patched, imports this module for the class; what serves is for the worker alone.
        from gateway.server.forwarded import TrustedPeers
        from gateway.server.server import Server
        from gateway.telemetry.logs import PlainSink

        super().load_wsgi()
        if not telemetry.attached():
            # An application that knows nothing of ours: what its operator must hear goes to gunicorn's log.
            telemetry.attach(PlainSink(self.log.error_log))
        application: Any = self.wsgi
        self._server = Server(
            getattr(application, "wsgi", application),
            _within_descriptors(getattr(application, "limits", None) or ServerSettings()),
            trusted=TrustedPeers(self.cfg.forwarded_allow_ips),
            tls=_tls(self.cfg) if self.cfg.is_ssl else None,
            multiprocess=self.cfg.workers > 1,
        )

    def run(self) -> None:
        """Serve until told to stop, then end in order."""
        stop = getattr(self.wsgi, "stop", None)
        # Whatever is raised on the way, each of these has its turn.
        with contextlib.ExitStack() as ending:
            ending.enter_context(self._alive_meanwhile())
            if stop is not None:
                ending.callback(lambda: stop(time.monotonic() + _STOP_S))
            ending.callback(self._server.stop)
            try:
                for listener in self.sockets:
                    self._server.listen(_socket.socket(fileno=listener.sock.detach()))
                self._serve()
            except SystemExit:
                # The application's own verdict on itself (gateway.supervision): a fresh process serves better.
                self._at_once = True
                raise
            finally:
                self._drain()

    def _serve(self) -> None:
        while self.alive:
            if self.ppid != os.getppid():
                self.log.warning("the master is gone, stopping: %s", self)
                return
            if self._server.answered >= self.max_requests:
                self.log.info("max_requests is reached, stopping: %s", self)
                return
            self._told.wait(_LOOK_S)
            self._told.clear()

    def _drain(self) -> None:
        """Let what runs come to its end, side by side: requests here, and the application's own work."""
        until = time.monotonic() + (0.0 if self._at_once else self._drain_s())
        work = [gevent.spawn(self._server.drain, until)]
        if hasattr(self.wsgi, "drain"):
            work.append(gevent.spawn(self.wsgi.drain, until))
        ended = gevent.spawn(gevent.joinall, work)
        ended.link(lambda _: self._told.set())
        while not (ended.dead or self._at_once) and (left_s := until - time.monotonic()) > 0:
            self._told.clear()
            self._told.wait(left_s)
        if self._at_once:
            # Streams are told all the same, by the application if it is quick.
            gevent.sleep(0)
            self._server.drain(time.monotonic())

    def _drain_s(self) -> float:
        seconds: float = self.cfg.graceful_timeout - _STOP_S - _KILL_MARGIN_S
        if getattr(self.wsgi, "limits", None) is not None:
            seconds = min(seconds, self._server.limits.drain_s)
        return max(0.0, seconds)

    @contextlib.contextmanager
    def _alive_meanwhile(self) -> Iterator[None]:
        """Give the master a sign of life as long as the loop runs, whatever this greenlet waits for."""
        # gunicorn has halved its ``timeout``; 0 is no timeout.
        every_s = min(_NOTIFY_S, self.timeout or _NOTIFY_S)
        notifying = gevent.get_hub().loop.timer(0, repeat=every_s)
        notifying.start(self.notify)
        try:
            yield
        finally:
            notifying.close()

    def _on_signal(self) -> None:
        """In the hub: what a signal left word of."""
        self._told.set()
        if self._reopen:
            self._reopen = False
            # Takes locks.
            gevent.spawn(self.log.reopen_files)
        if self._interrupted:
            self._interrupted = False
            gevent.spawn(self.cfg.worker_int, self)

    # Signals.  Python calls these between any two steps of any greenlet: they only leave word.

    def heed(self) -> None:
        """Take over the handlers that a fork inherits: they are the master's."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGINT, self.handle_quit)
        signal.signal(signal.SIGQUIT, self.handle_quit)
        signal.signal(signal.SIGUSR1, self.handle_usr1)
        # HUP is the master's: one that is sent to the whole group, or by name, is not to end a worker at once.
        signal.signal(signal.SIGHUP, lambda *_: None)

    def init_signals(self) -> None:
        """Leave no moment in which an order ends the process at once: gunicorn first sets all to their defaults."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _ORDERS)
        try:
            super().init_signals()
            self.heed()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ORDERS)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: end in order."""
        self.alive = False
        self._leave_word()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT, SIGQUIT: end at once."""
        self._at_once = self._interrupted = True
        self.handle_exit(sig, frame)

    def handle_usr1(self, sig: int, frame: Any) -> None:
        """SIGUSR1: open the log files anew."""
        self._reopen = True
        self._leave_word()

    def _leave_word(self) -> None:
        # Before there is a loop, it looks by itself.
        if self._wake is not None:
            self._wake.send()

    def handle_abort(self, sig: int, frame: Any) -> None:
        """SIGABRT: the master has seen no sign of life for ``timeout``.  Something does not let go of the loop, and
        would catch an exception as well; say what it is, and go."""
        sys.stderr.write(
            f"the event loop has not run for {self.cfg.timeout} s (gunicorn's timeout); it stands in:\n"
        )
        faulthandler.dump_traceback(all_threads=False)
        self.cfg.worker_abort(self)
        os._exit(1)


# An order comes once, perhaps a moment after the master has made the process.  There it would find the master's
# handler, which puts it into a copy of the master's queue that nobody reads; and what comes before Python has begun
# again after a fork, Python forgets.  So the kernel keeps orders back until a worker's own handlers stand.  These
# functions run at each fork of a process that imports this module, and do nothing where no worker is to be made.


def _before_fork() -> None:
    if Worker.unborn is not None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ORDERS)


def _after_fork_in_master() -> None:
    if Worker.unborn is not None:
        Worker.unborn = None
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ORDERS)


def _after_fork_in_worker() -> None:
    if Worker.unborn is not None:
        Worker.unborn.heed()
        _after_fork_in_master()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_master, after_in_child=_after_fork_in_worker)


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
