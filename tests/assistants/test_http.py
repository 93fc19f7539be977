"""Calls over HTTP: what an assistant receives, seen from its side of a real socket."""

from __future__ import annotations

import gzip
import re
import time
import zlib
from collections.abc import Iterator
from socket import socket

import msgspec
import pytest
from gevent.event import Event
from standardwebhooks.webhooks import Webhook

from gateway.assistants.http import HttpAssistant
from gateway.assistants.preview import Delta, Preview, ignore_preview
from gateway.domain.deadline import Deadline
from gateway.domain.errors import AssistantFailed
from gateway.domain.reply import Reply, Text
from gateway.rpc import RpcClient
from gateway.settings.assistants import AssistantSettings
from gateway.settings.secret import Secret
from tests.assistants.service import Received, Service, answer, event, head, serving
from tests.assistants.turns import CAPABILITIES, KEYS, LANE_KEY, TURN, deadline

GUARD_S = 10.0


def settings(url: str, **changes: object) -> AssistantSettings:
    secrets = tuple(Secret(key) for key in KEYS)
    return msgspec.structs.replace(AssistantSettings(url=url, signing_secrets=secrets), **changes)


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(answer(b'{"parts": [{"type": "text", "text": "Hi"}]}')) as running:
        yield running


def ask(assistant: HttpAssistant, *, budget_s: float = GUARD_S) -> Reply:
    return assistant.ask(TURN, LANE_KEY, CAPABILITIES, deadline(budget_s), ignore_preview)


def test_every_live_secret_proves_the_call(service: Service, rpc: RpcClient) -> None:
    """The reference library of Standard Webhooks is the judge, over the bytes that arrived."""
    ask(HttpAssistant("bartender", settings(service.url), rpc))

    call = service.received[0]
    for key in KEYS:
        assert Webhook(key).verify(call.body, call.headers)["turn_id"] == "123"
    assert call.headers["webhook-id"] == "turn_123_1"


def test_without_a_secret_the_call_is_not_signed(service: Service, rpc: RpcClient) -> None:
    ask(HttpAssistant("bartender", settings(service.url, signing_secrets=()), rpc))

    assert not [name for name in service.received[0].headers if name.startswith("webhook-")]


def test_every_call_is_a_span_of_its_turns_trace(service: Service, rpc: RpcClient) -> None:
    assistant = HttpAssistant("bartender", settings(service.url), rpc)
    ask(assistant)
    ask(assistant)

    found = [
        re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", call.headers["traceparent"])
        for call in service.received
    ]
    assert all(found)
    assert {match[1] for match in found if match} == {TURN.trace_id}
    assert len({match[2] for match in found if match}) == 2


def test_a_span_id_is_never_all_zero(service: Service, rpc: RpcClient) -> None:
    """The one draw that would make the header invalid."""
    ask(HttpAssistant("bartender", settings(service.url), rpc, random_bits=lambda bits: 0))

    assert service.received[0].headers["traceparent"].split("-")[2] == "0000000000000001"


def test_the_deadline_that_is_sent_shrinks_with_what_is_left(service: Service, rpc: RpcClient) -> None:
    """What is left of the turn when the call is made, less the margin; the same in header and body."""
    begun_at = time.monotonic()
    elapsed_s = iter((0.0, 1.5))
    assistant = HttpAssistant(
        "bartender",
        settings(service.url, deadline_margin_s=0.5),
        rpc,
        monotonic=lambda: begun_at + next(elapsed_s),
    )
    turn_deadline = Deadline.after(8, now=begun_at)
    for _ in range(2):
        assistant.ask(TURN, LANE_KEY, CAPABILITIES, turn_deadline, ignore_preview)

    assert [round(call.request.deadline_ms, -1) for call in service.received] == [7_500, 6_000]
    # The header is written by the RPC client, which has another clock here.
    sent = int(service.received[0].headers["switchboard-deadline-ms"])
    assert service.received[0].request.deadline_ms - 1_000 < sent <= service.received[0].request.deadline_ms


def test_the_deadline_that_is_sent_is_never_longer_than_a_call_may_take(
    service: Service, rpc: RpcClient
) -> None:
    """An assistant must not count on time that the gateway will not give it."""
    ask(HttpAssistant("bartender", settings(service.url, total_timeout_s=2.0, deadline_margin_s=0.5), rpc))

    assert 1_000 < service.received[0].request.deadline_ms <= 1_500


def test_nothing_is_sent_when_no_time_is_left_for_an_answer(service: Service, rpc: RpcClient) -> None:
    assistant = HttpAssistant("bartender", settings(service.url, deadline_margin_s=0.5), rpc)

    with pytest.raises(AssistantFailed, match="deadline_margin_s"):
        ask(assistant, budget_s=0.4)
    assert service.received == []


@pytest.mark.parametrize("rest", ["", "/", "/turn", "/a/b?c=d&e=%2F"])
def test_the_address_is_used_as_it_stands(service: Service, rpc: RpcClient, rest: str) -> None:
    base = service.url.removesuffix("/turn")

    ask(HttpAssistant("bartender", settings(base + rest), rpc))

    assert service.received[0].head == f"POST {rest or '/'} HTTP/1.1"


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=utf-8", "application/json ;a=b"]
)
def test_the_media_type_is_read_as_one(rpc: RpcClient, media_type: str) -> None:
    with serving(answer(b'{"parts": []}', media_type=media_type)) as service:
        assert ask(HttpAssistant("bartender", settings(service.url), rpc)) == Reply()


def test_a_compressed_reply_is_a_reply(rpc: RpcClient) -> None:
    packed = gzip.compress(b'{"parts": [{"type": "text", "text": "Hi"}]}')
    whole = head("application/json", "content-encoding: gzip", f"content-length: {len(packed)}") + packed

    with serving(lambda _call, connection: connection.sendall(whole)) as service:
        assert ask(HttpAssistant("bartender", settings(service.url), rpc)) == Reply((Text("Hi"),))
        assert service.received[0].headers["accept-encoding"] == "gzip"


