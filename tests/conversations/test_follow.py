"""A follower shows every settled turn once and in order, from wherever it starts."""

from __future__ import annotations

from gateway.conversations.follow import Announced, CaughtUp, Follower, News, Previewed, Shown
from gateway.conversations.live import Live
from gateway.conversations.subscription import Subscription
from gateway.conversations.transcripts import Transcripts
from gateway.domain.reply import Text
from gateway.store.postgres import Database
from tests.support.conversation import Conversation

#: More than any conversation here has turns.
LOOKS_MAX = 50


class Stream:
    """A follower that is asked until it has nothing more to say, as whoever holds a stream does."""

    def __init__(
        self, transcripts: Transcripts, live: Live, after_seq: int | None = None, turns_max: int = 50
    ) -> None:
        self.wakes = 0
        self.subscription = Subscription(("webchat", "bartender", "v:main"), "v", self._wake)
        live.subscribe(self.subscription)
        self.follower = Follower(transcripts, live, self.subscription, turns_max=turns_max)
        self.follower.start(after_seq)

    def _wake(self) -> None:
        self.wakes += 1

    def read(self) -> list[str]:
        """Return what is new, one word each."""
        words = []
        for _ in range(LOOKS_MAX):
            words += [_word(news) for news in self.follower.news()]
            if not self.follower.more:
                return words
        raise AssertionError(f"it never has enough: {words}")


def _word(news: News) -> str:
    match news:
        case Announced():
            return f"accepted {news.entry.seq}"
        case Previewed():
            return f"preview {news.seq} {news.preview['kind']}"
        case Shown():
            return f"turn {news.entry.seq}"
        case CaughtUp():
            return f"ready {news.seq}"


def test_a_stream_opened_before_the_first_message_misses_nothing(
    ledger: Database, transcripts: Transcripts, live: Live
) -> None:
    stream = Stream(transcripts, live)
    assert stream.read() == ["ready 0"]

    talk = Conversation(ledger, "v:main", on_settled=live.settled)
    talk.say("hello")
    live.poll()
    assert stream.read() == ["accepted 1"]

    talk.answer("good evening")
    assert stream.read() == ["turn 1"]
    assert stream.read() == []


def test_a_message_between_subscribing_and_reading_is_seen(
    ledger: Database, transcripts: Transcripts, live: Live
) -> None:
    """The window that an ordinary check-then-wait would have: the stream is subscribed and has not looked yet."""
    subscription = Subscription(("webchat", "bartender", "v:main"), "v", lambda: None)
    live.subscribe(subscription)
    Conversation(ledger, "v:main", on_accepted=live.accepted).say("hello")
    follower = Follower(transcripts, live, subscription, turns_max=50)
    follower.start(None)

    assert [_word(news) for news in follower.news()] == ["accepted 1", "ready 0"]


def test_every_cut_point_goes_on_where_it_was(ledger: Database, transcripts: Transcripts, live: Live) -> None:
    """Whatever the last turn shown was, a new stream behind it brings the rest, once, in order."""
    talk = Conversation(ledger, "v:main")
    talk.exchange(7)
    talk.say("and one that waits")
    for cut in range(8):
        stream = Stream(transcripts, live, after_seq=cut, turns_max=3)

        expected = [f"turn {seq}" for seq in range(cut + 1, 8)]
        assert stream.read() == [*expected, "accepted 8", "ready 7"], f"cut behind {cut}"


def test_a_new_page_gets_the_last_turns_only(ledger: Database, transcripts: Transcripts, live: Live) -> None:
    Conversation(ledger, "v:main").exchange(7)

    assert Stream(transcripts, live, turns_max=3).read() == ["turn 5", "turn 6", "turn 7", "ready 7"]


def test_a_place_beyond_the_conversation_is_no_place(ledger: Database, transcripts: Transcripts, live: Live) -> None:
    """A made-up Last-Event-ID must not silence the stream for ever."""
    Conversation(ledger, "v:main").exchange(2)

    assert Stream(transcripts, live, after_seq=10**18 - 1).read() == ["turn 1", "turn 2", "ready 2"]


