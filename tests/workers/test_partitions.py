"""Partitions: one owner each, shared by whoever comes and goes, and given up only when nothing of them runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

import gevent
import pytest
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import PARTITIONS
from gateway.settings.jobs import JobSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.ledger.process import Process
from gateway.store.postgres import Database
from tests.support.actor import Actor
from tests.support.waiting import GUARD_S, until
from workers.partitions import Partitions

T = TypeVar("T")


class Losing(Database):
    """Loses the answer to the next statement, after it was committed."""

    lose_next = False

    def run(self, work: Callable[[Cursor], T]) -> T:
        result = super().run(work)
        if self.lose_next:
            self.lose_next = False
            raise StoreUnavailable("the answer was lost", reason="lost", retry_after_s=0)
        return result


class Worker:
    """The partitions of one worker process, which runs what the test says."""

    def __init__(self, url: str, *, share_every_s: float = 0.05) -> None:
        self.actor = Actor(url, "worker")
        self.database = Losing(StoreSettings(database_url=Secret(url)))
        self.lease = True
        self.running: Counter[int] = Counter()
        self.readable: dict[int, int] = {}
        #: What was told together.
        self.releases: list[set[int]] = []
        self.announced = 0
        self.partitions = Partitions(
            self.database,
            self,
            JobSettings(share_every_s=share_every_s),
            dead_after_s=60.0,
            on_taken=self._taken,
            on_release=self._released,
            running_of=lambda partition: self.running[partition],
            announce=self._announce,
        )

    @property
    def process(self) -> Process:
        return self.actor.process

    def holds(self) -> bool:
        return self.lease

    def look(self) -> None:
        self.partitions.look()

    def owned(self) -> set[int]:
        assert self.readable == dict(self.partitions.fences), "what may be read is what was told"
        return set(self.readable)

    def close(self) -> None:
        self.database.close()

    def _taken(self, fences: Mapping[int, int]) -> None:
        assert not self.readable.keys() & fences.keys(), "told once"
        self.readable.update(fences)

    def _released(self, partitions: Collection[int]) -> None:
        self.releases.append(set(partitions))
        for partition in partitions:
            self.readable.pop(partition, None)

    def _announce(self) -> None:
        self.announced += 1


@pytest.fixture
def hire(database: str) -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def hire() -> Worker:
        workers.append(Worker(database))
        return workers[-1]

    yield hire
    for worker in workers:
        worker.close()


def owners(worker: Worker) -> dict[int, int | None]:
    return dict(worker.actor.rows("SELECT partition, owner_process FROM job_partitions"))


def fences(worker: Worker) -> dict[int, int]:
    """What the ledger says is this worker's."""
    return dict(
        worker.actor.rows(
            "SELECT partition, fence FROM job_partitions WHERE owner_process = %s", worker.actor.id
        )
    )


def assert_shared(*workers: Worker) -> None:
    """Every partition has one owner, the ledger and all workers agree about it, and the shares are even."""
    owned = owners(workers[0])
    for worker in workers:
        assert worker.owned() == {partition for partition, owner in owned.items() if owner == worker.actor.id}
        assert dict(worker.partitions.fences) == fences(worker)
    counts = [len(worker.owned()) for worker in workers]
    assert sum(counts) == PARTITIONS
    assert max(counts) - min(counts) <= 1


def test_one_worker_owns_all(hire: Callable[[], Worker]) -> None:
    worker = hire()
    worker.look()
    assert_shared(worker)
    assert worker.announced == 1, "others heard that it came"


def test_whoever_comes_and_goes_all_is_shared_after_two_looks_of_each(hire: Callable[[], Worker]) -> None:
    crew = [hire()]
    crew[0].look()
    crew.append(hire())
    for _ in range(2):
        for worker in crew:
            worker.look()
    assert_shared(*crew)
    crew += [hire() for _ in range(3)]
    for _ in range(2):
        for worker in crew:
            worker.look()
    assert_shared(*crew)
    for gone in (crew.pop(0), crew.pop(1)):
        assert gone.partitions.release_all(time.monotonic())
        gone.actor.leave()
    for _ in range(2):
        for worker in crew:
            worker.look()
    assert_shared(*crew)


