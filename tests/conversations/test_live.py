"""Streams find their conversation, are woken by whatever happens in it, and are bounded."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.event import Event

from gateway.conversations.live import Live
from gateway.conversations.subscription import Subscription
from gateway.conversations.transcripts import Transcripts
from gateway.domain.errors import Overloaded, StoreUnavailable
from gateway.settings.store import StoreSettings
from gateway.settings.webchat import WebchatSettings
from gateway.store.postgres import Database
from tests.support.conversation import Conversation
from tests.support.stores import Stores

GUARD_S = 10.0


class Watcher:
    """A subscription and the event that its wake-ups set."""

    def __init__(self, live: Live, key: str, holder: str = "somebody") -> None:
        self.woken = Event()
        self.subscription = Subscription(("webchat", "bartender", key), holder, self.woken.set)
        live.subscribe(self.subscription)

    def wait(self) -> Subscription:
        assert self.woken.wait(GUARD_S), "not woken"
        self.woken.clear()
        return self.subscription


def test_the_poll_finds_what_another_process_did(ledger: Database, live: Live) -> None:
    """Nobody gave a hint: begun, accepted and settled are all found in the ledger."""
    watcher = Watcher(live, "v:main")
    other = Conversation(ledger, "v:main")
    other.say("hello")
    live.poll()
    subscription = watcher.wait()

    assert (subscription.conversation_id, subscription.accepted_seq, subscription.settled_seq) == (other.id, 1, 0)

    other.answer("good evening")
    live.poll()

    assert watcher.wait().settled_seq == 1


def test_a_poll_without_news_wakes_nobody(ledger: Database, live: Live) -> None:
    Conversation(ledger, "v:main").exchange(2)
    watcher = Watcher(live, "v:main")
    live.poll()
    watcher.wait()
    live.poll()

    assert not watcher.woken.is_set()


def test_the_hint_of_a_first_message_finds_its_streams(ledger: Database, transcripts: Transcripts) -> None:
    """Long before the poll: a hint carries an id only, and the stream was opened before there was one."""
    live = Live(transcripts, WebchatSettings(), poll_s=3_600)
    watcher, stranger = Watcher(live, "v:main"), Watcher(live, "w:main")
    polling = gevent.spawn(live.poll_forever)
    try:
        Conversation(ledger, "v:main", on_accepted=live.accepted).say("hello")

        assert watcher.wait().accepted_seq == 1
        assert stranger.subscription.conversation_id is None
    finally:
        polling.kill()


def test_hints_reach_the_watchers_of_their_conversation_only(ledger: Database, live: Live) -> None:
    mine, theirs = Conversation(ledger, "v:main"), Conversation(ledger, "w:main")
    mine.exchange(1)
    theirs.exchange(1)
    here, there = Watcher(live, "v:main"), Watcher(live, "w:main")
    live.poll()
    here.wait()
    there.wait()
    live.settled(mine.id, 2)

    assert here.wait().settled_seq == 2
    assert not there.woken.is_set()


def test_a_draft_is_there_before_anybody_watches_and_gone_when_its_turn_is_settled(live: Live) -> None:
    live.publish_preview(7, 3, {"kind": "delta", "text": "Ne"})
    live.settled(7, 2)
    live.publish_preview(7, 3, {"kind": "delta", "text": "groni"})
    draft = live.draft(7)

    assert draft is not None
    assert draft.since(0)[0] == [{"kind": "delta", "text": "Negroni"}]

    live.settled(7, 3)

    assert live.draft(7) is None


def test_a_late_preview_of_an_older_turn_changes_nothing(live: Live) -> None:
    live.publish_preview(7, 3, {"kind": "typing"})
    live.publish_preview(7, 2, {"kind": "delta", "text": "old"})
    draft = live.draft(7)

    assert draft is not None
    assert (draft.seq, draft.since(0)[0]) == (3, [{"kind": "typing"}])


def test_drafts_are_bounded_and_the_one_touched_longest_ago_goes(transcripts: Transcripts) -> None:
    live = Live(transcripts, WebchatSettings(drafts_max=2), poll_s=1)
    for conversation_id in (1, 2, 1, 3):
        live.publish_preview(conversation_id, 1, {"kind": "delta", "text": "x"})

    assert [live.draft(conversation_id) is not None for conversation_id in (1, 2, 3)] == [True, False, True]


def test_streams_are_bounded_and_places_come_back(transcripts: Transcripts) -> None:
    live = Live(transcripts, WebchatSettings(streams_max=2), poll_s=1)
    first, _ = Watcher(live, "a:main", "a"), Watcher(live, "b:main", "b")
    with pytest.raises(Overloaded) as refused:
        Watcher(live, "c:main", "c")

    assert (refused.value.status, refused.value.reason) == (503, "streams_max")

    live.unsubscribe(first.subscription)
    live.unsubscribe(first.subscription)
    Watcher(live, "c:main", "c")

    assert len(live) == 2


def test_a_visitor_over_the_bound_loses_the_oldest_stream(transcripts: Transcripts) -> None:
    live = Live(transcripts, WebchatSettings(visitor_streams_max=2), poll_s=1)
    watchers = [Watcher(live, "a:main", "a") for _ in range(3)]
    other = Watcher(live, "b:main", "b")

    assert [watcher.subscription.ending for watcher in watchers] == ["displaced", None, None]
    assert watchers[0].woken.is_set()
    assert other.subscription.ending is None


def test_stop_ends_all_streams_and_waits_for_them(ledger: Database, live: Live) -> None:
    """Those of conversations that have begun and of those that have not; new ones are refused."""
    Conversation(ledger, "v:main").exchange(1)
    watchers = [Watcher(live, "v:main"), Watcher(live, "w:main")]
    live.poll()

    def leave(watcher: Watcher) -> None:
        while watcher.subscription.ending is None:
            watcher.wait()
        live.unsubscribe(watcher.subscription)

    leaving = [gevent.spawn(leave, watcher) for watcher in watchers]
    live.stop(time.monotonic() + GUARD_S)

    assert len(live) == 0
    with pytest.raises(Overloaded):
        Watcher(live, "x:main")
    live.stop(time.monotonic() + GUARD_S)
    gevent.joinall(leaving, raise_error=True)


def test_stop_does_not_wait_longer_than_its_deadline(live: Live) -> None:
    watcher = Watcher(live, "v:main")
    live.stop(time.monotonic())

    assert watcher.subscription.ending == "draining"


def test_lost_connections_cost_one_look(
    stores: Stores, database: str, store_settings: StoreSettings, live: Live
) -> None:
    """What happened while PostgreSQL was away is found by the next look."""
    name = database.partition("?")[0].rpartition("/")[2]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    watcher = Watcher(live, "v:main")
    live.poll()
    stores.execute(cut)
    with pytest.raises(StoreUnavailable):
        live.poll()

    polling = gevent.spawn(live.poll_forever)
    try:
        stores.execute(cut)
        others = Database(store_settings)
        Conversation(others, "v:main").say("hello")

        assert watcher.wait().accepted_seq == 1
        assert not polling.ready()
        others.close()
    finally:
        polling.kill()
