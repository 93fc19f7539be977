"""What is not a message of a user: each with a clear status, and nothing stored."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Mapping

import msgspec
import pytest

from tests.support.calling import Answer, call
from tests.support.slack_platform import Delivery, SlackPlatform
from tests.support.stack import Stack, word
from tests.support.visitor import Visitor, texts

FORM = "application/x-www-form-urlencoded"
DEEP = b"[" * 100_000
#: More than server.body_bytes_max.
LARGE = b"a" * 5_000_000


@pytest.fixture
def settled_stack(stack: Stack) -> Stack:
    """A stack in which nothing is under way: what is counted after is this test's own."""
    stack.ledger.wait_quiet()
    return stack


def _slack(
    stack: Stack, headers: Mapping[str, str], *, account: str = "shop", body: bytes | None = None
) -> Answer:
    sent = stack.slack.event("hello", channel="H1").body if body is None else body
    return call(stack.port, f"/hooks/slack/{account}", body=sent, headers=headers)


def _signed(stack: Stack, *, late_s: float = 0, secret: str | None = None, account: str = "shop") -> Answer:
    delivery = stack.slack.event("hello", channel="H1", account=account)
    more = {} if secret is None else {"secret": secret}
    headers = delivery.headers(at_s=time.time() - late_s, **more)
    return call(stack.port, f"/hooks/slack/{account}", body=delivery.body, headers=headers)


def _changed(stack: Stack) -> Answer:
    delivery = stack.slack.event("hello", channel="H1")
    return call(
        stack.port,
        "/hooks/slack/shop",
        body=delivery.body.replace(b"hello", b"hullo"),
        headers=delivery.headers(),
    )


SLACK_REFUSED = {
    "unsigned": (lambda stack: _slack(stack, {"Content-Type": "application/json"}), 401),
    "wrong signature": (_changed, 401),
    "wrong secret": (lambda stack: _signed(stack, secret="another app's"), 401),
    "stale": (lambda stack: _signed(stack, late_s=301), 401),
    "from the future": (lambda stack: _signed(stack, late_s=-302), 401),
    "no secret configured": (lambda stack: _signed(stack, account="mute"), 401),
    "unknown account": (lambda stack: _signed(stack, account="nobody"), 404),
    "unknown channel": (lambda stack: call(stack.port, "/hooks/pigeon/shop", body=b"{}"), 404),
    "too large": (lambda stack: Delivery(LARGE).send(stack.port), 413),
    "GET": (lambda stack: call(stack.port, "/hooks/slack/shop", method="GET"), 401),
    "PUT": (lambda stack: call(stack.port, "/hooks/slack/shop", method="PUT", body=b"{}"), 405),
}


@pytest.mark.parametrize("name", SLACK_REFUSED)
def test_slack_is_refused(settled_stack: Stack, name: str) -> None:
    """Not proved, not addressed or not bearable: refused with the status of its cause, and nothing is stored."""
    send, status = SLACK_REFUSED[name]
    before = settled_stack.ledger.counts()

    assert send(settled_stack).status == status
    assert settled_stack.ledger.counts() == before


NOT_UNDERSTOOD = {
    "truncated": (Delivery(b'{"type": "event_callback", "event": {"ty'), "not_json"),
    "deeply nested": (Delivery(b'{"type": "event_callback", "event": {"blocks": ' + DEEP), "too_deep"),
    "invalid UTF-8": (Delivery(b'{"type": "event_callback", "event": {"text": "\xff\xfe"}}'), "not_utf8"),
    "another type": (Delivery(b'{"type": "telegram"}'), "unknown_type"),
    "wrong schema": (
        Delivery(b'{"type": "event_callback", "event": {"type": "message", "user": 7}}'),
        "wrong_schema",
    ),
    "empty": (Delivery(b""), "not_json"),
    "form without fields": (Delivery(b"", FORM), "wrong_schema"),
    "form with a truncated payload": (Delivery(b"payload=%7B%22type%22", FORM), "not_json"),
}


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_authentic_but_not_understood(settled_stack: Stack, name: str) -> None:
    """Slack, which would suspend an app for its 4xx, gets a 200; the bytes are kept whole as a dead letter."""
    delivery, reason = NOT_UNDERSTOOD[name]
    before = settled_stack.ledger.counts()

    assert delivery.send(settled_stack.port).status == 200
    assert settled_stack.ledger.counts() == {**before, "dead_letters": before["dead_letters"] + 1}
    [letter] = settled_stack.ledger.rows("SELECT * FROM dead_letters ORDER BY id DESC LIMIT 1")
    assert (letter["kind"], letter["reason"]) == ("delivery", reason)
    assert bytes(letter["body"]) == delivery.body
    assert letter["content_type"] == delivery.content_type


