"""The process that asks for our jobs: ``python -m bench.queue.enqueue MODE ...``; prints one :class:`Asked` as JSON.

fill LANES COUNT        as fast as may be, as other contestants fill their queues; LANES 0: in none
batches LANES COUNT     in batches of 100, by 8 greenlets
singles LANES COUNT     one at a time, by 1,000 greenlets
idle COUNT              one at a time, each about 20 ms after the last one was written
paced LANES RATE        one at a time at a rate, until its standard input ends
"""

from gevent import monkey

monkey.patch_all()

from psycogreen.gevent import patch_psycopg

patch_psycopg()

import contextlib
import itertools
import os
import random
import sys
import time
from collections.abc import Callable, Iterator

import gevent
import msgspec
from gevent.fileobject import FileObjectPosix
from gevent.pool import Pool

from bench.queue.asking import Asked
from bench.queue.records import Numbered
from gateway.domain.errors import TryLater
from gateway.domain.job import Draft
from gateway.jobs.jobs import Jobs
from gateway.settings.load import load
from gateway.store.job_hints import JobHints
from gateway.store.postgres import Database

BATCH_ROWS, BATCH_CALLERS, SINGLE_CALLERS, PACED_CALLERS = 100, 8, 1_000, 200
FILL_ROWS = 500
IDLE_S = (0.010, 0.030)
TEXT = os.environ["TEXT"]


class Enqueuer:
    """Jobs as a gateway has them, in a process of its own."""

    def __init__(self) -> None:
        settings = load()
        self._database = Database(settings.store, application="bench enqueue")
        self._hints = JobHints(settings.store, settings.jobs.hints_per_partition_max)
        self.jobs = Jobs(self._database, settings.jobs, self._hints)
        self._publisher = gevent.spawn(self._hints.publish_forever)

    def close(self) -> None:
        """Hang up; every hint is out."""
        self._hints.flush()
        self._publisher.kill()
        self._hints.close()
        self._database.close()


def draft(number: int, lanes: int, kind: str = "bench.effect") -> Draft:
    """Return job *number*."""
    lane = f"lane-{number % lanes}" if lanes else None
    return Draft(kind=kind, payload=Numbered(number, TEXT), lane=lane)


def fill(enqueuer: Enqueuer, lanes: int, count: int) -> None:
    """Ask for all, a statement after the other."""
    for first in range(0, count, FILL_ROWS):
        enqueuer.jobs.enqueue_many([draft(n, lanes) for n in range(first, min(count, first + FILL_ROWS))])


def batches(enqueuer: Enqueuer, lanes: int, count: int) -> None:
    """Ask for all, some callers at once; a lane is one caller's, so that its order is the numbers'."""
    pool = Pool(BATCH_CALLERS)

    def ask(caller: int) -> None:
        rounds = range(0, count, lanes)
        mine = [n + lane for n in rounds for lane in range(caller, lanes, BATCH_CALLERS) if n + lane < count]
        for first in range(0, len(mine), BATCH_ROWS):
            enqueuer.jobs.enqueue_many([draft(n, lanes) for n in mine[first : first + BATCH_ROWS]])

    for caller in range(BATCH_CALLERS):
        pool.spawn(ask, caller)
    pool.join(raise_error=True)


def singles(enqueuer: Enqueuer, lanes: int, count: int) -> None:
    """Ask for all, one at a time by each of a thousand callers; each has lanes of its own."""
    pool = Pool(SINGLE_CALLERS)

    def ask(caller: int) -> None:
        for number in range(caller, count, SINGLE_CALLERS):
            job = draft(number, lanes)
            enqueuer.jobs.enqueue(job.kind, job.payload, lane=job.lane)

    for caller in range(SINGLE_CALLERS):
        pool.spawn(ask, caller)
    pool.join(raise_error=True)


def idle(enqueuer: Enqueuer, count: int) -> Iterator[tuple[float, float]]:
    """Ask for one after the other; return when each was asked for, and when that was done.  In step with no polls."""
    rng = random.Random(20)
    for number in range(count):
        gevent.sleep(rng.uniform(*IDLE_S))
        job = draft(number, count, "bench.started")
        at = time.monotonic()
        enqueuer.jobs.enqueue(job.kind, job.payload, lane=job.lane)
        yield at, time.monotonic()


def paced(enqueuer: Enqueuer, lanes: int, rate: int) -> int:
    """Ask at a rate until standard input ends; return for how many."""
    ended = gevent.spawn(FileObjectPosix(sys.stdin.fileno(), "rb", closefd=False).read)
    pool = Pool(PACED_CALLERS)
    written = 0

    def ask(job: Draft) -> None:
        nonlocal written
        # Refused, or left in doubt: it is nobody's job then, and the next one comes soon.
        with contextlib.suppress(TryLater):
            enqueuer.jobs.enqueue(job.kind, job.payload, lane=job.lane)
            written += 1

    began = time.monotonic()
    for number in itertools.count():
        wait_s = began + number / rate - time.monotonic()
        if wait_s > 0:
            gevent.sleep(wait_s)
        if ended.dead:
            break
        pool.spawn(ask, draft(number, lanes, "bench.started"))
    pool.join()
    return written


def main(mode: str, *words: str) -> Asked:
    """Do what is asked for."""
    enqueuer = Enqueuer()
    numbers = [int(word) for word in words]
    instants: list[tuple[float, float]] = []
    jobs = numbers[-1]
    bulk: dict[str, Callable[[Enqueuer, int, int], None]] = {
        "fill": fill,
        "batches": batches,
        "singles": singles,
    }
    # The first statement opens connections and plans: not of the measure.
    enqueuer.jobs.status(0)
    wall, cpu = time.perf_counter(), time.process_time()
    if mode == "idle":
        instants = list(idle(enqueuer, *numbers))
    elif mode == "paced":
        jobs = paced(enqueuer, *numbers)
    else:
        bulk[mode](enqueuer, *numbers)
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    asked = Asked(jobs, wall_s, cpu_s, tuple(at for at, _ in instants), tuple(at for _, at in instants))
    enqueuer.close()
    return asked


if __name__ == "__main__":
    said = msgspec.json.encode(main(*sys.argv[1:]))
    sys.stdout.buffer.write(said + b"\n")
