"""The page's stream, on a real server, socket and ledger: nothing repeated, nothing lost, nothing unbounded."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest
from greenlet import greenlet

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.domain.reply import Card, Speech, Text
from tests.support.stores import Stores
from tests.web.chat_site import VISITOR, ServedBy, Site, site
from tests.web.stream_reader import GUARD_S, Received


@pytest.fixture(autouse=True)
def _strict_telemetry() -> Iterator[None]:
    with telemetry.strict():
        yield


@pytest.fixture(params=["ours", "pywsgi"])
def served_by(request: pytest.FixtureRequest) -> ServedBy:
    """Held without a greenlet, and from the request's greenlet: whoever reads sees no difference."""
    by: ServedBy = request.param
    return by


@pytest.fixture
def chat(database: str, served_by: ServedBy) -> Iterator[Site]:
    with site(database, served_by) as running:
        yield running


@pytest.fixture
def chat_held(database: str) -> Iterator[Site]:
    """On our own server, and with heartbeats that nobody will live to see."""
    with site(database, "ours", heartbeat_s=3_600.0) as running:
        yield running


def greenlets() -> int:
    """Return how many greenlets could still run."""
    gc.collect()
    return sum(isinstance(each, greenlet) and not each.dead for each in gc.get_objects())


def turns(events: list[Received]) -> list[int]:
    return [event.data["seq"] for event in events if event.name == "turn"]


def wait_for_streams(chat: Site, count: int) -> None:
    """Return when so many streams are open."""
    until = time.monotonic() + GUARD_S
    while len(chat.live) != count:
        assert time.monotonic() < until, f"{len(chat.live)} streams are open"
        gevent.sleep(0.01)


def test_a_stream_tells_a_turn_from_its_beginning_to_its_end(chat: Site) -> None:
    stream, talk = chat.stream(), chat.talk()
    assert stream.until("ready") == [Received("ready", {"seq": 0})]
    assert stream.retry_ms == 2_000
    assert stream.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert stream.response.headers["Cache-Control"] == "no-store"

    talk.say("what is a negroni?")
    accepted = stream.next()
    assert accepted is not None
    assert (accepted.name, accepted.id, accepted.data["seq"]) == ("accepted", "", 1)
    assert accepted.data["message"] == {"kind": "text", "text": "what is a negroni?"}
    assert abs(accepted.data["at"] - time.time()) < 60

    chat.live.publish_preview(talk.id, 1, {"kind": "delta", "text": "Gin"})
    assert stream.next() == Received("preview", {"seq": 1, "kind": "delta", "text": "Gin"})

    talk.answer(Text("**Gin**", markdown=True), Speech("Gin"))
    turn = stream.next()
    assert turn is not None
    assert (turn.name, turn.id, turn.data["state"]) == ("turn", "1", "answered")
    assert turn.data["message"] == {"kind": "text", "text": "what is a negroni?"}
    assert turn.data["parts"][0] == {"type": "text", "text": "**Gin**", "markdown": True}


def test_a_tap_is_told_by_its_label(chat: Site) -> None:
    talk = chat.talk()
    talk.say("A Martini", kind="tap", name="button", value="order:martini")
    events = chat.stream().until("ready")

    assert events[0].data["message"] == {"kind": "tap", "text": "A Martini"}


def test_every_cut_point_goes_on_where_it_was(chat: Site) -> None:
    """Cut behind any event, also between the events of one turn, a reader that comes back has it all, once."""
    talk = chat.talk()
    talk.exchange(3)
    stream = chat.stream()
    whole = [*stream.until("ready")]
    talk.say("question 4")
    talk.answer(Card("Negroni"))
    whole += stream.until("turn")
    for cut in range(len(whole) + 1):
        seen = whole[:cut]
        last = max((int(event.id) for event in seen if event.id), default=0)
        again = chat.stream(after=last)
        assert turns(seen) + turns(again.until("ready")) == [1, 2, 3, 4], f"cut behind event {cut}"
        again.close()


