"""Stores that go away: Redis is not missed, and without PostgreSQL nothing is claimed to be accepted."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import gevent
import psutil
import pytest

from gateway.store.migrate import migrate
from tests.support.assistant import says
from tests.support.calling import Answer
from tests.support.slack_platform import Delivery
from tests.support.stack import FAST_BEATS, GatewayProcess, Stack, running_stack, word
from tests.support.stand_in import Hold
from tests.support.stores import Stores, own_stores
from tests.support.visitor import Visitor, texts
from tests.support.waiting import GUARD_S, until


@pytest.fixture
def own() -> Iterator[Stores]:
    """A pair of stores to be killed, durable as in production."""
    with own_stores() as stores:
        migrate(stores.postgres.url("postgres"))
        yield stores


@pytest.fixture
def own_stack(own: Stores, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Two gateways and a worker on them; a test's parameter is their settings."""
    settings = getattr(request, "param", {})
    with running_stack(own.postgres.url("postgres"), own.redis.url, gateways=2, settings=settings) as stack:
        yield stack
        print(stack.logs())


def everything_works(stack: Stack) -> None:
    """All ways of an answer, also from a turn that another process runs, which only polls can find now."""
    event, command, asked = word(), word(), word()
    first, second = (gateway for gateway in stack.gateways if not gateway.ended())
    stack.slack.event(event, channel=f"S{event}").send(first.port)
    assert (
        stack.slack.command(command, channel="S2").send(first.port).json["text"] == f"echo: /drink {command}"
    )
    hold = Hold(says(f"once, {asked}"))
    stack.assistant.will(asked, hold)
    visitor = Visitor()
    callers = [
        gevent.spawn(visitor.say, gateway.port, asked, message_id="the-same-id", wait_s=20)
        for gateway in (first, second)
    ]
    hold.wait_reached()
    hold.released.set()

    assert [texts(caller.get()) for caller in callers] == [[f"once, {asked}"]] * 2
    stack.ledger.wait_outbox(event, "sent")
    assert len(stack.slack.about(event)) == 1


def test_redis_is_not_there_from_the_start(database: str) -> None:
    """The gateway is ready, says that it is degraded, and everything works."""
    with running_stack(database, "unix:///nonexistent/redis.sock", gateways=2) as stack:
        readiness = stack.gateways[0].readiness()
        assert (readiness["ready"], readiness["degraded"]) == (True, True)
        everything_works(stack)
        print(stack.logs())


@pytest.mark.slow
def test_redis_dies_in_the_middle_and_comes_back(own_stack: Stack, own: Stores) -> None:
    """Nothing is lost with it, and it is used again when it is back."""
    everything_works(own_stack)
    assert own.redis_process.pid is not None
    psutil.Process(own.redis_process.pid).kill()
    until("the end of Redis", lambda: own.redis_process.poll() is not None)
    everything_works(own_stack)
    until("its absence to be told", lambda: own_stack.gateways[0].readiness()["degraded"])
    own.redis_process.start()
    own.redis_process.wait_ready(time.monotonic() + GUARD_S)
    until("its return to be told", lambda: not own_stack.gateways[0].readiness()["degraded"])
    everything_works(own_stack)


class Traffic:
    """Messages of several conversations, one after the other, for as long as the test wants."""

    def __init__(self, stack: Stack, gateway: GatewayProcess) -> None:
        self.word = word()
        self.accepted: list[tuple[str, Delivery]] = []
        self.refused: list[Answer] = []
        self._stack = stack
        self._gateway = gateway
        self._greenlet = gevent.spawn(self._flow)

    def stop(self) -> None:
        """Send no more."""
        self._greenlet.kill()

    def _flow(self) -> None:
        number = 0
        while True:
            number += 1
            text = f"{self.word} {number:04d}"
            delivery = self._stack.slack.event(text, channel=f"T{number % 7}{self.word}")
            answer = delivery.send(self._gateway.port)
            if answer.status == 200:
                self.accepted.append((text, delivery))
            else:
                self.refused.append(answer)
            gevent.sleep(0.01)