def _visitor(stack: Stack, body: bytes, *, drop: str = "", **more: str) -> Answer:
    visitor = Visitor()
    headers = {name: value for name, value in visitor.headers().items() if name != drop}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    return call(stack.port, visitor.path, body=body, headers=headers)


MESSAGE = b'{"id": "message-0001", "text": "hello"}'

WEBCHAT_REFUSED = {
    "no cookie": (lambda stack: _visitor(stack, MESSAGE, drop="Cookie"), 401, "no_visitor"),
    "a made-up cookie": (
        lambda stack: _visitor(stack, MESSAGE, Cookie="switchboard_shop=ada.1.00"),
        401,
        "no_visitor",
    ),
    "wrong secret": (lambda stack: Visitor(secret="another").say(stack.port, "hello"), 401, "no_visitor"),
    "another account's cookie": (
        lambda stack: _visitor(stack, MESSAGE, Cookie=Visitor("hasty").cookie.replace("hasty", "shop")),
        401,
        "no_visitor",
    ),
    "stale cookie": (
        lambda stack: Visitor(at_s=time.time() - 181 * 86_400).say(stack.port, "hello"),
        401,
        "no_visitor",
    ),
    "future cookie": (
        lambda stack: Visitor(at_s=time.time() + 400).say(stack.port, "hello"),
        401,
        "no_visitor",
    ),
    "no secret configured": (lambda stack: Visitor("mute").say(stack.port, "hello"), 401, "no_secret"),
    "foreign origin": (
        lambda stack: _visitor(stack, MESSAGE, Origin="https://evil.example"),
        401,
        "foreign_origin",
    ),
    "a form": (lambda stack: _visitor(stack, b"text=hello", Content_Type=FORM), 415, "wrong_content_type"),
    "unknown account": (lambda stack: Visitor("nobody").say(stack.port, "hello"), 404, "unknown_account"),
    "truncated": (lambda stack: _visitor(stack, MESSAGE[:-3]), 400, "not_json"),
    "deeply nested": (
        lambda stack: _visitor(stack, b'{"id": "message-0001", "blocks": ' + DEEP),
        400,
        "too_deep",
    ),
    "invalid UTF-8": (
        lambda stack: _visitor(stack, b'{"id": "message-0001", "text": "\xff"}'),
        400,
        "not_utf8",
    ),
    "no id": (lambda stack: _visitor(stack, b'{"text": "hello"}'), 400, "wrong_schema"),
    "neither text nor tap": (lambda stack: _visitor(stack, b'{"id": "message-0001"}'), 400, "wrong_schema"),
    "no words": (lambda stack: _visitor(stack, b'{"id": "message-0001", "text": " \\n "}'), 400, "empty"),
    "a batch": (lambda stack: _visitor(stack, b"[]"), 400, "wrong_schema"),
    "empty": (lambda stack: _visitor(stack, b""), 400, "not_json"),
    "long text": (lambda stack: Visitor().say(stack.port, "a" * 4_001), 413, "text_too_long"),
    "too large": (lambda stack: _visitor(stack, LARGE), 413, "body_too_large"),
    "GET": (
        lambda stack: call(stack.port, "/hooks/webchat/shop", method="GET"),
        415,
        "wrong_content_type",
    ),
}


