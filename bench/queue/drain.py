"""One run of one contestant: its queue is filled, its worker started, and its effects watched until all are there.

The clock runs from the first tenth of the effects to the last one, so neither the start of a process nor its first
connections are in it; ours stops only when the ledger holds no job any more, which is when all are settled.  A
contestant that lost a job, or ran one twice, is out: fast is who did what was asked.  Each begins with empty stores,
whatever became of the one before it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from bench.queue.contestants import Contestant
from bench.queue.effects import Effects, Faults, faults, out_of_order
from bench.queue.ours import environment, forget_redis, ledger_of
from bench.stack import GATEWAY_CPU, busy_s, cpu_s, pinned
from bench.stores import Stores

__all__ = ["Failed", "Sample", "drain", "enqueue", "working"]

#: Seconds from the start of a worker to its first effect.
START_MAX_S = 30.0
#: Seconds without any effect after which a contestant is not waited for any more.
IDLE_MAX_S = 15.0
#: Seconds after the last effect in which repeats may still show.
REPEATS_S = 0.2
_ENQUEUE_MAX_S = 300.0
_STOP_MAX_S = 20.0
#: What a contestant said last, in an error.
_SAID_CHARS = 300


class Failed(Exception):
    """A contestant did not do what it was asked; says what it did."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    rate: float
    #: Processor microseconds of the worker, and of the stores, for one job.
    worker_us: float
    stores_us: float
    #: Shares of a core: of the worker, of the stores, and of everybody else on the machine.
    worker_share: float
    stores_share: float
    strangers_share: float


class _Gauge:
    """Processor seconds of those who take part, from now on."""

    def __init__(self, worker_pid: int, stores: Stores) -> None:
        self._worker_pid, self._stores = worker_pid, stores
        self._began = self._now()
        self.at = time.monotonic()

    def _now(self) -> tuple[float, float, float]:
        stores_s = cpu_s(self._stores.postgres_pid) + cpu_s(self._stores.redis_pid)
        return busy_s(), cpu_s(self._worker_pid), stores_s

    def sample(self, jobs: int, until: float) -> Sample:
        busy, worker, stores = (now - then for now, then in zip(self._now(), self._began, strict=True))
        took_s = until - self.at
        return Sample(
            rate=jobs / took_s,
            worker_us=1e6 * worker / jobs,
            stores_us=1e6 * stores / jobs,
            worker_share=worker / took_s,
            stores_share=stores / took_s,
            strangers_share=max(0.0, busy - worker - stores) / took_s,
        )


def drain(contestant: Contestant, stores: Stores, *, jobs: int, idle_max_s: float = IDLE_MAX_S) -> Sample:
    """Have *contestant* run *jobs* jobs; raise :exc:`Failed`."""
    sample: Sample | None = None
    with tempfile.TemporaryDirectory(prefix="bench-queue-") as name:
        folder = Path(name)
        effects = Effects(folder / "effects")
        env = environment(
            stores, folder, effects.path, redis_url="" if contestant.redis else _nowhere(folder)
        )
        forget_redis(stores)
        if contestant.ledger:
            with ledger_of(stores) as ledger:
                ledger.bury_all()
                ledger.empty()
        enqueue(contestant, {**env, **contestant.env}, jobs)
        with working(contestant, {**env, **contestant.env}, folder / "worker.log") as worker:
            effects.wait(1, idle_max_s=START_MAX_S)
            effects.wait(jobs // 10, idle_max_s=idle_max_s)
            gauge = _Gauge(worker.pid, stores)
            warm = effects.count()
            seen = effects.wait(jobs, idle_max_s=idle_max_s)
            if seen.count > warm:
                sample = gauge.sample(seen.count - warm, _settled(contestant, stores, seen.at, idle_max_s))
            time.sleep(REPEATS_S)
        _judge(contestant, effects, jobs, _tail(folder / "worker.log"))
        # All ran within its first tenth's look: there would be nothing to divide by.
        assert sample is not None, "jobs enough for a run"
        return sample


def _settled(contestant: Contestant, stores: Stores, at: float, max_s: float) -> float:
    if not contestant.ledger:
        return at
    with ledger_of(stores) as ledger:
        try:
            return max(at, ledger.wait_settled(max_s=max_s))
        except TimeoutError as error:
            raise Failed(str(error)) from None


def _judge(contestant: Contestant, effects: Effects, jobs: int, said: str) -> None:
    numbers = effects.numbers()
    found: Faults = faults(numbers, jobs)
    if found:
        raise Failed(f"{found} of {jobs:,} jobs{said}")
    if contestant.lanes and (wrong := out_of_order(numbers, contestant.lanes)):
        raise Failed(f"{wrong:,} of {jobs:,} jobs ran out of order in their lanes")


def enqueue(contestant: Contestant, env: Mapping[str, str], jobs: int) -> None:
    """Fill its queue; raise :exc:`Failed`."""
    done = subprocess.run(
        [*_program(contestant.enqueue), str(jobs)],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_ENQUEUE_MAX_S,
        check=False,
    )
    if done.returncode:
        raise Failed(
            f"enqueuing: status {done.returncode}: {done.stdout.decode(errors='replace')[-_SAID_CHARS:]}"
        )


@contextlib.contextmanager
def working(contestant: Contestant, env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run its worker on the gateway's core until the block ends."""
    with log.open("ab") as output, pinned(GATEWAY_CPU):
        worker = subprocess.Popen(
            _program(contestant.worker),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield worker
    finally:
        try:
            if contestant.ledger:
                # Our next worker would have to wait until this one is found dead.  Of the others nothing is left
                # once Redis is empty, and some take their time.
                worker.terminate()
                worker.wait(_STOP_MAX_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            kill(worker)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """End it with all of its children at once, as a lost machine does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def _program(argv: tuple[str, ...]) -> list[str]:
    return [shutil.which(argv[0]) or argv[0], *argv[1:]]


def _nowhere(folder: Path) -> str:
    return f"unix://{folder}/nobody.sock?db=0"


def _tail(log: Path) -> str:
    said = log.read_bytes()[-_SAID_CHARS:].decode(errors="replace").strip() if log.exists() else ""
    return f"; it said: {said}" if said else ""
