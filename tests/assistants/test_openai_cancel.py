"""No model computes for nobody: who does not want an answer any more closes the connection, and the server sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event

from gateway.assistants.preview import Delta, Preview
from gateway.domain.errors import AssistantFailed
from gateway.domain.turn import LaneKey, Settlement, Turn
from gateway.lanes.lane import Lanes
from gateway.rpc import RpcClient
from gateway.settings.lanes import LaneSettings
from gateway.store.ledger.settle import Settled, Settling
from tests.assistants.models import ask, assistant
from tests.assistants.turns import CAPABILITIES, LANE_KEY, TURN, deadline
from tests.support.model_server import ModelServer, chunk, sends
from tests.support.stand_in import Behaviour, Call, Hold
from tests.support.waiting import GUARD_S


def never(call: Call) -> None:
    raise AssertionError("nobody lets it go on")


def thinks(hold: Hold) -> Behaviour:
    """Think before the first word."""
    return hold


def speaks(hold: Hold) -> Behaviour:
    """Think in the middle of the answer."""
    return sends(chunk({"content": "A Neg"}), then=hold)


WHEN = pytest.mark.parametrize("when", [thinks, speaks])


@pytest.fixture
def hold() -> Hold:
    return Hold(never)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@WHEN
def test_the_deadline_closes_the_connection(
    server: ModelServer, rpc: RpcClient, hold: Hold, when: Callable[[Hold], Behaviour]
) -> None:
    server.will_say(when(hold))

    with pytest.raises(AssistantFailed) as failed:
        ask(assistant(server, rpc), budget_s=0.6)

    assert failed.value.reason == "timeout"
    hold.wait_gone()


@WHEN
def test_a_lost_lane_closes_the_connection(
    server: ModelServer, rpc: RpcClient, hold: Hold, when: Callable[[Hold], Behaviour]
) -> None:
    """A process that was declared dead drops its lanes; the model must not go on for an answer that is void."""
    server.will_say(when(hold))
    model = assistant(server, rpc)

    def run(lane: LaneKey, turn: Turn) -> Settlement:
        model.ask(turn, lane, CAPABILITIES, deadline(GUARD_S), lambda _: None)
        raise AssertionError("it was dropped before")

    lanes = Lanes(_NoLedger(), _Held(), LaneSettings(), run=run, settled=_untold, unstorable=_untold)
    lanes.grant(LANE_KEY, ("slack", "bartender"), TURN)
    hold.wait_reached()
    lanes.drop()

    hold.wait_gone()


def test_a_failed_answer_in_the_middle_closes_the_connection(server: ModelServer, rpc: RpcClient, hold: Hold) -> None:
    """What follows an error that was understood is nobody's."""
    server.will_say(sends({"error": {"message": "no"}}, then=hold))

    with pytest.raises(AssistantFailed):
        ask(assistant(server, rpc))
    hold.wait_gone()


def test_a_reader_that_is_killed_between_two_pieces_gives_everything_back(
    server: ModelServer, rpc: RpcClient, hold: Hold
) -> None:
    """The next call gets a connection and a slot as if nothing had been."""
    shown = Event()

    def show(preview: Preview) -> None:
        if isinstance(preview, Delta):
            shown.set()

    model = assistant(server, rpc, connections_max=1)
    server.will_say(speaks(hold))
    asking = gevent.spawn(model.ask, TURN, LANE_KEY, CAPABILITIES, deadline(GUARD_S), show)
    assert shown.wait(GUARD_S)
    asking.kill()
    hold.wait_gone()

    server.will_say(sends(chunk({"content": "Hi"}, "stop"), b"[DONE]"))
    assert ask(model)[0].parts


class _Held:
    gateways = 1
    epoch = LANE_KEY.epoch

    def wait_until_held(self, timeout_s: float) -> None:
        """The lease is held."""


class _NoLedger:
    def head(self, lane: LaneKey) -> tuple[LaneKey, Turn] | None:
        raise AssertionError("the turn came with the grant")

    def settle(self, settling: Settling) -> Settled:
        raise AssertionError("what was dropped is not settled")


def _untold(*_: object) -> Settlement:
    raise AssertionError("nobody is told of what was dropped")