def test_a_dead_workers_partitions_are_shared_by_the_others_under_higher_fences(
    hire: Callable[[], Worker],
) -> None:
    first, second = hire(), hire()
    for worker in (first, second, first, second):
        worker.look()
    before = dict(first.partitions.fences)
    first.actor.die(second.actor)
    second.look()
    assert_shared(second)
    assert all(second.partitions.fences[partition] > fence for partition, fence in before.items())


def test_nothing_that_runs_is_handed_over(hire: Callable[[], Worker]) -> None:
    first = hire()
    first.look()
    first.running.update(range(PARTITIONS))
    second = hire()
    for worker in (first, second):
        worker.look()
    leaving = set(range(PARTITIONS)) - first.owned()
    assert len(leaving) == PARTITIONS // 2, "of these nothing new is started"
    assert set(owners(first).values()) == {first.actor.id}, "but they are its own"
    first.running.clear()
    first.look()
    second.look()
    assert_shared(first, second)
    assert second.owned() == leaving


def test_what_is_given_up_or_lost_is_told_together(hire: Callable[[], Worker]) -> None:
    """Law: each time all that is in memory is walked through, in one turn of the event loop."""
    first = hire()
    first.look()
    second = hire()
    for worker in (second, first, second):
        worker.look()
    given, kept = second.owned(), first.owned()
    assert first.releases == [given]
    assert len(given) == PARTITIONS // 2
    first.actor.rows(
        "UPDATE job_partitions SET owner_process = %s, fence = fence + 1 WHERE owner_process = %s RETURNING 1",
        second.actor.id,
        first.actor.id,
    )
    first.look()
    assert first.releases == [given, kept]
    second.partitions.drop()
    second.partitions.drain()
    assert second.releases == [given]


def test_those_with_the_least_work_are_given_up(hire: Callable[[], Worker]) -> None:
    first = hire()
    first.look()
    first.running.update(dict.fromkeys(range(10, 26), 1))
    second = hire()
    for worker in (first, second):
        worker.look()
    assert first.owned() == set(range(10, 26))
    assert_shared(first, second)


def test_what_is_given_up_is_announced_when_it_is_to_be_had(hire: Callable[[], Worker]) -> None:
    first = hire()
    first.look()
    first.running.update(range(PARTITIONS))
    second = hire()
    for worker in (second, first):
        worker.look()
    announced = first.announced
    first.running.clear()
    first.look()
    assert first.announced == announced + 1


def test_an_answer_that_was_lost_is_made_up_for(hire: Callable[[], Worker]) -> None:
    """Law: the ledger says what is ours; a take that nobody heard of would leave its partitions idle for good."""
    worker = hire()
    run = worker.database.run
    looked = []

    def lose_the_second(work: Callable[[Cursor], T]) -> T:
        looked.append(1)
        worker.database.lose_next = len(looked) == 2
        return run(work)

    worker.database.run = lose_the_second  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        worker.look()
    assert worker.owned() == set()
    assert len(fences(worker)) == PARTITIONS
    worker.look()
    assert_shared(worker)


def test_what_the_ledger_gave_to_somebody_else_is_dropped(hire: Callable[[], Worker]) -> None:
    worker, other = hire(), hire()
    worker.look()
    worker.actor.rows(
        "UPDATE job_partitions SET owner_process = %s, fence = fence + 1 WHERE partition = 7 RETURNING 1",
        other.actor.id,
    )
    worker.look()
    assert 7 not in worker.owned()


def test_a_partition_that_a_settle_found_lost_is_dropped_at_once(hire: Callable[[], Worker]) -> None:
    worker = hire()
    worker.look()
    fence = worker.partitions.fences[7]
    worker.partitions.lost(7, fence - 1)
    assert 7 in worker.owned(), "that was about an earlier fence"
    worker.partitions.lost(7, fence)
    assert 7 not in worker.owned()


