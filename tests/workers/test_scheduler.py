"""Schedules tick: each tick once, whoever sees it and whatever dies; what was missed is made up for by one job."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.cron import next_tick
from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import Draft, Enqueued
from gateway.jobs.jobs import Jobs
from gateway.settings.jobs import JobSettings
from gateway.settings.schedules import ScheduleSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.job_hints import JobHints
from gateway.store.ledger import job_partitions, schedules
from gateway.store.ledger.process import Process, leave, register
from gateway.store.postgres import Database
from tests.server.telling import told
from tests.support.ledger_view import LedgerView
from tests.support.waiting import until
from workers.scheduler import Scheduler

#: A look that no test waits for.
NEVER_S = 1_000.0
DEAD_AFTER_S = 60.0
YEARLY = "0 0 1 1 *"
KINDS = frozenset({"test.tick"})


class Desk:
    """A ledger, its clock, and the workers that look at it."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.store = StoreSettings(database_url=Secret(database_url), redis_url=Secret(redis_url))
        self.view = LedgerView(database_url)
        self.database = Database(self.store)
        self.hints = JobHints(self.store, 100)
        self.jobs = Jobs(self.database, JobSettings(payload_bytes_max=1_000), self.hints)

    def worker(self, label: str = "worker") -> Process:
        return self.database.run(lambda cursor: register(cursor, "worker", label))

    def scheduler(self, me: Process, jobs: Any = None, **named: ScheduleSettings) -> Scheduler:
        return Scheduler(
            self.database,
            jobs or self.jobs,
            named,
            kinds=KINDS,
            me=lambda: me,
            dead_after_s=DEAD_AFTER_S,
            look_every_s=NEVER_S,
        )

    def make_due(self, ago_s: int = 1) -> None:
        """Have every schedule's next tick be at a whole second so long ago, or that long in the future."""
        self.view.rows(
            "UPDATE job_schedules"
            " SET next_at = date_trunc('second', clock_timestamp()) - make_interval(secs => %s)",
            ago_s,
        )

    def asked(self) -> list[dict[str, Any]]:
        return self.view.rows("SELECT * FROM jobs ORDER BY id")

    def kinds(self) -> list[str]:
        return [row["kind"] for row in self.asked()]

    def nexts(self) -> dict[str, datetime]:
        return {row["name"]: row["next_at"] for row in self.view.rows("SELECT name, next_at FROM job_schedules")}

    def close(self) -> None:
        self.hints.close()
        self.database.close()


@pytest.fixture
def desk(database: str, redis_url: str) -> Iterator[Desk]:
    desk = Desk(database, redis_url)
    yield desk
    desk.close()


def every(cron: str = YEARLY, kind: str = "test.tick", **how: Any) -> ScheduleSettings:
    return ScheduleSettings(cron=cron, kind=kind, **how)


def soon(cron: str, desk: Desk) -> datetime:
    now = desk.view.rows("SELECT extract(epoch FROM clock_timestamp())::float8 AS now")[0]["now"]
    return datetime.fromtimestamp(next_tick(cron, UTC, now), UTC)


def test_a_new_schedule_waits_for_its_next_tick(desk: Desk) -> None:
    desk.scheduler(desk.worker(), a=every()).tick()
    assert desk.nexts() == {"a": soon(YEARLY, desk)}
    assert desk.asked() == []


def test_a_tick_asks_for_its_job_and_goes_on_to_the_next(desk: Desk) -> None:
    schedule = every(kind="report.make", payload={"days": 7}, lane="reports", priority="low")
    scheduler = desk.scheduler(desk.worker(), a=schedule)
    scheduler.tick()
    desk.make_due()
    scheduler.tick()
    scheduler.tick()
    [job] = desk.asked()
    assert (job["kind"], job["payload"], job["lane"], job["priority"]) == ("report.make", {"days": 7}, "reports", 2)
    assert (job["state"], job["unique_key"]) == ("ready", None)
    assert desk.nexts() == {"a": soon(YEARLY, desk)}


def test_a_lane_of_its_own_keeps_its_jobs_in_order(desk: Desk) -> None:
    scheduler = desk.scheduler(desk.worker(), a=every())
    scheduler.tick()
    for _ in range(2):
        desk.make_due()
        scheduler.tick()
    assert [job["lane"] for job in desk.asked()] == ["schedule:a"] * 2


@pytest.mark.parametrize("ago_s", [61, 3_600, 40 * 86_400])
def test_missed_ticks_are_made_up_for_by_one_job(desk: Desk, ago_s: int) -> None:
    """Law: however many were missed, one job; and the next tick is one to come."""
    scheduler = desk.scheduler(desk.worker(), a=every("* * * * *"))
    scheduler.tick()
    desk.make_due(ago_s)
    before = soon("* * * * *", desk)
    scheduler.tick()
    scheduler.tick()
    assert len(desk.asked()) == 1
    assert before <= desk.nexts()["a"] <= soon("* * * * *", desk)


