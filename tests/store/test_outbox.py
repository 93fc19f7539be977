"""The outbox: in order, one sender a row, an honest end for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest

from gateway.domain.turn import OutboxDraft
from gateway.store.ledger.outbox import Finish, OutboxRow
from tests.support.actor import Actor
from tests.support.waiting import until


def filled(actor: Actor, *texts: str, lane: str = "lane", **draft: Any) -> list[int]:
    """A settled turn with these replies to push; their rows."""
    drafts = [OutboxDraft(kind="push", payload={"text": text}, **draft) for text in texts]
    return list(actor.answer(actor.say(lane=lane).conversation_id, drafts=drafts).outbox_ids)


def texts(rows: list[OutboxRow]) -> list[str]:
    return [row.payload["text"] for row in rows]


@pytest.fixture
def worker(actors: Callable[..., Actor]) -> Actor:
    return actors("worker")


@pytest.fixture
def rival(actors: Callable[..., Actor]) -> Actor:
    return actors("worker")


def state(actor: Actor, outbox_id: int) -> str:
    return str(actor.one("SELECT state FROM outbox WHERE id = %s", outbox_id))


def test_replies_of_a_conversation_are_sent_in_order_one_at_a_time(
    here: Actor, worker: Actor, rival: Actor
) -> None:
    """Law: whoever claims gets the first unfinished one only, also from another process, also across turns."""
    filled(here, "one", "two")
    filled(here, "three")
    sent = []
    for claimer, other in ((worker, rival), (rival, worker), (worker, rival)):
        (row,) = claimer.claim()
        assert other.claim() == []
        assert claimer.finish(Finish(row.outbox_id, "sent")) == [True]
        sent += texts([row])
    assert sent == ["one", "two", "three"]


def test_conversations_do_not_wait_for_one_another(here: Actor, worker: Actor) -> None:
    for n in range(5):
        filled(here, f"first of {n}", f"second of {n}", lane=f"lane {n}")
    assert sorted(texts(worker.claim())) == [f"first of {n}" for n in range(5)]


def test_two_workers_that_ask_at_once_never_get_the_same_row(
    here: Actor, worker: Actor, rival: Actor
) -> None:
    rows = [filled(here, f"{n}", lane=f"lane {n}")[0] for n in range(6)]
    with worker.transaction():
        mine = worker.take(*rows[:4])
        theirs = gevent.spawn(rival.take, *reversed(rows))
        worker.holds_up(rival, theirs)
    assert [taking.found for taking in mine] == ["taken"] * 4
    assert [taking.found for taking in theirs.get()] == ["taken"] * 2 + ["elsewhere"] * 4


def test_each_row_that_is_asked_for_is_answered(here: Actor, worker: Actor, rival: Actor) -> None:
    """In the order in which they were asked for, whatever each of them is."""
    ended, taken, behind = filled(here, "ended", "taken", "behind")
    (elsewhere,) = filled(here, "elsewhere", lane="b")
    (early,) = filled(here, "early", lane="c", due_s=60.0)
    rival.take(ended, elsewhere)
    rival.finish(Finish(ended, "sent"))
    nobody = max(ended, taken, behind, elsewhere, early) + 1
    answers = worker.take(behind, early, nobody, taken, elsewhere, ended)
    assert [answer.found for answer in answers] == ["earlier", "early", "ended", "taken", "elsewhere", "ended"]
    assert 50 < answers[1].wait_s <= 60
    assert [answer.row is not None for answer in answers] == [False, False, False, True, False, False]


def test_what_was_taken_here_already_is_taken_again(here: Actor, worker: Actor, rival: Actor) -> None:
    """Law: a take whose answer was lost is run again.  It was one try, and nobody else gets the row meanwhile."""
    (outbox_id,) = filled(here, "hello")
    (first,) = worker.take(outbox_id)
    assert rival.take(outbox_id)[0].found == "elsewhere"
    (again,) = worker.take(outbox_id)
    assert again.found == "taken"
    assert first.row is not None
    assert again.row is not None
    assert again.row.attempts == first.row.attempts == 1


def test_a_claimed_row_says_all_that_its_sender_needs(here: Actor, worker: Actor) -> None:
    (outbox_id,) = filled(here, "hello")
    (row,) = worker.claim()
    assert (row.outbox_id, row.channel, row.account, row.payload) == (
        outbox_id,
        "slack",
        "bot",
        {"text": "hello"},
    )
    assert (row.attempts, row.maybe_repeat, row.epoch) == (1, False, worker.process.epoch)
    assert (row.conversation_id, row.turn_id, row.trace_id) == here.one(
        "SELECT conversation_id, id, trace_id FROM turns"
    )
    assert worker.sending() == {outbox_id}


@pytest.mark.parametrize("fate", ["sent", "not_sent", "unknown", "retry", "wait", "push"])
def test_an_end_that_comes_twice_in_one_batch_is_written_once(here: Actor, worker: Actor, fate: Any) -> None:
    """Law: who was cut off while its end was being written has it written again, perhaps by the same statement."""
    first, (other,) = filled(here, "first")[0], filled(here, "other", lane="b")
    worker.claim()
    twice = Finish(first, fate, "why", "how")
    assert worker.finish(twice, Finish(other, "sent"), twice) == [True, True, True]
    ended = fate in ("sent", "not_sent", "unknown")
    row = worker.one("SELECT state, attempts, finished_at IS NOT NULL FROM outbox WHERE id = %s", first)
    assert row == (fate if ended else "pending", 0 if fate == "wait" else 1, ended)
    assert worker.one("SELECT count(*) FROM dead_letters") == (fate in ("not_sent", "unknown"))
    carriers = worker.one("SELECT count(*) FROM jobs WHERE unique_key = %s AND state <> 'done'", f"outbox:{first}")
    assert carriers == 1


@pytest.mark.parametrize(("fate", "letters"), [("sent", 0), ("not_sent", 1), ("unknown", 1)])
def test_every_end_is_written_once_and_a_bad_one_is_a_dead_letter(
    here: Actor, worker: Actor, fate: Any, letters: int
) -> None:
    (outbox_id,) = filled(here, "hello")
    worker.claim()
    finish = Finish(outbox_id, fate, "why", "how", "platform's id")
    assert worker.finish(finish) == [True]
    assert worker.finish(finish) == [False], "run again after a lost commit, it finds nothing left to do"
    row = worker.one("SELECT state, reason, detail, platform_id, finished_at IS NULL FROM outbox")
    assert row == (fate, "why", "how", "platform's id", False)
    found = worker.rows("SELECT kind, channel, account, outbox_id, reason, detail FROM dead_letters")
    assert found == [("outbox", "slack", "bot", outbox_id, f"{fate}: why", "how")] * letters
    assert worker.sending() == set()


def test_a_retry_is_due_later_and_holds_back_what_comes_behind_it(here: Actor, worker: Actor) -> None:
    first, _ = filled(here, "one", "two")
    worker.claim()
    worker.finish(Finish(first, "retry", "busy", after_s=60.0))
    assert worker.claim() == []
    worker.rows("UPDATE outbox SET due_at = clock_timestamp() WHERE id = %s RETURNING 1", first)
    (row,) = worker.claim()
    assert (row.payload, row.attempts) == ({"text": "one"}, 2)


def test_a_batch_of_ends_may_hold_rows_of_others(here: Actor, worker: Actor, rival: Actor) -> None:
    """Law: only what is this process's is written, and it is told which; the dead and the late change nothing."""
    mine = filled(here, "mine", lane="a")
    worker.claim()
    theirs = filled(here, "theirs", lane="b")
    rival.claim()
    free = filled(here, "free", lane="c")
    ends = [Finish(row, "sent") for row in (*theirs, *mine, *free)]
    assert worker.finish(*ends) == [False, True, False]
    assert [state(here, row) for row in (*mine, *theirs, *free)] == ["sent", "sending", "pending"]


