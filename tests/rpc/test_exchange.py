"""What happens to a connection that died in the pool without a sign: races that a real socket shows too seldom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from gateway.domain.deadline import Deadline
from gateway.rpc import Call, ConnectFailed, ConnectionLost, Endpoint, Timeouts
from gateway.rpc.address import parse_base_url
from gateway.rpc.breaker import Breaker
from gateway.rpc.connection import Connection
from gateway.rpc.exchange import Backend, Exchange
from gateway.rpc.pool import Pool
from gateway.rpc.request import RequestWriter
from gateway.rpc.timeouts import Budget
from gateway.settings.rpc import RpcSettings
from tests.rpc.peer import OK


class ScriptedWire:
    """Each write does the next thing of its script: accepts, or breaks before or after the bytes left."""

    def __init__(self, *script: str) -> None:
        self._script = iter(script)
        self._answer = b""
        self.written = 0
        self.closed = False

    def write(self, data: bytes, wait_s: Callable[[], float]) -> None:
        self.written = 0
        match next(self._script):
            case "answers":
                self.written, self._answer = len(data), OK
            case "breaks unsent":
                raise BrokenPipeError(32, "Broken pipe")
            case "breaks sent":
                self.written, self._answer = len(data), b""

    def read(self, size_bytes: int, wait_s: float) -> bytes:
        return self._answer

    def is_quiet(self) -> bool:
        return True

    def abort(self) -> None: ...

    def close(self) -> None:
        self.closed = True


class House:
    """A backend whose connections come from a list; a None among them is a failure to connect."""

    def __init__(self, *wires: ScriptedWire | None) -> None:
        settings, self.wires = RpcSettings(), list(wires)
        self._next: Iterator[ScriptedWire | None] = iter(wires)
        self.timeouts = Timeouts.of(settings)
        self.backend = Backend(
            "peer",
            settings,
            writer=RequestWriter(parse_base_url("http://peer")),
            pool=Pool("peer", settings, self._open, clock=time.monotonic, on_close=lambda reason: None),
            breaker=Breaker("peer", settings, clock=time.monotonic, draw=lambda: 0.0),
            on_idle=lambda: None,
        )

    def _open(self, budget: Budget) -> Connection:
        wire = next(self._next)
        if wire is None:
            raise ConnectFailed("no connection", reason="refused")
        return Connection(
            wire, header_bytes_max=1000, recv_bytes=1000, expires_at=time.monotonic() + 300
        )

    def call(self, *, idempotent: bool = False) -> int:
        deadline = Deadline.after(5, now=time.monotonic())
        call = Call(endpoint=Endpoint("peer", "http://peer"), method="POST", deadline=deadline,
                    idempotent=idempotent)  # fmt: skip
        exchange = Exchange(self.backend, Budget(self.timeouts, deadline, time.monotonic))
        try:
            exchange.open(call, self.backend.writer.write(call))
        except BaseException as error:
            exchange.fail(error)
            raise
        exchange.finish()
        return exchange.reader.status


def test_what_was_never_written_goes_over_a_new_connection_even_a_post() -> None:
    house = House(ScriptedWire("answers", "breaks unsent"), ScriptedWire("answers"))

    assert [house.call(), house.call()] == [200, 200]
    assert [wire and wire.closed for wire in house.wires] == [True, False]
    assert (house.backend.pool.busy, house.backend.pool.idle) == (0, 1)


def test_what_may_have_been_read_is_not_sent_again() -> None:
    house = House(ScriptedWire("answers", "breaks sent"), ScriptedWire("answers"))
    house.call()
    with pytest.raises(ConnectionLost) as caught:
        house.call()

    assert caught.value.sent == "maybe"
    assert (house.backend.pool.busy, house.backend.pool.idle) == (0, 0)


def test_unless_sending_it_twice_changes_nothing() -> None:
    house = House(ScriptedWire("answers", "breaks sent"), ScriptedWire("answers"))

    assert [house.call(), house.call(idempotent=True)] == [200, 200]


@pytest.mark.parametrize("how", ["breaks unsent", "breaks sent"])
def test_a_first_call_on_a_connection_is_never_repeated(how: str) -> None:
    """Such a connection was not stale: its server is in trouble."""
    house = House(ScriptedWire(how), ScriptedWire("answers"))
    with pytest.raises(ConnectionLost):
        house.call(idempotent=True)


def test_a_replacement_that_cannot_connect_gives_its_permit_back_once() -> None:
    house = House(ScriptedWire("answers", "breaks unsent"), None, ScriptedWire("answers"))
    house.call()
    with pytest.raises(ConnectFailed):
        house.call()
    assert (house.backend.pool.busy, house.backend.pool.idle) == (0, 0)

    assert house.call() == 200


def test_a_stale_connection_says_nothing_about_its_endpoint() -> None:
    house = House(ScriptedWire("answers", "breaks unsent"), ScriptedWire("answers"))
    house.call()
    house.call()

    view = house.backend.breaker.view()
    assert (view.calls, view.failed) == (2, 0)
