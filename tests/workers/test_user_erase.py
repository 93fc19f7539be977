"""Erasure: nothing of the person is left in any table, nothing of others is touched, whenever it is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from gateway.domain.job import Done, Draft, Retry
from gateway.domain.reply import Reply, Text, Timer
from gateway.jobs.kinds import UserErase
from gateway.jobs.pushes import timer_drafts
from gateway.store.ledger import erase as store
from gateway.store.ledger import jobs
from gateway.store.ledger.outbox import Finish
from tests.support.actor import Actor, arrival
from tests.support.waiting import GUARD_S
from tests.workers.forgetting import History, history

ADA = UserErase("slack", "bot", "ada")
#: What Ada says, and nobody else.
SECRET = "xyzzy"
_TABLES = ("users", "conversations", "turns", "outbox", "dead_letters", "jobs")


@pytest.fixture
def past(database: str, redis_url: str) -> Iterator[History]:
    with history(database, redis_url) as made:
        yield made


def erase(past: History, payload: Any = ADA, job_id: int = 0) -> Any:
    return past.run("user.erase", payload, job_id=job_id or ask(past, payload))


def ask(past: History, payload: Any = ADA, kind: str = "user.erase", **how: Any) -> int:
    return jobs.enqueue(past.gateway.cursor, [Draft(kind=kind, payload=payload, **how)])[0].job_id


def everything(past: History) -> str:
    """Every row of every table, as one text; bytes as they would be read."""
    return "\n".join(
        str({name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()})
        for table in _TABLES
        for row in past.view.rows(f"SELECT * FROM {table} ORDER BY id")
    ).casefold()


def fill(past: History) -> None:
    """Have Ada leave traces everywhere, and Bob beside her."""
    for who, word in (("ada", SECRET), ("bob", "hello")):
        past.say(word, user=who, lane=f"dm {word}")
        past.say(f"{word} again", user=who, lane=f"dm {word}")
        past.say(word, user=who, lane="shared")
        failed = past.gateway.say(word, user=who, lane=f"dm {word}")
        past.gateway.answer(failed.conversation_id, state="failed", reason="x", detail=word)
        past.view.rows(
            "INSERT INTO dead_letters (kind, channel, account, reason, body)"
            " VALUES ('delivery', 'slack', 'bot', 'x', %s)",
            f'{{"user": "{who}", "text": "{word}"}}'.encode(),
        )
        lane = f"conversation:{failed.conversation_id}"
        ask(past, {"text": word}, "test.lane", lane=lane)
        ask(past, {"text": word, "deep": [{"turn_id": failed.turn_id}]}, "test.turn", run_at=4e9)
        ask(past, {"text": word, "to": who}, "test.key")
    past.view.rows("UPDATE users SET memory = jsonb_build_object('name', name)")
    past.view.rows(
        "UPDATE conversations SET state = jsonb_build_object('said', %s::text) WHERE key <> 'dm hello'",
        SECRET,
    )


def test_nothing_of_the_person_is_left(past: History) -> None:
    fill(past)
    outcome = erase(past)
    left = everything(past)
    assert SECRET not in left
    assert "ada" not in left
    assert isinstance(outcome, Done)
    assert outcome.result == {
        "users": 1, "turns": 4, "conversations": 1, "outbox": 3, "dead_letters": 1, "jobs": 3, "deliveries": 1,
    }  # fmt: skip


def test_nothing_of_others_is_touched(past: History) -> None:
    """Law: an erasure leaves every row of somebody else as it is."""
    fill(past)
    bobs = (
        "SELECT t.* FROM turns t JOIN users u ON u.id = t.user_id WHERE u.key = 'bob' ORDER BY t.id",
        "SELECT * FROM users WHERE key = 'bob'",
        "SELECT * FROM conversations WHERE key = 'dm hello'",
        "SELECT * FROM outbox WHERE payload::text LIKE '%%hello%%' ORDER BY id",
        "SELECT * FROM dead_letters WHERE detail = 'hello' OR encode(body, 'escape') LIKE '%%bob%%' ORDER BY id",
        "SELECT id, kind, lane, payload::text FROM jobs WHERE payload::text LIKE '%%hello%%' ORDER BY id",
    )
    before = [past.view.rows(query) for query in bobs]
    assert all(before)
    erase(past)
    assert [past.view.rows(query) for query in bobs] == before


def test_a_conversation_with_others_goes_on_without_what_was_kept_for_it(past: History) -> None:
    fill(past)
    erase(past)
    [shared] = past.view.rows("SELECT * FROM conversations WHERE key = 'shared'")
    assert (shared["state"], shared["gone_at"]) == (None, None)
    said = past.gateway.say("next", user="bob", lane="shared")
    assert (said.conversation_id, said.seq) == (shared["id"], shared["last_seq"] + 1)


def test_a_timer_set_for_the_person_in_a_conversation_with_others_goes(past: History) -> None:
    """Law: it says what they wanted to be told; those of others stay."""
    for who, word, name in (("ada", SECRET, "tea"), ("bob", "hello", "egg")):
        said = past.gateway.say(word, user=who, lane="shared")
        assert said.lane is not None
        assert said.head is not None
        reply = Reply((Text("ok"),), timers=(Timer(name, 60.0, (Text(word),)),))
        settling = past.gateway.settling(said.lane, said.head, reply=reply)
        jobs.enqueue(past.gateway.cursor, timer_drafts(settling.settlement, 4e9))
        past.gateway.answer(said.conversation_id)

    assert isinstance(erase(past), Done)

    assert SECRET not in everything(past)
    assert past.gateway.one("SELECT count(*) FROM jobs WHERE kind = 'message.push'") == 1


def test_when_all_have_been_erased_the_shared_conversation_is_gone_too(past: History) -> None:
    fill(past)
    erase(past)
    outcome = erase(past, UserErase("slack", "bot", "bob"))
    assert outcome.result["conversations"] == 2
    assert past.count("conversations", "gone_at IS NULL") == 0


def test_who_comes_back_is_somebody_new(past: History) -> None:
    fill(past)
    before = past.count("users")
    erase(past)
    said = past.say("hello again", user="ada", lane=f"dm {SECRET}")
    assert (said.seq, past.count("users")) == (1, before + 1)
    assert past.view.rows("SELECT memory FROM users WHERE key = 'ada'") == [{"memory": None}]


def test_a_repeat_of_what_was_erased_is_still_known(past: History) -> None:
    """Law: a platform that says it again must not undo the erasure."""
    said = past.say(SECRET, user="ada", keys=["k1"])
    erase(past)
    again = past.gateway.say(SECRET, user="ada", keys=["k1"])
    assert (again.outcome, again.turn_id) == ("duplicate", said.turn_id)
    assert past.gateway.results(said.turn_id)[0].reply.parts == ()
    assert SECRET not in everything(past)


def test_what_is_left_without_a_name_goes_in_time(past: History) -> None:
    past.say(SECRET, user="ada", lane="dm")
    erase(past)
    past.keep()
    past.run("retention")
    assert (past.count("users"), past.count("turns")) == (1, 1)
    past.age(9)
    past.run("retention")
    assert {table: past.count(table) for table in ("users", "turns", "conversations", "outbox")} == {
        "users": 0, "turns": 0, "conversations": 0, "outbox": 0,
    }  # fmt: skip


def test_one_whom_nobody_knows_is_looked_for_all_the_same(past: History) -> None:
    past.view.rows(
        "INSERT INTO dead_letters (kind, channel, account, reason, body)"
        " VALUES ('delivery', 'slack', 'bot', 'x', '{\"user\": \"ada\"}'), ('delivery', 'slack', 'other', 'x', 'ada')"
    )
    outcome = erase(past)
    assert (outcome.result["users"], outcome.result["deliveries"]) == (0, 1)
    assert past.count("dead_letters") == 1


# At work


def test_a_conversation_at_work_is_waited_for(past: History) -> None:
    """Law: what runs would write again what is removed."""
    asked = ask(past)
    said = past.say(SECRET, user="ada", answered=False)
    outcome = erase(past, job_id=asked)
    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.counted) == ("conversations_busy", False)
    assert past.view.rows("SELECT message ->> 'text' AS text FROM turns") == [{"text": SECRET}]
    past.gateway.answer(said.conversation_id)
    assert isinstance(erase(past, job_id=asked), Done)
    assert SECRET not in everything(past)


def test_a_reply_that_is_being_sent_is_waited_for(past: History, database: str) -> None:
    said = past.gateway.say(SECRET, user="ada")
    past.gateway.answer(said.conversation_id, pushes=[SECRET])
    sender = Actor(database, "worker")
    [row] = sender.claim()
    asked = ask(past)
    assert isinstance(erase(past, job_id=asked), Retry)
    sender.finish(Finish(row.outbox_id, "sent"))
    assert isinstance(erase(past, job_id=asked), Done)
    assert SECRET not in everything(past)


def test_a_reply_that_is_just_being_taken_to_be_sent_is_waited_for(past: History, database: str) -> None:
    """Law: a row that is being sent does not go before its end is written."""
    said = past.gateway.say(SECRET, user="ada")
    past.gateway.answer(said.conversation_id, pushes=[SECRET])
    user = past.gateway.one("SELECT id FROM users")
    sender, eraser = Actor(database, "worker"), Actor(database, "worker")
    with sender.transaction():
        [row] = sender.claim()
        emptying = gevent.spawn(store.empty_turns, eraser.cursor, user, 0, 10)
        sender.holds_up(eraser, emptying)
    emptied = emptying.get(timeout=GUARD_S)
    assert (emptied.busy, emptied.turns, emptied.boxes) == (1, [], 0)
    assert sender.finish(Finish(row.outbox_id, "sent")) == [True]
    assert store.empty_turns(eraser.cursor, user, 0, 10).boxes == 1


def test_a_reply_that_waits_is_not_sent(past: History, database: str) -> None:
    said = past.gateway.say(SECRET, user="ada")
    past.gateway.answer(said.conversation_id, pushes=[SECRET])
    assert isinstance(erase(past), Done)
    assert Actor(database, "worker").claim() == []


# Cut off


def test_a_run_that_was_cut_off_before_its_end_was_written_knows_its_report(past: History) -> None:
    """Law: the name is gone with the commit that keeps the report, and the job can end without it."""
    fill(past)
    asked = ask(past)
    first = erase(past, job_id=asked)
    [row] = past.view.rows("SELECT payload FROM jobs WHERE id = %s", asked)
    assert set(row["payload"]) == {"report", "user_id", "behind"}
    assert erase(past, row["payload"], job_id=asked) == first


def test_a_run_that_was_cut_off_on_its_way_is_run_again(past: History) -> None:
    fill(past)
    asked = ask(past)
    # As far as the turns: no name is gone yet.
    past.view.rows("SELECT erase_turns(id, 0, 2) FROM users WHERE key = 'ada'")
    outcome = erase(past, job_id=asked)
    assert (outcome.result["turns"], outcome.result["conversations"]) == (4, 1)
    assert SECRET not in everything(past)


def test_what_is_said_meanwhile_is_removed_too(past: History) -> None:
    """Law: the name goes only when nothing stands behind the last turn that was emptied."""
    said = past.say(SECRET, user="ada")
    user = past.gateway.one("SELECT id FROM users")
    past.say(f"{SECRET} again", user="ada")
    assert not past.gateway.one("SELECT erase_end(%s, %s, 0, '{}')", user, said.turn_id)
    assert past.gateway.one("SELECT key FROM users") == "ada"


def test_a_message_that_found_the_name_before_it_went_is_waited_for_and_removed(
    past: History, database: str
) -> None:
    """Law: no word stays because its turn was at work when the name went."""
    past.say("hello", user="ada")
    late = Actor(database)
    asked = ask(past)
    with late.transaction():
        [turn] = late.accept(arrival(SECRET, lane="late", user="ada"))
        outcome = erase(past, job_id=asked)
        assert outcome.then == (), "nothing is to be seen of it yet"
    [row] = past.view.rows("SELECT payload FROM jobs WHERE id = %s", asked)
    nameless = row["payload"] | {"behind": 0}

    at_work = erase(past, nameless, job_id=asked)

    [rest] = at_work.then
    assert SECRET in everything(past)
    late.answer(turn.conversation_id)
    assert erase(past, rest.payload, job_id=asked) == Done(outcome.result)
    assert SECRET not in everything(past)
