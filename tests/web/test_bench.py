"""``/bench/...``: absent unless enabled; echo, rpc and the key-value store; streams under any server."""

from __future__ import annotations

import _socket
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import flask
import gevent
import msgspec
import pytest
from gevent.pywsgi import WSGIServer
from werkzeug.test import Client, TestResponse

from gateway.app import Gateway
from gateway.server.forwarded import TrustedPeers
from gateway.server.server import Server
from gateway.settings.bench import BenchSettings
from gateway.settings.secret import Secret
from gateway.settings.server import ServerSettings
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.store.kvs import KEY_CHARS_MAX, KeyValues
from gateway.store.postgres import Database
from gateway.telemetry.metrics import Metrics
from gateway.web.bench import EVENTS_WAITING_MAX, RETRY_MS, Bench
from gateway.web.express import Express
from tests.support.calling import call
from tests.support.waiting import until
from tests.web.stream_reader import StreamReader

ENABLED = BenchSettings(enabled=True, rpc_wait_s=0.05, kvs_value_bytes_max=10_000)
RETRY = b"retry: %d\n\n" % RETRY_MS


def gateway_of(url: str, bench: BenchSettings, home: Path) -> Gateway:
    """Return a gateway that was not started."""
    store = StoreSettings(database_url=Secret(url), redis_url=Secret("redis://127.0.0.1:1"))
    return Gateway(Settings(home=home, accounts={}, assistants={}, store=store, bench=bench), Metrics())


@pytest.fixture(params=["express", "flask"])
def client(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[Client]:
    """A client of the enabled routes, on either way."""
    gateway = gateway_of(database, ENABLED, tmp_path)
    yield Client(gateway.wsgi if request.param == "express" else gateway.flask)
    gateway.stop(time.monotonic())


def error_of(response: TestResponse) -> str:
    return str(msgspec.json.decode(response.data)["error"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/bench/echo"),
        ("GET", "/bench/rpc"),
        ("GET", "/bench/kvs/k"),
        ("PUT", "/bench/kvs/k"),
        ("GET", "/bench/stream"),
        ("POST", "/bench/stream"),
    ],
)
def test_it_is_not_there_unless_somebody_wants_it(tmp_path: Path, method: str, path: str) -> None:
    """Law: these routes ask nobody who they are, so the working default has none of them."""
    nowhere = "postgresql://127.0.0.1:1/none"
    off = Client(gateway_of(nowhere, BenchSettings(), tmp_path).wsgi)
    assert off.open(path, method=method, data=b"{}").status_code == 404
    on = Client(gateway_of(nowhere, ENABLED, tmp_path).wsgi)
    assert method in on.open(path, method="OPTIONS").headers["Allow"]


@pytest.mark.parametrize("sent", [b'{"b": [1, 2.5, null, true], "a": "\\u20ac\\u0000"}', b" [ ] ", b'""', b"-0"])
def test_echo_decodes_and_encodes(client: Client, sent: bytes) -> None:
    response = client.post("/bench/echo", data=sent)
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.data == msgspec.json.encode(msgspec.json.decode(sent))


NOT_JSON = (
    b"", b"{", b"[1,]", b"1 2", b"NaN", b'"\n"', b'"\xff"', b'{"\xff": 1}', b'"\\ud800"', b"1e999", b"\0", b'"\0"',
    b"[" * 9_999,
)  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/bench/echo"), ("PUT", "/bench/kvs/k"), ("POST", "/bench/stream")]
)
def test_what_is_not_json_is_the_callers_mistake(client: Client, method: str, path: str) -> None:
    """Law: 400 whatever it is, and it reaches neither a batch nor a stream."""
    answers = [client.open(path, method=method, data=sent) for sent in NOT_JSON]
    assert [answer.status_code for answer in answers] == [400] * len(NOT_JSON)
    assert {error_of(answer) for answer in answers} == {"not_json", "too_deep"}
    assert client.get("/bench/kvs/k").status_code == 404


def test_rpc_waits_and_lets_others_go_on(client: Client) -> None:
    began = time.monotonic()
    waiting = [gevent.spawn(client.get, "/bench/rpc") for _ in range(100)]
    answers = [each.get() for each in waiting]
    took_s = time.monotonic() - began

    assert [(each.status_code, each.data) for each in answers] == [(200, b'{"ok":true}')] * 100
    assert ENABLED.rpc_wait_s <= took_s < 100 * ENABLED.rpc_wait_s


