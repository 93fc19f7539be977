"""Assistants' timers: jobs that the settle itself asks for, one of a name, taken back by a later reply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.domain.reply import Reply, Text, Timer
from gateway.jobs.follow_ups import JobFollowUps
from gateway.jobs.jobs import Jobs
from gateway.jobs.pushes import Pushes
from gateway.jobs.webhooks import Webhooks
from gateway.settings.jobs import JobSettings
from gateway.settings.lanes import LaneSettings
from gateway.settings.store import StoreSettings
from gateway.store.job_hints import JobHints
from gateway.store.ledger.ledger import Ledger
from gateway.store.ledger.settle import Settling
from gateway.store.postgres import Database
from gateway.store.signals import Signals
from tests.support.actor import Actor

TEA, EGG = (Text("Your tea is ready."),), (Text("Your egg is ready."),)
#: Far from now, so that nobody's clock makes one due.
NOW = 4_000_000_000.0


class Desk:
    """A gateway's ledger, and somebody's conversation in it."""

    def __init__(self, url: str, store: StoreSettings, database: Database) -> None:
        self.actor = Actor(url)
        self._hints = JobHints(store, 100)
        self._signals = Signals(store, audience="gateways", on_hint=lambda _: None)
        jobs = Jobs(database, JobSettings(), self._hints)
        follow_ups = JobFollowUps(
            Webhooks({}), jobs, Pushes(database, jobs, self._signals), wall_clock=lambda: NOW
        )
        self.ledger = Ledger(
            database, store, LaneSettings(), lambda: self.actor.process, follow_ups=follow_ups
        )

    def answer(self, *timers: Timer, lane: str = "one", **how: Any) -> Settling:
        """Have a message answered with a reply that sets these."""
        accepted = self.actor.say("hello", lane=lane)
        assert accepted.lane is not None
        assert accepted.head is not None
        reply = Reply((Text("ok"),), timers=timers)
        settling = self.actor.settling(accepted.lane, accepted.head, reply=reply, **how)
        self.ledger.settle(settling)
        return settling

    def waiting(self) -> list[tuple[str, float]]:
        """What will be said, and in how many seconds."""
        rows = self.actor.rows(
            "SELECT payload::text, extract(epoch FROM due_at)::float8 FROM jobs"
            " WHERE kind = 'message.push' ORDER BY due_at"
        )
        return [(msgspec.json.decode(text)["reply"]["parts"][0]["text"], due_at - NOW) for text, due_at in rows]

    def close(self) -> None:
        self._hints.close()
        self._signals.close()


@pytest.fixture
def desk(database: str, store_settings: StoreSettings, pool: Database) -> Iterator[Desk]:
    made = Desk(database, store_settings, pool)
    yield made
    made.close()


def test_a_timer_is_a_message_that_comes_later_to_its_conversation(desk: Desk) -> None:
    settling = desk.answer(Timer("tea", 180, TEA))

    turn = settling.settlement.turn
    assert desk.waiting() == [("Your tea is ready.", 180)]
    assert desk.actor.rows("SELECT lane, unique_key, state, payload ->> 'once' FROM jobs") == [
        (f"push:{turn.conversation_id}", f"timer:{turn.conversation_id}:tea", "scheduled", f"timer:{turn.turn_id}:tea")
    ]


def test_timers_are_no_part_of_what_was_said(desk: Desk) -> None:
    desk.answer(Timer("tea", 180, TEA))

    assert desk.actor.one("SELECT reply ? 'timers' FROM turns") is False


def test_a_timer_of_the_same_name_takes_its_place(desk: Desk) -> None:
    desk.answer(Timer("tea", 180, TEA), Timer("egg", 300, EGG))

    desk.answer(Timer("tea", 60, TEA))

    assert desk.waiting() == [("Your tea is ready.", 60), ("Your egg is ready.", 300)]


def test_one_without_a_time_only_stops_it(desk: Desk) -> None:
    desk.answer(Timer("tea", 180, TEA), Timer("egg", 300, EGG))

    desk.answer(Timer("tea"))

    assert desk.waiting() == [("Your egg is ready.", 300)]


def test_a_name_is_its_conversations_own(desk: Desk) -> None:
    desk.answer(Timer("tea", 180, TEA))

    desk.answer(Timer("tea"), lane="another")

    assert len(desk.waiting()) == 1


def test_of_two_of_one_name_in_a_reply_the_last_counts(desk: Desk) -> None:
    desk.answer(Timer("tea", 180, TEA), Timer("tea", 60, TEA))

    assert desk.waiting() == [("Your tea is ready.", 60)]


def test_a_settle_that_is_run_again_sets_and_stops_nothing(desk: Desk) -> None:
    """The answer to its commit was lost; meanwhile the timer has rung, and another reply has set one of its name."""
    settling = desk.answer(Timer("tea", 180, TEA))
    desk.answer(Timer("tea", 60, TEA))

    assert not desk.ledger.settle(settling).lost

    assert desk.waiting() == [("Your tea is ready.", 60)]
