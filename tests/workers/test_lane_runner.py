"""A worker runs conversations' lanes while no gateway lives, and gives them back as soon as one does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import Greenlet

from gateway.jobs.follow_ups import JobFollowUps
from gateway.jobs.pushes import Pushes
from gateway.jobs.webhooks import Webhooks
from gateway.settings.accounts import Account, SlackAccount
from gateway.settings.assistants import AssistantSettings, ScriptRule
from gateway.settings.lanes import LaneSettings
from tests.support.actor import Actor
from tests.support.assistant import Assistant, says
from tests.support.handling import Handling
from tests.support.stand_in import Hold
from tests.support.waiting import GUARD_S, until
from workers.lane_runner import LaneRunner

ACCOUNTS: dict[tuple[str, str], Account] = {
    ("slack", "bot"): SlackAccount(channel="slack", name="bot", assistant="parrot"),
    ("slack", "asks"): SlackAccount(channel="slack", name="asks", assistant="service"),
}
ASSISTANTS = {
    "parrot": AssistantSettings(kind="scripted", script=(ScriptRule(pattern="slowly", text="at last", delay_s=1.0),))
}
LANES = LaneSettings(poll_s=0.02, beat_s=0.05)


@pytest.fixture
def service() -> Iterator[Assistant]:
    """An assistant that counts who asks."""
    with Assistant() as standing:
        yield standing


@pytest.fixture
def worker(database: str, redis_url: str, service: Assistant) -> Iterator[Handling]:
    assistants = {**ASSISTANTS, "service": AssistantSettings(url=service.url)}
    with Handling(database, redis_url, accounts=ACCOUNTS, assistants=assistants, lanes=LANES) as at_work:
        yield at_work


class Running:
    """A worker's lane runner, with the beat that tells it who lives."""

    def __init__(self, worker: Handling) -> None:
        tools = worker.tools
        pushes = Pushes(tools.database, tools.jobs, tools.signals)
        self.lanes = LaneRunner(
            worker.settings,
            tools.database,
            tools.owner,
            tools.rpc,
            tools.signals,
            tools.jobs,
            follow_ups=JobFollowUps(Webhooks({}), tools.jobs, pushes),
        )
        loops: list[Callable[[], None]] = [tools.owner.beat_forever, self.lanes.watch_forever]
        self.greenlets: list[Greenlet[[], Any]] = [gevent.spawn(loop) for loop in loops]

    def stop(self) -> None:
        gevent.killall(self.greenlets)


@pytest.fixture
def running(worker: Handling) -> Iterator[Running]:
    begun = Running(worker)
    yield begun
    begun.stop()


def state(gateway: Actor, turn_id: int) -> str:
    return str(gateway.one("SELECT state FROM turns WHERE id = %s", turn_id))


def test_what_a_dead_gateway_left_is_answered(database: str, running: Running) -> None:
    gateway = Actor(database)
    left = [gateway.say(text, lane="C1") for text in ("one", "two")]
    gateway.die(buried_by=Actor(database, "worker"))

    until("both turns to be answered", lambda: {state(gateway, turn.turn_id) for turn in left} == {"answered"})
    texts = gateway.rows("SELECT reply -> 'parts' -> 0 ->> 'text' FROM turns ORDER BY seq")
    assert [row[0] for row in texts] == ["one", "two"]
    sends = gateway.rows(
        "SELECT j.kind, o.kind, o.state FROM outbox o JOIN jobs j ON j.unique_key = 'outbox:' || o.id ORDER BY o.id"
    )
    assert sends == [("reply.send", "push", "pending")] * 2
    assert gateway.lane(left[0].conversation_id).owner is None


def test_while_a_gateway_lives_its_lanes_are_its_own(database: str, worker: Handling, running: Running) -> None:
    gateway = Actor(database)
    until("the worker to know of it", lambda: worker.owner.gateways == 1)
    orphan = gateway.say("hello", lane="C1")
    gateway.rows(
        "UPDATE conversations SET owner_process = NULL, owner_epoch = NULL, orphaned = true RETURNING id"
    )
    # It has looked more than once since.
    gevent.sleep(10 * LANES.poll_s)

    assert state(gateway, orphan.turn_id) == "accepted"
    gateway.fall_silent()
    until("the worker to take over", lambda: state(gateway, orphan.turn_id) == "answered")


