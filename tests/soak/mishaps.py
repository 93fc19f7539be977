"""What happens to a running stack: processes killed and paused, stores killed and restarted, one thing at a time."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import gevent
import psutil

from gateway.embedded.process import Process
from tests.support.stack import GatewayProcess, Stack, Started
from tests.support.stores import Stores
from tests.support.waiting import GUARD_S, until

__all__ = ["Campaign"]

PAUSE_S = 4.0
#: Seconds from the end of one mishap to the next.
EVERY_S = (3.0, 6.0)


class Campaign:
    """A seeded sequence of mishaps: each kind once in random order, then any but the restart of PostgreSQL."""

    def __init__(self, stack: Stack, stores: Stores, rng: random.Random) -> None:
        self._stack = stack
        self._stores = stores
        self._rng = rng
        #: What happened: (seconds of the wall clock, what, to whom).
        self.history: list[tuple[float, str, str]] = []
        #: Monotonic seconds at which somebody who had been paused went on.
        self.resumed: list[float] = []
        self._kinds: tuple[Callable[[], str], ...] = (
            self.lose_gateway,
            self.kill_gateways_worker,
            self.lose_worker,
            self.pause_gateway,
            self.pause_worker,
            self.kill_redis,
            self.wipe_redis,
        )

    def run(self, until_s: float) -> None:
        """Let things happen until the monotonic time *until_s*, all kinds at least."""
        deck = [*self._kinds, self.restart_postgresql]
        self._rng.shuffle(deck)
        while deck or time.monotonic() < until_s:
            gevent.sleep(self._rng.uniform(*EVERY_S))
            mishap = deck.pop() if deck else self._rng.choice(self._kinds)
            at = time.time()
            victim = mishap()
            self.history.append((at, mishap.__name__, victim))

    def lose_gateway(self) -> str:
        """As a lost machine; another one comes up elsewhere."""
        gateway = self._gateway()
        gateway.kill()
        self._stack.start_gateway()
        return gateway.name

    def kill_gateways_worker(self) -> str:
        """The process alone: gunicorn's master starts another at the same port."""
        gateway = self._gateway()
        os.kill(gateway.pid, signal.SIGKILL)
        return gateway.name

    def lose_worker(self) -> str:
        worker = self._rng.choice(self._stack.workers())
        worker.kill()
        self._stack.start_worker()
        return worker.name

    def pause_gateway(self) -> str:
        return self._pause(self._gateway())

    def pause_worker(self) -> str:
        return self._pause(self._rng.choice(self._stack.workers()))

    def kill_redis(self) -> str:
        """Its file is kept, but for the last second perhaps."""
        self._kill_redis()
        return _start(self._stores.redis_process)

    def wipe_redis(self) -> str:
        """It comes back empty."""
        folder = Path(psutil.Process(self._stores.redis_process.pid).cwd())
        self._kill_redis()
        for file in folder.iterdir():
            file.unlink()
        return _start(self._stores.redis_process)

    def restart_postgresql(self) -> str:
        """A fast shutdown, as for an update: running transactions are rolled back, sessions are told why."""
        process = self._stores.postgres_process
        assert process.pid is not None
        psutil.Process(process.pid).send_signal(signal.SIGINT)
        until("the end of PostgreSQL", lambda: process.poll() is not None)
        gevent.sleep(self._rng.uniform(0, 2))
        return _start(process)

    def _gateway(self) -> GatewayProcess:
        """A gateway that serves: with fewer than two there would be nobody to take over."""

        def serving() -> list[GatewayProcess]:
            alive = [each for each in self._stack.gateways if not each.ended() and each.is_ready()]
            return alive if len(alive) > 1 else []

        return self._rng.choice(until("two gateways that are ready", serving))

    def _pause(self, process: Started) -> str:
        pid = process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            gevent.sleep(PAUSE_S)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.resumed.append(time.monotonic())
        return process.name

    def _kill_redis(self) -> None:
        process = self._stores.redis_process
        assert process.pid is not None
        psutil.Process(process.pid).kill()
        until("the end of Redis", lambda: process.poll() is not None)
        gevent.sleep(self._rng.uniform(0, 2))


def _start(process: Process) -> str:
    process.start()
    process.wait_ready(time.monotonic() + GUARD_S, pause=gevent.sleep)
    return process.program.name