@pytest.mark.slow
def test_postgresql_restarts_under_traffic(own_stack: Stack, own: Stores) -> None:
    """While it is gone everybody is asked to come again, in the words of their channel; what was accepted before is
    answered once, afterwards everything works, and no process had to be restarted."""
    stack = own_stack
    pids = [process.pid for process in stack.processes]
    traffic = [Traffic(stack, gateway) for gateway in stack.gateways]
    until("traffic", lambda: all(len(each.accepted) >= 20 for each in traffic))
    assert own.postgres_process.pid is not None
    # Immediate shutdown: sessions are cut off where they are, and the next start recovers from the log.
    psutil.Process(own.postgres_process.pid).send_signal(signal.SIGQUIT)
    until("the end of PostgreSQL", lambda: own.postgres_process.poll() is not None)
    until("refusals", lambda: all(each.refused for each in traffic))
    command = stack.slack.command(word(), channel="S1").send(stack.port)
    page = Visitor().say(stack.port, "hello")
    readiness = stack.gateways[0].readiness()
    own.postgres_process.start()
    own.postgres_process.wait_ready(time.monotonic() + GUARD_S)
    before = [len(each.accepted) for each in traffic]
    until(
        "traffic again",
        lambda: all(len(each.accepted) >= count + 20 for each, count in zip(traffic, before, strict=True)),
    )
    for each in traffic:
        each.stop()

    for refusal in (answer for each in traffic for answer in each.refused):
        assert refusal.status == 503
        assert int(refusal.headers["retry-after"]) >= 1
    assert (command.status, command.json["text"][:5]) == (200, "Sorry")
    assert (page.status, page.json["error"][:9]) == (503, "postgres_")
    assert not readiness["ready"]
    for each in traffic:
        for text, _ in each.accepted:
            until(f"the answer to {text}", lambda text=text: stack.slack.about(text))
        assert all(len(stack.slack.about(text)) == 1 for text, _ in each.accepted)
        assert {turn["state"] for turn in stack.ledger.turns(each.word)} == {"answered"}
    assert [process.pid for process in stack.processes] == pids
    everything_works(stack)


@pytest.mark.slow
@pytest.mark.parametrize("own_stack", [FAST_BEATS], indirect=True, ids=["short lease"])
def test_postgresql_is_gone_for_longer_than_the_lease(own_stack: Stack, own: Stores) -> None:
    """Everybody's lease runs out with calls and sends under way.  When it is back they find each other dead,
    return under new epochs, and bring every message to its end: a turn runs again, a send is unknown, none is lost."""
    stack = own_stack
    asked, sent, waiting = word(), word(), word()
    call, send = Hold(says(f"stale {asked}")), Hold(lambda call: call.answer(b'{"ok": true, "ts": "1.1"}'))
    stack.assistant.will(asked, call)
    stack.slack.will(sent, send)
    for said, channel in ((asked, "S3"), (waiting, "S3"), (sent, "S4")):
        assert stack.slack.event(said, channel=channel).send(stack.port).status == 200
    call.wait_reached()
    send.wait_reached()
    assert own.postgres_process.pid is not None
    psutil.Process(own.postgres_process.pid).send_signal(signal.SIGQUIT)
    until("the end of PostgreSQL", lambda: own.postgres_process.poll() is not None)
    for gateway in stack.gateways:
        until(
            "the end of its lease", lambda gateway=gateway: gateway.readiness()["checks"]["lease"]["reason"]
        )
    # Both answers arrive while nothing can be written.
    call.released.set()
    send.released.set()
    own.postgres_process.start()
    own.postgres_process.wait_ready(time.monotonic() + GUARD_S)
    for gateway in stack.gateways:
        gateway.wait_ready()

    stack.ledger.wait_outbox(waiting, "sent")
    [row] = stack.ledger.wait_finished(sent)
    assert row["state"] in {"sent", "unknown"}
    assert len(stack.slack.about(sent)) == 1
    assert [turn["state"] for turn in stack.ledger.turns(asked) + stack.ledger.turns(waiting)] == [
        "answered"
    ] * 2
    assert len(stack.slack.about(asked)) == len(stack.slack.about(waiting)) == 1
    assert stack.slack.about(asked)[0].ended <= stack.slack.about(waiting)[0].arrived
    everything_works(stack)