# Exactly once


def test_two_workers_that_see_the_same_ticks_ask_for_each_once(desk: Desk) -> None:
    """Law: the first rule holds without the third: both act here as one and the same worker."""
    me = desk.worker()
    named = {f"s{n}": every(kind=f"test.s{n}") for n in range(20)}
    both = [desk.scheduler(me, **named) for _ in range(2)]
    both[0].tick()
    for _ in range(3):
        desk.make_due()
        gevent.joinall([gevent.spawn(one.tick) for one in both], raise_error=True)
    assert sorted(desk.kinds()) == sorted([one.kind for one in named.values()] * 3)


def test_a_tick_that_is_not_as_it_was_read_is_somebody_elses(desk: Desk) -> None:
    me = desk.worker()
    scheduler = desk.scheduler(me, a=every())
    scheduler.tick()
    desk.make_due()
    read = desk.database.run(lambda cursor: schedules.read(cursor, me, DEAD_AFTER_S))
    scheduler.tick()
    late = read.schedules["a"]
    assert not desk.database.run(lambda cursor: schedules.tick(cursor, "a", late, late.next_at + 7))
    assert desk.nexts() == {"a": soon(YEARLY, desk)}


class Dying:
    """Jobs of a worker that dies between a tick and its job."""

    def write(self, cursor: Any, drafts: Sequence[Draft]) -> list[Enqueued]:
        raise gevent.GreenletExit

    def hint(self, enqueued: Sequence[Enqueued], drafts: Sequence[Draft]) -> None:
        raise AssertionError("nothing was committed")


def test_a_worker_that_dies_between_a_tick_and_its_job_takes_neither_with_it(desk: Desk) -> None:
    me = desk.worker()
    desk.scheduler(me, a=every()).tick()
    desk.make_due()
    due = desk.nexts()
    with pytest.raises(gevent.GreenletExit):
        desk.scheduler(me, Dying(), a=every()).tick()
    assert (desk.nexts(), desk.asked()) == (due, [])
    desk.scheduler(me, a=every()).tick()
    assert desk.kinds() == ["test.tick"]


# Whose settings count


def test_the_worker_that_was_started_last_acts_alone(desk: Desk) -> None:
    older, newer = desk.worker(), desk.worker()
    desk.scheduler(newer, a=every(kind="test.new")).tick()
    desk.make_due()
    desk.scheduler(older, a=every("0 0 * * *", kind="test.old"), b=every()).tick()
    assert (desk.kinds(), list(desk.nexts())) == ([], ["a"])
    desk.scheduler(newer, a=every(kind="test.new")).tick()
    assert desk.kinds() == ["test.new"]


@pytest.mark.parametrize("how", ["left", "drains", "silent"])
def test_when_it_is_gone_the_next_one_acts(desk: Desk, how: str) -> None:
    older, newer = desk.worker(), desk.worker()
    desk.scheduler(newer, a=every()).tick()
    desk.make_due()
    if how == "left":
        desk.database.run(lambda cursor: leave(cursor, newer))
    elif how == "drains":
        desk.database.run(lambda cursor: job_partitions.drain(cursor, newer))
    else:
        desk.view.rows(
            "UPDATE processes SET beat = clock_timestamp() - make_interval(secs => %s) WHERE id = %s",
            DEAD_AFTER_S + 1,
            newer.process_id,
        )
    desk.scheduler(older, a=every()).tick()
    assert desk.kinds() == ["test.tick"]


# Changed, removed, off


def test_a_changed_time_makes_up_for_nothing(desk: Desk) -> None:
    me = desk.worker()
    desk.scheduler(me, a=every()).tick()
    desk.make_due(3_600)
    desk.scheduler(me, a=every("0 0 2 2 *")).tick()
    assert (desk.asked(), desk.nexts()) == ([], {"a": soon("0 0 2 2 *", desk)})


def test_another_time_zone_is_another_time(desk: Desk) -> None:
    me = desk.worker()
    desk.scheduler(me, a=every()).tick()
    desk.scheduler(me, a=every(timezone="Asia/Tokyo")).tick()
    assert (soon(YEARLY, desk) - desk.nexts()["a"]).total_seconds() == 9 * 3_600


def test_what_else_was_changed_leaves_its_time_alone(desk: Desk) -> None:
    me = desk.worker()
    desk.scheduler(me, a=every()).tick()
    desk.make_due()
    desk.scheduler(me, a=every(kind="test.other")).tick()
    assert desk.kinds() == ["test.other"]