def test_cut_while_a_turn_runs_it_is_told_again_and_settled_once(chat: Site) -> None:
    stream, talk = chat.stream(), chat.talk()
    talk.say("slow one")
    stream.until("accepted")
    stream.close()
    again = chat.stream()
    assert [event.name for event in again.until("ready")] == ["accepted", "ready"]
    talk.answer("done")

    assert turns([again.next() or Received("", {})]) == [1]


def test_the_place_may_come_in_the_address(chat: Site) -> None:
    """A page that made a new connection itself cannot set Last-Event-ID."""
    chat.talk().exchange(3)
    stream = chat.stream(chat="main&after=2")

    assert turns(stream.until("ready")) == [3]


@pytest.mark.parametrize("place", ["-1", "x", "²", "9" * 18, "9" * 400, "1e3", ""])
def test_a_place_that_makes_no_sense_is_no_place(chat: Site, place: str) -> None:
    chat.talk().exchange(2)
    headers = {**chat.cookie(), "Last-Event-ID": place.encode().decode("latin-1")}
    stream = chat.stream(headers=headers)

    assert turns(stream.until("ready")) == [1, 2]


def test_two_tabs_see_the_same(chat: Site) -> None:
    tabs, talk = [chat.stream(), chat.stream()], chat.talk()
    for tab in tabs:
        tab.until("ready")
    talk.say("said in one")
    talk.answer("seen in both")

    assert [turns(tab.until("turn")) for tab in tabs] == [[1], [1]]


def test_a_turn_settled_by_another_process_comes_without_any_hint(chat: Site) -> None:
    """Through the ledger alone, a conversation that began elsewhere after the stream was opened."""
    stream, elsewhere = chat.stream(), chat.talk(hinted=False)
    stream.until("ready")
    elsewhere.say("hello")
    stream.until("accepted")
    elsewhere.answer("from elsewhere")

    assert turns(stream.until("turn")) == [1]


def test_conversations_and_chats_do_not_mix(chat: Site) -> None:
    mine, other_chat = chat.stream(), chat.stream(chat="work")
    theirs = chat.stream(headers=chat.cookie("w" * 24))
    for stream in (mine, other_chat, theirs):
        stream.until("ready")
    chat.talk().exchange(1)
    chat.talk(f"{VISITOR}:work").exchange(2)
    chat.talk(f"{'w' * 24}:main").exchange(3)

    seen = []
    for stream, last in ((mine, 1), (other_chat, 2), (theirs, 3)):
        told: list[int] = []
        while last not in told:
            told += turns(stream.until("turn"))
        seen.append(told)
    assert seen == [[1], [1, 2], [1, 2, 3]]


def test_a_slow_reader_holds_nothing_and_misses_nothing(chat: Site) -> None:
    """It reads nothing for the time of 300 turns with previews: what waits for it is in the ledger, not in memory."""
    stream, talk = chat.stream(), chat.talk()
    stream.until("ready")
    large = "x" * 10_000
    for number in range(1, 301):
        talk.say(f"question {number}")
        chat.live.publish_preview(talk.id, number, {"kind": "delta", "text": large})
        talk.answer(large)

    told: list[int] = []
    while 300 not in told:
        told += turns(stream.until("turn"))
    assert told == list(range(1, 301))


def test_an_idle_stream_shows_that_it_lives(database: str, served_by: ServedBy) -> None:
    with site(database, served_by, heartbeat_s=0.05) as chat:
        stream = chat.stream()
        stream.until("ready")

        assert stream.next() == Received("beat", {})
        assert stream.next() == Received("beat", {})


def test_a_reader_that_left_gives_its_place_back(database: str, served_by: ServedBy) -> None:
    with site(database, served_by, heartbeat_s=0.02) as chat:
        stream = chat.stream()
        stream.until("ready")
        stream.close()

        wait_for_streams(chat, 0)


def test_a_page_that_vanished_gives_its_place_back_at_once(chat_held: Site) -> None:
    """Long before the next heartbeat: the server sees it leave, and need not write to find out."""
    stream = chat_held.stream()
    stream.until("ready")
    stream.close()

    wait_for_streams(chat_held, 0)


