"""Hints of jobs where partitions are on several servers: what one of them does not take is no other's loss."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence

import gevent
import pytest
import redis
from redis.crc import key_slot

from gateway.domain.job import PARTITIONS
from gateway.domain.resilience.priority import Priority
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.job_hints import JobHintReader, JobHints
from gateway.store.redis_client import redis_client
from tests.cluster.conftest import Missed
from tests.support.redis_several import Cluster, Node
from tests.support.waiting import until


@pytest.fixture
def store_settings(cluster: Cluster) -> StoreSettings:
    return StoreSettings(redis_url=Secret(cluster.url))


@pytest.fixture
def hints(store_settings: StoreSettings) -> Iterator[JobHints]:
    hints = JobHints(store_settings, 1_000)
    yield hints
    hints.close()


class Hearing:
    """A reader, and what it was told: by partition the ids."""

    def __init__(self, settings: StoreSettings) -> None:
        self.heard: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}
        self.reader = JobHintReader(settings, self._hear)
        self._listening = gevent.spawn(self.reader.listen_forever)

    def stop(self) -> None:
        self._listening.kill()
        self.reader.close()

    def _hear(self, partition: int, priority: Priority, ids: Sequence[int]) -> None:
        self.heard[partition] += ids


@pytest.fixture
def hearing(store_settings: StoreSettings) -> Iterator[Hearing]:
    hearing = Hearing(store_settings)
    yield hearing
    hearing.stop()


def master_of(cluster: Cluster, partition: int) -> Node:
    return cluster.master_of(key_slot(b"%d" % partition))


def tell_all(hints: JobHints, number: int) -> bool:
    for partition in range(PARTITIONS):
        hints.publish(partition, Priority.HIGH, [number])
    return hints.flush()


def test_partitions_are_heard_from_their_owner_on(cluster: Cluster, hints: JobHints, hearing: Hearing) -> None:
    """Law: who owns a partition hears what was said before; who does not own it any more hears nothing."""
    clear(cluster)
    assert tell_all(hints, 1)
    hearing.reader.watch(range(16))
    until("half of them", lambda: [hearing.heard[n] for n in range(16)] == [[1]] * 16)
    hearing.reader.watch(range(8, PARTITIONS))
    until("the others", lambda: [hearing.heard[n] for n in range(16, PARTITIONS)] == [[1]] * 16)
    assert tell_all(hints, 2)
    until("the second word", lambda: all(hearing.heard[n] == [1, 2] for n in range(8, PARTITIONS)))
    assert [hearing.heard[n] for n in range(8)] == [[1]] * 8
    until("a connection for each and no more", lambda: _reading(cluster) == PARTITIONS - 8)


def test_what_was_read_is_taken_out(
    cluster: Cluster, hints: JobHints, hearing: Hearing, store_settings: StoreSettings
) -> None:
    clear(cluster)
    client = redis_client(store_settings)
    hearing.reader.watch(range(PARTITIONS))
    assert tell_all(hints, 1)
    until("all to be heard", lambda: all(hearing.heard.values()))
    lengths = [lambda n=n: client.xlen(f"switchboard:jobs:{{{n}}}") for n in range(PARTITIONS)]
    until("the streams to be empty", lambda: not any(length() for length in lengths))
    client.close()


def test_a_server_that_takes_nothing_does_not_hold_up_the_others(
    cluster: Cluster, hints: JobHints, hearing: Hearing, missed: Missed
) -> None:
    """Law: its hints are dropped and it is told once; the others' are neither dropped nor delayed."""
    clear(cluster)
    hearing.reader.watch(range(PARTITIONS))
    full = master_of(cluster, 0)
    others = [partition for partition in range(PARTITIONS) if master_of(cluster, partition) is not full]
    full.client.config_set("maxmemory", "1")
    try:
        for number in range(3):
            assert tell_all(hints, number), "no pause: most of them were taken"
        until("the others", lambda: all(hearing.heard[partition] == [0, 1, 2] for partition in others))
        assert not any(heard for partition, heard in hearing.heard.items() if partition not in others)
        assert missed.reasons == [redis.OutOfMemoryError.__name__]
    finally:
        full.client.config_set("maxmemory", "0")
    tell_all(hints, 3)
    until("all of them", lambda: all(3 in heard for heard in hearing.heard.values()))


def test_a_server_that_hangs_is_waited_for_once(
    cluster: Cluster, store_settings: StoreSettings, hints: JobHints
) -> None:
    """Law: the first command waits for its timeout, and those of the next moment do not."""
    hints.publish(0, Priority.HIGH)
    assert hints.flush()
    hung = master_of(cluster, 0)
    hung.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        for _ in range(20):
            hints.publish(0, Priority.HIGH)
            assert hints.flush() is False
        assert time.monotonic() - started < 5 * store_settings.redis_timeout_s
    finally:
        hung.signal(signal.SIGCONT)
    until("it to be taken again", lambda: hints.publish(0, Priority.HIGH) or hints.flush())
    cluster.until_whole()


def _reading(cluster: Cluster) -> int:
    """Return how many connections wait for a hint."""
    return sum(client["cmd"] == "xread" for node in cluster.nodes for client in node.client.client_list())


def clear(cluster: Cluster) -> None:
    """Forget what other tests said."""
    for node in cluster.nodes:
        node.says("FLUSHALL")
