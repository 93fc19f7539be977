"""A worker whose Redis is several servers: hints start its jobs, and a master that dies costs time and nothing else."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator

import gevent
import pytest

from gateway import telemetry
from gateway.domain.job import PARTITIONS, Draft, partition_of
from gateway.telemetry.catalogue import Event
from gateway.telemetry.emit import Writer
from tests.cluster.conftest import Missed
from tests.cluster.test_failover import LAG_MAX_S, Lag, slot_of
from tests.contracts.job_queues import RealQueue
from tests.support.redis_several import Cluster, Sentinels
from tests.support.stack import running_stack, word
from tests.support.waiting import until

LANES = [f"lane {number}" for number in range(200)]


class Restarts:
    """Counts loops that were started again."""

    def __init__(self) -> None:
        self.what: list[object] = []

    def writer(self, event: Event) -> Writer | None:
        return self.what.append if event.name == "supervisor.restarted" else None


@pytest.fixture
def restarts() -> Iterator[Restarts]:
    restarts = Restarts()
    telemetry.attach(restarts)
    yield restarts
    telemetry.detach(restarts)


def started(queue: RealQueue) -> None:
    """Return when a worker owns all partitions, and reads what it is told of each."""
    worker = queue.start()
    until("all partitions", lambda: len(worker._engine._reader._read) == PARTITIONS)


def test_hints_alone_start_jobs_of_every_partition(database: str, several: Cluster | Sentinels) -> None:
    """Law: a look comes after a minute here, and a test that waits for one fails."""
    queue = RealQueue(database, several.url, poll_s=60)
    telling = gevent.spawn(queue.hints.publish_forever)
    try:
        queue.on("a")
        started(queue)
        assert {partition_of(lane) for lane in LANES} == set(range(PARTITIONS)), "or it proved nothing"
        for round_ in range(3):
            queue.jobs.enqueue_many([Draft(kind="a", payload=(round_, lane), lane=lane) for lane in LANES])
            until("all of them", lambda round_=round_: len(queue.runs) == (1 + round_) * len(LANES))
    finally:
        telling.kill()
        queue.close()


def test_a_master_is_killed_under_a_worker_that_is_busy(
    database: str, cluster: Cluster, missed: Missed, restarts: Restarts
) -> None:
    """Law: each job once and in its lane's order, the loop free, and nothing to be started again."""
    queue = RealQueue(database, cluster.url)
    telling = gevent.spawn(queue.hints.publish_forever)
    queue.on("a")
    asked: dict[str, int] = defaultdict(int)

    def ask_forever() -> None:
        while True:
            drafts = []
            for lane in LANES[::4]:
                drafts.append(Draft(kind="a", payload=(lane, asked[lane]), lane=lane))
                asked[lane] += 1
            queue.jobs.enqueue_many(drafts)
            gevent.sleep(0.02)

    asking = None
    lost = cluster.master_of(slot_of(0))
    try:
        started(queue)
        asking, lag = gevent.spawn(ask_forever), Lag()
        until("jobs to run", lambda: len(queue.runs) > 200)
        lost.kill()
        until("Redis to be missed", lambda: missed.reasons)
        reader = queue.workers[0]._engine._reader
        until("another to be master", lambda: cluster.master_of(slot_of(0)) is not lost)
        until("all partitions to be read again", lambda: not reader._unread)
        ran = len(queue.runs)
        until("jobs to run on", lambda: len(queue.runs) > ran + 200)
        asking.kill()
        lag.stop()
        queue.finish()
    finally:
        gevent.killall([greenlet for greenlet in (asking, telling) if greenlet])
        queue.close()
        lost.start()
        cluster.until_whole()

    by_lane: dict[str, list[int]] = defaultdict(list)
    for lane, number in queue.ran():
        by_lane[lane].append(number)
    # What was asked for when the asking was killed may have been written or not.
    for lane, numbers in by_lane.items():
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= asked[lane] - 1
    assert len(by_lane) == len(LANES[::4])
    assert restarts.what == []
    assert lag.worst_s < LAG_MAX_S


@pytest.mark.slow
def test_people_are_answered_while_a_master_is_killed(database: str, cluster: Cluster) -> None:
    """The whole of it, on a cluster: ready, degraded while one master is away, and ready again."""
    lost = cluster.master_of(slot_of(0))
    with running_stack(database, cluster.url, gateways=2, workers=2) as stack:
        until("all to be well", lambda: not stack.gateways[0].readiness()["degraded"])

        def say() -> None:
            for gateway in stack.gateways:
                said = word()
                stack.slack.event(said, channel=f"C{said}").send(gateway.port)
                stack.slack.wait_for(said)

        say()
        try:
            lost.kill()
            until("it to be said", lambda: stack.gateways[0].readiness()["degraded"])
            asked_at = time.monotonic()
            while cluster.master_of(slot_of(0)) is lost:
                say()
            print(f"whole again after {time.monotonic() - asked_at:.1f} s")
            until("all to be well again", lambda: not stack.gateways[0].readiness()["degraded"])
            say()
        finally:
            print(stack.logs())
            lost.start()
            cluster.until_whole()