def test_an_unknown_is_sent_again_once_and_marked_where_the_policy_says_so(
    here: Actor, worker: Actor
) -> None:
    """Law: the second time its fate is unknown it stays so: a user must not get copies without end."""
    (outbox_id,) = filled(here, "hello", resend_unknown=True)
    worker.claim()
    worker.finish(Finish(outbox_id, "unknown", "timeout"))
    (again,) = worker.claim()
    assert (again.outbox_id, again.maybe_repeat, again.attempts) == (outbox_id, True, 2)
    assert worker.rows("SELECT 1 FROM dead_letters") == []
    worker.finish(Finish(outbox_id, "unknown", "timeout"))
    assert worker.claim() == []
    assert state(worker, outbox_id) == "unknown"
    assert worker.one("SELECT count(*) FROM dead_letters") == 1


def test_the_dead_senders_row_is_sent_again_where_the_policy_says_so(
    here: Actor, worker: Actor, rival: Actor
) -> None:
    (outbox_id,) = filled(here, "hello", resend_unknown=True)
    worker.claim()
    worker.die(buried_by=rival)
    (again,) = rival.claim()
    assert (again.outbox_id, again.maybe_repeat) == (outbox_id, True)


def test_one_declared_dead_claims_nothing(here: Actor, worker: Actor, rival: Actor) -> None:
    (outbox_id,) = filled(here, "hello")
    worker.die(buried_by=rival)
    assert worker.take(outbox_id)[0].found == "dead"
    assert worker.claim_responses(1) == {}
    assert texts(rival.claim()) == ["hello"]


