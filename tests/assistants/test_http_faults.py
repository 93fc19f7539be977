"""Assistants that crash, hang and lie: each ends with its own reason, within its own bound, and is forgotten.

All of them are real services on real sockets.
"""

from __future__ import annotations

import gzip
import itertools
import struct
import time
from socket import SO_LINGER, SOL_SOCKET, socket

import gevent
import msgspec
import pytest

from gateway.assistants.http import HttpAssistant
from gateway.assistants.preview import ignore_preview
from gateway.domain.errors import AssistantFailed
from gateway.rpc import RpcClient
from gateway.settings.assistants import AssistantSettings
from tests.assistants.service import Behaviour, Received, answer, event, head, serving
from tests.assistants.turns import CAPABILITIES, LANE_KEY, TURN, deadline

#: Small bounds, so that meeting them takes no time.
SETTINGS = AssistantSettings(
    connect_timeout_s=1.0,
    first_byte_timeout_s=0.4,
    idle_timeout_s=0.4,
    total_timeout_s=1.5,
    deadline_margin_s=0.1,
    events_max=50,
    reply_bytes_max=20_000,
    stream_bytes_max=200_000,
)
#: Far above every bound, and far below what an unbounded wait would take.
GUARD_S = 8.0
DELTA = event("delta", b'{"text": "x"}')


def fail(
    url: str, rpc: RpcClient, *, budget_s: float = 30.0, settings: AssistantSettings = SETTINGS
) -> AssistantFailed:
    """Return the failure that a call of *url* ends in, soon."""
    assistant = HttpAssistant("bartender", msgspec.structs.replace(settings, url=url), rpc)
    started_at = time.monotonic()
    with pytest.raises(AssistantFailed) as failed:
        assistant.ask(TURN, LANE_KEY, CAPABILITIES, deadline(budget_s), ignore_preview)
    assert time.monotonic() - started_at < GUARD_S
    return failed.value


