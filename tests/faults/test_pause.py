"""Promise 2, the hard part: a process that stood still past its lease believes that it is still the owner."""

from __future__ import annotations

import gevent
import psycopg2

from tests.support.assistant import says
from tests.support.slack_platform import too_many
from tests.support.stack import GatewayProcess, Stack, word
from tests.support.stand_in import Hold
from tests.support.waiting import until


def test_a_lanes_owner_stands_still_past_its_lease(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """The other gateway takes the turn over; when the old owner wakes up, its answer is dropped: one reply, and it is
    the new owner's, even though the old one's came first.

    Fails when ``ledger_settle`` does not compare fences: the stale answer is written and posted.
    """
    said, behind = word(), word()
    old, new = Hold(says(f"stale {said}")), Hold(says(f"fresh {said}"))
    stack.assistant.will(said, old, new)
    stack.slack.event(said, channel="P1").send(gateways[0].port)
    old.wait_reached()
    [turn] = stack.ledger.turns(said)
    sleeper = stack.owner_of(turn["conversation_id"])
    sleeper.pause()
    new.wait_reached()
    # The answer waits in the sleeper's socket, and the lane's new owner has none yet.
    old.released.set()
    sleeper.resume()
    until("its return under a new epoch", sleeper.is_ready)
    assert stack.ledger.turns(said)[0]["state"] == "accepted"
    new.released.set()

    stack.ledger.wait_outbox(said, "sent")
    assert [post.json["text"] for post in stack.slack.about(said)] == [f"fresh {said}"]
    [turn] = stack.ledger.turns(said)
    assert turn["reply"]["parts"][0]["text"] == f"fresh {said}"
    # It works again, and behind the turn that it lost.
    stack.slack.event(behind, channel="P1").send(sleeper.port)
    stack.ledger.wait_outbox(behind, "sent")
    assert len(stack.slack.about(said)) == 1


def test_nothing_is_started_after_the_lease(
    stack: Stack, gateways: tuple[GatewayProcess, GatewayProcess]
) -> None:
    """A lane that was granted to a gateway which stood still before it heard of that is run by the other one alone.

    Fails when a lane asks neither for the lease nor for the epoch before it starts a turn: the assistant is asked
    twice.
    """
    said, behind = word(), word()
    sleeper, _ = gateways
    with stack.ledger.held_back("dedupe_keys"):
        sender = gevent.spawn(stack.slack.event(said, channel="P2").send, sleeper.port)
        until("an accept that waits", lambda: stack.ledger.waiting_for_locks("ledger_accept"))
        sleeper.pause()
    stack.ledger.wait_outbox(said, "sent")
    sleeper.resume()
    until("its return under a new epoch", sleeper.is_ready)

    assert sender.get().status == 200, "it was accepted"
    stack.slack.event(behind, channel="P2").send(sleeper.port)
    stack.ledger.wait_outbox(behind, "sent")
    assert len(stack.assistant.about(said)) == len(stack.slack.about(said)) == 1


def test_a_worker_stands_still_with_a_claimed_reply(stack: Stack) -> None:
    """A row that was claimed and not yet sent when the lease ran out is not sent any more: by then the others have
    called its fate unknown, and the user may be told by hand.

    Fails when the handler does not ask whether it may still send: the row is posted after it was given up.
    """
    said, behind = word(), word()
    [worker] = stack.workers()
    blocker = psycopg2.connect(stack.ledger.url)
    # The gateway that settles it is told "too many": from there on it is a worker's.
    stack.slack.will(said, too_many(0))
    try:
        worker.pause()
        stack.slack.event(said, channel="P3").send(stack.alive().port)
        [row] = stack.ledger.wait_outbox(said, "pending")
        with blocker.cursor() as cursor:
            # Taking asks for this row: it stops where PostgreSQL has it, and the worker waits.
            cursor.execute("SELECT 1 FROM outbox WHERE id = %s FOR UPDATE", (row["id"],))
            worker.resume()
            until("a taking that waits", lambda: stack.ledger.waiting_for_locks("outbox_take"))
            worker.pause()
            blocker.rollback()
        stack.ledger.wait_outbox(said, "unknown")
    finally:
        blocker.close()
        worker.resume()
    stack.slack.event(behind, channel="P3").send(stack.alive().port)

    stack.ledger.wait_outbox(behind, "sent")
    assert len(stack.slack.about(said)) == 1, "that was refused"
    [row] = stack.ledger.outbox(said)
    assert (row["state"], row["reason"], row["attempts"]) == ("unknown", "sender_died", 2)
    assert len(stack.ledger.letters(said)) == 1