def test_a_page_has_no_greenlet_while_nothing_is_new(chat_held: Site) -> None:
    streams = [chat_held.stream(headers=chat_held.cookie(f"visitor-{number:016d}")) for number in range(2)]
    for stream in streams:
        stream.until("ready")
    before = greenlets()
    more = [chat_held.stream(headers=chat_held.cookie(f"visitor-{number:016d}")) for number in range(2, 30)]
    for stream in more:
        stream.until("ready")
    gevent.idle()

    assert len(chat_held.live) == 30
    assert greenlets() <= before


def test_one_who_reads_slowly_holds_up_nobody(chat_held: Site) -> None:
    """The same visitor's other tab: what the slow one does not take is not read for it again and again."""
    slow, quick, talk = chat_held.stream(), chat_held.stream(), chat_held.talk()
    slow.until("ready"), quick.until("ready")
    for number in range(1, 101):
        talk.say(f"question {number}")
        talk.answer("x" * 30_000)
        assert turns(quick.until("turn")) == [number]

    told: list[int] = []
    while 100 not in told:
        told += turns(slow.until("turn"))
    assert told == list(range(1, 101))


def test_an_old_stream_ends_so_that_load_spreads_again(database: str, served_by: ServedBy) -> None:
    with site(database, served_by, stream_age_max_s=0.1) as chat:
        chat.talk().exchange(1)
        stream = chat.stream()
        events = stream.rest()

        assert turns(events) == [1]
        wait_for_streams(chat, 0)


def test_a_drain_ends_streams_with_a_word_on_when_to_come_back(chat: Site) -> None:
    stream = chat.stream()
    stream.until("ready")
    stream.retry_ms = 0
    stopping = gevent.spawn(chat.live.stop, time.monotonic() + GUARD_S)

    assert stream.rest() == []
    assert stream.retry_ms == 2_000
    stopping.get(timeout=GUARD_S)
    refused = chat.stream()
    assert (refused.status, refused.response.headers["Retry-After"]) == (503, "5")


def test_streams_over_the_bound_are_refused_with_a_time(database: str, served_by: ServedBy) -> None:
    with site(database, served_by, streams_max=1) as chat:
        chat.stream().until("ready")
        refused = chat.stream(headers=chat.cookie("w" * 24))

        assert refused.status == 503
        assert refused.response.headers["Retry-After"] == "5"


def test_a_visitor_with_too_many_tabs_loses_the_oldest_and_is_told(
    database: str, served_by: ServedBy
) -> None:
    with site(database, served_by, visitor_streams_max=1) as chat:
        first = chat.stream()
        first.until("ready")
        second = chat.stream()
        second.until("ready")

        assert first.rest() == [Received("displaced", {})]
        wait_for_streams(chat, 1)


@contextmanager
def postgresql_away(stores: Stores, database: str) -> Iterator[None]:
    """For as long as this lasts, nobody can connect to the database, and no connection is left."""
    name = database.partition("?")[0].rpartition("/")[2]
    stores.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    stores.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    try:
        yield
    finally:
        stores.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_no_ledger_no_stream(stores: Stores, database: str, chat: Site) -> None:
    """Told by the status before the first byte, so the page knows to come back; the place is given back."""
    with postgresql_away(stores, database):
        refused = chat.stream()

        assert refused.status == 503
        assert int(refused.response.headers["Retry-After"]) >= 1
        assert len(chat.live) == 0


def test_an_open_stream_outlives_an_outage(stores: Stores, database: str, chat: Site) -> None:
    """It keeps its place, and shows what it could not read as soon as PostgreSQL is back."""
    stream, talk = chat.stream(), chat.talk()
    talk.exchange(1)
    stream.until("turn")
    with postgresql_away(stores, database):
        chat.live.settled(talk.id, 2)
        with pytest.raises(StoreUnavailable):
            chat.live.poll()
    chat.talk().exchange(1)

    assert turns(stream.until("turn")) == [2]
