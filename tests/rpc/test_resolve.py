"""The laws of looking up: one look-up for all, off the path of calls, and a name server's outage is nobody else's."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway import telemetry
from gateway.rpc.errors import ConnectFailed
from gateway.rpc.resolve import (
    FAILURE_KEPT_S,
    GONE_AFTER_S,
    LOOKUPS_MAX,
    REFRESHES_MAX,
    Addresses,
    IpAddress,
    Resolver,
    ask_system,
)
from gateway.telemetry.catalogue import Event as CatalogueEvent
from gateway.telemetry.emit import Writer
from tests.rpc.peer import GUARD_S


def ip(text: str) -> IpAddress:
    return IpAddress(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


class NameServer:
    """Answers as a test says; counts; hangs for the names that a test names."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[str, ...] | Exception] = {}
        #: Look-ups by name.
        self.asked: dict[str, int] = {}
        #: Names that get no answer until their event is set.
        self.hanging: dict[str, Event] = {}
        self.at_once = self.most_at_once = 0

    def look_up(self, host: str) -> Iterable[IpAddress]:
        self.asked[host] = self.asked.get(host, 0) + 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if host in self.hanging:
                self.hanging[host].wait()
            answer = self.answers.get(host, ("10.0.0.1",))
            if isinstance(answer, Exception):
                raise answer
            return [ip(text) for text in answer]
        finally:
            self.at_once -= 1

    def hang(self, *hosts: str) -> None:
        self.hanging |= {host: Event() for host in hosts}


class Bench:
    """A resolver, its name server, and a clock that a test turns."""

    def __init__(self, *, names_max: int = 100) -> None:
        self.now = 1000.0
        self.server = NameServer()
        self.resolver = Resolver(
            refresh_s=5.0, keep_s=300.0, names_max=names_max, clock=lambda: self.now, look_up=self.server.look_up
        )

    def latest(self, host: str = "a.example", wait_s: float = GUARD_S) -> list[str]:
        return [each.text for each in self.resolver.resolve(host, wait_s).latest]

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.resolver.stop()


class Told:
    """What is told of stale names: host, reason and age in seconds."""

    def __init__(self) -> None:
        self.stale: list[tuple[str, str, float]] = []

    def writer(self, event: CatalogueEvent) -> Writer | None:
        if event.name != "dns.stale":
            return None
        return lambda fields: self.stale.append((fields["host"], fields["reason"], fields["age_s"]))


@pytest.fixture
def told() -> Iterator[Told]:
    sink = Told()
    telemetry.attach(sink)
    yield sink
    telemetry.detach(sink)


def together(*calls: Callable[[], Any]) -> list[Any]:
    greenlets = [gevent.spawn(call) for call in calls]
    gevent.joinall(greenlets, timeout=GUARD_S, raise_error=True)
    return [greenlet.value for greenlet in greenlets]


def test_all_who_wait_for_a_name_wait_for_one_look_up(bench: Bench) -> None:
    assert together(*[bench.latest] * 20) == [["10.0.0.1"]] * 20
    assert bench.latest() == ["10.0.0.1"]
    assert bench.server.asked == {"a.example": 1}


def test_each_waiter_has_its_own_bound_and_the_look_up_goes_on_for_the_others(bench: Bench) -> None:
    bench.server.hang("a.example")
    patient = gevent.spawn(bench.latest)
    with pytest.raises(TimeoutError):
        bench.latest(wait_s=0.01)
    bench.server.hanging["a.example"].set()

    assert patient.get(timeout=GUARD_S) == ["10.0.0.1"]
    assert bench.server.asked == {"a.example": 1}


def test_a_killed_waiter_does_not_kill_the_look_up_of_the_others(bench: Bench) -> None:
    bench.server.hang("a.example")
    first, second = gevent.spawn(bench.latest), gevent.spawn(bench.latest)
    gevent.idle()
    first.kill()
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        bench.latest()
    bench.server.hanging["a.example"].set()

    assert second.get(timeout=GUARD_S) == ["10.0.0.1"]


