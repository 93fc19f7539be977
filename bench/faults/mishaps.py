"""What happens to workers and stores in a kill campaign, one thing at a time, each victim back at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from bench.faults.checker import Mishap
from bench.stores import READY_MAX_S, Stores
from gateway.embedded.process import Process

__all__ = ["VICTIMS", "Mishaps"]

#: Seconds that a paused worker stands still: longer than its lease.
PAUSE_S = 8.0
_END_MAX_S = 10.0
_POLL_S = 0.01


class Mishaps:
    """Makes them happen."""

    def __init__(
        self, stores: Stores, start_worker: Callable[[], subprocess.Popen[bytes]], seed: int
    ) -> None:
        self._stores = stores
        self._start_worker = start_worker
        self._rng = random.Random(seed)
        self.parent = start_worker()
        self.history: list[Mishap] = []

    def happen(self, kind: str) -> Mishap:
        """Let one happen; return when its victim is back."""
        at = time.monotonic()
        pids = VICTIMS[kind](self)
        mishap = Mishap(kind, at, time.monotonic(), tuple(pids))  # type: ignore[arg-type]  # a key of VICTIMS
        self.history.append(mishap)
        return mishap

    def workers(self) -> list[psutil.Process]:
        """Return the processes that run jobs."""
        return psutil.Process(self.parent.pid).children()

    def kill_worker(self) -> Sequence[int]:
        """A process under a parent that sees it die, and starts another."""
        victim = self._a_worker()
        victim.send_signal(signal.SIGKILL)
        return [victim.pid]

    def lose_machine(self) -> Sequence[int]:
        """The parent with all of its children, so that nobody tells the ledger; another machine comes up."""
        lost = self.workers()
        self.parent.send_signal(signal.SIGKILL)
        for worker in lost:
            worker.send_signal(signal.SIGKILL)
        self.parent.wait()
        self.parent = self._start_worker()
        return [worker.pid for worker in lost]

    def pause_worker(self) -> Sequence[int]:
        """Stop a process where it stands until its lease has run out, and let it go on."""
        victim = self._a_worker()
        victim.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)
        victim.send_signal(signal.SIGCONT)
        return [victim.pid]

    def kill_redis(self) -> Sequence[int]:
        """With what its file has; the last second may be missing."""
        self._kill(self._stores.redis_process)
        return self._start(self._stores.redis_process)

    def wipe_redis(self) -> Sequence[int]:
        """It comes back empty."""
        folder = Path(psutil.Process(self._stores.redis_pid).cwd())
        self._kill(self._stores.redis_process)
        for file in folder.iterdir():
            file.unlink()
        return self._start(self._stores.redis_process)

    def restart_postgresql(self) -> Sequence[int]:
        """A fast shutdown, as for an update: running transactions are rolled back."""
        self._kill(self._stores.postgres_process, signal.SIGINT)
        return self._start(self._stores.postgres_process)

    def _a_worker(self) -> psutil.Process:
        deadline = time.monotonic() + _END_MAX_S
        while not (found := self.workers()):
            assert time.monotonic() < deadline, "the parent starts another"
            time.sleep(_POLL_S)
        return self._rng.choice(found)

    def _kill(self, process: Process, how: signal.Signals = signal.SIGKILL) -> None:
        assert process.pid is not None
        os.kill(process.pid, how)
        deadline = time.monotonic() + _END_MAX_S
        while process.poll() is None:
            assert time.monotonic() < deadline, f"{process} ends"
            time.sleep(_POLL_S)

    def _start(self, process: Process) -> Sequence[int]:
        process.start()
        process.wait_ready(time.monotonic() + READY_MAX_S)
        return ()


VICTIMS: Mapping[str, Callable[[Mishaps], Sequence[int]]] = {
    "worker": Mishaps.kill_worker,
    "machine": Mishaps.lose_machine,
    "redis": Mishaps.kill_redis,
    "wiped": Mishaps.wipe_redis,
    "postgres": Mishaps.restart_postgresql,
    "pause": Mishaps.pause_worker,
}