@pytest.mark.parametrize("name", WEBCHAT_REFUSED)
def test_a_page_is_refused(settled_stack: Stack, name: str) -> None:
    """A page reads our answer: it gets the status and the reason, and nothing is stored."""
    send, status, reason = WEBCHAT_REFUSED[name]
    before = settled_stack.ledger.counts()
    answer = send(settled_stack)

    assert (answer.status, answer.json["error"]) == (status, reason)
    assert settled_stack.ledger.counts() == before


def test_a_body_that_is_announced_and_too_large_is_not_read(stack: Stack) -> None:
    """A refusal by size comes from the announcement: the sender need not send all of it first."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
    connection.putrequest("POST", "/hooks/slack/shop")
    connection.putheader("Content-Length", "1099511627776")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def _in_chunks(stack: Stack, body: bytes) -> int:
    headers = {**Delivery(body).headers(), "Transfer-Encoding": "chunked"}
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
    pieces = (body[at : at + 1_000] for at in range(0, len(body), 1_000))
    # It does not read all of what it refuses.
    with contextlib.suppress(OSError):
        connection.request("POST", "/hooks/slack/shop", pieces, headers, encode_chunked=True)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_body_in_chunks(stack: Stack) -> None:
    """Nobody announces its size: it is accepted all the same, and bounded all the same."""
    said = word()
    assert _in_chunks(stack, stack.slack.event(said + " " + "long " * 1_000, channel="H4").body) == 200
    stack.slack.wait_for(said)
    stack.ledger.wait_quiet()
    before = stack.ledger.counts()
    assert _in_chunks(stack, b"a" * 1_100_000) == 413
    assert stack.ledger.counts() == before


#: As Slack and JavaScript write them, and what the assistant gets instead.
UNSTORABLE = {"NUL": r"be\u0000fore", "lone surrogate": r"be\ud83dfore", "both": r"be\udc00\u0000fore"}


@pytest.mark.parametrize("name", UNSTORABLE)
def test_what_no_store_can_keep_is_cleaned_on_slack(stack: Stack, name: str) -> None:
    """A text with NUL or a lone surrogate is accepted, cleaned, and answered."""
    said = word()
    plain = stack.slack.event(f"{said} HERE", channel="H2")
    delivery = Delivery(plain.body.replace(b"HERE", UNSTORABLE[name].encode()))
    assert delivery.send(stack.port).status == 200

    stack.ledger.wait_outbox(said, "sent")
    [asked] = stack.assistant.turns(said)
    assert asked.message.text.replace("\ufffd", "") == f"{said} before"
    assert "\ufffd" in asked.message.text


@pytest.mark.parametrize("name", UNSTORABLE)
def test_what_no_store_can_keep_is_cleaned_on_the_page(stack: Stack, name: str) -> None:
    """The same for a visitor."""
    said = word()
    body = f'{{"id": "message-{said}", "text": "{said} {UNSTORABLE[name]}"}}'.encode()
    answer = Visitor().post(stack.port, body, wait_s=20)

    assert answer.status == 200
    [text] = texts(answer)
    assert text.replace("\ufffd", "") == f"echo: {said} before"


def test_every_script_and_symbol_survives(stack: Stack) -> None:
    """What is no trouble is not touched: right-to-left, combined and astral characters, quotes and backslashes."""
    said = word()
    text = said + " שלום é́ 👩‍👩‍👧 \U0001f34b \\ \" ' \t < > & %s {} \u2028"
    answer = Visitor().say(stack.port, text, wait_s=20)
    assert texts(answer) == [f"echo: {text}"]
    [turn] = stack.ledger.turns(said)
    assert turn["message"]["text"] == text


def test_an_event_without_messages_is_acknowledged(settled_stack: Stack) -> None:
    """The empty batch of a platform that does not batch: an event that is nobody's words."""
    before = settled_stack.ledger.counts()
    platform: SlackPlatform = settled_stack.slack
    body = msgspec.json.decode(platform.event("", channel="H3").body)
    body["event"] = {"type": "reaction_added", "user": "U1", "reaction": "+1"}
    assert Delivery(msgspec.json.encode(body)).send(settled_stack.port).status == 200
    assert settled_stack.ledger.counts() == before