def test_a_known_name_is_answered_at_once_and_looked_up_again_beside_the_calls(bench: Bench) -> None:
    bench.latest()
    bench.server.hang("a.example")
    bench.server.answers["a.example"] = ("10.0.0.2",)
    bench.wait(4.9)
    assert (bench.latest(), bench.server.asked["a.example"]) == (["10.0.0.1"], 1)

    bench.wait(0.1)
    assert bench.latest(wait_s=0.0) == ["10.0.0.1"]
    gevent.idle()
    assert (bench.latest(wait_s=0.0), bench.server.asked["a.example"]) == (["10.0.0.1"], 2)

    bench.server.hanging["a.example"].set()
    gevent.idle()
    assert (bench.latest(wait_s=0.0), bench.server.asked["a.example"]) == (["10.0.0.2"], 2)


def test_looking_at_what_is_known_starts_a_refresh_and_never_waits(bench: Bench) -> None:
    assert bench.resolver.known("a.example") is None
    bench.latest()
    bench.server.hang("a.example")
    bench.wait(5)

    assert bench.resolver.known("a.example") == Addresses((ip("10.0.0.1"),), frozenset({"10.0.0.1"}))
    gevent.idle()
    assert bench.server.asked["a.example"] == 2


def test_nothing_runs_while_nobody_calls(bench: Bench) -> None:
    bench.latest()
    bench.wait(1000)
    gevent.idle()
    assert repr(bench.resolver) == "<Resolver: 1 names of 100, 0 being looked up>"
    assert bench.server.asked["a.example"] == 1


def test_a_failing_name_server_leaves_the_old_addresses_for_their_time(
    bench: Bench, told: Told
) -> None:
    bench.latest()
    bench.server.answers["a.example"] = socket.gaierror(socket.EAI_AGAIN, "Temporary failure")
    for _ in range(10):
        bench.wait(5)
        assert bench.latest(wait_s=0.0) == ["10.0.0.1"]
        gevent.idle()
    assert told.stale == [("a.example", "failed", age_s) for age_s in range(5, 55, 5)]

    bench.wait(300 - 50)
    with pytest.raises(ConnectFailed, match="Temporary failure") as caught:
        bench.latest()
    assert (caught.value.reason, caught.value.sent) == ("unknown_host", "never")


def test_a_hanging_refresh_is_told_once_and_its_name_still_answered(
    bench: Bench, told: Told
) -> None:
    bench.latest()
    bench.server.hang("a.example")
    bench.wait(5)
    for _ in range(4):
        assert bench.latest(wait_s=0.0) == ["10.0.0.1"]
        bench.wait(5)
    assert told.stale == [("a.example", "slow", 10.0)]

    bench.wait(300)
    with pytest.raises(TimeoutError):
        bench.latest(wait_s=0.01)
    assert bench.server.asked["a.example"] == 2


def test_that_there_is_no_such_name_is_remembered_for_a_moment(bench: Bench) -> None:
    bench.server.answers["a.example"] = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    for _ in range(5):
        with pytest.raises(ConnectFailed, match="Name or service not known"):
            bench.latest()
    assert bench.server.asked["a.example"] == 1

    bench.wait(FAILURE_KEPT_S)
    bench.server.answers["a.example"] = ("10.0.0.1",)
    assert bench.latest() == ["10.0.0.1"]


@pytest.mark.parametrize("answer", [(), UnicodeError("label empty or too long"), OSError("no such file")])
def test_whatever_a_look_up_ends_with_instead_of_addresses_is_no_connection(
    bench: Bench, answer: tuple[str, ...] | Exception
) -> None:
    bench.server.answers["a.example"] = answer
    with pytest.raises(ConnectFailed, match=r"no address|cannot be resolved") as caught:
        bench.latest()
    assert caught.value.reason == "unknown_host"