def test_a_claim_of_an_earlier_life_is_nobodys_to_finish(here: Actor, worker: Actor, rival: Actor) -> None:
    (outbox_id,) = filled(here, "hello")
    worker.claim()
    worker.die(buried_by=rival)
    worker.revive()
    assert worker.sending() == set()
    assert worker.finish(Finish(outbox_id, "sent")) == [False]
    assert state(here, outbox_id) == "unknown"


# Responses


def response(
    actor: Actor, *, due_s: float = 60.0, claimed: bool = False, lane: str = "lane"
) -> tuple[int, int]:
    """A settled turn with a reply meant for an HTTP response; its turn and its row."""
    accepted = actor.say(lane=lane)
    draft = OutboxDraft(kind="response", payload={"text": "hello"}, due_s=due_s, claimed=claimed)
    (outbox_id,) = actor.answer(accepted.conversation_id, drafts=[draft]).outbox_ids
    return accepted.turn_id, outbox_id


def test_a_response_that_is_being_written_here_is_nobody_elses(
    here: Actor, there: Actor, worker: Actor
) -> None:
    turn_id, outbox_id = response(here, claimed=True, due_s=0)
    assert there.claim_responses(turn_id) == {}
    assert worker.claim() == []
    assert here.sending() == {outbox_id}
    assert here.finish(Finish(outbox_id, "sent")) == [True]


def test_a_response_waits_for_its_caller_and_is_pushed_when_he_has_certainly_left(
    here: Actor, worker: Actor
) -> None:
    _, outbox_id = response(here)
    assert worker.claim() == []
    here.rows("UPDATE outbox SET due_at = clock_timestamp() RETURNING 1")
    (row,) = worker.claim()
    assert row.outbox_id == outbox_id
    assert here.one("SELECT kind FROM outbox") == "push"


def test_a_caller_elsewhere_takes_the_response_once(here: Actor, there: Actor, worker: Actor) -> None:
    turn_id, outbox_id = response(here)
    other_turn, other_row = response(here, lane="other")
    unanswered = here.say(lane="unanswered").turn_id
    assert there.claim_responses(turn_id, other_turn, unanswered) == {
        turn_id: [outbox_id],
        other_turn: [other_row],
    }
    assert there.claim_responses(turn_id) == {}
    assert worker.claim() == []
    assert there.finish(Finish(outbox_id, "sent")) == [True]


def test_a_push_is_not_for_a_caller(here: Actor, there: Actor) -> None:
    accepted = here.say()
    here.answer(accepted.conversation_id, pushes=["hello"])
    assert there.claim_responses(accepted.turn_id) == {}


@pytest.mark.parametrize("first", ["caller", "worker"])
def test_a_caller_and_a_worker_at_once_are_one_sender(
    here: Actor, there: Actor, worker: Actor, first: str
) -> None:
    turn_id, outbox_id = response(here, due_s=0)
    if first == "caller":
        with there.transaction():
            taken = there.claim_responses(turn_id)
            asked = gevent.spawn(worker.take, outbox_id)
            there.holds_up(worker, asked)
        assert taken == {turn_id: [outbox_id]}
        assert asked.get()[0].found == "elsewhere"
    else:
        with worker.transaction():
            assert worker.take(outbox_id)[0].found == "taken"
            assert there.claim_responses(turn_id) == {}
        assert there.claim_responses(turn_id) == {}


