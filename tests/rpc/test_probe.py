"""The laws of active probes: they trip and they shorten, and never close a circuit; they end with their client."""

from __future__ import annotations

import socket
import time
from typing import Any

import gevent
import pytest

from gateway.domain.deadline import Deadline
from gateway.domain.resilience.health import Event, State
from gateway.rpc import CallRefused, Policy, RpcClient, Service
from gateway.rpc.address import parse_base_url
from gateway.rpc.breaker import Breaker
from gateway.rpc.connection import Connection
from gateway.rpc.member import Member
from gateway.rpc.pool import Pool
from gateway.rpc.probe import Prober
from gateway.rpc.timeouts import Budget
from gateway.rpc.watch import Watch
from gateway.rpc.wire import PlainWire
from gateway.settings.rpc import RpcSettings
from tests.rpc.books import assert_nothing_left, under_way
from tests.rpc.hearing import Heard
from tests.rpc.peer import GUARD_S, OK, Link, MakeClient, Serve, Server, answering, to
from tests.support.waiting import until

#: Whoever says so need not close at once: it is not to be asked again all the same.
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
FAILING = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
PROBE = b"GET /api/healthz HTTP/1.1\r\n"


class Patient:
    """An endpoint whose calls and probes are answered as the test says; None: not at all."""

    def __init__(self, serve: Serve) -> None:
        self.to_calls: bytes | None = OK
        #: One after the other, then the last one for good.
        self.to_probes: list[bytes | None] = [OK]
        self.probes: list[Link] = []
        #: It closes after each answer to a probe, without having said so.
        self.hangs_up = False
        self._server: Server = serve(self._script)
        self.ended = self._server.ended
        self.stop = self._server.stop

    @property
    def service(self) -> Service:
        return Service("peer", (f"{self._server.url}/api",), Policy(probe_path="/healthz"))

    def call(self, client: RpcClient) -> int:
        return client.call(to("", service=self.service)).status

    def _script(self, link: Link) -> None:
        while request := link.request():
            answer = self.to_calls
            if request.startswith(PROBE):
                self.probes.append(link)
                answer = self.to_probes.pop(0) if len(self.to_probes) > 1 else self.to_probes[0]
            if answer is None:
                link.until_gone()
                return
            link.send(answer)
            if self.hangs_up and request.startswith(PROBE):
                return


@pytest.fixture
def patient(serve: Serve) -> Patient:
    return Patient(serve)


@pytest.fixture
def client(make_client: MakeClient) -> RpcClient:
    """A client that probes often, trips at the first failure, and would wait a minute before it tries again."""
    return make_client(
        probe_period_s=0.005,
        probe_timeout_s=0.5,
        breaker_calls_min=1,
        breaker_open_base_s=60.0,
        breaker_probes=1,
    )


def state(client: RpcClient) -> State:
    return client.breakers()["peer"].state


# What probes may do to a circuit


def test_a_sick_endpoint_comes_back_sooner_than_its_open_time(
    client: RpcClient, patient: Patient, heard: Heard
) -> None:
    patient.to_calls, patient.to_probes = FAILING, [FAILING]
    assert patient.call(client) == 500
    heard.wait_for("rpc.probed", times=3, outcome="http_500")
    with pytest.raises(CallRefused, match="open"):
        patient.call(client)
    patient.to_calls, patient.to_probes = OK, [OK]
    assert heard.wait_for("breaker.changed", after="half_open")["reason"] == "probes"

    assert patient.call(client) == 200
    assert state(client) is State.CLOSED


def test_probes_alone_never_close_a_circuit(client: RpcClient, patient: Patient, heard: Heard) -> None:
    patient.to_calls = FAILING
    patient.call(client)
    heard.wait_for("rpc.probed", times=12, outcome="ok")

    assert state(client) is State.HALF_OPEN
    assert heard.values("breaker.changed", "after") == ["open", "half_open"]


