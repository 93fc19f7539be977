"""Replies that a gateway sends by itself: in order, within its room, and back to the ledger at the first doubt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest
from gevent.event import Event
from psycopg2.extensions import cursor as Cursor

from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.domain.quota import Scope
from gateway.domain.turn import LaneKey, OutboxDraft, Turn
from gateway.replies.direct import DirectSends
from gateway.replies.limits import Limits
from gateway.replies.sending import Sender
from gateway.settings.accounts import Account
from gateway.settings.secret import Secret
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.store.ledger import outbox
from gateway.store.ledger.settle import Settled
from gateway.store.postgres import Database
from gateway.store.rate_limits import RateLimits
from tests.support.actor import Actor
from tests.support.waiting import GUARD_S, until

SETTINGS = Settings(
    home=Path("/nonexistent"),
    accounts={("slack", "bot"): Account(channel="slack", name="bot", assistant="echo")},
    assistants={},
)
ROOM = 4


class Platform:
    """A channel that does what a test says, with each text in turn, and waits at a gate if there is one."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.answers: dict[str, Outcome | BaseException] = {}
        self.gate = Event()
        self.gate.set()
        self.counted: tuple[Scope, ...] = ()

    def scopes(self, payload: dict[str, Any], account: Account) -> tuple[Scope, ...]:
        return self.counted

    def send(self, client: object, account: Account, payload: dict[str, Any], **_: Any) -> Outcome:
        text = payload["text"]
        self.sent.append(text)
        self.gate.wait()
        answer = self.answers.get(text, Sent(f"id of {text}"))
        if isinstance(answer, BaseException):
            raise answer
        return answer


class House:
    """A gateway process of which there is the ledger and what sends, and nothing between."""

    def __init__(self, url: str, redis_url: str, actor: Actor, *, gather_s: float = 0.0) -> None:
        self.actor = actor
        self.platform = Platform()
        self.holds = True
        self.now = 1_000.0
        self.left: list[int] = []
        #: Cleared while PostgreSQL is silent.
        self.heard = Event()
        self.heard.set()
        store = StoreSettings(database_url=Secret(url), redis_url=Secret(redis_url))
        self.database = Database(store)
        self.rates = RateLimits(store)
        channels: Any = {"slack": self.platform}
        sender = Sender(
            SETTINGS,
            channels,
            Limits(self.rates, share=lambda: 0.0),
            lambda _: self.platform,  # type: ignore[arg-type, return-value]
            lives=lambda epoch: self.holds and epoch == self.actor.process.epoch,
            clock=time.monotonic,
            wall_clock=time.time,
            draw=lambda: 0.5,
        )
        self.sends = DirectSends(
            sender,
            self.database,
            self._write,
            store,
            rows_max=ROOM,
            left=self.left.append,
            gather_s=gather_s,
            clock=lambda: self.now,
        )

    def _write(self, cursor: Cursor, batch: Any) -> list[bool]:
        assert self.heard.wait(GUARD_S)
        return outbox.finish(cursor, self.actor.process, batch)

    def run(self, *texts: str, lane: str = "lane") -> tuple[LaneKey, Turn, list[OutboxDraft]]:
        """Run a turn until just before its settle."""
        found = self.actor.head(self.actor.say(lane=lane).conversation_id)
        assert found is not None
        claimed = self.sends.reserve(found[0], found[1], len(texts))
        drafts = [OutboxDraft(kind="push", payload={"text": text}, claimed=claimed) for text in texts]
        return *found, drafts

    def settle(self, lane: LaneKey, turn: Turn, drafts: list[OutboxDraft], *, again: bool = False) -> Settled:
        """Settle it, and tell; *again*: the answer to the first commit was lost."""
        settling = self.actor.settling(lane, turn, drafts=drafts)
        for _ in range(2 if again else 1):
            (settled,) = self.actor.settle_all([settling])
        self.sends.settled(settling.settlement, settled)
        return settled

    def say(self, *texts: str, lane: str = "lane") -> Settled:
        return self.settle(*self.run(*texts, lane=lane))

    def states(self) -> list[tuple[str, str, str | None]]:
        return self.actor.rows("SELECT payload ->> 'text', state, reason FROM outbox ORDER BY id")

    def idle(self) -> None:
        """Wait until nothing is in hand."""
        until("idle", lambda: "0 of" in repr(self.sends) and "0 conversations" in repr(self.sends))

    def jobs(self) -> int:
        return int(self.actor.one("SELECT count(*) FROM jobs"))


@pytest.fixture
def houses(database: str, redis_url: str) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def built(**how: float) -> House:
        houses.append(House(database, redis_url, Actor(database), **how))
        return houses[-1]

    yield built
    for house in houses:
        house.platform.gate.set()
        house.sends.stop(time.monotonic() + GUARD_S)
        house.rates.close()
        house.database.close()