def test_a_preview_of_a_compressed_stream_is_shown_as_soon_as_it_is_flushed(rpc: RpcClient) -> None:
    shown = Event()
    previews: list[Preview] = []

    def behave(_call: Received, connection: socket) -> None:
        packer = zlib.compressobj(wbits=31)
        connection.sendall(head("text/event-stream", "connection: close", "content-encoding: gzip"))
        first = packer.compress(event("delta", b'{"text": "Sha"}'))
        connection.sendall(first + packer.flush(zlib.Z_SYNC_FLUSH))
        assert shown.wait(GUARD_S)
        connection.sendall(packer.compress(event("reply", b'{"parts": []}')) + packer.flush())
        connection.close()

    def show(preview: Preview) -> None:
        previews.append(preview)
        shown.set()

    with serving(behave) as service:
        assistant = HttpAssistant("bartender", settings(service.url), rpc)
        assert assistant.ask(TURN, LANE_KEY, CAPABILITIES, deadline(GUARD_S), show) == Reply()
    assert previews == [Delta("Sha")]


def test_answers_in_one_piece_share_a_connection(service: Service, rpc: RpcClient) -> None:
    assistant = HttpAssistant("bartender", settings(service.url), rpc)
    for _ in range(3):
        assert ask(assistant) == Reply((Text("Hi"),))

    assert service.connections == 1


def test_a_preview_is_shown_while_the_assistant_still_works(rpc: RpcClient) -> None:
    """The service waits until its first piece has been shown: buffering anywhere would hang this test."""
    shown = Event()
    previews: list[Preview] = []

    def behave(_call: Received, connection: socket) -> None:
        connection.sendall(head("text/event-stream", "connection: close"))
        connection.sendall(event("delta", b'{"text": "Sha"}'))
        assert shown.wait(GUARD_S)
        connection.sendall(event("reply", b'{"parts": []}'))
        connection.close()

    def show(preview: Preview) -> None:
        previews.append(preview)
        shown.set()

    with serving(behave) as service:
        assistant = HttpAssistant("bartender", settings(service.url), rpc)
        assert assistant.ask(TURN, LANE_KEY, CAPABILITIES, deadline(GUARD_S), show) == Reply()
    assert previews == [Delta("Sha")]


def test_the_reply_ends_the_call_though_the_stream_goes_on(rpc: RpcClient) -> None:
    """The answer does not wait for an assistant that forgets to hang up, and the connection is let go."""
    gone = Event()

    def behave(_call: Received, connection: socket) -> None:
        connection.sendall(head("text/event-stream", "connection: close"))
        connection.sendall(event("reply", b'{"parts": []}'))
        assert connection.recv(1) == b""
        gone.set()

    with serving(behave) as service:
        started_at = time.monotonic()
        assert ask(HttpAssistant("bartender", settings(service.url), rpc)) == Reply()
        assert time.monotonic() - started_at < GUARD_S / 2
        assert gone.wait(GUARD_S)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"url": ""},
            r"assistants\.bartender\.url: expected http://, https:// or http\+unix:// and a host, got scheme none",
        ),
        ({"url": "ftp://host/"}, "got scheme ftp"),
        ({"url": "http://[::1/"}, r"assistants\.bartender\.url"),
        ({"url": "http://host/a turn?key=oops"}, r"assistants\.bartender\.url: expected visible ASCII"),
        ({"url": "http://host/café"}, r"assistants\.bartender\.url: expected visible ASCII"),
        (
            {"signing_secrets": (Secret(KEYS[0]), Secret("whsec_oops"))},
            r"assistants\.bartender\.signing_secrets\[1\]",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_when_they_are_read(
    rpc: RpcClient, changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        HttpAssistant("bartender", settings(**{"url": "http://127.0.0.1:1/"} | changes), rpc)

    assert "oops" not in str(refused.value)


def test_a_streamed_reply_counts_for_the_assistants_health(rpc: RpcClient) -> None:
    """Were leaving it at its reply no success, failures alone would count, and no probe could succeed."""

    def behave(_call: Received, connection: socket) -> None:
        connection.sendall(head("text/event-stream", "connection: close") + event("reply", b'{"parts": []}'))
        connection.recv(1)

    with serving(behave) as service:
        ask(HttpAssistant("bartender", settings(service.url), rpc))

    (health,) = rpc.breakers().values()
    assert (health.calls, health.failed) == (1, 0)


@pytest.mark.parametrize("honours", [True, False])
def test_a_call_that_may_have_arrived_is_repeated_only_for_an_assistant_that_knows_its_key(
    rpc: RpcClient, honours: bool
) -> None:
    """A kept connection dies under the second call: the same turn, key and signature may go out once more."""
    greeting = answer(b'{"parts": []}')

    def behave(call: Received, connection: socket) -> None:
        if len(service.received) == 2:
            connection.close()
        else:
            greeting(call, connection)

    with serving(behave) as service:
        assistant = HttpAssistant("bartender", settings(service.url, honours_idempotency_key=honours), rpc)
        ask(assistant)
        if honours:
            assert ask(assistant) == Reply()
            second, third = service.received[1:]
            left_ms = [int(call.headers.pop("switchboard-deadline-ms")) for call in (second, third)]
            assert left_ms[0] >= left_ms[1] > 0
            assert (second.body, second.headers) == (third.body, third.headers)
        else:
            with pytest.raises(AssistantFailed) as failed:
                ask(assistant)
            assert failed.value.reason == "connection_lost"
            assert len(service.received) == 2