def test_a_value_is_put_and_got(client: Client) -> None:
    """As text: spaces, the order of keys and numbers stay as they were."""
    value = b' {"b": 1.50, "a": "\\u0000", "\xe2\x82\xac": 1e2 } '
    missing = client.get("/bench/kvs/key-1.2_3~4")
    put = client.put("/bench/kvs/key-1.2_3~4", data=value)
    got = client.get("/bench/kvs/key-1.2_3~4")

    assert (missing.status_code, error_of(missing)) == (404, "no_such_key")
    assert (put.status_code, put.data) == (204, b"")
    assert (got.status_code, got.content_type, got.data) == (200, "application/json", value)


def test_keys_outside_of_ascii_are_keys(client: Client) -> None:
    """They pass the table by, and are answered all the same."""
    assert client.put("/bench/kvs/%E2%82%AC%20 %25", data=b"1").status_code == 204
    assert client.get("/bench/kvs/\u20ac%20 %25").data == b"1"


@pytest.mark.parametrize("key", ["nul%00", "%1F", "x" * (KEY_CHARS_MAX + 1)], ids=["nul", "separator", "long"])
def test_a_key_that_cannot_be_is_the_callers_mistake(client: Client, key: str) -> None:
    for response in (client.get(f"/bench/kvs/{key}"), client.put(f"/bench/kvs/{key}", data=b"1")):
        assert (response.status_code, error_of(response)) == (400, "bad_key")


def test_a_value_over_its_bound_is_refused_and_the_setting_named(client: Client) -> None:
    most = b'"%b"' % (b"x" * (ENABLED.kvs_value_bytes_max - 2))
    assert client.put("/bench/kvs/k", data=most).status_code == 204
    response = client.put("/bench/kvs/k", data=most + b" ")
    assert (response.status_code, error_of(response)) == (413, "value_too_large")
    assert b"bench.kvs_value_bytes_max" in response.data
    assert client.get("/bench/kvs/k").data == most


class Served:
    """The routes on our own server, which holds streams, or on one that gives each a greenlet."""

    def __init__(self, database_url: str, *, held: bool) -> None:
        store = StoreSettings(database_url=Secret(database_url))
        self._database = Database(store)
        settings = msgspec.structs.replace(ENABLED, stream_beat_s=30.0)
        self.bench = Bench(settings, KeyValues(self._database, store))
        app = flask.Flask("bench")
        app.register_blueprint(self.bench.pages())
        self.wsgi = Express(app, self.bench.routes(), body_bytes_max=10_000, body_timeout_s=5)
        listener = _socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        self.port: int = listener.getsockname()[1]
        if held:
            server = Server(self.wsgi, ServerSettings(), trusted=TrustedPeers(""))
            server.listen(listener)
            self._stop: Callable[[], None] = server.stop
        else:
            plain = WSGIServer(socket.socket(fileno=listener.detach()), self.wsgi, log=None, error_log=None)
            plain.start()
            self._stop = lambda: plain.stop(timeout=1)

    def publish(self, value: object) -> int:
        """Send an event; return how many streams were told."""
        answer = call(self.port, "/bench/stream", body=msgspec.json.encode(value))
        return int(answer.json["streams"])

    def close(self) -> None:
        self.bench.end()
        self._stop()
        self._database.close()


@pytest.fixture(params=["held", "plain"])
def anywhere(request: pytest.FixtureRequest, database: str) -> Iterator[Served]:
    """Both servers, one after the other."""
    serving = Served(database, held=request.param == "held")
    yield serving
    serving.close()


@pytest.fixture
def served(database: str) -> Iterator[Served]:
    """The server that does not hold streams; what is called without it is what it would call."""
    serving = Served(database, held=False)
    yield serving
    serving.close()


def test_one_event_reaches_all_open_streams(anywhere: Served) -> None:
    assert anywhere.publish({"n": 0}) == 0
    readers = [StreamReader(anywhere.port, "/bench/stream", {}) for _ in range(3)]
    assert readers[0].response.getheader("Content-Type") == "text/event-stream; charset=utf-8"
    until("three streams", lambda: anywhere.publish({"n": 1}) == 3)
    assert anywhere.publish({"n": 2}) == 3
    for reader in readers:
        told = [event.data for event in reader.until("bench")]
        while told[-1] != {"n": 2}:
            told += [event.data for event in reader.until("bench")]
        assert reader.retry_ms == RETRY_MS
        reader.close()


def test_streams_that_are_ended_say_when_to_come_back(anywhere: Served) -> None:
    reader = StreamReader(anywhere.port, "/bench/stream", {})
    until("the stream", lambda: anywhere.publish(1) == 1)
    # Behind the first event, and so behind the word with which every stream begins.
    assert reader.next() is not None
    reader.retry_ms = 0
    anywhere.bench.end()
    anywhere.bench.end()
    assert reader.rest() == []
    assert reader.retry_ms == RETRY_MS
    reader.close()
    assert anywhere.publish(2) == 0