def test_declared_dead_it_owns_nothing_and_comes_back_under_new_fences(hire: Callable[[], Worker]) -> None:
    worker, other = hire(), hire()
    worker.look()
    before = dict(worker.partitions.fences)
    worker.actor.die(other.actor)
    worker.partitions.drop()
    assert worker.owned() == set()
    worker.actor.revive()
    worker.look()
    other.look()
    assert_shared(worker, other)
    assert all(fence > before[partition] for partition, fence in worker.partitions.fences.items())


def test_an_answer_from_before_the_death_is_void(hire: Callable[[], Worker]) -> None:
    """Law: the take may have been committed and undone by the death before its answer is read."""
    worker, other = hire(), hire()
    answers = 0
    run = worker.database.run
    taken: list[int] = []

    def die_before_the_answer(work: Callable[[Cursor], T]) -> T:
        nonlocal answers
        result = run(work)
        answers += 1
        if answers == 2:
            taken.extend(result)  # type: ignore[arg-type]
            worker.actor.die(other.actor)
            worker.partitions.drop()
        return result

    worker.database.run = die_before_the_answer  # type: ignore[method-assign]
    worker.look()
    assert taken, "it had been committed"
    assert worker.owned() == set()
    assert fences(worker) == {}


def test_without_a_lease_nothing_is_taken_and_nothing_is_given_up(hire: Callable[[], Worker]) -> None:
    worker = hire()
    worker.lease = False
    worker.look()
    assert worker.owned() == set()
    worker.lease = True
    worker.look()
    worker.lease = False
    worker.look()
    assert_shared(worker)


def test_draining_it_gives_up_all_as_it_ends_and_takes_nothing_more(hire: Callable[[], Worker]) -> None:
    worker, other = hire(), hire()
    worker.look()
    worker.running[3] = 1
    ending = gevent.spawn(worker.partitions.release_all, time.monotonic() + GUARD_S)
    until("all but one to be free", lambda: len(fences(worker)) == 1)
    assert worker.owned() == set()
    other.look()
    assert len(other.owned()) == PARTITIONS - 1, "the others share without it"
    worker.running.clear()
    assert ending.get()
    worker.look()
    assert worker.owned() == set()
    other.look()
    assert_shared(other)


def test_what_runs_at_the_deadline_is_not_given_up(hire: Callable[[], Worker]) -> None:
    worker = hire()
    worker.look()
    worker.running[3] = 1
    assert not worker.partitions.release_all(time.monotonic())
    assert fences(worker).keys() == {3}


def test_ending_is_safe_if_nothing_was_ever_owned(hire: Callable[[], Worker]) -> None:
    worker = hire()
    assert worker.partitions.release_all(time.monotonic())
    assert worker.partitions.release_all(time.monotonic())


def test_watching_it_all_comes_about_by_itself(hire: Callable[[], Worker]) -> None:
    """Three workers watch; one is killed, and one comes."""
    crew = [hire() for _ in range(3)]
    watching = [gevent.spawn(worker.partitions.watch_forever) for worker in crew]
    until("shares", lambda: sorted(len(worker.owned()) for worker in crew) == [10, 11, 11])
    watching[0].kill()
    crew[0].actor.die(crew[1].actor)
    until("the share of the dead", lambda: [len(worker.owned()) for worker in crew[1:]] == [16, 16])
    crew.append(hire())
    watching.append(gevent.spawn(crew[-1].partitions.watch_forever))
    until("shares again", lambda: sorted(len(worker.owned()) for worker in crew[1:]) == [10, 11, 11])
    gevent.killall(watching)
    assert_shared(*crew[1:])


def test_a_hint_brings_the_next_look_forward(database: str) -> None:
    worker = Worker(database, share_every_s=1_000.0)
    watching = gevent.spawn(worker.partitions.watch_forever)
    gevent.idle()
    worker.partitions.hint()
    until("its share", lambda: len(worker.owned()) == PARTITIONS)
    watching.kill()
    worker.close()
