"""The laws of waits under one timer: over real sockets, and mostly at a time that the test moves."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from gateway.rpc.watch import NEVER, Watch
from gateway.rpc.wire import PlainWire
from tests.rpc.peer import GUARD_S


class Room:
    """Wires under one watch, each with the other end of its socket."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.now = 0.0
        self._clock = clock or (lambda: self.now)
        self.watch = Watch(self._clock)
        self.peers: dict[PlainWire, socket.socket] = {}
        #: Whose time was over, in that order.
        self.expired: list[PlainWire] = []

    def wire(self) -> PlainWire:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        wire = PlainWire(ours, "", self.watch, self._clock)
        self.peers[wire] = theirs
        return wire

    def read(self, wire: PlainWire, until: float) -> Any:
        """Return a greenlet that waits for something to read on *wire*: its bytes, or None if it came too late."""

        def read() -> bytes | None:
            try:
                return wire.read(100, until)
            except TimeoutError:
                self.expired.append(wire)
                return None

        reading = gevent.spawn(read)
        gevent.sleep(0)
        return reading

    def close(self, wire: PlainWire) -> None:
        wire.close()
        self.peers.pop(wire).close()


@pytest.fixture
def rooms() -> Iterator[Callable[..., Room]]:
    """Make rooms whose wires are closed in any case: a watcher must not outlive its descriptor."""
    made: list[Room] = []

    def make(clock: Callable[[], float] | None = None) -> Room:
        made.append(Room(clock))
        return made[-1]

    yield make
    for room in made:
        for wire in list(room.peers):
            room.close(wire)


@pytest.fixture
def room(rooms: Callable[..., Room]) -> Room:
    """One whose time the test moves."""
    return rooms()


def timers() -> int:
    """What the loop waits for: watchers of sockets and timers."""
    count: int = gevent.get_hub().loop.activecnt
    return count


def ring(room: Room, now: float) -> None:
    """Let the time be *now*, and all who are late then hear of it."""
    room.now = now
    room.watch.ring_at(now)
    gevent.idle()
    gevent.sleep(0)


def test_waits_end_when_their_time_has_come_and_not_before(room: Room) -> None:
    wires = [room.wire() for _ in range(3)]
    # Later ones first, so that each of the others is sooner than all before it.
    readings = {wire: room.read(wire, until) for wire, until in zip(wires, (3.0, 2.0, 1.0), strict=True)}
    assert room.watch.next_at == 1.0
    for now, expired in [(0.9, []), (1.0, wires[2:]), (2.9, [wires[2], wires[1]]), (3.5, wires[::-1])]:
        ring(room, now)
        assert room.expired == expired
    gevent.joinall(readings.values(), timeout=GUARD_S, raise_error=True)


def test_the_timer_rings_by_itself_for_the_soonest_wait_and_then_for_the_next(
    rooms: Callable[..., Room],
) -> None:
    room = rooms(time.monotonic)
    wires, began_at = [room.wire() for _ in range(3)], time.monotonic()
    later = room.read(wires[0], began_at + 60)
    last = room.read(wires[1], began_at + 0.05)
    first = room.read(wires[2], began_at + 0.02)
    for reading, waited_s in ((first, 0.02), (last, 0.05)):
        assert reading.get(timeout=GUARD_S) is None
        assert time.monotonic() - began_at >= waited_s
    assert not later.ready()
    later.kill(timeout=GUARD_S)


def test_thousands_of_waits_share_one_timer(room: Room) -> None:
    wires = [room.wire() for _ in range(2_000)]
    before = timers()
    # In no order, so that some move the timer and others do not.
    untils = [1.0 + number * 7_919 % 2_000 for number in range(2_000)]
    readings = [room.read(wire, until) for wire, until in zip(wires, untils, strict=True)]
    assert timers() == before + 1

    ring(room, 1_000.0)
    assert len(room.expired) == 1_000
    assert timers() == before + 1
    ring(room, 3_000.0)
    assert len(room.expired) == 2_000
    assert timers() == before
    gevent.joinall(readings, timeout=GUARD_S, raise_error=True)