def test_a_response_whose_caller_had_left_goes_the_other_way(
    here: Actor, there: Actor, worker: Actor
) -> None:
    turn_id, outbox_id = response(here, claimed=True)
    here.finish(Finish(outbox_id, "push", "caller_left"))
    assert there.claim_responses(turn_id) == {}, "it is no response any more"
    (row,) = worker.claim()
    assert (row.outbox_id, row.attempts, row.maybe_repeat) == (outbox_id, 2, False)
    assert here.one("SELECT kind FROM outbox") == "push"


def test_who_asks_for_a_row_that_is_being_ended_waits_for_that(
    here: Actor, worker: Actor, rival: Actor
) -> None:
    """Law: what is decided is decided by what was committed, not by what it looked like before."""
    first, second = filled(here, "one", "two")
    worker.take(first)
    with worker.transaction():
        worker.finish(Finish(first, "retry"))
        asked = gevent.spawn(rival.take, first, second)
        worker.holds_up(rival, asked)
    assert [taking.found for taking in asked.get()] == ["taken", "earlier"]


def test_an_end_that_waited_for_its_row_is_written_where_the_row_is_then(
    here: Actor, worker: Actor, rival: Actor
) -> None:
    """Law: a row that another transaction has written anew lies elsewhere, and its end is not lost."""
    first, second = filled(here, "one")[0], filled(here, "other", lane="b")[0]
    worker.claim()
    with rival.transaction():
        rival.rows("UPDATE outbox SET trace_id = 'anew' WHERE id = %s RETURNING 1", first)
        ending = gevent.spawn(worker.finish, Finish(first, "sent"), Finish(second, "sent"))
        rival.holds_up(worker, ending)
    assert ending.get() == [True, True]
    assert here.rows("SELECT state FROM outbox") == [("sent",), ("sent",)]


def test_a_wait_was_no_try(here: Actor, worker: Actor) -> None:
    """Law: what had no room for it does not use up a reply's tries."""
    (outbox_id,) = filled(here, "hello")
    worker.take(outbox_id)
    worker.finish(Finish(outbox_id, "wait", "platform_limit", after_s=60.0))
    assert here.one("SELECT state, attempts, reason FROM outbox") == ("pending", 0, "platform_limit")
    assert worker.take(outbox_id)[0].found == "early"


def test_two_batches_of_ends_that_share_rows_crosswise_do_not_deadlock(
    here: Actor, worker: Actor, database: str
) -> None:
    """Law: an end may be written twice at once (a flush at the stop beside one under way)."""
    rows = [filled(here, f"{n}", lane=f"lane {n}")[0] for n in range(3)]
    worker.claim()
    again = Actor(database, "worker").as_process(worker.process)
    holder = Actor(database)
    with holder.transaction():
        holder.rows("SELECT 1 FROM outbox WHERE id = %s FOR UPDATE", rows[1])
        one = gevent.spawn(worker.finish, *[Finish(row, "sent") for row in rows])
        holder.holds_up(worker, one)
        other = gevent.spawn(again.finish, *[Finish(row, "unknown") for row in reversed(rows)])
        until("both to wait", lambda: worker.blocked() and again.blocked())
    gevent.joinall([one, other], raise_error=True)
    assert one.value == [not written for written in other.value]


def test_a_late_end_of_an_earlier_life_does_not_end_the_next_try(
    here: Actor, worker: Actor, rival: Actor
) -> None:
    (outbox_id,) = filled(here, "hello", resend_unknown=True)
    worker.claim()
    earlier = worker.process
    worker.die(buried_by=rival)
    worker.revive()
    assert texts(worker.claim()) == ["hello"]
    assert worker.as_process(earlier).finish(Finish(outbox_id, "not_sent")) == [False]
    assert worker.finish(Finish(outbox_id, "retry", epoch=earlier.epoch)) == [False]
    assert worker.finish(Finish(outbox_id, "sent")) == [True]


def test_unsent_rows_are_counted_by_account(here: Actor, worker: Actor) -> None:
    from gateway.store.ledger import outbox

    filled(here, "one", "two")
    filled(here, "three", lane="other")
    (row, _) = worker.claim()
    worker.finish(Finish(row.outbox_id, "sent"))
    assert outbox.counts(here.cursor) == {("slack", "bot"): 2}