@pytest.fixture
def house(houses: Callable[..., House]) -> House:
    return houses()


def test_what_is_settled_is_sent_and_ended_without_a_job(house: House) -> None:
    house.say("one", "two")
    house.idle()
    assert house.platform.sent == ["one", "two"]
    assert house.states() == [("one", "sent", None), ("two", "sent", None)]
    assert house.actor.one("SELECT array_agg(platform_id ORDER BY id) FROM outbox") == ["id of one", "id of two"]
    assert house.jobs() == 0
    assert house.left == []


def test_a_conversations_later_turn_is_sent_behind_its_earlier_one(house: House) -> None:
    """Law: whatever else is sent meanwhile."""
    house.platform.gate.clear()
    house.say("one")
    until("the first to be on the wire", lambda: house.platform.sent == ["one"])
    house.say("two")
    house.say("other", lane="another")
    until("another conversation's", lambda: "other" in house.platform.sent)
    assert "two" not in house.platform.sent
    house.platform.gate.set()
    house.idle()
    assert house.platform.sent == ["one", "other", "two"]


def test_an_end_waits_for_others_unless_somebody_waits_for_it(houses: Callable[..., House]) -> None:
    """Law: neither the next message of its conversation, nor what is not sent, nor a stop waits for company."""
    house = houses(gather_s=100 * GUARD_S)
    house.say("one", "two")
    until("the second to be on the wire", lambda: house.platform.sent == ["one", "two"])
    assert house.states() == [("one", "sent", None), ("two", "sending", None)]

    house.platform.gate.clear()
    house.say("three", lane="another")
    until("the third to be on the wire", lambda: "three" in house.platform.sent)
    house.say("four", lane="another")
    house.platform.gate.set()
    until("the fourth to be on the wire", lambda: "four" in house.platform.sent)

    house.platform.answers["five"] = RetryLater("busy")
    house.say("five", lane="third")
    until("the fifth to be given back", lambda: ("five", "pending", "busy") in house.states())

    house.now += 60
    house.say("six", lane="fourth")
    until("the sixth to be on the wire", lambda: "six" in house.platform.sent)
    house.sends.stop(time.monotonic() + GUARD_S)
    assert ("six", "sent", None) in house.states()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (RetryLater("busy"), ("one", "pending", "busy")),
        (Unknown("cut"), ("one", "unknown", "cut")),
        (ZeroDivisionError(), ("one", "unknown", "crashed")),
        (gevent.Timeout(), ("one", "unknown", "cut_off")),
    ],
    ids=["retry", "unknown", "crash", "forgotten timeout"],
)
def test_behind_one_that_was_not_sent_all_go_back(house: House, answer: Any, found: tuple[str, ...]) -> None:
    """Law: they would overtake it; as tries they do not count."""
    house.platform.answers["one"] = answer
    house.platform.gate.clear()
    house.say("one", "two")
    later = house.run("three")
    house.platform.gate.set()
    until("the first end", lambda: house.states()[0] == found)
    house.settle(*later)
    house.idle()
    assert house.platform.sent == ["one"]
    assert house.states() == [found, ("two", "pending", "earlier"), ("three", "pending", house.states()[2][2])]
    assert house.actor.rows("SELECT attempts FROM outbox ORDER BY id")[1:] == [(0,), (0,)]
    carried = house.actor.rows("SELECT payload ->> 'outbox_id' FROM jobs ORDER BY place")
    waiting = house.actor.rows("SELECT id::text FROM outbox WHERE state = 'pending' ORDER BY id")
    assert carried == waiting, "in their order"
    assert house.left, "whoever sends them is told"


def test_one_that_is_refused_for_good_holds_nothing_up(house: House) -> None:
    house.platform.answers["one"] = NotSent("gone")
    house.say("one", "two")
    house.idle()
    assert [state for _, state, _ in house.states()] == ["not_sent", "sent"]


def test_a_turn_that_was_about_to_be_settled_when_its_conversation_went_back_goes_back_too(house: House) -> None:
    """Law: the ledger may have given it to this process a moment before it took back the one in front of it."""
    house.platform.answers["one"] = RetryLater("busy")
    house.platform.gate.clear()
    house.say("one")
    lane, turn, drafts = house.run("two")
    settling = house.actor.settling(lane, turn, drafts=drafts)
    (settled,) = house.actor.settle_all([settling])
    assert settled.push_jobs == (), "while the one in front of it was being sent by this process"
    house.platform.gate.set()
    until("the first to go back", lambda: house.states()[0][1] == "pending")
    house.sends.settled(settling.settlement, settled)
    house.idle()
    assert house.platform.sent == ["one"]
    assert house.states()[1] == ("two", "pending", "earlier")