def test_who_got_something_or_was_killed_is_not_woken_any_more(room: Room) -> None:
    served, killed = room.wire(), room.wire()
    serving, killing = room.read(served, 1.0), room.read(killed, 1.0)
    room.peers[served].sendall(b"hi")
    assert serving.get(timeout=GUARD_S) == b"hi"
    killing.kill(timeout=GUARD_S)
    # Each waits again, for longer.
    waiting = [room.read(served, 5.0), room.read(killed, 5.0)]
    ring(room, 2.0)

    assert room.expired == []
    assert not any(reading.ready() for reading in waiting)
    ring(room, 6.0)
    assert sorted(room.expired, key=id) == sorted([served, killed], key=id)


def test_nobody_waits_and_no_timer_runs(room: Room) -> None:
    wire = room.wire()
    before = timers()
    reading = room.read(wire, 1.0)
    room.peers[wire].sendall(b"hi")
    reading.get(timeout=GUARD_S)
    ring(room, 0.5)
    assert (timers(), room.watch.next_at) == (before, NEVER)

    reading = room.read(wire, 2.0)
    reading.kill(timeout=GUARD_S)
    assert timers() == before + 1, "it rings once more, for nobody"
    room.close(wire)
    assert (timers(), room.watch.next_at) == (before - 1, NEVER), "not even that when the last wire is closed"


def test_an_answer_that_is_here_already_is_not_late(room: Room) -> None:
    """The process was late: it slept over both, the answer and the end of the wait."""
    late, answered = room.wire(), room.wire()
    readings = [room.read(late, 0.5), room.read(answered, 0.5)]
    room.peers[answered].sendall(b"hi")
    # No switch until here: the timer rings in the turn of the loop that finds the answer, whichever it sees first.
    ring(room, 1.0)

    assert readings[1].get(timeout=GUARD_S) == b"hi"
    assert room.expired == [late]


def test_the_end_of_the_stream_is_not_late_either(room: Room) -> None:
    wire = room.wire()
    reading = room.read(wire, 0.5)
    room.peers[wire].shutdown(socket.SHUT_RDWR)
    ring(room, 1.0)

    assert (reading.get(timeout=GUARD_S), room.expired) == (b"", [])


def test_who_is_woken_may_wait_again_and_end_others(room: Room) -> None:
    """Both are late.  The first that is woken ends the other's connection: that one is not late any more."""
    wires, ended = [room.wire(), room.wire()], []

    def read(wire: PlainWire) -> None:
        try:
            ended.append(wire.read(100, 1.0))
        except TimeoutError:
            room.expired.append(wire)
            wires[1 - wires.index(wire)].abort()
            ended.append(room.read(wire, 2.0).get())

    readings = [gevent.spawn(read, wire) for wire in wires]
    gevent.sleep(0)
    ring(room, 1.0)
    assert (len(room.expired), ended) == (1, [b""])
    ring(room, 2.0)

    gevent.joinall(readings, timeout=GUARD_S, raise_error=True)
    assert (room.expired, ended) == (2 * room.expired[:1], [b"", None])


def test_whose_wait_was_over_may_read_on(room: Room) -> None:
    """A call that has become slow goes on waiting."""
    wire = room.wire()
    slow = room.read(wire, 1.0)
    ring(room, 1.0)
    assert slow.get(timeout=GUARD_S) is None
    reading = room.read(wire, 5.0)
    room.peers[wire].sendall(b"hi")

    assert reading.get(timeout=GUARD_S) == b"hi"


class Pair:
    """Whichever is woken first ends the other's wait."""

    until = 1.0
    woken = 0
    other: Pair

    def expire(self) -> None:
        self.woken += 1
        self.other.until = NEVER


def test_a_wait_that_another_one_ended_in_the_same_moment_is_not_late(room: Room) -> None:
    one, other = Pair(), Pair()
    one.other, other.other = other, one
    for each in (one, other):
        room.watch.add(each)
    ring(room, 1.0)

    assert one.woken + other.woken == 1


def test_a_wait_that_begins_at_its_end_is_over(room: Room) -> None:
    """At a time that has passed: nothing may be armed in the past and forgotten."""
    room.now = 5.0
    reading = room.read(room.wire(), 4.0)

    assert reading.get(timeout=GUARD_S) is None


def test_a_closed_wire_is_forgotten(room: Room) -> None:
    kept, closed = room.wire(), room.wire()
    reading = room.read(kept, 1.0)
    assert repr(room.watch) == "<Watch over 2>"
    room.close(closed)
    closed.close()
    assert repr(room.watch) == "<Watch over 1>"
    ring(room, 1.0)

    assert (reading.get(timeout=GUARD_S), room.expired) == (None, [kept])
