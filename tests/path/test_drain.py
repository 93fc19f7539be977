"""A gateway that is told to stop: running turns end, the others' work is handed over at once."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from tests.support.assistant import says
from tests.support.slack_platform import too_many
from tests.support.stack import GatewayProcess, Stack, running_stack, word
from tests.support.stand_in import Hold
from tests.support.stores import Migrated, Stores
from tests.support.visitor import Visitor, texts
from tests.support.waiting import until

DRAIN_S = 3.0
#: So long that nothing here can be the work of a takeover from the dead.
DEAD_AFTER_S = 600


@pytest.fixture(scope="module")
def _draining_stack(stores: Stores, migrated: Migrated) -> Iterator[Stack]:
    settings = {"server.drain_s": DRAIN_S, "lanes.dead_after_s": DEAD_AFTER_S}
    with migrated() as url, running_stack(url, stores.redis.url, gateways=5, settings=settings) as stack:
        yield stack


@pytest.fixture
def stack(_draining_stack: Stack) -> Iterator[Stack]:
    """Several gateways, of which each test may stop one."""
    yield _draining_stack
    print(_draining_stack.logs())


@pytest.fixture
def leaving(stack: Stack) -> GatewayProcess:
    """A gateway for the test to stop; others stay."""
    return [gateway for gateway in stack.gateways if not gateway.ended()][-1]


def test_running_turns_end_and_waiting_ones_are_handed_over(stack: Stack, leaving: GatewayProcess) -> None:
    """Callers at the leaving gateway get both answers: of the turn that it runs, and of the one that another gateway
    must run, because a lane is freed with the work that is still in it."""
    running, waiting = word(), word()
    hold = Hold(says(f"done {running}"))
    stack.assistant.will(running, hold)
    visitor = Visitor()
    first = gevent.spawn(visitor.say, leaving.port, running, wait_s=20)
    hold.wait_reached()
    second = gevent.spawn(visitor.say, leaving.port, waiting, wait_s=20)
    [turn] = until("the second turn", lambda: stack.ledger.turns(waiting))
    leaving.terminate()
    until("the end of its listening", lambda: not leaving.listens())
    hold.released.set()

    assert texts(first.get()) == [f"done {running}"]
    assert texts(second.get()) == [f"echo: {waiting}"]
    assert leaving.wait_end() == 0
    assert stack.assistant.turns(waiting)[0].fence > stack.assistant.turns(running)[0].fence
    assert stack.assistant.turns(waiting)[0].attempt == 1, "leaving in order is not dying"
    assert stack.ledger.owner_pid(turn["conversation_id"]) == 0


def test_a_turn_that_hangs_is_handed_over_at_once(stack: Stack, leaving: GatewayProcess) -> None:
    """The turn has the whole drain time, although no caller waits for it; then it runs elsewhere, under a higher fence,
    and is answered once."""
    said = word()
    hang = Hold(says("too late"))
    stack.assistant.will(said, hang, says(f"from the other, {said}"))
    stack.slack.event(said, channel="J1").send(leaving.port)
    hang.wait_reached()
    told = time.monotonic()
    leaving.terminate()

    stack.assistant.wait_for(said, count=2)
    assert DRAIN_S < time.monotonic() - told < DRAIN_S + 10
    [post] = stack.slack.wait_for(said)
    assert post.json["text"] == f"from the other, {said}"
    [turn] = stack.ledger.turns(said)
    assert (turn["state"], turn["deaths"]) == ("answered", 0)
    stack.ledger.wait_outbox(said, "sent")
    assert leaving.wait_end() == 0
    asked_first, asked_second = stack.assistant.turns(said)
    assert asked_second.fence > asked_first.fence
    assert len(stack.slack.about(said)) == 1


def test_a_connection_that_lies_idle_does_not_hold_up_the_end(stack: Stack, leaving: GatewayProcess) -> None:
    """A browser keeps its connection open: the process leaves the ledger in order all the same, and is not killed."""
    idle = http.client.HTTPConnection("127.0.0.1", leaving.port)
    idle.request("GET", "/healthz")
    assert idle.getresponse().read() == b"ok\n"
    pid = leaving.pid
    told = time.monotonic()
    leaving.terminate()

    assert leaving.wait_end() == 0
    assert time.monotonic() - told < DRAIN_S, "nothing was running"
    rows = stack.ledger.rows("SELECT beat FROM processes WHERE label LIKE %s", f"%:{pid}")
    assert rows == [{"beat": None}]
    idle.close()


def test_a_reload_answers_everybody(stack: Stack, leaving: GatewayProcess) -> None:
    """HUP: a new process takes the place of the old one.  Visitors go on talking, and each word is answered."""
    old = leaving.pid
    stop = Event()
    said: list[str] = []

    def talk() -> None:
        visitor = Visitor()
        while not stop.is_set():
            said.append(said_now := word())
            assert texts(visitor.say(leaving.port, said_now, wait_s=20)) == [f"echo: {said_now}"]

    visitors = [gevent.spawn(talk) for _ in range(6)]
    until("the first answers", lambda: len(said) > 20)
    leaving.reload()
    until("another process", lambda: leaving.pids() and old not in leaving.pids())
    behind = len(said)
    until("more answers", lambda: len(said) > behind + 20)
    stop.set()
    gevent.joinall(visitors, raise_error=True)


def test_a_gateway_ends_what_it_sends(stack: Stack, leaving: GatewayProcess) -> None:
    """The reply under way has the drain's time: it is posted once, and ends as sent."""
    said = word()
    hold = Hold(lambda call: call.answer(b'{"ok": true, "ts": "1.1"}'))
    stack.slack.will(said, hold)
    stack.slack.event(said, channel="J4").send(leaving.port)
    hold.wait_reached()
    leaving.terminate()
    # Longer than what is left once everything else has ended.
    assert not hold.gone.wait(1.2), "it was cut off"
    hold.released.set()

    assert leaving.wait_end() == 0
    [row] = stack.ledger.outbox(said)
    assert (row["state"], row["attempts"]) == ("sent", 1)
    assert len(stack.slack.about(said)) == 1
    assert stack.ledger.letters(said) == []


def test_a_worker_ends_what_it_sends(stack: Stack) -> None:
    """A worker that is told to stop writes the end of the send under way, claims no more and leaves the ledger."""
    said, behind = word(), word()
    hold = Hold(lambda call: call.answer(b'{"ok": true, "ts": "1.1"}'))
    # The gateway that settles it is told "too many": from there on it is a worker's.
    stack.slack.will(said, too_many(0), hold)
    stack.slack.will(behind, too_many(0))
    stack.slack.event(said, channel="J2").send(stack.alive().port)
    hold.wait_reached()
    [worker] = stack.workers()
    worker.terminate()
    stack.slack.event(behind, channel="J3").send(stack.alive().port)
    stack.ledger.wait_outbox(behind, "pending")
    hold.released.set()

    assert worker.wait_end() == 0
    assert [row["state"] for row in stack.ledger.outbox(said)] == ["sent"]
    assert [row["state"] for row in stack.ledger.outbox(behind)] == ["pending"]
    assert stack.ledger.live_workers() == 0
    stack.start_worker()
    stack.ledger.wait_outbox(behind, "sent")
