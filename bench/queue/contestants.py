"""Who runs in bench.queue, and how: each as its manual advises for many short jobs, one worker process on one core.

A contestant is two programs: one that enqueues so many jobs, and a worker.  Both are told by their environment where
Redis is, which text each job carries, and in which file its effect is counted (bench/queue/effects.py).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import msgspec

from bench.needs import PEERS, peer_folder
from bench.stack import ROOT

__all__ = ["CONTESTANTS", "LANES", "OURS", "PRICES", "TEXT", "Contestant"]

OURS = "ours"
LANES = 1_000
#: What a job carries beside its number: about 200 bytes, as it is written.
TEXT = "something with gin and lemon, please; " * 4


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """A queue."""

    name: str
    title: str
    #: Gets the number of jobs as its last argument.
    enqueue: tuple[str, ...]
    worker: tuple[str, ...]
    #: Jobs of one run: a few seconds' work.
    jobs: int
    #: Ours must drain this many times as fast; 0: told, not promised.
    goal: float = 0.0
    #: By name, in bench/needs.py.
    needs: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    #: It is ours: it has a ledger, which must be empty when its clock stops.
    ledger: bool = False
    #: How many lanes its jobs are in, each of which must be in order; 0: nobody promises any.
    lanes: int = 0
    #: Without fsync in PostgreSQL; without Redis.
    fsync: bool = True
    redis: bool = True


def _pypi(
    name: str,
    program: str,
    *arguments: str,
    title: str,
    jobs: int,
    goal: float = 0.0,
    called: str = "",
    **env: str,
) -> Contestant:
    folder, jobs_folder = peer_folder(name), PEERS / name
    enqueue = jobs_folder / ("enqueue.py" if (jobs_folder / "enqueue.py").exists() else "jobs.py")
    return Contestant(
        name=called or name,
        title=title,
        enqueue=(sys.executable, str(enqueue)),
        worker=(sys.executable, str(folder / "bin" / program), *arguments),
        jobs=jobs,
        goal=goal,
        needs=(name,),
        env={"PYTHONPATH": f"{jobs_folder}:{folder}", **env},
    )


def _ours(
    name: str,
    title: str,
    *,
    lanes: int = LANES,
    jobs: int = 160_000,
    fsync: bool = True,
    redis: bool = True,
    without: str = "",
    **env: str,
) -> Contestant:
    bare = (sys.executable, "-m", "bench.queue.bare", without)
    return Contestant(
        name=name,
        title=title,
        enqueue=(sys.executable, "-m", "bench.queue.enqueue", "fill", str(lanes)),
        worker=bare if without else (sys.executable, "-m", "workers.processes"),
        jobs=jobs,
        env={"PYTHONPATH": str(ROOT), **env},
        ledger=True,
        lanes=lanes,
        fsync=fsync,
        redis=redis,
    )


_BULLMQ = str(PEERS / "bullmq")
# Prefetch is what its manual gives for throughput; it is for the whole process.
_PREFETCH = {"dramatiq_queue_prefetch": "500"}
_DRAMATIQ = ("jobs", "--processes", "1", "--threads")
_HUEY = ("jobs.huey", "--no-periodic", "--quiet", "--worker-type")
_TASKIQ = ("worker", "jobs:broker", "--workers", "1", "--no-parse", "--log-level", "WARNING")
_CELERY = (
    "--app",
    "jobs",
    "worker",
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
    "--loglevel",
)
_RQ = ("worker", "--worker-class", "rq.SimpleWorker", "--quiet", "--disable-job-desc-logging")

CONTESTANTS: Mapping[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        _ours(OURS, "Switchboard"),
        Contestant(
            name="bullmq",
            title="BullMQ, concurrency 100",
            enqueue=("node", f"{_BULLMQ}/enqueue.mjs"),
            worker=("node", f"{_BULLMQ}/worker.mjs"),
            jobs=60_000,
            goal=1.0,
            needs=("node", "bullmq"),
        ),
        _pypi(
            "dramatiq", "dramatiq", *_DRAMATIQ, "8",
            title="Dramatiq, 8 threads", jobs=25_000, goal=2.3, **_PREFETCH,
        ),
        _pypi(
            "dramatiq", "dramatiq-gevent", *_DRAMATIQ, "32", called="dramatiq_gevent",
            title="Dramatiq, 32 greenlets", jobs=25_000, goal=4.0, **_PREFETCH,
        ),
        _pypi(
            "huey", "huey_consumer", *_HUEY, "greenlet", "--workers", "100",
            title="huey, 100 greenlets", jobs=10_000, goal=6.0,
        ),
        _pypi(
            "huey", "huey_consumer", *_HUEY, "thread", "--workers", "8", called="huey_threads",
            title="huey, 8 threads", jobs=15_000, goal=6.0,
        ),
        _pypi("taskiq", "taskiq", *_TASKIQ, title="taskiq, Redis Streams", jobs=12_000, goal=6.0),
        _pypi("celery", "celery", *_CELERY, "WARNING", "--pool", "solo", title="Celery, solo", jobs=4_000, goal=20.0),
        _pypi(
            "celery", "celery", *_CELERY, "WARNING", "--pool", "gevent", "--concurrency", "100",
            called="celery_gevent", title="Celery, gevent", jobs=4_000,
        ),
        _pypi("rq", "rq", *_RQ, title="RQ, SimpleWorker", jobs=1_000, goal=70.0),
    )
}  # fmt: skip

#: Ours with one promise less, by a setting, a different call or a part that is left out; beside ours as it is.
PRICES: Mapping[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        CONTESTANTS[OURS],
        _ours("no_order", "in no lanes: no order", lanes=0),
        _ours("no_fsync", "PostgreSQL without fsync: no durability", fsync=False),
        _ours("no_redis", "without Redis: found by looks alone", redis=False),
        _ours("no_limits", "no time limits, no look at the lease", without="limits"),
        _ours("no_fences", "no look at who owns a partition", without="fences"),
        _ours("no_claims", "nobody counts deaths", without="claims"),
        _ours("no_ends", "lanes go on before an end is written", without="ends"),
        _ours("nothing", "none of these", lanes=0, fsync=False, without="limits,fences,claims,ends"),
        _ours("few_lanes", "in 10 lanes: ten jobs at once", lanes=10, jobs=20_000),
        _ours("no_batches", "a statement for each job", jobs=4_000, SWITCHBOARD_JOBS__BATCH_ROWS_MAX="1"),
    )
}
