"""A whole Switchboard for tests: real gateways and workers, a real ledger, and stand-ins for everybody else.

Their accounts are in stack_settings.py.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from gateway.embedded.process import Process, Program
from tests.support.alexa_platform import AlexaPlatform
from tests.support.assistant import Assistant
from tests.support.calling import call
from tests.support.ledger_view import LedgerView
from tests.support.slack_platform import SlackPlatform
from tests.support.stack_settings import FAST_BEATS, Settings, environment, free_port, write_config
from tests.support.telegram_platform import TelegramPlatform
from tests.support.waiting import GUARD_S, until

__all__ = ["FAST_BEATS", "GatewayProcess", "Stack", "Started", "running_stack", "word"]

_LOG_TAIL_LINES = 60
_words = itertools.count(1)


def word() -> str:
    """Return a word that nobody has said yet: how tests that share a stack tell their messages apart."""
    return f"w{next(_words):05d}x"


class Started:
    """A process of ours."""

    def __init__(self, name: str, argv: tuple[str, ...], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._process = Process(Program(name=name, argv=argv, env=env, log=self.log, stop_max_s=GUARD_S))
        self._process.start()

    @property
    def pid(self) -> int:
        """The process that runs our code."""
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        """End it with all its children at once, as a lost machine does."""
        assert self._process.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        until(f"the end of {self.name}", self.ended)

    def pause(self) -> None:
        """Stop it where it stands: the kernel gives it no time."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """Tell it to stop in order."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGTERM)

    def ended(self) -> bool:
        """Return whether it has ended."""
        return self._process.poll() is not None

    def wait_end(self) -> int:
        """Return its exit status once it has ended."""
        until(f"the end of {self.name}", self.ended)
        status = self._process.poll()
        assert status is not None
        return status

    def stop(self) -> None:
        """Stop it, whatever state it is in."""
        if not self.ended():
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                self.resume()
            self._process.stop(time.monotonic() + GUARD_S)


class GatewayProcess(Started):
    """gunicorn with one worker; ``pid`` is the worker's."""

    def __init__(
        self, name: str, env: Mapping[str, str], folder: Path, application: str = "gateway.wsgi:app"
    ) -> None:
        self.port = free_port()
        argv = (sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", application)
        super().__init__(name, argv, {**env, "PORT": str(self.port)}, folder)

    @property
    def pid(self) -> int:
        return until(f"a worker of {self.name}", self._worker_pid)

    def pids(self) -> list[int]:
        """Return the workers of this moment; two while one takes the other's place."""
        return [child.pid for child in psutil.Process(super().pid).children()]

    def reload(self) -> None:
        """Tell gunicorn to replace its worker."""
        os.kill(super().pid, signal.SIGHUP)

    def wait_ready(self) -> None:
        """Return once it may be given messages."""
        until(f"{self.name} ready; its log:\n{_tail(self.log)}", self.is_ready)

    def readiness(self) -> Any:
        """Return what it says of itself."""
        return call(self.port, "/readyz", method="GET").json

    def listens(self) -> bool:
        """Return whether it takes connections."""
        try:
            return call(self.port, "/healthz", method="GET").status == 200
        except OSError:
            return False

    def is_ready(self) -> bool:
        """Return whether it may be given messages: it is alive in the ledger, and holds its lease."""
        assert not self.ended(), f"{self.name} ended; its log:\n{_tail(self.log)}"
        try:
            return call(self.port, "/readyz", method="GET").status == 200
        except OSError:
            return False

    def _worker_pid(self) -> int:
        return next(iter(self.pids()), 0)


class Stack:
    """The processes and stand-ins of a test, or of a file of tests."""

    def __init__(self, database_url: str, redis_url: str, folder: Path, settings: Settings) -> None:
        self.assistant = Assistant()
        self.slack = SlackPlatform()
        self.telegram = TelegramPlatform()
        self.alexa = AlexaPlatform()
        self.ledger = LedgerView(database_url)
        self.processes: list[Started] = []
        self.gateways: list[GatewayProcess] = []
        self._folder = folder
        self._env = environment(database_url, redis_url, folder, settings)
        sends = self.slack.api, self.telegram.origin, self.alexa.origin
        write_config(folder / "switchboard.toml", self.assistant.url, *sends)

    @property
    def port(self) -> int:
        """The first gateway's."""
        return self.gateways[0].port

    def start_gateway(self, application: str = "gateway.wsgi:app") -> GatewayProcess:
        """Start one more; it is not ready yet."""
        name = f"gateway{len(self.gateways) + 1}"
        gateway = GatewayProcess(name, self._env, self._folder, application)
        self.gateways.append(gateway)
        self.processes.append(gateway)
        return gateway

    def start_worker(self) -> Started:
        """Start one more."""
        name = f"worker{len(self.processes) + 1}"
        worker = Started(name, (sys.executable, "-m", "workers"), self._env, self._folder)
        self.processes.append(worker)
        return worker

    def revive(self, *, gateways: int, workers: int) -> None:
        """Have so many of each run: start again what was killed."""
        new = [
            self.start_gateway() for _ in range(gateways - sum(not each.ended() for each in self.gateways))
        ]
        for _ in range(workers - len(self.workers())):
            self.start_worker()
        for gateway in new:
            gateway.wait_ready()

    def workers(self) -> list[Started]:
        """Return the workers that run."""
        return [each for each in self.processes if not isinstance(each, GatewayProcess) and not each.ended()]

    def alive(self) -> GatewayProcess:
        """Return a gateway that runs."""
        return next(each for each in self.gateways if not each.ended())

    def owner_of(self, conversation_id: int) -> GatewayProcess:
        """Return the gateway that owns the lane."""
        pid = self.ledger.owner_pid(conversation_id)
        return next(gateway for gateway in self.gateways if not gateway.ended() and gateway.pid == pid)

    def logs(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(f"---- {process.name}\n{_tail(process.log)}" for process in self.processes)

    def stop(self) -> None:
        """Stop everything."""
        for process in reversed(self.processes):
            process.stop()
        self.assistant.__exit__(None, None, None)
        self.slack.__exit__(None, None, None)
        self.telegram.__exit__(None, None, None)
        self.alexa.__exit__(None, None, None)


@contextlib.contextmanager
def running_stack(
    database_url: str,
    redis_url: str,
    *,
    gateways: int = 1,
    workers: int = 1,
    settings: Settings | None = None,
) -> Iterator[Stack]:
    """Run a stack until the block ends; all of its gateways are ready."""
    with tempfile.TemporaryDirectory(prefix="switchboard-stack-") as folder:
        stack = Stack(database_url, redis_url, Path(folder), settings or {})
        try:
            # All at once: what takes their time is importing.
            for _ in range(gateways):
                stack.start_gateway()
            for _ in range(workers):
                stack.start_worker()
            for gateway in stack.gateways:
                gateway.wait_ready()
            until("the workers", lambda: stack.ledger.live_workers() >= workers)
            yield stack
        finally:
            stack.stop()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
