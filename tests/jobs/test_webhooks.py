"""What webhooks are told of is asked for by the commit that makes it true: once, and never of what did not happen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from psycopg2.extensions import cursor as Cursor

from gateway.domain.job import Job, JobEnd
from gateway.domain.turn import OutboxDraft
from gateway.jobs.follow_ups import JobFollowUps
from gateway.jobs.jobs import Jobs
from gateway.jobs.pushes import Pushes
from gateway.jobs.webhooks import Webhooks
from gateway.settings.jobs import JobSettings
from gateway.settings.lanes import LaneSettings
from gateway.settings.store import StoreSettings
from gateway.settings.webhooks import EventType, WebhookSettings
from gateway.store.job_hints import JobHints
from gateway.store.ledger.asking import settle_and_ask
from gateway.store.ledger.ledger import Ledger
from gateway.store.ledger.outbox import Finish
from gateway.store.postgres import Database
from gateway.store.signals import Signals
from tests.support.actor import Actor

NOW = 1_700_000_000.0


def wanting(**events: tuple[EventType, ...]) -> Mapping[str, WebhookSettings]:
    return {name: WebhookSettings(url=f"https://{name}.example/", events=types) for name, types in events.items()}


class Desk:
    """A gateway's ledger with those who want to be told, and somebody's conversation in it."""

    def __init__(self, url: str, store: StoreSettings, database: Database, told: Webhooks) -> None:
        self.actor = Actor(url)
        jobs = Jobs(database, JobSettings(), JobHints(store, 100))
        self.signals = Signals(store, audience="gateways", on_hint=lambda _: None)
        pushes = Pushes(database, jobs, self.signals)
        self.follow_ups = JobFollowUps(told, jobs, pushes, wall_clock=lambda: NOW)
        self.ledger = Ledger(
            database, store, LaneSettings(), lambda: self.actor.process, follow_ups=self.follow_ups
        )

    def settle(self, **how: Any) -> Any:
        """Have a message answered; return its settling and what came of it."""
        accepted = self.actor.say("hello", lane=how.pop("lane", "one"))
        assert accepted.lane is not None
        assert accepted.head is not None
        settling = self.actor.settling(accepted.lane, accepted.head, **how)
        return settling, self.ledger.settle(settling)

    def asked(self) -> list[dict[str, Any]]:
        """Jobs of webhooks: their payloads, and their keys."""
        rows = self.actor.rows(
            "SELECT payload::text, unique_key, lane, priority FROM jobs WHERE kind = 'webhook.send' ORDER BY id"
        )
        return [{**msgspec.json.decode(row[0]), "unique": row[1], "lane": row[2], "priority": row[3]} for row in rows]


@pytest.fixture
def desk(database: str, store_settings: StoreSettings, pool: Database) -> Desk:
    told = Webhooks(
        wanting(
            crm=("turn.answered", "message.sent", "job.buried"), pager=("turn.failed",), both=("turn.answered",)
        ),
        wall_clock=lambda: NOW,
    )
    return Desk(database, store_settings, pool, told)


def test_each_that_wants_to_know_is_told_of_an_answer(desk: Desk) -> None:
    settling, settled = desk.settle()

    turn = settling.settlement.turn
    assert settled.fresh
    crm, both = desk.asked()
    assert crm == {
        "webhook": "crm",
        "event_id": f"turn_answered_{turn.turn_id}",
        "type": "turn.answered",
        "at": NOW,
        "data": {
            "turn_id": turn.turn_id,
            "conversation_id": turn.conversation_id,
            "channel": "slack",
            "account": "bot",
            "seq": 1,
            "trace_id": "0" * 32,
        },
        "unique": f"webhook:crm:turn_answered_{turn.turn_id}",
        "lane": None,
        "priority": 2,
    }
    assert (both["webhook"], both["event_id"]) == ("both", crm["event_id"])


def test_a_turn_that_failed_is_told_with_its_reason(desk: Desk) -> None:
    desk.settle(state="failed", reason="too_slow", detail="what the user said stays here")

    (told,) = desk.asked()
    assert (told["webhook"], told["type"], told["data"]["reason"]) == ("pager", "turn.failed", "too_slow")
    assert "user said" not in msgspec.json.encode(told).decode()


def test_a_settle_that_is_run_again_asks_for_nothing_twice(desk: Desk) -> None:
    """The answer to its commit was lost; the event may even have been told by then."""
    settling, _ = desk.settle()
    desk.actor.rows("DELETE FROM jobs WHERE kind = 'webhook.send' RETURNING id")

    again = desk.ledger.settle(settling)

    assert not again.lost
    assert not again.fresh
    assert desk.asked() == []


def test_nothing_is_told_of_a_turn_that_another_process_runs_by_now(desk: Desk, database: str) -> None:
    accepted = desk.actor.say("hello", lane="two")
    assert accepted.lane is not None
    assert accepted.head is not None
    settling = desk.actor.settling(accepted.lane, accepted.head)
    other = Actor(database)
    desk.actor.die(buried_by=other)
    other.adopt()

    assert desk.ledger.settle(settling).lost
    assert desk.asked() == []


def test_of_what_is_not_committed_nothing_is_told(desk: Desk, pool: Database) -> None:
    accepted = desk.actor.say("hello", lane="three")
    assert accepted.lane is not None
    assert accepted.head is not None
    settling = desk.actor.settling(accepted.lane, accepted.head)

    def cut_off(cursor: Cursor) -> None:
        connection = cursor.connection
        follow_ups = [desk.follow_ups.of_turn(settling.settlement)]
        with pytest.raises(Exception, match=r"closed|terminat"):
            settle_and_ask(_Cutting(cursor, desk.actor), desk.actor.process, [settling], follow_ups)
        assert connection.closed

    pool.run(cut_off)

    assert desk.asked() == []
    assert desk.actor.lane(accepted.conversation_id).done_seq == 0


class _Cutting:
    """A cursor whose connection is ended just before it commits."""

    def __init__(self, cursor: Cursor, by: Actor) -> None:
        self._cursor = cursor
        self._by = by

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, statement: str, parameters: Any = None) -> None:
        if statement == "COMMIT":
            self._by.rows("SELECT pg_terminate_backend(%s)", self._cursor.connection.info.backend_pid)
        self._cursor.execute(statement, parameters)


def test_a_message_that_was_sent_is_told_with_the_platforms_name_for_it(desk: Desk) -> None:
    _, settled = desk.settle(drafts=[OutboxDraft(kind="push", payload={}, claimed=True)])
    desk.actor.rows("DELETE FROM jobs WHERE kind = 'webhook.send' RETURNING id")
    (outbox_id,) = settled.outbox_ids

    assert desk.ledger.finish([Finish(outbox_id, "sent", platform_id="1700.1")]) == [True]
    assert desk.ledger.finish([Finish(outbox_id, "sent", platform_id="1700.1")]) == [False]

    (told,) = desk.asked()
    assert (told["webhook"], told["type"], told["event_id"]) == ("crm", "message.sent", f"message_sent_{outbox_id}")
    assert told["data"]["platform_id"] == "1700.1"
    assert told["data"]["outbox_id"] == outbox_id


@pytest.mark.parametrize("fate", ["not_sent", "unknown", "retry"])
def test_a_message_that_was_not_surely_sent_is_not_told(desk: Desk, fate: Any) -> None:
    _, settled = desk.settle(drafts=[OutboxDraft(kind="push", payload={}, claimed=True)])
    desk.actor.rows("DELETE FROM jobs WHERE kind = 'webhook.send' RETURNING id")

    desk.ledger.finish([Finish(settled.outbox_ids[0], fate)])

    assert desk.asked() == []


def buried(kind: str = "report.make", *, place: int = 5) -> JobEnd:
    job = Job(5, place, 0, 1, 1, kind, None, "{}", 11, 0, 0.0, 0.0, "0" * 32, 0.0, 1)
    return JobEnd(job, "bury", 12, "http_500", "a detail may hold what somebody said")


def test_a_job_that_was_given_up_is_told() -> None:
    told = Webhooks(wanting(crm=("job.buried",)), wall_clock=lambda: NOW)

    (draft,) = told.buried(buried())
    (again,) = told.buried(buried(place=9))

    assert draft.payload.data == {
        "job_id": 5, "kind": "report.make", "attempts": 12, "reason": "http_500", "trace_id": "0" * 32,
    }  # fmt: skip
    assert draft.unique != again.unique, "buried a second time, after it was retried by hand"


def test_a_webhook_that_was_given_up_is_not_told_to_webhooks() -> None:
    """A receiver that is down would be told of its own events for ever."""
    assert Webhooks(wanting(crm=("job.buried",))).buried(buried("webhook.send")) == []


@pytest.mark.parametrize("fate", ["done", "retry", "snooze"])
def test_a_job_that_was_not_given_up_is_not_told(fate: Any) -> None:
    end = msgspec.structs.replace(buried(), fate=fate)

    assert Webhooks(wanting(crm=("job.buried",))).buried(end) == []


def test_without_webhooks_nothing_follows_of_anything(desk: Desk) -> None:
    nobody = Webhooks({})
    settling, _ = desk.settle()

    assert nobody.turn(settling.settlement) == []
    assert nobody.buried(buried()) == []
    assert not nobody.wants("message.sent")