def test_probes_that_smile_while_calls_fail_are_believed_once(
    client: RpcClient, patient: Patient, heard: Heard
) -> None:
    patient.to_calls = FAILING
    patient.call(client)
    heard.wait_for("breaker.changed", after="half_open")
    patient.call(client)
    probed = len(heard.of("rpc.probed"))
    heard.wait_for("rpc.probed", times=probed + 8)

    assert state(client) is State.OPEN
    assert client.breakers()["peer"].contradicted


@pytest.mark.parametrize("how", ["fails", "hangs", "closes", "is no HTTP", "is elsewhere", "refuses"])
def test_three_bad_probes_in_a_row_open_the_circuit(
    make_client: MakeClient, patient: Patient, heard: Heard, how: str
) -> None:
    answers = {
        "fails": FAILING,
        "hangs": None,
        "closes": CLOSING.replace(b"200 OK", b"503 No"),
        "is no HTTP": b"SSH-2.0-x\r\n",
        "is elsewhere": b"HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        "refuses": CLOSING,
    }
    patient.to_probes = [answers[how]]
    client = make_client(probe_period_s=0.005, probe_timeout_s=0.05)
    patient.call(client)
    if how == "refuses":
        patient.stop()
    change = heard.wait_for("breaker.changed")

    assert change["reason"] == "probes"
    before = [
        fields for name, fields in heard[: heard.index(("breaker.changed", change))] if name == "rpc.probed"
    ]
    assert len([fields for fields in before if fields["outcome"] != "ok"]) == 2, "the third is told next"
    with pytest.raises(CallRefused):
        patient.call(client)


def test_two_bad_probes_between_good_ones_open_nothing(
    client: RpcClient, patient: Patient, heard: Heard
) -> None:
    patient.to_probes = [FAILING, FAILING, OK] * 3 + [OK]
    patient.call(client)
    heard.wait_for("rpc.probed", times=9)

    assert heard.values("rpc.probed", "outcome")[:9] == ["http_500", "http_500", "ok"] * 3
    assert not heard.of("breaker.changed")


def test_a_probe_passes_by_the_gate_and_the_circuit(
    make_client: MakeClient, patient: Patient, heard: Heard
) -> None:
    client = make_client(probe_period_s=0.005, connections_max=1)
    patient.to_calls = None
    call = gevent.spawn(patient.call, client)
    heard.wait_for("rpc.probed")
    client.command("peer", Event.FORCE_OPEN)
    heard.wait_for("rpc.probed", times=len(heard.of("rpc.probed")) + 2, outcome="ok")

    assert under_way(client) == {"calls,": 1, "in flight": 1, "busy": 1}
    assert state(client) is State.FORCED_OPEN
    call.kill(timeout=GUARD_S)


# Who is probed, and for how long


def test_nobody_is_probed_who_was_never_called(client: RpcClient, serve: Serve, heard: Heard) -> None:
    quiet, called = Patient(serve), Patient(serve)
    client.command("peer", Event.FORCE_CLOSED)
    called.call(client)
    heard.wait_for("rpc.probed", times=3)

    assert quiet.probes == []


def test_a_service_without_a_path_for_it_is_not_probed(client: RpcClient, serve: Serve, heard: Heard) -> None:
    plain, probed = serve(answering(OK)), Patient(serve)
    client.call(to(plain, service=Service("plain", (plain.url,))))
    probed.call(client)
    heard.wait_for("rpc.probed", times=3)

    assert plain.connections == 1
    assert set(heard.values("rpc.probed", "endpoint")) == {"peer"}


def test_every_endpoint_of_a_service_is_probed(client: RpcClient, serve: Serve, heard: Heard) -> None:
    patients = [Patient(serve) for _ in range(3)]
    urls = tuple(patient.service.base_urls[0] for patient in patients)
    with client.stream(to("", service=Service("peer", urls, Policy(probe_path="/healthz")))):
        pass
    for label in client.breakers():
        heard.wait_for("rpc.probed", endpoint=label)

    assert all(patient.probes for patient in patients)


