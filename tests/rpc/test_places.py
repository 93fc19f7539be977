"""The laws of getting there: unix sockets, names with several addresses, addresses that are not to be reached."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway.domain.deadline import Deadline
from gateway.rpc import CallTimeout, ConnectFailed, RpcClient
from gateway.rpc.address import parse_base_url
from gateway.rpc.connect import AVOIDED_S, Connector
from gateway.rpc.guard import check_payload_url
from gateway.rpc.opener import ConnectionOpener
from gateway.rpc.pool import Pool
from gateway.rpc.resolve import GONE_AFTER_S, IpAddress, Resolver, ask_system
from gateway.rpc.timeouts import Budget, Timeouts
from gateway.rpc.tls import TlsContext
from gateway.rpc.watch import Watch
from gateway.settings.rpc import RpcSettings
from tests.rpc.peer import OK, Link, Serve, answering, to
from tests.support.waiting import until


def listening_at(path: Path) -> socket.socket:
    from gevent import socket as cooperative

    listener = cooperative.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)
    return listener


def unix_url(path: Path) -> str:
    return "http+unix://" + str(path).replace("/", "%2F")


def test_a_unix_socket_is_an_endpoint_like_any_other(serve: Serve, client: RpcClient, tmp_path: Path) -> None:
    requests: list[bytes] = []

    def script(link: Link) -> None:
        while request := link.request():
            requests.append(request)
            link.send(OK)

    serve(script, listening_at(tmp_path / "App.sock"))
    for _ in range(2):
        assert client.call(to(unix_url(tmp_path / "App.sock"), path="/x")).body == b"hi"

    assert requests[0].startswith(b"GET /x HTTP/1.1\r\nHost: localhost\r\n")
    assert "0 busy, 1 idle" in repr(client)


def test_a_unix_socket_that_is_not_there_was_never_sent(client: RpcClient, tmp_path: Path) -> None:
    with pytest.raises(ConnectFailed) as caught:
        client.call(to(unix_url(tmp_path / "none.sock")))
    assert (caught.value.reason, caught.value.sent) == ("refused", "never")


def test_a_path_that_is_none_is_no_connection(client: RpcClient, tmp_path: Path) -> None:
    with pytest.raises(ConnectFailed) as caught:
        client.call(to(unix_url(tmp_path / ("x" * 200))))
    assert caught.value.reason == "unreachable"


def test_a_name_is_resolved(serve: Serve, client: RpcClient) -> None:
    assert client.call(to(f"http://localhost:{serve(answering(OK)).port}")).status == 200


# Names with several addresses: here 127.0.0.x, all of which lead to this machine


class Place:
    """A name that stands for what a test says, and a connector to it."""

    def __init__(self, port: int, *answer: str, url: str = "http://several.example", **changes: Any) -> None:
        self.answer = answer
        self.now = 1000.0
        self.look_ups = 0
        self.watch = Watch(time.monotonic)
        look_up: Callable[[str], Iterable[IpAddress]] = changes.pop("look_up", self._look_up)
        self.resolver = Resolver(refresh_s=5.0, keep_s=300.0, names_max=9, clock=self.clock, look_up=look_up)
        values: dict[str, Any] = {"guarded": False, "private_allowed": False, "draw": lambda: 0.0}
        self.connector = Connector(
            parse_base_url(url if "unix" in url else f"{url}:{port}"),
            self.resolver,
            tls=TlsContext(""),
            watch=self.watch,
            clock=self.clock,
            **(values | changes),
        )

    def clock(self) -> float:
        return self.now

    def _look_up(self, host: str) -> Iterable[IpAddress]:
        self.look_ups += 1
        return [IpAddress(socket.AF_INET, text) for text in self.answer]

    def connect(self, within_s: float = 60.0, **timeouts: float) -> Any:
        """Connect, close, and return the address that it led to."""
        wire = self.connector.connect(budget_of(within_s, **timeouts))
        wire.close()
        return wire.address

    def reached(self, times: int = 1) -> list[str]:
        """Connect so often, and return the last part of each address."""
        return [self.connect()[0].rpartition(".")[2] for _ in range(times)]

    def look_again(self, *answer: str) -> None:
        """Have the name looked up again, with another answer."""
        self.answer = answer
        self.connector.touch()
        gevent.idle()
        self.connector.touch()


def budget_of(within_s: float = 60.0, **changes: float) -> Budget:
    deadline = Deadline.after(within_s, now=time.monotonic())
    return Budget(Timeouts.of(RpcSettings(**changes)), deadline, time.monotonic)


@pytest.fixture
def everywhere(serve: Serve) -> int:
    """The port of a server at every address of this machine."""
    return serve(answering(OK), ("0.0.0.0", 0)).port


@pytest.fixture
def make_deaf() -> Iterator[Callable[[str, int], int]]:
    """Make an address whose backlog is full: the kernel leaves further connections unanswered."""
    sockets: list[socket.socket] = []

    def make(ip: str, port: int) -> int:
        sockets.append(socket.create_server((ip, port), backlog=0))
        address = sockets[0].getsockname()
        for _ in range(3):
            sockets.append(socket.socket())
            sockets[-1].setblocking(False)
            sockets[-1].connect_ex((ip, address[1]))
        gevent.idle()
        return int(address[1])

    yield make
    for each in sockets:
        each.close()


def open_descriptors() -> set[str]:
    return {each.name for each in Path("/proc/self/fd").iterdir()}


def test_pitfall_8_connections_go_over_all_addresses_in_turn(everywhere: int) -> None:
    """geventhttpclient tries addresses in order: all connections lead to the first, and the rest idle."""
    place = Place(everywhere, "127.0.0.1", "127.0.0.2", "127.0.0.3")
    assert sorted(place.reached(6)) == ["1", "1", "2", "2", "3", "3"]


def test_the_first_address_is_drawn(everywhere: int) -> None:
    """A thousand processes that begin at once must not all begin with the same address."""
    answer = tuple(f"127.0.0.{number}" for number in range(1, 5))
    first = [Place(everywhere, *answer, draw=random.Random(seed).random).reached() for seed in range(100)]
    assert {reached[0] for reached in first} == {"1", "2", "3", "4"}


def test_pitfall_8_a_name_is_not_looked_up_for_each_connection(everywhere: int) -> None:
    place = Place(everywhere, "127.0.0.1")
    place.reached(20)
    assert place.look_ups == 1


def test_an_address_that_failed_comes_last_for_a_while(serve: Serve) -> None:
    good = serve(answering(OK), ("127.0.0.3", 0))
    place = Place(good.port, "127.0.0.2", "127.0.0.3")
    assert place.reached(4) == ["3", "3", "3", "3"]

    serve(answering(OK), ("127.0.0.2", good.port))
    assert place.reached(4) == ["3", "3", "3", "3"]
    place.now += AVOIDED_S
    assert sorted(place.reached(4)) == ["2", "2", "3", "3"]


def test_an_address_that_failed_is_tried_when_no_other_works(serve: Serve) -> None:
    good = serve(answering(OK), ("127.0.0.3", 0))
    place = Place(good.port, "127.0.0.2", "127.0.0.3")
    place.reached(2)
    good.stop()
    serve(answering(OK), ("127.0.0.2", good.port))

    assert place.reached(2) == ["2", "2"]


def test_an_address_that_is_silent_leaves_time_for_the_next(
    serve: Serve, make_deaf: Callable[[str, int], int]
) -> None:
    good = serve(answering(OK), ("127.0.0.9", 0))
    # Not 127.0.0.1, where another process may have this port.
    for number in (2, 3):
        make_deaf(f"127.0.0.{number}", good.port)
    place = Place(good.port, "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.9")

    assert place.connect(connect_timeout_s=0.3)[0] == "127.0.0.9"


def test_pitfall_7_the_connect_timeout_is_over_all_addresses(make_deaf: Callable[[str, int], int]) -> None:
    """geventhttpclient gives it to each: a name with eight silent addresses takes eight times as long."""
    port = make_deaf("127.0.0.1", 0)
    for number in range(2, 9):
        make_deaf(f"127.0.0.{number}", port)
    place = Place(port, *(f"127.0.0.{number}" for number in range(1, 9)))
    began_at = time.monotonic()
    with pytest.raises(ConnectFailed, match="connect_timeout_s") as caught:
        place.connect(connect_timeout_s=0.4)

    assert caught.value.reason == "connect_timeout"
    assert time.monotonic() - began_at < 8 * 0.4


def test_a_name_with_many_addresses_leaves_each_the_time_for_a_handshake(
    serve: Serve, make_deaf: Callable[[str, int], int]
) -> None:
    """Shared out evenly, a second would leave each of twenty addresses less than a packet takes around the world."""
    good = serve(answering(OK), ("127.0.0.2", 0))
    make_deaf("127.0.0.1", good.port)
    place = Place(good.port, *(f"127.0.0.{number}" for number in range(1, 21)))
    began_at = time.monotonic()

    assert place.connect(connect_timeout_s=0.6)[0] == "127.0.0.2"
    assert time.monotonic() - began_at > 0.6 / 4


def test_when_no_address_works_the_last_ones_reason_is_told(
    serve: Serve, make_deaf: Callable[[str, int], int]
) -> None:
    port = make_deaf("127.0.0.1", 0)
    place = Place(port, "127.0.0.1", "127.0.0.2")
    with pytest.raises(ConnectFailed) as caught:
        place.connect(connect_timeout_s=0.5)
    assert (caught.value.reason, caught.value.sent) == ("refused", "never")


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_both_families_are_spoken(serve: Serve) -> None:
    try:
        server = serve(answering(OK), ("::", 0))
    except OSError:
        pytest.skip("needs IPv6")
    found = [IpAddress(socket.AF_INET6, "::1"), IpAddress(socket.AF_INET, "127.0.0.1")]
    place = Place(server.port, look_up=lambda host: found)

    assert {place.connect()[0] for _ in range(2)} == {"::1", "127.0.0.1"}
    assert Place(server.port, url="http://[::1]").connect()[0] == "::1"


def test_a_family_that_this_machine_does_not_speak_leaves_the_other(everywhere: int) -> None:
    found = [IpAddress(99, "::1"), IpAddress(socket.AF_INET, "127.0.0.1")]
    assert Place(everywhere, look_up=lambda host: found).reached() == ["1"]
    with pytest.raises(ConnectFailed) as caught:
        Place(everywhere, look_up=lambda host: found[:1]).connect()
    assert caught.value.reason == "unreachable"


def test_a_name_that_is_not_resolved_in_time_says_so() -> None:
    silent = Event()
    place = Place(80, look_up=lambda host: silent.wait() and [])
    with pytest.raises(ConnectFailed, match=r"not resolved.*connect_timeout_s") as caught:
        place.connect(connect_timeout_s=0.02)
    assert (caught.value.reason, caught.value.sent) == ("dns_timeout", "never")

    with pytest.raises(CallTimeout) as cut:
        place.connect(within_s=0.02)
    assert cut.value.by_deadline
    silent.set()


def test_a_kill_while_connecting_closes_its_socket(make_deaf: Callable[[str, int], int]) -> None:
    place = Place(make_deaf("127.0.0.1", 0), "127.0.0.1")
    place.resolver.resolve("several.example", 1.0)
    before = open_descriptors()
    connecting = gevent.spawn(place.connect, connect_timeout_s=30)
    until("it connects", lambda: open_descriptors() - before)
    connecting.kill()

    assert open_descriptors() == before
    assert repr(place.watch) == "<Watch over 0>"


# Addresses that are gone


def test_a_connection_to_an_address_that_is_gone_is_not_current(everywhere: int) -> None:
    place = Place(everywhere, "127.0.0.1", "127.0.0.2")
    first, second = place.connect(), place.connect()
    place.now += GONE_AFTER_S
    place.look_again("127.0.0.2", "127.0.0.3")

    assert place.connector.generation == 1
    assert {address[0]: place.connector.is_current(address) for address in (first, second)} == {
        "127.0.0.1": False,
        "127.0.0.2": True,
    }
    assert sorted(place.reached(2)) == ["2", "3"]


def test_addresses_that_come_or_change_places_cut_no_connection(everywhere: int) -> None:
    place = Place(everywhere, "127.0.0.1", "127.0.0.2")
    address = place.connect()
    for answer in (["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2", "127.0.0.3"]):
        place.now += GONE_AFTER_S
        place.look_again(*answer)

    assert (place.connector.generation, place.connector.is_current(address)) == (0, True)


def test_a_pooled_connection_to_an_address_that_is_gone_serves_no_further_call(everywhere: int) -> None:
    """Nobody opens a connection while there are idle ones: that the address is gone is noticed all the same."""
    place = Place(everywhere, "127.0.0.1")
    settings = RpcSettings(idle_max_s=1000.0)
    opener = ConnectionOpener(
        "several", settings, place.connector, clock=place.clock, draw=lambda: 0.0, on_open=lambda: None
    )
    closed: list[str] = []
    pool = Pool(settings, opener, clock=place.clock, on_close=closed.append)

    def call() -> Any:
        connection = pool.acquire(budget_of(), place.now)
        connection.reader.begin(bodiless=False, body_bytes_max=10)
        connection.reader.feed(OK)
        pool.release(connection, place.now)
        return connection.wire.address[0]

    assert [call(), call()] == ["127.0.0.1", "127.0.0.1"]
    place.now += GONE_AFTER_S
    place.answer = ("127.0.0.2",)
    for _ in range(2):  # the first look starts the look-up, the second sees what it brought
        pool.sweep()
        gevent.idle()
    assert [call(), call(), closed] == ["127.0.0.2", "127.0.0.2", ["moved"]]
    pool.stop()


def test_a_unix_socket_and_an_address_never_go(everywhere: int, tmp_path: Path, serve: Serve) -> None:
    serve(answering(OK), listening_at(tmp_path / "app.sock"))
    for place in (Place(0, url=unix_url(tmp_path / "app.sock")), Place(everywhere, url="http://127.0.0.1")):
        address = place.connect()
        place.connector.touch()
        assert (place.connector.generation, place.connector.is_current(address)) == (0, True)


# Guarded: the URL came out of a payload


def expect_not_allowed(place: Place) -> None:
    with pytest.raises(ConnectFailed, match=r"rpc\.private_addresses_allowed") as caught:
        place.connect()
    assert (caught.value.reason, caught.value.sent) == ("address_not_allowed", "never")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "127.1", "2130706433", "0x7f.1"])
def test_a_guarded_call_reaches_nothing_private_however_it_is_written(serve: Serve, host: str) -> None:
    server = serve(answering(OK))
    expect_not_allowed(Place(server.port, url=f"http://{host}", look_up=ask_system, guarded=True))
    assert server.connections == 0


def test_a_guarded_call_reaches_no_unix_socket(serve: Serve, tmp_path: Path) -> None:
    server = serve(answering(OK), listening_at(tmp_path / "app.sock"))
    expect_not_allowed(Place(0, url=unix_url(tmp_path / "app.sock"), guarded=True))
    assert server.connections == 0


def test_a_private_address_among_public_ones_is_refused_with_them(everywhere: int) -> None:
    expect_not_allowed(Place(everywhere, "1.1.1.1", "127.0.0.1", guarded=True))


def test_dns_rebinding_does_not_slip_between_the_check_and_the_connection(serve: Serve) -> None:
    """The name stands for a public address when it is looked at, and for this machine when it is connected to."""
    server = serve(answering(OK))
    place = Place(server.port, "1.1.1.1", guarded=True)
    check_payload_url("https://several.example/hook", ("several.example",))
    assert place.resolver.resolve("several.example", 1.0).current == {"1.1.1.1"}
    place.answer = ("127.0.0.1",)
    place.now += 301.0

    expect_not_allowed(place)
    assert server.connections == 0


def test_the_setting_and_only_it_opens_private_addresses(everywhere: int) -> None:
    assert Place(everywhere, "127.0.0.1", guarded=True, private_allowed=True).reached() == ["1"]
    assert Place(everywhere, "127.0.0.1", guarded=False).reached() == ["1"]