def test_lanes_are_given_back_when_a_gateway_lives_again(database: str, running: Running) -> None:
    """The turn that runs is finished here, what waits behind it is the gateway's."""
    dead = Actor(database)
    slow, behind = (dead.say(text, lane="C1") for text in ("slowly", "and then?"))
    dead.die(buried_by=Actor(database, "worker"))
    until("the worker to run it", lambda: len(running.lanes) == 1)

    gateway = Actor(database)

    until("the turn to be answered", lambda: state(gateway, slow.turn_id) == "answered")
    until("the lane to be given back", lambda: len(running.lanes) == 0)
    lane = gateway.lane(slow.conversation_id)
    assert (lane.owner, lane.orphaned) == (None, True)
    assert state(gateway, behind.turn_id) == "accepted"
    assert gateway.adopt() == [slow.conversation_id]


def test_what_was_adopted_and_never_run_is_given_back_too(
    database: str, worker: Handling, running: Running
) -> None:
    """Law: a lane that is a living worker's in the ledger alone would wait for as long as that lives."""
    until("the worker to look for lanes", lambda: running.lanes._has_run)
    gateway = Actor(database)
    until("the worker to know of it", lambda: worker.owner.gateways == 1)
    left = gateway.say("hello", lane="C1")
    mine = worker.owner.process
    # As the adopting does it whose answer was lost.
    gateway.rows(
        "UPDATE conversations SET owner_process = %s, owner_epoch = %s, fence = fence + 1 RETURNING id",
        mine.process_id,
        mine.epoch,
    )

    until("the lane to be free", lambda: gateway.lane(left.conversation_id).orphaned)
    assert gateway.adopt() == [left.conversation_id]
    gevent.sleep(10 * LANES.poll_s)
    assert gateway.lane(left.conversation_id).owner == gateway.id, "another's is left alone"


def test_one_stretch_is_over_before_the_next_begins(
    database: str, worker: Handling, running: Running, service: Assistant
) -> None:
    """A gateway that comes and goes while a turn runs here: nobody may run that turn a second time."""
    thinking = Hold(says("at last"))
    service.will("slowly", thinking)
    dead = Actor(database)
    slow = dead.say("slowly", lane="C1", account="asks")
    dead.die(buried_by=Actor(database, "worker"))
    thinking.wait_reached()

    gateway = Actor(database)
    until("the worker to know of it", lambda: worker.owner.gateways == 1)
    gateway.leave()
    until("the worker to know that it left", lambda: worker.owner.gateways == 0)
    # As often as a lane is looked for that is this process's and that it does not run, and more.
    gevent.sleep(30 * LANES.poll_s)
    thinking.released.set()

    until("the turn to be answered", lambda: state(gateway, slow.turn_id) == "answered")
    assert len(service.about("slowly")) == 1


def test_a_worker_that_stops_frees_its_lanes(database: str, running: Running) -> None:
    dead = Actor(database)
    slow, behind = (dead.say(text, lane="C1") for text in ("slowly", "and then?"))
    dead.die(buried_by=Actor(database, "worker"))
    until("the worker to run it", lambda: len(running.lanes) == 1)

    assert running.lanes.stop(time.monotonic() + GUARD_S)
    assert (state(dead, slow.turn_id), state(dead, behind.turn_id)) == ("answered", "accepted")
    assert dead.lane(slow.conversation_id).orphaned


def test_one_that_was_declared_dead_stops_at_once(database: str, running: Running) -> None:
    dead = Actor(database)
    slow = dead.say("slowly", lane="C1")
    dead.die(buried_by=Actor(database, "worker"))
    until("the worker to run it", lambda: len(running.lanes) == 1)

    running.lanes.drop()

    assert len(running.lanes) == 0
    assert state(dead, slow.turn_id) == "accepted"