def test_hints_in_any_order_show_turns_in_order(ledger: Database, transcripts: Transcripts, live: Live) -> None:
    stream = Stream(transcripts, live)
    stream.read()
    talk = Conversation(ledger, "v:main")
    for number in range(3):
        talk.say(f"question {number}")
    talk.answer("a")
    talk.answer("b")
    live.poll()
    live.settled(talk.id, 2)
    live.settled(talk.id, 1)
    live.accepted(talk.id, 3)

    assert stream.read() == ["turn 1", "turn 2", "accepted 3"]


def test_a_hint_that_the_ledger_does_not_bear_out_is_forgotten(
    ledger: Database, transcripts: Transcripts, live: Live
) -> None:
    """It must neither be followed for ever nor hide the true hint behind it."""
    talk = Conversation(ledger, "v:main")
    talk.exchange(1)
    stream = Stream(transcripts, live)
    stream.read()
    live.settled(talk.id, 2)

    assert stream.read() == []
    assert not stream.follower.more

    talk.say("again")
    live.poll()
    assert stream.read() == ["accepted 2"]


def test_a_page_that_comes_in_the_middle_of_an_answer_sees_it_from_the_beginning(
    ledger: Database, transcripts: Transcripts, live: Live
) -> None:
    talk = Conversation(ledger, "v:main", on_settled=live.settled)
    talk.say("what is a negroni?")
    live.publish_preview(talk.id, 1, {"kind": "typing"})
    live.publish_preview(talk.id, 1, {"kind": "delta", "text": "Gin, "})
    stream = Stream(transcripts, live)
    assert stream.read() == ["accepted 1", "preview 1 typing", "preview 1 delta", "ready 0"]

    live.publish_preview(talk.id, 1, {"kind": "delta", "text": "Campari"})
    assert stream.read() == ["preview 1 delta"]

    live.publish_preview(talk.id, 1, {"kind": "part", "part": {"type": "text", "text": "Gin, Campari"}})
    talk.answer("Gin, Campari, vermouth")
    assert stream.read() == ["turn 1"]


def test_previews_of_the_next_turn_start_anew(ledger: Database, transcripts: Transcripts, live: Live) -> None:
    talk = Conversation(ledger, "v:main", on_accepted=live.accepted, on_settled=live.settled)
    talk.exchange(1)
    stream = Stream(transcripts, live)
    stream.read()
    for seq in (2, 3):
        talk.say("more")
        live.publish_preview(talk.id, seq, {"kind": "delta", "text": "x"})
        assert stream.read() == [f"accepted {seq}", f"preview {seq} delta"]
        talk.answer("done")
        assert stream.read() == [f"turn {seq}"]


def test_a_preview_after_its_turn_is_not_shown(ledger: Database, transcripts: Transcripts, live: Live) -> None:
    talk = Conversation(ledger, "v:main", on_accepted=live.accepted, on_settled=live.settled)
    talk.exchange(1)
    stream = Stream(transcripts, live)
    stream.read()
    live.publish_preview(talk.id, 1, {"kind": "delta", "text": "too late"})

    assert stream.read() == []


def test_two_streams_of_one_conversation_see_the_same(
    ledger: Database, transcripts: Transcripts, live: Live
) -> None:
    talk = Conversation(ledger, "v:main", on_accepted=live.accepted, on_settled=live.settled)
    talk.exchange(1)
    tabs = [Stream(transcripts, live), Stream(transcripts, live)]
    for tab in tabs:
        tab.read()
    talk.say("hello, both")
    talk.answer(Text("seen"))

    assert [tab.read() for tab in tabs] == [["turn 2"], ["turn 2"]]


def test_a_failed_turn_is_shown_with_what_the_user_was_told(
    ledger: Database, transcripts: Transcripts, live: Live
) -> None:
    talk = Conversation(ledger, "v:main")
    talk.say("hello")
    talk.answer("Sorry.", state="failed")
    stream = Stream(transcripts, live)
    (shown, _) = stream.follower.news()

    assert isinstance(shown, Shown)
    assert (shown.entry.state, shown.entry.reply and shown.entry.reply.parts) == ("failed", (Text("Sorry."),))