@pytest.mark.parametrize("answer", [OK, None], ids=["between probes", "inside a probe"])
@pytest.mark.parametrize("how", ["stopped", "forgotten"])
def test_probes_end_with_their_client_or_service(
    make_client: MakeClient, serve: Serve, patient: Patient, heard: Heard, how: str, answer: bytes | None
) -> None:
    client = make_client(probe_period_s=0.005, probe_timeout_s=60.0, services_max=1)
    patient.to_probes = [OK, answer]
    patient.call(client)
    heard.wait_for("rpc.probed")
    if answer is None:
        until("it is probed again", lambda: len(patient.probes) == 2)
    if how == "stopped":
        client.stop(Deadline.after(0, now=time.monotonic()))
    else:
        other = serve(answering(OK))
        client.call(to(other, service=Service("other", (other.url,))))

    assert {patient.ended.get(timeout=GUARD_S), patient.ended.get(timeout=GUARD_S)} == {1, 2}, (
        "its call's, its probe's"
    )
    assert_nothing_left(client)


# Its connection


def test_probes_use_one_connection_of_their_own(client: RpcClient, patient: Patient, heard: Heard) -> None:
    patient.call(client)
    heard.wait_for("rpc.probed", times=5)

    assert len(set(patient.probes)) == 1
    assert len(heard.of("rpc.connected")) == 2, "the call has another"


@pytest.mark.parametrize("how", ["said so", "in silence", "age"])
def test_a_connection_that_is_used_up_is_replaced_and_is_no_failure(
    make_client: MakeClient, patient: Patient, heard: Heard, how: str
) -> None:
    client = make_client(probe_period_s=0.005, **({"age_max_s": 0.001} if how == "age" else {}))
    patient.to_probes = [CLOSING if how == "said so" else OK]
    patient.hangs_up = how == "in silence"
    patient.call(client)
    heard.wait_for("rpc.probed", times=4)

    assert set(heard.values("rpc.probed", "outcome")) == {"ok"}
    assert len(set(patient.probes)) == len(patient.probes)


class Moving:
    """Opens connections to an endpoint whose name leads elsewhere when the test says so."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._watch = Watch(time.monotonic)
        self.generation = 0
        self.is_elsewhere = False

    def open(self, budget: Budget) -> Connection:
        connected = socket.create_connection(("127.0.0.1", self._server.port))
        connected.setblocking(False)
        now = time.monotonic()
        self.is_elsewhere = False
        return Connection(
            PlainWire(connected, "", self._watch, time.monotonic),
            header_bytes_max=1000,
            recv_bytes=1000,
            now=now,
            expires_at=now + 300,
            generation=self.generation,
        )

    def is_current(self, connection: Connection) -> bool:
        connection.generation = self.generation
        return not self.is_elsewhere


@pytest.mark.parametrize("is_elsewhere", [True, False])
def test_probes_follow_their_endpoint_to_another_address(
    serve: Serve, heard: Heard, is_elsewhere: bool
) -> None:
    """Else a copy that was taken out of the name would answer for the one that took its place."""
    server, settings = serve(answering(OK)), RpcSettings(probe_period_s=0.005)
    opener = Moving(server)
    clock: dict[str, Any] = {"clock": time.monotonic}
    member = Member(
        "peer",
        parse_base_url("http://peer"),
        settings,
        slots_max=1,
        slow_s=5.0,
        pool=Pool(settings, opener, **clock, on_close=lambda reason: None),
        breaker=Breaker("peer", settings, **clock, draw=lambda: 0.0),
        is_compared=False,
    )
    service = Service("peer", ("http://peer",), Policy(probe_path="/healthz"))
    prober = Prober(member, service, opener, settings, draw=lambda: 0.0)
    prober.start()
    prober.start()
    heard.wait_for("rpc.probed", times=2)
    assert server.connections == 1
    opener.generation, opener.is_elsewhere = 1, is_elsewhere
    heard.wait_for("rpc.probed", times=len(heard.of("rpc.probed")) + 3)
    prober.stop()
    prober.stop()

    assert server.connections == 1 + is_elsewhere
    assert [server.ended.get(timeout=GUARD_S) for _ in range(server.connections)] == [1, 2][
        : server.connections
    ]
