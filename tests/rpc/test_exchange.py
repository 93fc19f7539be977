"""What a real socket shows too seldom, or too slowly: connections that died in the pool without a sign, and what the
adaptive limit is told of calls.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gateway.domain.deadline import Deadline
from gateway.rpc import Call, ConnectFailed, ConnectionLost, Service
from gateway.rpc.address import parse_base_url
from gateway.rpc.backend import Backend
from gateway.rpc.breaker import Breaker
from gateway.rpc.clock import Clock
from gateway.rpc.connection import Connection
from gateway.rpc.member import Member
from gateway.rpc.pool import Pool
from gateway.rpc.timeouts import Budget
from gateway.settings.rpc import RpcSettings
from tests.rpc.peer import OK


class ScriptedWire:
    """Each write does the next thing of its script: accepts, or breaks before or after the bytes left."""

    def __init__(self, *script: str) -> None:
        self._script = iter(script)
        self._answer = b""
        self.address = "10.0.0.1"
        self.written = 0
        self.closed = False

    def write(self, data: bytes, ends_at: float, idle_s: float) -> bool:
        self.written = 0
        match next(self._script):
            case "answers":
                self.written, self._answer = len(data), OK
            case "breaks unsent":
                raise BrokenPipeError(32, "Broken pipe")
            case "breaks sent":
                self.written, self._answer = len(data), b""
        return False

    def read(self, size_bytes: int, until: float) -> bytes:
        return self._answer

    def is_quiet(self) -> bool:
        return True

    is_alive = is_quiet

    def abort(self) -> None: ...

    def close(self) -> None:
        self.closed = True


class TimedWire(ScriptedWire):
    """Answers every call after ``took_s`` of its own clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.took_s = 0.0

    def clock(self) -> float:
        return self.now

    def write(self, data: bytes, ends_at: float, idle_s: float) -> bool:
        self.written = len(data)

    def read(self, size_bytes: int, until: float) -> bytes:
        self.now += self.took_s
        return OK


class Script:
    """Opens the wires of a list; a None among them is a failure to connect."""

    generation = 0

    def __init__(self, wires: tuple[ScriptedWire | None, ...]) -> None:
        self._next: Iterator[ScriptedWire | None] = iter(wires)

    def open(self, budget: Budget) -> Connection:
        wire, now = next(self._next), budget.clock()
        if wire is None:
            raise ConnectFailed("no connection", reason="refused")
        return Connection(
            wire, header_bytes_max=1000, recv_bytes=1000, now=now, expires_at=now + 300, generation=0
        )

    def is_current(self, connection: Connection) -> bool:
        return True


class House:
    """A service whose connections come from a list."""

    def __init__(self, *wires: ScriptedWire | None, clock: Clock = time.monotonic, **changes: int) -> None:
        settings, self.wires = RpcSettings(**{"retries_max": 0} | changes), list(wires)
        self.clock = clock
        breaker = Breaker("peer", settings, clock=clock, draw=lambda: 0.0)
        self.pool = Pool(settings, Script(wires), clock=clock, on_close=lambda reason: None)
        self.member = Member(
            "peer",
            parse_base_url("http://peer"),
            settings,
            slots_max=2,
            slow_s=5.0,
            pool=self.pool,
            breaker=breaker,
            is_compared=False,
        )
        self.service = Service("peer", ("http://peer",))
        self.backend = Backend(self.service, settings, [self.member], clock=clock, draw=lambda: 0.0)

    def call(self, *, idempotent: bool = False) -> int:
        deadline = Deadline.after(5, now=self.clock())
        call = Call(service=self.service, method="POST", deadline=deadline, idempotent=idempotent)
        return self.backend.call(call, self.backend.enter(call)).status

    @property
    def books(self) -> tuple[int, int, int]:
        """Slots, busy and idle connections."""
        return self.member.gate.in_flight, self.pool.busy, self.pool.idle


def test_what_was_never_written_goes_over_a_new_connection_even_a_post() -> None:
    house = House(ScriptedWire("answers", "breaks unsent"), ScriptedWire("answers"))

    assert [house.call(), house.call()] == [200, 200]
    assert [wire and wire.closed for wire in house.wires] == [True, False]
    assert house.books == (0, 0, 1)


def test_what_may_have_been_read_is_not_sent_again() -> None:
    house = House(ScriptedWire("answers", "breaks sent"), ScriptedWire("answers"))
    house.call()
    with pytest.raises(ConnectionLost) as caught:
        house.call()

    assert caught.value.sent == "maybe"
    assert house.books == (0, 0, 0)


def test_unless_sending_it_twice_changes_nothing() -> None:
    house = House(ScriptedWire("answers", "breaks sent"), ScriptedWire("answers"), retries_max=1)

    assert [house.call(), house.call(idempotent=True)] == [200, 200]


@pytest.mark.parametrize("how", ["breaks unsent", "breaks sent"])
def test_a_first_call_on_a_connection_is_not_replaced(how: str) -> None:
    """Such a connection was not stale: its server is in trouble."""
    house = House(ScriptedWire(how), ScriptedWire("answers"))
    with pytest.raises(ConnectionLost):
        house.call(idempotent=True)


def test_a_replacement_that_cannot_connect_gives_its_permit_back_once() -> None:
    house = House(ScriptedWire("answers", "breaks unsent"), None, ScriptedWire("answers"))
    house.call()
    with pytest.raises(ConnectFailed):
        house.call()
    assert house.books == (0, 0, 0)

    assert house.call() == 200


def test_a_stale_connection_says_nothing_about_its_endpoint() -> None:
    house = House(ScriptedWire("answers", "breaks unsent"), ScriptedWire("answers"))
    house.call()
    house.call()

    view = house.member.breaker.view()
    assert (view.calls, view.failed) == (2, 0)


def test_a_limit_that_fell_grows_again_under_the_calls_that_it_lets_through() -> None:
    """A limit grows only while it is in use: each call has to count itself, and be counted when it is over."""
    wire = TimedWire()
    house = House(wire, clock=wire.clock, limit_floor=1)

    def limit_after(calls: int, took_s: float) -> int:
        wire.took_s = took_s
        for _ in range(calls):
            assert house.call() == 200
        return house.member.limit.limit

    # Two seconds, ten, and two again: long before a limit without load would be forgotten.
    assert [limit_after(200, 0.01), limit_after(100, 0.1), limit_after(200, 0.01)] == [2, 1, 2]