def send(*pieces: bytes, hang: bool = False) -> Behaviour:
    """Send *pieces*, then close the connection, or leave it open and say no more."""

    def behave(_call: Received, connection: socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
        if hang:
            connection.recv(1)
        connection.close()

    return behave


def drip(first: bytes, piece: bytes, pause_s: float) -> Behaviour:
    """Send *first*, then *piece* again and again, until the caller hangs up."""

    def behave(_call: Received, connection: socket) -> None:
        connection.sendall(first)
        for _ in itertools.repeat(None):
            connection.sendall(piece)
            gevent.sleep(pause_s)

    return behave


def reset(_call: Received, connection: socket) -> None:
    """Crash: the kernel answers with a reset."""
    connection.sendall(head("application/json", "content-length: 100") + b"{")
    connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


STREAM = head("text/event-stream", "connection: close")
JSON = head("application/json", "content-length: 100")

FAULTS: dict[str, tuple[Behaviour, str]] = {
    # It crashes.
    "closes without a word": (send(), "connection_lost"),
    "closes inside its head": (send(b"HTTP/1.1 200 OK\r\ncontent-"), "connection_lost"),
    "closes inside its body": (send(JSON, b'{"parts": ['), "connection_lost"),
    "closes inside a chunk": (
        send(head("application/json", "transfer-encoding: chunked"), b"ff\r\n{"),
        "connection_lost",
    ),
    "resets inside its body": (reset, "connection_lost"),
    "ends its stream without a reply": (send(STREAM, DELTA), "stream_without_reply"),
    "ends its stream at once": (send(STREAM), "stream_without_reply"),
    # It is slow.
    "never answers": (send(hang=True), "timeout"),
    "stops inside its head": (send(b"HTTP/1.1 200 OK\r\n", hang=True), "timeout"),
    "stops inside its body": (send(JSON, b"{", hang=True), "timeout"),
    "stops inside its stream": (send(STREAM, DELTA, hang=True), "timeout"),
    "drips its head": (drip(b"HTTP/1.1 200 OK\r\nx: ", b"x", 0.05), "timeout"),
    "drips its body": (drip(head("application/json", "content-length: 10000"), b" ", 0.05), "timeout"),
    "drips its stream": (drip(STREAM, b": still here\n\n", 0.05), "timeout"),
    # It lies.
    "speaks no HTTP": (send(b"SSH-2.0-OpenSSH_9.6\r\n"), "bad_answer"),
    "is a web page": (answer(b"<html>hi</html>", media_type="text/html"), "wrong_content_type"),
    "says nothing of its type": (
        send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
        "wrong_content_type",
    ),
    "compresses as nobody asked for": (
        send(head("application/json", "content-encoding: br", "content-length: 2"), b"{}"),
        "bad_answer",
    ),
    "says that it compresses and does not": (
        send(head("application/json", "content-encoding: gzip", "content-length: 2"), b"{}"),
        "bad_answer",
    ),
    "breaks off what it compresses": (
        send(head("application/json", "content-encoding: gzip"), gzip.compress(b'{"parts": []}')[:-1]),
        "connection_lost",
    ),
    "is not JSON": (answer(b"Sure! Here is your JSON:"), "not_json"),
    "is not UTF-8": (answer(b'{"parts": [{"type": "text", "text": "\xff"}]}'), "not_json"),
    "is empty": (answer(b""), "not_json"),
    "has another schema": (answer(b'{"choices": [{"text": "hi"}]}'), "wrong_schema"),
    "has a wrong type": (answer(b'{"parts": [{"type": "text", "text": 1}]}'), "wrong_schema"),
    "is nested without end": (
        answer(b'{"parts": [], "state": {"a": ' + b"[" * 9000 + b"]" * 9000 + b"}}"),
        "too_deep",
    ),
    "streams what is not JSON": (send(STREAM, event("reply", b"hi")), "not_json"),
    "streams a wrong schema": (send(STREAM, event("delta", b"{}")), "wrong_schema"),
    "fails": (answer(b"oops", status="500 Internal Server Error"), "http_500"),
    "is overloaded": (answer(b"", status="503 Service Unavailable"), "http_503"),
    "redirects": (
        send(head("text/html", "location: http://127.0.0.1:1/", "content-length: 0", status="302 Found")),
        "http_302",
    ),
    "redirects and keeps the method": (
        send(head("text/html", "location: /turn", "content-length: 0", status="307 Temporary Redirect")),
        "http_307",
    ),
    "has no content": (send(b"HTTP/1.1 204 No Content\r\n\r\n"), "http_204"),
    "refuses the fence": (answer(b"{}", status="409 Conflict"), "http_409"),
    # It talks too much.
    "announces 10 MB": (
        send(head("application/json", "content-length: 10000000"), b"x" * 100_000),
        "too_large",
    ),
    "compresses 30 MB": (
        send(head("application/json", "content-encoding: gzip"), gzip.compress(b" " * 30_000_000)),
        "too_large",
    ),
    "compresses one byte too many": (
        send(head("application/json", "content-encoding: gzip"), gzip.compress(b" " * 20_001)),
        "too_large",
    ),
    "says one byte too many and waits": (
        send(head("application/json", "content-length: 30000"), b" " * 20_001, hang=True),
        "too_large",
    ),
    "sends 10 MB unannounced": (
        drip(head("application/json", "connection: close"), b"x" * 100_000, 0),
        "too_large",
    ),
    "sends 10 MB in chunks": (
        drip(
            head("application/json", "transfer-encoding: chunked"), b"186a0\r\n" + b"x" * 100_000 + b"\r\n", 0
        ),
        "too_large",
    ),
    "streams one endless event": (drip(STREAM + b"data: ", b"x" * 1000, 0), "too_large"),
    "streams endless events": (drip(STREAM, DELTA, 0), "stream_too_long"),
    "streams endless comments": (drip(STREAM, b": x\n" * 1000, 0), "stream_too_long"),
    "has an endless head": (drip(b"HTTP/1.1 200 OK\r\n", b"x: " + b"y" * 1000 + b"\r\n", 0), "bad_answer"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_with_its_reason(fault: str, rpc: RpcClient) -> None:
    """In bounded time, however it goes on; and the service sees its caller hang up."""
    behaviour, reason = FAULTS[fault]

    with serving(behaviour) as service:
        assert fail(service.url, rpc).reason == reason
        assert len(service.received) == 1

        with gevent.Timeout(GUARD_S):
            while service.connections and reason in {"timeout", "too_large", "stream_too_long"}:
                gevent.sleep(0.01)


def test_nobody_listens(rpc: RpcClient) -> None:
    with serving(send()) as service:
        url = service.url

    assert fail(url, rpc).reason == "unreachable"


def test_a_name_that_does_not_exist(rpc: RpcClient) -> None:
    assert fail("http://assistant.invalid/", rpc).reason == "unreachable"


@pytest.mark.parametrize(
    ("behaviour", "setting"),
    [
        (send(hang=True), "assistants.bartender.first_byte_timeout_s"),
        (send(JSON, hang=True), "assistants.bartender.idle_timeout_s"),
        (drip(JSON, b"", 0.05), "assistants.bartender.idle_timeout_s"),
        (drip(STREAM, b":\n", 0.05), "assistants.bartender.total_timeout_s"),
    ],
    ids=["no head", "silence", "empty writes", "drip"],
)
def test_a_timeout_names_the_setting_that_ended_it(
    behaviour: Behaviour, setting: str, rpc: RpcClient
) -> None:
    """The assistant's own, by the name that it has in the file."""
    with serving(behaviour) as service:
        assert setting in str(fail(service.url, rpc))


def test_the_turns_deadline_ends_a_call_before_its_timeouts(rpc: RpcClient) -> None:
    patient = msgspec.structs.replace(SETTINGS, first_byte_timeout_s=60.0, total_timeout_s=60.0)

    with serving(send(hang=True)) as service:
        assert fail(service.url, rpc, budget_s=0.5, settings=patient).reason == "timeout"


def test_an_assistant_that_is_down_is_not_called_for_a_while(rpc: RpcClient) -> None:
    """The circuit breaker's refusal is a failure of the turn like any other, and costs no time."""
    with serving(send()) as service:
        url = service.url

    reasons = [fail(url, rpc).reason for _ in range(7)]

    assert reasons[0] == "unreachable"
    assert reasons[-1] == "breaker_open"


def test_no_error_shows_what_the_assistant_said(rpc: RpcClient) -> None:
    for body in (b"CONFIDENTIAL", b'{"parts": [{"type": "CONFIDENTIAL"}]}', b'{"CONFIDENTIAL": 1}'):
        with serving(answer(body)) as service:
            assert "CONFIDENTIAL" not in str(fail(service.url, rpc))