def test_a_reader_that_leaves_is_forgotten(anywhere: Served) -> None:
    """By a server that holds streams at once; by another when it next writes."""
    reader = StreamReader(anywhere.port, "/bench/stream", {})
    until("the stream", lambda: anywhere.publish(1) == 1)
    reader.close()
    until("its end", lambda: anywhere.publish(2) == 0)
    assert not anywhere.bench._open


def test_asking_for_the_head_opens_no_stream(anywhere: Served) -> None:
    assert call(anywhere.port, "/bench/stream", method="HEAD").status == 200
    assert anywhere.publish(1) == 0
    assert not anywhere.bench._open


def opened(wsgi: Any, hold: Any = None) -> Any:
    """Open a stream as a server does, and return the body that it is given."""
    environ = flask.Flask("x").test_request_context("/bench/stream").request.environ
    if hold is not None:
        environ["gateway.hold"] = hold
    return wsgi(environ, lambda *_: lambda _: None)


def test_a_stream_that_nobody_reads_ends_instead_of_growing(served: Served) -> None:
    slow, other = opened(served.wsgi), opened(served.wsgi)
    assert next(slow) == next(other) == RETRY
    for number in range(EVENTS_WAITING_MAX):
        assert served.publish(number) == 2
        next(other)
    assert served.publish("too much") == 1
    assert served.publish("and more") == 1
    assert next(slow).count(b"event: bench") == EVENTS_WAITING_MAX
    with pytest.raises(StopIteration):
        next(slow)
    slow.close()
    other.close()
    assert served.publish("nobody") == 0


def test_a_stream_that_was_never_begun_gives_its_place_back(served: Served) -> None:
    """Law: a server closes a body that it never read."""
    body = opened(served.wsgi)
    assert served.publish(1) == 1
    body.close()
    assert served.publish(2) == 0
    assert not served.bench._open, "or the process would grow with each page that ever came by"


class Holding:
    """A server that holds streams: what ``environ["gateway.hold"]`` promises, and no more."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.over = False
        self.body = (b"held",)

    def __call__(
        self, opened: Callable[[Any], None], closed: Callable[[str], None], *, beat: bytes, beat_s: float
    ) -> Iterable[bytes]:
        self.opened, self.closed, self.beat, self.beat_s = opened, closed, beat, beat_s
        return self.body

    def send(self, data: bytes) -> bool:
        if not self.over:
            self.sent.append(data)
        return not self.over

    def end(self, last: bytes = b"") -> None:
        self.send(last)
        self.close("ended")

    def close(self, reason: str) -> None:
        if not self.over:
            self.over = True
            self.closed(reason)


def test_a_server_that_holds_streams_is_given_its_own_body_back(served: Served) -> None:
    """Law: it knows a held stream by the very object."""
    holding = Holding()
    assert opened(served.wsgi, holding) is holding.body
    assert (holding.beat, holding.beat_s) == (b"event: beat\ndata: {}\n\n", 30.0)
    assert served.publish(0) == 0, "the head is not written yet"
    holding.opened(holding)
    assert served.publish(1) == 1
    assert holding.sent == [RETRY, b"event: bench\ndata: 1\n\n"]
    holding.close("left")
    assert served.publish(2) == 0
    assert not served.bench._open


def test_held_streams_are_ended_too(served: Served) -> None:
    first, second = Holding(), Holding()
    for holding in (first, second):
        opened(served.wsgi, holding)
        holding.opened(holding)
    served.bench.end()
    assert first.sent == second.sent == [RETRY, RETRY]
    assert (first.over, second.over) == (True, True)


def test_a_held_stream_that_dies_while_it_is_told_harms_no_other(served: Served) -> None:
    """Law: the set of streams changes while it is gone through."""

    class Choking(Holding):
        def send(self, data: bytes) -> bool:
            if data != RETRY:
                self.close("slow_reader")
            return super().send(data)

    streams = [Choking(), Holding(), Choking(), Holding()]
    for holding in streams:
        opened(served.wsgi, holding)
        holding.opened(holding)
    assert served.publish(1) == 2
    assert [len(each.sent) for each in streams] == [1, 2, 1, 2]


def test_one_that_left_before_its_head_was_written_is_forgotten(served: Served) -> None:
    holding = Holding()
    opened(served.wsgi, holding)
    holding.close("left")
    assert served.publish(1) == 0


def test_a_draining_gateway_ends_them(tmp_path: Path) -> None:
    gateway = gateway_of("postgresql://127.0.0.1:1/none", ENABLED, tmp_path)
    holding = Holding()
    opened(gateway.wsgi, holding)
    holding.opened(holding)
    gateway.drain(time.monotonic())
    assert holding.over