def test_an_address_is_current_until_it_was_missing_for_a_while(bench: Bench) -> None:
    """Large services name a few of their many addresses in turn: their connections must not be cut each time."""
    bench.server.answers["a.example"] = ("10.0.0.1", "10.0.0.2")
    bench.latest()
    bench.server.answers["a.example"] = ("10.0.0.2", "10.0.0.3")
    bench.wait(GONE_AFTER_S - 1)
    bench.latest()
    gevent.idle()
    assert bench.resolver.resolve("a.example", 0.0) == Addresses(
        (ip("10.0.0.2"), ip("10.0.0.3")), frozenset({"10.0.0.1", "10.0.0.2", "10.0.0.3"})
    )

    bench.wait(6)
    bench.latest()
    gevent.idle()
    assert bench.resolver.resolve("a.example", 0.0).current == {"10.0.0.2", "10.0.0.3"}


def test_the_families_take_turns_and_nothing_comes_twice(bench: Bench) -> None:
    bench.server.answers["a.example"] = ("::1", "::2", "::1", "::3", "10.0.0.1", "::3")
    assert bench.latest() == ["::1", "10.0.0.1", "::2", "::3"]


@pytest.mark.parametrize("literal", ["127.0.0.1", "::1"])
def test_an_address_needs_no_look_up(bench: Bench, literal: str) -> None:
    assert bench.resolver.resolve(literal, 0.0) == Addresses((ip(literal),), frozenset({literal}))
    assert bench.server.asked == {}


# The pitfall of gevent's threads (gevent#1904): ten of them look up for the whole process.


def test_pitfall_threads_hanging_names_leave_places_to_others_in_the_process(bench: Bench) -> None:
    hosts = [f"{number}.example" for number in range(40)]
    bench.server.hang(*hosts)
    waiters = [gevent.spawn(bench.latest, host) for host in hosts for _ in range(5)]
    gevent.idle()
    assert (bench.server.at_once, len(bench.server.asked)) == (LOOKUPS_MAX, LOOKUPS_MAX)

    for event in bench.server.hanging.values():
        event.set()
    gevent.joinall(waiters, timeout=GUARD_S, raise_error=True)
    assert (bench.server.most_at_once, set(bench.server.asked.values())) == (LOOKUPS_MAX, {1})


def test_pitfall_threads_hanging_refreshes_leave_places_to_new_names(bench: Bench) -> None:
    hosts = [f"{number}.example" for number in range(40)]
    for host in hosts:
        bench.latest(host)
    bench.server.hang(*hosts)
    bench.wait(5)
    assert [bench.latest(host, 0.0) for host in hosts] == [["10.0.0.1"]] * 40
    gevent.idle()

    assert bench.server.at_once == REFRESHES_MAX
    assert bench.latest("new.example") == ["10.0.0.1"]


def test_a_look_up_whose_waiters_left_keeps_its_place_while_its_thread_is_lost(bench: Bench) -> None:
    """Nothing can end a thread inside the system's look-up: a place given back too soon would fill all ten."""
    hosts = [f"{number}.example" for number in range(40)]
    bench.server.hang(*hosts)
    waiters = [gevent.spawn(bench.latest, host) for host in hosts]
    gevent.idle()
    gevent.killall(waiters)
    for host in hosts:
        with pytest.raises(TimeoutError):
            bench.latest(host, 0.001)

    assert bench.server.most_at_once == LOOKUPS_MAX


def test_the_number_of_names_is_bounded_and_the_one_used_longest_ago_is_forgotten() -> None:
    bench = Bench(names_max=2)
    for host in ("a", "b", "a", "c", "a", "b"):
        bench.latest(host)
    assert bench.server.asked == {"a": 1, "b": 2, "c": 1}

    bench.server.hang("d", "e")
    waiting = [gevent.spawn(bench.latest, host) for host in ("d", "e")]
    gevent.idle()
    with pytest.raises(ConnectFailed, match="2 names") as caught:
        bench.latest("f")
    assert caught.value.reason == "dns_full"

    bench.resolver.stop()
    bench.resolver.stop()
    for greenlet in waiting:
        with pytest.raises(ConnectFailed, match="ended"):
            greenlet.get(timeout=GUARD_S)


def test_the_system_knows_this_machine() -> None:
    assert {each.text for each in ask_system("localhost")} <= {"127.0.0.1", "::1"}
    assert ip("127.0.0.1").at(80) == ("127.0.0.1", 80)
    assert IpAddress(socket.AF_INET6, "fe80::1", 3).at(80) == ("fe80::1", 80, 0, 3)
