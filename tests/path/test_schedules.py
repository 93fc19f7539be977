"""Schedules and erasure in a whole stack: what is due is done by a worker, and nothing of a person is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from gateway.cli import main
from tests.support.stack import Stack, running_stack, word
from tests.support.stores import Migrated, Stores
from tests.support.waiting import until

_SCHEDULES = {
    # Never by itself while a test runs: a test says when.
    **{f"schedules.sweep_job_results.{name}": value for name, value in (("on", "true"), ("cron", "0 0 29 2 *"))},
    "schedules.nobody.cron": "0 0 29 2 *",
    "schedules.nobody.kind": "nobody.knows",
}


@pytest.fixture(scope="module")
def own(migrated: Migrated) -> Iterator[str]:
    with migrated() as url:
        yield url


@pytest.fixture(scope="module")
def stack(own: str, stores: Stores) -> Iterator[Stack]:
    with running_stack(own, stores.redis.url, settings=_SCHEDULES) as running:
        yield running
        print(running.logs())


def test_what_a_schedule_asks_for_is_performed(stack: Stack) -> None:
    ledger = stack.ledger
    until("both schedules", lambda: len(ledger.rows("SELECT 1 FROM job_schedules")) == 2)
    ledger.rows(
        "INSERT INTO jobs (id, place, partition, state, kind, payload, due_at, expires_at)"
        " VALUES (nextval('job_places'), 1, 1, 'done', 'test', '{}', now(), now())"
    )
    ledger.rows("UPDATE job_schedules SET next_at = date_trunc('second', clock_timestamp()) - interval '1 hour'")
    # Whoever was started last acts, and looks at once; the first one would look within five seconds.
    stack.start_worker()
    until("the sweep", lambda: not ledger.rows("SELECT 1 FROM jobs WHERE kind = 'test'"))
    buried = until(
        "the end of the other", lambda: ledger.rows("SELECT kind, lane, reason FROM jobs WHERE state = 'buried'")
    )
    assert buried == [{"kind": "nobody.knows", "lane": "schedule:nobody", "reason": "unknown_kind"}]


def test_a_person_who_wants_it_is_forgotten(
    stack: Stack, own: str, stores: Stores, tmp_path: Path
) -> None:
    said = word()
    stack.slack.event(said, channel="D1").send(stack.port)
    (row,) = stack.ledger.wait_outbox(said, "sent")
    (user,) = stack.ledger.rows("SELECT channel, account, key FROM users")
    (tmp_path / "switchboard.toml").write_text("")
    told = CliRunner().invoke(
        main,
        ["users", "erase", user["channel"], user["account"], user["key"], "--yes", "--wait", "60", "--json"],
        env={
            **os.environ,
            "DATABASE_URL": own,
            "REDIS_URL": stores.redis.url,
            "SWITCHBOARD_CONFIG": str(tmp_path / "switchboard.toml"),
            "SWITCHBOARD_HOME": str(tmp_path),
        },
    )
    report = msgspec.json.decode(told.stdout)["status"]["result"]
    assert (report["users"], report["turns"], report["conversations"], report["outbox"]) == (1, 1, 1, 1)
    assert row["payload"]
    left = {
        table: stack.ledger.rows(f"SELECT * FROM {table}")
        for table in ("users", "conversations", "turns", "outbox", "dead_letters", "jobs")
    }
    assert said not in str(left)
    assert user["key"] not in str(left)
