"""The open-loop generator: requests leave at their instants, latency begins there, and every answer is looked at."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import gevent
import msgspec
import pytest

from bench.beside import STOP_MAX_S
from bench.contestants import free_port
from bench.evaluation.arrivals.generator import Generator, generator, limit
from bench.evaluation.arrivals.orders import Arrived, Heard, Load, Order
from bench.evaluation.arrivals.sending import answer, instants
from tests.bench.served import REFUSED, RIGHT, Answering, Served

STALL_S = 0.3


@pytest.fixture(scope="module")
def arriving() -> Iterator[Generator]:
    """One process for all tests."""
    with generator() as running:
        yield running


def fire(arriving: Generator, answering: Answering, *loads: Load, **order: object) -> tuple[Arrived, Served]:
    with closing(Served(answering)) as served:
        loads = loads or (Load(1_000, 0.06),)
        plain = Order(port=served.port, kind="echo", status=200, length=5, loads=loads)
        return arriving.fire(msgspec.structs.replace(plain, **order)), served


def stalling(number: int) -> bytes:
    """Stand still once, for everybody."""
    if number == 60:
        until = time.monotonic() + STALL_S
        while time.monotonic() < until:
            pass
    return RIGHT


def test_a_stall_is_charged_for_everybody_who_was_meant_to_come(arriving: Generator) -> None:
    """Half of all, though few of them could be sent.  A closed loop sees one slow answer: its caller came no more."""
    arrived, _ = fire(arriving, stalling, Load(300, 0.6), connections_max=4)
    heard = arrived.loads[0]
    assert heard.right == heard.asked == 180
    assert heard.p90_ms > 1e3 * STALL_S / 3
    assert heard.max_ms > 1e3 * STALL_S / 2
    with closing(Served(stalling)) as served, socket.create_connection(("127.0.0.1", served.port)) as caller:
        slow = 0
        for _ in range(180):
            began = time.monotonic()
            caller.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert caller.recv(1_000) == RIGHT
            slow += time.monotonic() - began > STALL_S / 3
    assert slow == 1


def test_exactly_what_was_ordered_leaves_over_connections_that_stay(arriving: Generator) -> None:
    """Load by load, and within the order's bound of connections."""
    arrived, served = fire(arriving, lambda _: RIGHT, Load(300, 0.1), Load(600, 0.2), connections_max=3, bin_s=0.1)
    assert [load.right for load in arrived.loads] == [30, 120]
    assert [load.asked for load in arrived.loads] == [30, 120]
    assert 1 <= served.connections <= 3
    assert [each.at_s for each in arrived.course] == [0.0, 0.1, 0.2]
    assert arrived.course[0].asked == 30
    assert sum(each.asked for each in arrived.course) == 150
    assert all(0 < load.p50_ms <= load.p90_ms <= load.p99_ms <= load.max_ms for load in arrived.loads)


