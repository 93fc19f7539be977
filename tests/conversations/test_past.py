"""What a model is told of: the newest answered turns before one, as many as fit, in order."""

from __future__ import annotations

from gateway.conversations.transcripts import Transcripts
from gateway.domain.message import Message
from gateway.domain.reply import Card, Text
from gateway.store.ledger.transcripts import Exchange, Past
from gateway.store.postgres import Database
from tests.support.conversation import Conversation

PLENTY = 1_000_000


def before(transcripts: Transcripts, said: Conversation, seq: int, turns: int = 20, size: int = PLENTY) -> list[int]:
    """Return the numbers of the turns that are found."""
    return [each.seq for each in transcripts.before(Past(said.id, seq, turns, size))]


def test_the_words_of_both_sides_in_order(ledger: Database, transcripts: Transcripts) -> None:
    said = Conversation(ledger, "v:main")
    said.say("Hello")
    said.answer("Good evening", Card("Negroni", text="bitter"))
    said.say("one")
    said.answer("Here you are")
    here = said.say("and now?")

    assert transcripts.before(Past(said.id, here, 20, PLENTY)) == [
        Exchange(1, Message("text", "Hello"), (Text("Good evening"), Card("Negroni", text="bitter"))),
        Exchange(2, Message("text", "one"), (Text("Here you are"),)),
    ]


def test_the_newest_turns_before_the_one_that_runs(ledger: Database, transcripts: Transcripts) -> None:
    """What waits behind it was not said yet as far as the model knows."""
    said = Conversation(ledger, "v:main")
    said.exchange(5)
    here = said.say("now")
    said.say("later")

    assert before(transcripts, said, here) == [1, 2, 3, 4, 5]
    assert before(transcripts, said, here, turns=2) == [4, 5]
    assert before(transcripts, said, 4, turns=2) == [2, 3]
    assert before(transcripts, said, 1) == []


def test_failed_turns_are_not_there_and_take_no_room(ledger: Database, transcripts: Transcripts) -> None:
    said = Conversation(ledger, "v:main")
    said.exchange(2)
    said.say("broken")
    said.answer("Sorry", state="failed")
    here = said.say("now")

    assert before(transcripts, said, here, turns=2) == [1, 2]


def test_an_outage_is_not_read_through_for_ever(ledger: Database, transcripts: Transcripts) -> None:
    said = Conversation(ledger, "v:main")
    said.exchange(1)
    for _ in range(8):
        said.say("broken")
        said.answer("Sorry", state="failed")
    here = said.say("now")

    assert before(transcripts, said, here, turns=2) == []
    assert before(transcripts, said, here, turns=3) == [1]


def test_bytes_are_bounded_where_they_are_read(ledger: Database, transcripts: Transcripts) -> None:
    """Whole turns without a gap: one that does not fit ends the look, whatever lies behind it."""
    said = Conversation(ledger, "v:main")
    for words in ("short", "x" * 10_000, "short"):
        said.say(words)
        said.answer("ok")
    here = said.say("now")

    assert before(transcripts, said, here, size=1_000) == [3]
    assert before(transcripts, said, here, size=20_000) == [1, 2, 3]
    assert before(transcripts, said, here, size=64) == []


def test_state_and_memory_are_no_words(ledger: Database, transcripts: Transcripts) -> None:
    """What another kind of assistant left behind takes no room."""
    said = Conversation(ledger, "v:main")
    said.exchange(1)
    kept = '{"state": {"kept": "' + "x" * 50_000 + '"}}'
    ledger.run(lambda cursor: cursor.execute("UPDATE turns SET reply = reply || %s::jsonb", (kept,)))

    assert before(transcripts, said, 2, size=1_000) == [1]


def test_a_turn_that_cannot_be_read_is_passed_over(ledger: Database, transcripts: Transcripts) -> None:
    """Another version wrote it; who asks at the same moment must not fail for it."""
    said = Conversation(ledger, "v:main")
    said.exchange(3)
    ledger.run(lambda cursor: cursor.execute("UPDATE turns SET message = '{\"kind\": \"newer\"}' WHERE seq = 2"))

    assert before(transcripts, said, 4) == [1, 3]


def test_many_are_read_at_once_and_kept_apart(ledger: Database, transcripts: Transcripts) -> None:
    first, second = Conversation(ledger, "v:main"), Conversation(ledger, "w:main")
    first.exchange(1)
    second.exchange(2)

    assert before(transcripts, first, 9) == [1]
    assert before(transcripts, second, 9) == [1, 2]
