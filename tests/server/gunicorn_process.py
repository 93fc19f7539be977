"""gunicorn with our worker class, as processes of their own."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from tests.support.calling import Answer, call
from tests.support.stack import Started
from tests.support.stack_settings import free_port
from tests.support.waiting import GUARD_S, until

__all__ = ["Gunicorn", "running"]

APPLICATION = "tests.server.worker_app:app"
#: Far more than tests wait for: who ends within their guard has not waited for the master's kill.
GRACE_S = "300"


class Gunicorn(Started):
    """A master and its workers; ``pid`` is the master's."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        name: str = "gunicorn",
        port: int | None = None,
        application: str = APPLICATION,
        env: Mapping[str, str] | None = None,
        client: ssl.SSLContext | None = None,
    ) -> None:
        self.client = client
        self.port = free_port() if port is None else port
        self.marks_file = folder / f"{name}.marks"
        argv = (
            *(sys.executable, "-m", "gunicorn", "-k", "gateway.server.worker.Worker", "--no-control-socket"),
            *("--bind", f"127.0.0.1:{self.port}", "--graceful-timeout", GRACE_S, *options, application),
        )
        super().__init__(name, argv, {**os.environ, "MARKS": str(self.marks_file), **(env or {})}, folder)

    def wait_ready(self) -> None:
        until(f"{self.name}; its log:\n{self.said()}", self.answers)

    def answers(self) -> bool:
        """Return whether it serves."""
        assert not self.ended(), self.said()
        try:
            return self.call("/echo").status == 200 if self.client is None else self.answers_over_tls()
        except OSError:
            return False

    def answers_over_tls(self) -> bool:
        with self.connected() as connected:
            connected.request("GET", "/echo")
            return connected.getresponse().status == 200

    def call(self, path: str, body: bytes = b"") -> Answer:
        return call(self.port, path, body=body)

    @contextmanager
    def connected(self) -> Iterator[http.client.HTTPSConnection]:
        """Open a connection over TLS."""
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.client, timeout=GUARD_S)
        with closing(connection):
            yield connection

    def said(self) -> str:
        """Return its log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def marks(self) -> list[str]:
        """Return what happened to its applications."""
        return self.marks_file.read_text().splitlines() if self.marks_file.exists() else []

    def wait_mark(self, word: str) -> None:
        until(f"{word}; its log:\n{self.said()}", lambda: word in self.marks())

    def worker_pids(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.pid).children()]

    def worker_pid(self) -> int:
        [pid] = until("a worker", self.worker_pids)
        return pid

    def signal(self, number: signal.Signals) -> None:
        """Send the master a signal."""
        os.kill(self.pid, number)

    def wait_gone(self, pid: int) -> None:
        """Wait for the end of a worker."""
        until(f"the end of {pid}; the log:\n{self.said()}", lambda: not _lives(pid), guard_s=GUARD_S)


@contextmanager
def running(folder: Path, *options: str, **more: object) -> Iterator[Gunicorn]:
    """Run one for a while."""
    process = Gunicorn(folder, *options, **more)  # type: ignore[arg-type]
    try:
        process.wait_ready()
        yield process
    finally:
        process.stop()


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