def test_without_room_nothing_is_reserved(house: House) -> None:
    """Law: and what is reserved counts, until it is settled and sent."""
    assert house.say(*"abcde").push_jobs, "more than all the room"
    lane, turn, drafts = house.run("a", "b", "c", lane="b")
    assert house.run("d", "e", lane="c")[2][0].claimed is False
    house.settle(lane, turn, drafts)
    house.idle()
    assert house.run(*"fghi", lane="d")[2][0].claimed


def test_of_a_conversation_one_turn_at_a_time_is_reserved(house: House) -> None:
    """Law: the next one may be settled while the answer to this one's settle is on its way; it must not be faster."""
    late = house.run("one")
    settling = house.actor.settling(late[0], late[1], drafts=late[2])
    (settled,) = house.actor.settle_all([settling])
    assert settled.push_jobs == (), "it is this process's to send"
    assert not house.run("two")[2][0].claimed
    house.sends.settled(settling.settlement, settled)
    house.idle()
    assert house.platform.sent == ["one"]


def test_an_answer_that_is_made_anew_reserves_anew(house: House) -> None:
    """An answer that PostgreSQL refuses, or one that cannot be rendered, is replaced by an apology."""
    lane, turn, _ = house.run("a", "b", "c")
    assert house.sends.reserve(lane, turn, 4)
    house.settle(lane, turn, [OutboxDraft(kind="push", payload={"text": "sorry"})])
    house.idle()
    assert house.platform.sent == [], "not claimed after all"


def test_a_lane_that_was_lost_gives_its_room_back(house: House, database: str) -> None:
    lane, turn, drafts = house.run("one")
    there = Actor(database)
    house.actor.die(buried_by=there)
    house.settle(msgspec.structs.replace(lane), turn, drafts)
    house.idle()
    assert house.platform.sent == []
    house.actor.revive()
    house.run("two", lane="another")
    house.sends.drop()
    house.idle()


def test_of_a_commit_whose_answer_was_lost_all_goes_back(house: House) -> None:
    """Law: whether its rows are this process's is not known, and nothing may be sent twice."""
    house.settle(*house.run("one", "two"), again=True)
    house.idle()
    assert house.platform.sent == []
    assert [state for _, state, _ in house.states()] == ["pending", "pending"]
    assert house.jobs() == 2


def test_that_holds_behind_one_that_is_being_sent_too(house: House) -> None:
    house.platform.gate.clear()
    house.say("one")
    until("it to be on the wire", lambda: house.platform.sent == ["one"])
    house.settle(*house.run("two"), again=True)
    house.platform.gate.set()
    house.idle()
    assert house.platform.sent == ["one"]
    assert [state for _, state, _ in house.states()] == ["sent", "pending"]


def test_where_the_platform_has_no_room_it_waits_in_the_ledger(house: House) -> None:
    """Law: no place is booked for a process that will not come back for it, and it was no try."""
    house.platform.counted = (Scope("channel", "C1", rate_per_s=0.001, burst=1.0),)
    house.say("one")
    house.idle()
    house.say("two")
    house.idle()
    assert house.platform.sent == ["one"]
    text, state, reason = house.states()[1]
    assert (text, state, reason) == ("two", "pending", "platform_limit")
    wait_s = house.actor.one("SELECT extract(epoch FROM due_at - created_at)::float8 FROM outbox WHERE id = 2")
    assert 900 < wait_s < 1_000, "the second place, not the third"


def test_an_account_that_just_failed_is_left_to_the_workers_for_a_moment(house: House) -> None:
    house.platform.answers["one"] = RetryLater("busy")
    house.say("one")
    house.idle()
    assert not house.run("two", lane="another")[2][0].claimed
    house.now += 1.5
    assert house.run("three", lane="a third")[2][0].claimed


def test_nothing_is_sent_outside_the_lease(house: House) -> None:
    house.holds = False
    house.say("one")
    house.idle()
    assert house.platform.sent == []
    assert house.states() == [("one", "pending", "lease_lost")]


def test_it_knows_what_it_is_sending(house: House) -> None:
    """Law: or what looks after strays would give it back under way."""
    house.platform.gate.clear()
    (row,) = house.say("one").outbox_ids
    assert row in house.sends
    house.platform.gate.set()
    house.idle()
    assert row not in house.sends


def test_a_channels_wrong_answer_costs_no_other_end(houses: Callable[..., House]) -> None:
    """Law: one row's bad data is its own, also where it is a mistake in a channel's code.  What was sent, was sent."""
    house = houses(gather_s=0.1)
    house.platform.answers["one"] = Sent(platform_id=1)  # type: ignore[arg-type]
    house.say("one")
    house.say("two", lane="another")
    house.idle()
    assert house.states() == [("one", "sent", "unwritable"), ("two", "sent", None)]