@pytest.mark.parametrize(
    ("data", "fate"),
    [
        (RIGHT.replace(b"5", b"6") + b"6", "wrong"),
        (RIGHT.replace(b"200", b"201"), "wrong"),
        (RIGHT.replace(b"5", b"4")[:-1], "wrong"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n", "wrong"),
        (REFUSED, "refused"),
        (REFUSED.replace(b"503", b"500"), "failed"),
        (RIGHT[:-1], "late"),
        (b"", "broken"),
    ],
)
def test_what_is_not_the_right_answer_is_counted_and_waited_for_in_vain(
    arriving: Generator, data: bytes, fate: str
) -> None:
    """One in two; whatever it is, its caller counts with the whole of its patience."""
    patience_s = 0.1 if fate == "late" else 1.0
    arrived, _ = fire(
        arriving, lambda number: data if number % 2 else RIGHT, patience_s=patience_s, wait_max_s=patience_s
    )
    heard = arrived.loads[0]
    found = {name: getattr(heard, name) for name in ("right", "refused", "failed", "wrong", "broken", "late", "unsent")}
    assert found.pop("right") + found[fate] == heard.asked == sum(found.values()) + heard.right
    assert 20 <= found[fate] <= 40
    assert heard.p99_ms == 1e3 * patience_s
    assert heard.done_share == heard.right / 60


def test_who_finds_no_connection_in_time_leaves(arriving: Generator) -> None:
    """Before its patience with an answer is at its end; latency of those in line runs."""

    def slow(_: int) -> bytes:
        gevent.sleep(0.05)
        return RIGHT

    arrived, _ = fire(arriving, slow, Load(200, 0.4), connections_max=2, wait_max_s=0.1)
    heard = arrived.loads[0]
    # Two connections have 40 answers a second.
    assert 10 <= heard.right <= 24
    assert heard.unsent == 80 - heard.right
    assert heard.p50_ms == 1_000.0


def test_a_connection_that_is_closed_behind_an_answer_is_replaced(arriving: Generator) -> None:
    """With its word or without: a request whose connection was closed while idle goes over another one."""
    told = RIGHT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    arrived, served = fire(arriving, lambda _: told)
    assert arrived.loads[0].right == 60
    assert served.connections == 60


def test_nobody_there_is_an_error(arriving: Generator) -> None:
    """Each request's, at once."""
    order = Order(port=free_port(), kind="get", status=200, length=5, loads=[Load(300, 0.1)])
    heard = arriving.fire(order).loads[0]
    assert heard.broken == heard.asked == 30


def test_a_generator_without_time_left_says_so(arriving: Generator) -> None:
    """Really saturated: it is to send more than one core can, to a server that has next to nothing to do."""
    used_s, began = time.process_time(), time.monotonic()
    arrived, _ = fire(arriving, lambda _: RIGHT, Load(5_000_000, 0.05), connections_max=1, wait_max_s=0.01)
    # The server's is this process.
    share = (time.process_time() - used_s) / (time.monotonic() - began)
    assert share < 0.9
    assert limit(arrived.loads[0], server_share=share).startswith("limited by the generator")
    easy, _ = fire(arriving, lambda _: RIGHT, Load(100, 0.1))
    assert easy.loads[0].generator_share < 0.5


def test_a_run_that_nobody_waits_for_any_more_ends() -> None:
    """As Ctrl-C ends a benchmark: at once, and not when its patience with its generator is at an end."""

    def interrupted(port: int) -> None:
        with generator() as running:
            running.begin(Order(port=port, kind="echo", status=200, length=5, loads=[Load(1, 60.0)]))
            raise KeyboardInterrupt

    began = time.monotonic()
    with closing(Served()) as served, pytest.raises(KeyboardInterrupt):
        interrupted(served.port)
    assert time.monotonic() - began < STOP_MAX_S / 2


def test_who_was_the_limit() -> None:
    """The server, if it has no time left; then the generator, alone or with PostgreSQL; then its lateness."""
    easy = Heard(
        asked=1, right=1, p50_ms=1, p90_ms=1, p99_ms=1, p999_ms=1, max_ms=1, generator_share=0.5, behind_p99_ms=0.1
    )  # fmt: skip
    full = msgspec.structs.replace(easy, generator_share=0.96)
    late = msgspec.structs.replace(easy, behind_p99_ms=6.0)
    assert limit(easy, server_share=0.5) == ""
    assert limit(full, server_share=0.95) == ""
    assert limit(full, server_share=0.5) == "limited by the generator"
    assert limit(easy, server_share=0.5, postgres_share=0.5) == "limited by the generator and PostgreSQL together"
    assert limit(late, server_share=0.5) == "limited by the generator: requests left late"


def test_instants_are_drawn_and_the_same_for_everybody() -> None:
    """As many as ordered, in each load's own time, unevenly."""
    loads = [Load(1_000, 0.5), Load(100, 1.0)]
    meant = instants(loads, seed=1)
    assert meant == instants(loads, seed=1) == sorted(meant)
    assert len(meant) == 600
    assert sum(each < 0.5 for each in meant) == 500
    assert meant[-1] <= 1.5
    pauses = [later - earlier for earlier, later in itertools.pairwise(meant[:500])]
    # Evenly spaced, all would be 1 ms; of pauses between strangers one in three is longer.
    assert 100 < sum(pause > 0.001 for pause in pauses) < 250


@pytest.mark.parametrize(
    ("received", "read"),
    [
        (RIGHT, (200, 5, False)),
        (RIGHT[:-1], None),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, 0, False)),
        (b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", (204, 0, True)),
        (b"HTTP/1.1 500 Oops\r\n\r\n", (500, 0, True)),
    ],
)
def test_an_answer_is_read_when_it_is_whole(received: bytes, read: tuple[int, int, bool] | None) -> None:
    """One without a length, where there may be a body, ends its connection."""
    assert answer(received) == read
