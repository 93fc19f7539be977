"""Takeover: lanes that nobody runs are found and run, by one process each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import gevent
import msgspec
import pytest
from gevent import Greenlet
from psycopg2.extensions import cursor as Cursor

from gateway.domain.reply import Reply
from gateway.domain.turn import LaneKey, OutboxDraft, Settlement, Turn
from gateway.lanes.lane import Lanes
from gateway.lanes.owner import Owner
from gateway.lanes.takeover import Takeover
from gateway.settings.lanes import LaneSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.ledger.ledger import Ledger
from gateway.store.postgres import Database
from tests.support.actor import Actor, arrival
from tests.support.waiting import until

T = TypeVar("T")
SETTINGS = LaneSettings(beat_s=0.05, dead_after_s=60.0, lease_margin_s=0.5, poll_s=0.02)


class Watched(Database):
    """Counts what it is asked, and keeps what it was told of lanes."""

    def __init__(self, settings: StoreSettings) -> None:
        super().__init__(settings)
        self.looks = 0
        self.seen: list[dict[int, int]] = []

    def run(self, work: Callable[[Cursor], T]) -> T:
        result = super().run(work)
        self.looks += 1
        if isinstance(result, dict):
            self.seen.append(result)
        return result


class Gateway:
    """The lanes part of a gateway process, on a real ledger, with an assistant that answers at once."""

    def __init__(self, url: str, settings: LaneSettings = SETTINGS) -> None:
        self.settings = settings
        store = StoreSettings(database_url=Secret(url))
        self.database = Watched(store)
        self.owner = Owner(self.database, settings, kind="gateway", label="test", on_dead=self._drop)
        self.ledger = Ledger(self.database, store, settings, lambda: self.owner.process)
        self.ran: list[Turn] = []
        self.gate = gevent.event.Event()
        self.gate.set()
        self.lanes = Lanes(
            self.ledger,
            self.owner,
            settings,
            run=self._run,
            settled=lambda _settlement, _settled: None,
            unstorable=lambda turn, _error: Settlement(turn=turn, state="failed", reply=Reply()),
        )
        self.overflowed = 0
        self.takeover = Takeover(self.database, self.owner, self.lanes, settings, orphaned=self._overflow)
        self.owner.register()
        self._greenlets: list[Greenlet] = []

    def watch(self, *, beating: bool = True) -> None:
        self._greenlets.append(gevent.spawn(self.takeover.watch_forever))
        if beating:
            self._greenlets.append(gevent.spawn(self.owner.beat_forever))

    def stop(self) -> None:
        gevent.killall(self._greenlets)
        self.lanes.drop()
        self.database.close()

    def texts(self) -> list[str]:
        return [turn.message.text for turn in self.ran]

    def _run(self, lane: LaneKey, turn: Turn) -> Settlement:
        self.ran.append(turn)
        self.gate.wait()
        return Settlement(
            turn=turn, state="answered", reply=Reply(), outbox=(OutboxDraft(kind="push", payload={}),)
        )

    def _drop(self) -> None:
        self.lanes.drop()

    def _overflow(self) -> None:
        self.overflowed += 1


@pytest.fixture
def gateway(database: str) -> Iterator[Gateway]:
    gateway = Gateway(database)
    yield gateway
    gateway.stop()


@pytest.fixture
def other(database: str) -> Actor:
    """Another gateway process."""
    return Actor(database)


def settled(actor: Actor, count: int) -> None:
    """Wait until so many turns are answered, and no lane is held."""
    until(
        f"{count} answers",
        lambda: (
            actor.one("SELECT count(*) FROM turns WHERE state = 'answered'") == count
            and not actor.rows("SELECT 1 FROM conversations WHERE owner_process IS NOT NULL")
        ),
    )


@pytest.fixture
def impatient(database: str) -> Iterator[Gateway]:
    """A gateway for which a process is dead after less than a second."""
    gateway = Gateway(database, msgspec.structs.replace(SETTINGS, dead_after_s=0.8, lease_margin_s=0.2))
    yield gateway
    gateway.stop()


def test_the_lanes_of_a_dead_process_are_run_on(impatient: Gateway, other: Actor) -> None:
    gateway = impatient
    for lane in range(3):
        other.say(f"first of {lane}", lane=f"lane {lane}")
        other.say(f"second of {lane}", lane=f"lane {lane}")
    other.fall_silent(3600)
    gateway.watch()
    settled(other, 6)
    for lane in range(3):
        mine = [turn for turn in gateway.ran if turn.message.text.endswith(f"of {lane}")]
        assert [(turn.message.text.split()[0], turn.deaths) for turn in mine] == [("first", 1), ("second", 0)]
    assert other.one("SELECT count(*) FROM outbox") == 6


def test_lanes_left_by_a_process_that_ended_in_order_are_run_on(gateway: Gateway, other: Actor) -> None:
    other.say()
    other.leave()
    gateway.watch()
    settled(other, 1)
    assert gateway.ran[0].deaths == 0


def test_a_lane_whose_grant_was_never_heard_of_is_found(gateway: Gateway, other: Actor) -> None:
    """Law: the answer to the commit was lost; the ledger says that the lane is ours, and nothing runs it."""
    gateway.watch()
    other.as_process(gateway.owner.process).say("lost")
    settled(other, 1)
    assert gateway.texts() == ["lost"]


def test_a_lane_must_be_seen_twice_before_it_is_started(gateway: Gateway, other: Actor) -> None:
    """Law: the answer to a grant may still be on its way here; then the lane is started by it, once."""
    me = other.as_process(gateway.owner.process)
    accepted = me.say()
    assert me.owned() == {accepted.conversation_id: 1}
    gateway.watch()
    settled(other, 1)
    assert gateway.database.seen[:2] == [{accepted.conversation_id: 1}] * 2, "it was seen twice before it ran"


def test_a_lane_handed_over_is_run_at_once_after_a_hint(database: str, other: Actor) -> None:
    gateway = Gateway(database, msgspec.structs.replace(SETTINGS, poll_s=30.0))
    gateway.watch()
    first = other.say("one")
    gateway.ledger.accept([arrival("two")])
    assert other.answer(first.conversation_id, hand_over=True).heir == gateway.owner.process.process_id
    gateway.takeover.hint(first.conversation_id)
    settled(other, 2)
    assert gateway.texts() == ["two"]
    gateway.stop()


def test_a_lane_handed_over_is_found_without_a_hint(gateway: Gateway, other: Actor) -> None:
    first = other.say("one")
    gateway.ledger.accept([arrival("two")])
    other.answer(first.conversation_id, hand_over=True)
    gateway.watch()
    settled(other, 2)


def test_a_process_without_a_lease_takes_nothing(impatient: Gateway, other: Actor) -> None:
    """Law: it could not run it.  Nor does it declare anybody dead: the others may be as cut off as it is."""
    gateway = impatient
    silent = Actor(other._url)
    silent.fall_silent(3600)
    gateway.watch(beating=False)
    until("the lease to run out", lambda: not gateway.owner.holds())
    other.say()
    other.leave()
    gateway.takeover._look(compare=True)
    assert other.one("SELECT beat FROM processes WHERE id = %s", silent.id) is not None
    assert other.rows("SELECT 1 FROM conversations WHERE owner_process IS NOT NULL") == []


def test_a_draining_process_takes_back_none_of_the_lanes_that_it_frees(
    gateway: Gateway, other: Actor
) -> None:
    """Law: it would own them and not run them, until it ends."""
    me = other.as_process(gateway.owner.process)
    gateway.gate.clear()
    accepted = me.say("one")
    assert accepted.lane is not None
    gateway.lanes.grant(accepted.lane, ("slack", "bot"), accepted.head)
    other.say("two")
    gateway.watch()
    until("the turn", lambda: gateway.ran)
    draining = gevent.spawn(gateway.lanes.drain, float("inf"))
    gevent.idle()
    gateway.gate.set()
    assert draining.get()
    looks = gateway.database.looks
    until("several looks", lambda: gateway.database.looks > looks + 8)
    assert other.adopt() == [accepted.conversation_id]
    assert gateway.texts() == ["one"]


def test_no_more_lanes_are_adopted_than_there_is_room_for_and_others_are_told(
    database: str, other: Actor
) -> None:
    settings = msgspec.structs.replace(SETTINGS, turns_in_flight_max=2, account_turns_in_flight_max=2)
    gateway = Gateway(database, settings)
    for lane in range(5):
        other.say(lane=f"lane {lane}")
    other.leave()
    gateway.gate.clear()
    gateway.watch()
    until("two lanes", lambda: len(gateway.ran) == 2)
    assert gateway.overflowed >= 1
    assert len(gateway.lanes) == 2
    assert other.one("SELECT count(*) FROM conversations WHERE orphaned") == 3
    gateway.gate.set()
    settled(other, 5)
    gateway.stop()


def test_two_processes_share_what_is_left_and_run_each_lane_once(database: str, other: Actor) -> None:
    settings = msgspec.structs.replace(SETTINGS, turns_in_flight_max=3, account_turns_in_flight_max=3)
    gateways = [Gateway(database, settings), Gateway(database, settings)]
    for lane in range(20):
        other.say(f"{lane}", lane=f"lane {lane}")
    other.leave()
    for gateway in gateways:
        gateway.watch()
    settled(other, 20)
    assert sorted(int(text) for gateway in gateways for text in gateway.texts()) == list(range(20))
    assert all(gateway.ran for gateway in gateways)
    for gateway in gateways:
        gateway.stop()


def test_looking_goes_on_after_the_store_was_away(gateway: Gateway, other: Actor) -> None:
    gateway.watch()
    other.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'switchboard'"
    )
    other.say()
    other.leave()
    settled(other, 1)