def test_a_stop_waits_for_what_is_on_the_wire_and_takes_no_more(house: House) -> None:
    house.platform.gate.clear()
    house.say("one")
    until("it to be on the wire", lambda: house.platform.sent == ["one"])
    stopping = gevent.spawn(house.sends.stop, time.monotonic() + GUARD_S)
    gevent.idle()
    assert not house.run("two", lane="another")[2][0].claimed
    house.platform.gate.set()
    stopping.get(timeout=GUARD_S)
    assert house.states() == [("one", "sent", None)]


def test_a_stop_that_has_no_time_writes_the_end_of_what_was_sent(houses: Callable[..., House]) -> None:
    """Law: who waits for the end of a send may be cut off; the end is written before the process leaves."""
    house = houses(gather_s=100 * GUARD_S)
    (row,) = house.say("one").outbox_ids
    until("it to be sent", lambda: house.platform.sent == ["one"])
    gevent.idle()
    house.sends.stop(time.monotonic())
    assert row not in house.sends
    assert house.states() == [("one", "sent", None)]


def test_a_stop_that_has_no_time_calls_unknown_what_may_be_on_the_wire_and_gives_back_the_rest(house: House) -> None:
    house.platform.gate.clear()
    house.say("one", "two")
    until("it to be on the wire", lambda: house.platform.sent == ["one"])
    house.sends.stop(time.monotonic())
    assert [state for _, state, _ in house.states()] == ["unknown", "pending"]
    assert [reason for _, _, reason in house.states()] == ["cut_off", "cut_off"]


def test_what_a_stop_finds_before_it_was_begun_goes_back(house: House) -> None:
    """Law: it was certainly not sent, so it must not be called unknown; nor what is settled behind the stop."""
    late = house.run("late", lane="another")
    house.say("one")
    house.sends.stop(time.monotonic())
    assert house.states() == [("one", "pending", "cut_off")]
    house.settle(*late)
    until("the late one to go back", lambda: [state for _, state, _ in house.states()] == ["pending", "pending"])
    assert house.platform.sent == []


def test_a_stop_ends_in_time_whatever_is_settled_meanwhile_and_however_silent_the_ledger(house: House) -> None:
    """Law: what is settled while a stop ends the others goes back once the ledger hears of it; the stop has an end."""
    late = house.run("late", lane="another")
    house.platform.gate.clear()
    house.say("one")
    until("it to be on the wire", lambda: house.platform.sent == ["one"])
    house.heard.clear()
    settling = house.actor.settling(*late[:2], drafts=late[2])
    (settled,) = house.actor.settle_all([settling])
    stopping = gevent.spawn(house.sends.stop, time.monotonic())
    gevent.spawn(house.sends.settled, settling.settlement, settled)
    stopping.get(timeout=GUARD_S / 2)
    assert not house.heard.is_set()
    house.heard.set()
    until("both to have ends", lambda: [state for _, state, _ in house.states()] == ["unknown", "pending"])
    assert house.platform.sent == ["one"]


def test_a_drain_takes_no_more_and_sends_what_was_promised(house: House) -> None:
    promised = house.run("one")
    house.sends.close()
    assert not house.run("two", lane="another")[2][0].claimed
    house.platform.gate.clear()
    house.settle(*promised)
    until("it to be on the wire", lambda: house.platform.sent == ["one"])
    draining = gevent.spawn(house.sends.drain, time.monotonic() + GUARD_S)
    gevent.idle()
    assert not draining.dead
    house.platform.gate.set()
    draining.get(timeout=GUARD_S)
    assert house.states() == [("one", "sent", None)]


def test_behind_a_fault_of_our_own_nothing_is_sent_either(house: House) -> None:
    """Law: what was about to be settled meanwhile is not faster than what went back."""
    house.platform.counted = (Scope("channel", "C1", rate_per_s=100.0, burst=9.0),)
    # No set of names: a channel's mistake.
    house.platform.answers["one"] = RetryLater("busy", limited=True, limited_scopes=5)  # type: ignore[arg-type]
    house.platform.gate.clear()
    house.say("one", "two")
    later = house.run("three")
    house.platform.gate.set()
    until("the first to go back", lambda: house.states()[0][1] == "pending")
    house.settle(*later)
    house.idle()
    assert house.platform.sent == ["one"]
    assert [state for _, state, _ in house.states()] == ["pending"] * 3


def test_an_end_of_a_life_that_is_over_is_nobodys(house: House, database: str) -> None:
    """Law: others have called it unknown."""
    house.platform.gate.clear()
    house.say("one")
    until("it to be on the wire", lambda: house.platform.sent == ["one"])
    house.actor.die(buried_by=Actor(database))
    house.actor.revive()
    house.platform.gate.set()
    house.idle()
    assert house.states() == [("one", "unknown", "sender_died")]
