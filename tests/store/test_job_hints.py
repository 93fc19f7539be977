"""Hints about jobs: they reach their partition's owner, wait for the next one, and never hold anybody up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import gevent
import pytest
import redis
from gevent import Greenlet

from gateway.domain.resilience.priority import Priority
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.job_hints import JobHintReader, JobHints
from tests.support.stores import own_stores
from tests.support.waiting import GUARD_S, until

KEPT_MAX = 10


class Owner:
    """Whoever owns some partitions, with what it was told."""

    def __init__(self, url: str, *partitions: int) -> None:
        self.heard: list[tuple[int, Priority, list[int]]] = []
        self.reader = JobHintReader(settings_of(url), self._hear)
        self.reader.watch(partitions)
        self.listening: Greenlet = gevent.spawn(self.reader.listen_forever)

    def _hear(self, partition: int, priority: Priority, ids: Sequence[int]) -> None:
        self.heard.append((partition, priority, list(ids)))

    def ids(self) -> list[int]:
        return [job_id for _, _, ids in self.heard for job_id in ids]

    def stop(self) -> None:
        self.listening.kill()
        self.reader.close()


def settings_of(url: str) -> StoreSettings:
    return StoreSettings(redis_url=Secret(url), redis_timeout_s=0.5)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
def hints(redis_url: str) -> Iterator[JobHints]:
    hints = JobHints(settings_of(redis_url), KEPT_MAX)
    publishing = gevent.spawn(hints.publish_forever)
    yield hints
    publishing.kill()
    hints.close()


@pytest.fixture
def owner(redis_url: str) -> Iterator[Owner]:
    owner = Owner(redis_url, 1, 2)
    yield owner
    owner.stop()


def key(partition: int) -> str:
    return f"switchboard:jobs:{{{partition}}}"


def entries(client: redis.Redis, partition: int) -> list[bytes]:
    return [fields[b"j"] for _, fields in client.xrange(key(partition))]


def test_the_owner_of_a_partition_is_told_of_its_jobs_and_their_priority(hints: JobHints, owner: Owner) -> None:
    hints.publish(1, Priority.HIGH, [7, 8])
    hints.publish(2, Priority.LOW, [9])
    until("both", lambda: len(owner.heard) == 2)
    assert sorted(owner.heard) == [(1, Priority.HIGH, [7, 8]), (2, Priority.LOW, [9])]


def test_a_hint_without_jobs_says_that_there_is_something(hints: JobHints, owner: Owner) -> None:
    hints.publish(1, Priority.NORMAL)
    until("it", lambda: owner.heard)
    assert owner.heard == [(1, Priority.NORMAL, [])]


def test_what_is_published_together_is_one_entry_a_partition_and_priority(
    redis_url: str, client: redis.Redis
) -> None:
    """Law: a burst of asking costs one round trip, and one entry."""
    hints = JobHints(settings_of(redis_url), KEPT_MAX)
    for job_id in range(20):
        hints.publish(1, Priority.NORMAL, [job_id])
        hints.publish(1, Priority.HIGH, [100 + job_id])
    assert hints.flush()
    hints.close()
    assert sorted(entries(client, 1)) == [
        b"0 " + b" ".join(b"%d" % (100 + n) for n in range(20)),
        b"1 " + b" ".join(b"%d" % n for n in range(20)),
    ]


def test_jobs_of_others_are_not_heard(hints: JobHints, owner: Owner) -> None:
    hints.publish(3, Priority.NORMAL, [1])
    hints.publish(1, Priority.NORMAL, [2])
    until("its own", lambda: owner.heard)
    assert owner.ids() == [2]


def test_a_new_owner_hears_what_the_last_one_did_not(hints: JobHints, redis_url: str, client: redis.Redis) -> None:
    """Law: a hint waits in the stream for whoever comes to own its partition."""
    hints.publish(5, Priority.NORMAL, [1])
    until("the hint to be there", lambda: entries(client, 5))
    heir = Owner(redis_url, 5)
    until("it", lambda: heir.heard)
    heir.stop()
    assert heir.ids() == [1]


def test_what_was_read_is_trimmed_and_not_heard_again(hints: JobHints, owner: Owner, client: redis.Redis) -> None:
    hints.publish(1, Priority.NORMAL, [1])
    until("the stream to be trimmed", lambda: owner.heard and not entries(client, 1))
    hints.publish(1, Priority.NORMAL, [2])
    until("the next one", lambda: len(owner.heard) == 2)
    assert owner.ids() == [1, 2]


def test_whose_partitions_change_reads_the_others_from_then_on(hints: JobHints, owner: Owner) -> None:
    owner.reader.watch([2, 3])
    hints.publish(3, Priority.NORMAL, [1])
    until("the new one", lambda: owner.heard)
    hints.publish(1, Priority.NORMAL, [2])
    hints.publish(2, Priority.NORMAL, [3])
    until("the one that stayed", lambda: 3 in owner.ids())
    assert owner.ids() == [1, 3]


def test_who_owns_nothing_waits_until_that_changes(hints: JobHints, redis_url: str) -> None:
    owner = Owner(redis_url)
    gevent.sleep(0)
    owner.reader.watch([4])
    hints.publish(4, Priority.NORMAL, [1])
    until("it", lambda: owner.heard)
    owner.stop()


@pytest.mark.parametrize("strange", [{"j": "9 1"}, {"j": "1 x"}, {"j": ""}, {"k": "1 1"}, {"j": b"\xff"}])
def test_what_is_not_understood_is_passed_over(
    owner: Owner, client: redis.Redis, strange: dict[str, str | bytes]
) -> None:
    """Law: a newer process may say something new; a look finds what matters."""
    client.xadd(key(1), strange)  # type: ignore[arg-type]  # redis-py's own dict is invariant
    client.xadd(key(1), {"j": "1 7"})
    until("the next one", lambda: owner.heard)
    assert owner.heard == [(1, Priority.NORMAL, [7])]


# Bounds


def test_a_stream_that_nobody_reads_is_capped(redis_url: str, client: redis.Redis) -> None:
    """Law: without a worker hints do not fill Redis; jobs wait in the ledger."""
    hints = JobHints(settings_of(redis_url), KEPT_MAX)
    for job_id in range(500):
        hints.publish(1, Priority.NORMAL, [job_id])
        hints.flush()
    hints.close()
    # Redis trims whole pages of a hundred entries.
    assert KEPT_MAX <= len(entries(client, 1)) <= KEPT_MAX + 100


def test_a_large_batch_is_told_in_entries_of_bounded_size(redis_url: str, client: redis.Redis) -> None:
    hints = JobHints(settings_of(redis_url), 1_000)
    hints.publish(1, Priority.NORMAL, range(500))
    hints.flush()
    hints.close()
    told = [entry.split()[1:] for entry in entries(client, 1)]
    assert [int(job_id) for entry in told for job_id in entry] == list(range(500))
    assert max(map(len, told)) <= 64


def test_what_waits_to_be_told_is_bounded() -> None:
    hints = JobHints(settings_of("redis://127.0.0.1:1"), KEPT_MAX)
    for job_id in range(60_000):
        hints.publish(job_id % 32, Priority.NORMAL, [job_id])
    assert repr(hints) == "<JobHints 50000 jobs waiting>"
    hints.close()


# Without Redis


def test_without_redis_publishing_neither_waits_nor_fails() -> None:
    """Law: fail-open.  What was to be told is dropped, and found by looks."""
    hints = JobHints(settings_of("redis://127.0.0.1:1"), KEPT_MAX)
    publishing = gevent.spawn(hints.publish_forever)
    started = time.monotonic()
    for job_id in range(1_000):
        hints.publish(1, Priority.NORMAL, [job_id])
    assert time.monotonic() - started < GUARD_S / 10
    until("all to be dropped", lambda: repr(hints) == "<JobHints 0 jobs waiting>")
    assert not publishing.dead
    hints.publish(1, Priority.NORMAL, [1])
    assert hints.flush() is False
    publishing.kill()
    hints.close()
    hints.close()


def test_a_reader_whose_connection_was_cut_reads_on(hints: JobHints, owner: Owner, client: redis.Redis) -> None:
    hints.publish(1, Priority.NORMAL, [1])
    until("the first", lambda: owner.heard)
    client.client_kill_filter(skipme=True, _type="normal")

    def heard() -> bool:
        hints.publish(1, Priority.NORMAL, [2])
        return 2 in owner.ids()

    until("the second", heard)
    assert not owner.listening.dead


def test_a_redis_that_lost_everything_is_read_from_its_start() -> None:
    """Law: an empty one that takes its place counts its entries anew, and none of them may be passed over."""
    with own_stores(durable=False) as stores:
        owner = Owner(stores.redis.url, 1)
        client = redis.Redis.from_url(stores.redis.url)
        # As one whose clock was ahead.
        client.xadd(key(1), {"j": "1 1"}, id="99999999999999-1")
        until("the first", lambda: owner.heard)
        client.flushall()
        stores.redis_process.stop(time.monotonic() + GUARD_S)
        stores.redis_process.start()
        stores.redis_process.wait_ready(time.monotonic() + GUARD_S)
        until("Redis to be back", client.ping)
        client.xadd(key(1), {"j": "1 2"})
        until("the second", lambda: 2 in owner.ids())
        owner.stop()
        client.close()