@pytest.mark.parametrize("without", [{}, {"a": every(on=False)}])
def test_one_that_was_removed_or_switched_off_begins_anew(desk: Desk, without: dict[str, ScheduleSettings]) -> None:
    """Law: what would have ticked meanwhile is not made up for."""
    me = desk.worker()
    desk.scheduler(me, a=every(), b=every()).tick()
    desk.make_due()
    desk.scheduler(me, b=every(), **without).tick()
    assert (list(desk.nexts()), len(desk.asked())) == (["b"], 1)
    desk.scheduler(me, a=every(), b=every()).tick()
    assert (sorted(desk.nexts()), len(desk.asked())) == (["a", "b"], 1)


def test_a_job_that_is_not_done_keeps_the_next_one_from_being_asked_for_where_that_is_wanted(desk: Desk) -> None:
    scheduler = desk.scheduler(desk.worker(), a=every(skip_unfinished=True))
    scheduler.tick()
    for _ in range(3):
        desk.make_due()
        scheduler.tick()
    assert len(desk.asked()) == 1
    assert desk.nexts() == {"a": soon(YEARLY, desk)}
    desk.view.rows("DELETE FROM jobs")
    desk.make_due()
    scheduler.tick()
    assert len(desk.asked()) == 1


def test_one_that_cannot_be_asked_for_is_not_in_the_way_of_others(desk: Desk) -> None:
    scheduler = desk.scheduler(desk.worker(), a=every(payload={"much": "x" * 2_000}), b=every(kind="test.b"))
    scheduler.tick()
    desk.make_due()
    scheduler.tick()
    assert desk.kinds() == ["test.b"]
    assert set(desk.nexts().values()) == {soon(YEARLY, desk)}, "and is not tried again before its next tick"


# The loop


@pytest.fixture
def loop() -> Iterator[Callable[[Scheduler], None]]:
    greenlets: list[gevent.Greenlet[..., Any]] = []
    yield lambda scheduler: greenlets.append(gevent.spawn(scheduler.tick_forever))
    gevent.killall(greenlets)


def test_the_loop_wakes_for_the_tick(desk: Desk, loop: Callable[[Scheduler], None]) -> None:
    scheduler = desk.scheduler(desk.worker(), a=every())
    scheduler.tick()
    desk.make_due(-2)
    loop(scheduler)
    until("the job", desk.asked)
    assert desk.nexts() == {"a": soon(YEARLY, desk)}


def test_the_loop_goes_on_when_postgresql_is_back(desk: Desk, loop: Callable[[Scheduler], None]) -> None:
    me = desk.worker()
    looks = []

    def process() -> Process:
        looks.append(True)
        if len(looks) < 3:
            raise StoreUnavailable("not now", reason="postgres_unavailable", retry_after_s=1)
        return me

    scheduler = Scheduler(
        desk.database, desk.jobs, {"a": every()}, kinds=KINDS, me=process, dead_after_s=DEAD_AFTER_S, look_every_s=0.01
    )
    loop(scheduler)
    until("the schedule", desk.nexts)


def test_a_kind_that_nobody_here_performs_is_told_once_by_the_worker_that_acts(desk: Desk) -> None:
    """Each tick would be a dead letter, and the first is perhaps months away."""
    older, newer = desk.worker("older"), desk.worker("newer")
    named = {"good": every(), "bad": every(kind="test.tock"), "off": every(kind="test.tock", on=False)}
    with told("schedule.unknown_kind") as heard:
        desk.scheduler(older, **named).tick()
        assert heard.events == [], "it does not act"
        acting = desk.scheduler(newer, **named)
        acting.tick()
        acting.tick()
    assert [(event["schedule"], event["kind"]) for event in heard.events] == [("bad", "test.tock")]


_STEPS = st.lists(st.sampled_from(["due", "a", "b", "dies"]), max_size=12)


@given(_STEPS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_looks_and_deaths_has_one_job_for_each_time_it_was_due(desk: Desk, steps: list[str]) -> None:
    """Law: what was due when somebody next looked and lived has one job, and nothing else has any."""
    desk.view.rows("DELETE FROM jobs; DELETE FROM job_schedules")
    me = desk.worker()
    workers = {name: desk.scheduler(me, a=every()) for name in "ab"} | {"dies": desk.scheduler(me, Dying(), a=every())}
    workers["a"].tick()
    expected, due = 0, False
    for step in steps:
        if step == "due":
            desk.make_due()
            due = True
        elif step == "dies":
            with contextlib.suppress(gevent.GreenletExit):
                workers[step].tick()
        else:
            workers[step].tick()
            expected, due = expected + due, False
    assert len(desk.asked()) == expected
