"""What a user and an assistant say, and what proves a caller, stands in no log and on no page of numbers."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from gateway.domain.reply import Reply, Text
from tests.support.assistant import says
from tests.support.calling import call
from tests.support.slack_platform import BOT_TOKEN, SIGNING_SECRET, Delivery
from tests.support.stack import Stack, running_stack
from tests.support.stand_in import status
from tests.support.stores import Migrated, Stores
from tests.support.visitor import COOKIE_SECRET, Visitor

#: One word that everybody says, in every place where something is said.
WORD = "unmentionable"


@pytest.fixture(scope="module")
def stack(stores: Stores, migrated: Migrated) -> Iterator[Stack]:
    """One that logs all that it can."""
    with migrated() as url, running_stack(url, stores.redis.url, settings={"logging.level": "debug"}) as stack:
        yield stack


def _everything_happens(stack: Stack, visitor: Visitor) -> list[str]:
    """Succeed and fail in every way with WORD in it; return the signatures that were sent."""
    event = stack.slack.event(f"{WORD} event", channel="S1")
    signed = event.headers()
    assert call(stack.port, "/hooks/slack/shop", body=event.body, headers=signed).status == 200
    stack.slack.wait_for(f"{WORD} event")
    assert stack.slack.command(f"{WORD} command", channel="S2").send(stack.port).status == 200

    forged = event.headers(secret=f"{WORD} secret")
    assert call(stack.port, "/hooks/slack/shop", body=event.body, headers=forged).status == 401
    for broken in (
        f'{{"type": "{WORD}"}}',
        f'{{"type": "event_callback", "event": "{WORD}"',
        f"payload={WORD}",
    ):
        media = "application/json" if broken.startswith("{") else "application/x-www-form-urlencoded"
        assert Delivery(broken.encode(), media).send(stack.port).status == 200
    assert call(stack.port, f"/hooks/slack/{WORD}", body=b"{}").status == 404
    assert call(stack.port, f"/hooks/{WORD}/shop", body=b"{}").status == 404

    for failing in (
        status(f"500 {WORD}", WORD.encode()),
        lambda call: call.answer(f'{{"parts": [{{"type": "{WORD}"}}]}}'.encode()),
        lambda call: call.answer(WORD.encode()),
        says(Reply((Text(WORD),), state={WORD: WORD})),
    ):
        stack.assistant.will(f"{WORD} page", failing)
        assert visitor.say(stack.port, f"{WORD} page", wait_s=10).status == 200
    assert visitor.post(stack.port, f'{{"id": "{WORD}", "tap": "{WORD}"}}'.encode()).status == 400

    refusal = msgspec.json.encode({"ok": False, "error": "channel_not_found", "detail": WORD})
    stack.slack.will(f"{WORD} refused", status("200 OK", refusal))
    stack.slack.event(f"{WORD} refused", channel="S3").send(stack.port)
    stack.ledger.wait_outbox(f"{WORD} refused", "not_sent")
    return [signed["X-Slack-Signature"], forged["X-Slack-Signature"]]


def test_nothing_that_was_said_and_nothing_secret_is_told(stack: Stack) -> None:
    """Names, ids, reasons and times are; of a body, a signature, a cookie or a secret no trace."""
    visitor = Visitor()
    signatures = _everything_happens(stack, visitor)
    stack.ledger.wait_quiet()
    told = call(stack.port, "/metrics", method="GET").body.decode()
    told += "".join(process.log.read_text() for process in stack.processes)

    for event in (
        "delivery.refused",
        "delivery.dead_lettered",
        "turn.failed",
        "send.failed",
        "assistant.call",
    ):
        assert event in told, "the log is the one that was meant"
    assert 'switchboard_turns_settled_total{account="shop"' in told
    for secret in (WORD, *signatures, SIGNING_SECRET, BOT_TOKEN, COOKIE_SECRET, visitor.cookie, visitor.id):
        assert secret not in told
