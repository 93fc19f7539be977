"""Whatever is sent to a door: a documented status in bounded time, never a 500, and the process stays up."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.channels.slack.deliveries import SAMPLES, encode, sample
from tests.fuzz.door import ask, request, status_of
from tests.fuzz.mutations import AWKWARD, JSON, mutated, placed
from tests.support.slack_platform import Delivery
from tests.support.stack import Stack
from tests.support.visitor import Visitor

pytestmark = pytest.mark.slow
explore = settings(
    settings.get_profile("explore"),
    max_examples=1_000,
    # One gateway takes them all: that is what it is for.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

DELIVERIES = [
    encode({key: value for key, value in sample(path.stem).items() if key != "expected"})
    for path in sorted(SAMPLES.glob("*.json"))
]
#: What users said; the rest is only acknowledged.
BODIES = [sample(path.stem)["body"] for path in sorted(SAMPLES.glob("event_*.json"))]
MESSAGES = [
    {"id": "message-0001", "text": "hello"},
    {"id": "message-0002", "text": "hello", "chat": "work"},
    {"id": "message-0003", "tap": {"name": "choice", "value": "1", "label": "One"}},
]
VISITOR = Visitor()
#: What HTTP itself lets a server say to a request that is none: gunicorn's word, before ours.
NOT_HTTP = {0, 400, 405, 408, 413, 414, 417, 431, 501, 505}


@explore
@given(st.data())
def test_signed_and_mutated_deliveries(stack: Stack, data: st.DataObject) -> None:
    """Authentic, so accepted, kept as a dead letter or put off; a 4xx would make Slack give the app up."""
    content_type, body = data.draw(
        st.sampled_from(DELIVERIES).flatmap(
            lambda one: st.tuples(
                st.sampled_from([one[0], one[0], "application/json", "text/plain", ""]),
                mutated(st.just(one[1])),
            )
        )
    )
    assert _signed(stack, content_type, body) in {200, 503}


@settings(explore, max_examples=2_000)
@given(body=st.sampled_from(BODIES).flatmap(placed))
def test_signed_deliveries_with_anything_in_any_place(stack: Stack, body: object) -> None:
    """The same for JSON that is whole and means something else."""
    assert _signed(stack, "application/json", _encode(body)) in {200, 503}


def _encode(value: object) -> bytes:
    # The standard library also writes what JSON does not have, and lone surrogates.
    return json.dumps(value).encode()


def _signed(stack: Stack, content_type: str, body: bytes) -> int:
    headers = Delivery(body, content_type).headers()
    return ask(stack.port, b"POST", b"/hooks/slack/shop", headers, body)


FORGED = st.dictionaries(
    st.sampled_from(["X-Slack-Signature", "X-Slack-Request-Timestamp", "Content-Type", "X-Slack-Retry-Num"]),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n\x00"), max_size=80)
    | st.sampled_from(["v0=" + "0" * 64, "v0=", "0", "-1", "9" * 30, "١٧٦٣٨", "application/json"]),
)


def test_unsigned_deliveries(stack: Stack) -> None:
    """Not authentic: refused, and nothing is stored."""

    @explore
    @given(mutated(st.sampled_from([body for _, body in DELIVERIES])), FORGED)
    def deliver(body: bytes, headers: dict[str, str]) -> None:
        assert ask(stack.port, b"POST", b"/hooks/slack/shop", headers, body) in {400, 401}

    stack.ledger.wait_quiet()
    before = stack.ledger.counts()
    deliver()
    assert stack.ledger.counts() == before


@explore
@given(
    body=mutated(st.sampled_from(MESSAGES).map(_encode))
    | st.sampled_from(MESSAGES).flatmap(placed).map(_encode)
    | st.binary(max_size=100),
    prefer=st.sampled_from(
        ["", "wait=0", "wait=1", "wait=99999999", "wait=-1", 'wait="1', ";;,,wait", "wait=1e9"]
    ),
)
def test_a_visitors_messages(stack: Stack, body: bytes, prefer: str) -> None:
    """Our own page is told what is wrong; with a wait the answer is there or pending."""
    headers = {**VISITOR.headers(), "Prefer": prefer}
    assert ask(stack.port, b"POST", VISITOR.path.encode(), headers, body) in {200, 202, 400, 413, 429, 503}


def _in_path(raw: bytes) -> bytes:
    return b"".join(b"%%%02x" % byte for byte in raw)


COOKIE = VISITOR.cookie.encode()


@explore
@given(
    method=st.sampled_from([*[b"GET"] * 6, b"HEAD", b"POST", b"OPTIONS", b"PUT", b"DELETE", b"BREW"]),
    account=st.sampled_from(
        [*[b"shop"] * 6, b"mute", b"nobody", b"", b"shop/", b"..", b"%2e%2e", b"sh%6fp", b"%ff", b"%00"]
    )
    | st.binary(max_size=12).map(_in_path),
    rest=st.sampled_from(
        [b"", b"/events", b"/events", b"/events/", b"//events", b"/static/chat.js", b"/events%00"]
    ),
    query=st.sampled_from(
        [b"", b"?", b"?chat=work", b"?chat=", b"?after=1", b"?after=-1", b"?after=" + b"9" * 40]
    )
    | st.binary(max_size=20).map(lambda raw: b"?chat=" + _in_path(raw)),
    cookie=st.sampled_from([COOKIE, b""]) | mutated(st.just(COOKIE)),
    last_event_id=st.sampled_from([b"", b"1", b"-1", b"9" * 30, b"\xd9\xa1", b"null"]),
)
def test_the_chat_page(
    stack: Stack,
    method: bytes,
    account: bytes,
    rest: bytes,
    query: bytes,
    cookie: bytes,
    last_event_id: bytes,
) -> None:
    """A page, a stream, a refusal: for any visitor, place and method."""
    # A line break would make it another request; those are test_any_bytes_at_all's.
    line = cookie.translate(None, b"\r\n\x00")
    headers = b"Host: localhost\r\nConnection: close\r\nContent-Length: 0\r\n"
    headers += b"Cookie: " + line + b"\r\nLast-Event-ID: " + last_event_id + b"\r\n"
    status = ask(stack.port, method, b"/chat/" + account + rest + query, headers)
    assert status in {200, 308, 400, 401, 404, 405, 431, 503}


HEAD = request(b"POST", b"/hooks/slack/shop", Delivery(b"{}").headers(), b"{}")


@explore
@given(
    mutated(st.sampled_from([HEAD, request(b"GET", b"/chat/shop", {"Cookie": VISITOR.cookie}), b""]))
    | st.binary(max_size=200)
)
def test_any_bytes_at_all(stack: Stack, data: bytes) -> None:
    """What is no request is refused or hung up on; what happens to be one is answered like one."""
    assert status_of(stack.port, data, end=True) in NOT_HTTP | {200, 202, 308, 401, 404}


@explore
@given(
    target=st.sampled_from(
        [b"/healthz", b"/readyz", b"/metrics", b"/api/v1/assistant.schema.json", b"/", b"//"]
    )
    | st.sampled_from(AWKWARD).map(lambda raw: b"/" + _in_path(raw)[:6_000]),
    method=st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"DELETE"]),
    value=JSON,
)
def test_operating_routes(stack: Stack, target: bytes, method: bytes, value: object) -> None:
    """Probes take no body and mind none."""
    body = _encode(value)
    assert ask(stack.port, method, target, {}, body) in {200, 308, 400, 404, 405, 503}
