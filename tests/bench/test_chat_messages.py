"""What bench.chat sends is what Slack sends: its own client proves it, and our channel reads it."""

from __future__ import annotations

import time

import pytest
from slack_sdk.signature import SignatureVerifier

from bench.chat.messages import CONVERSATIONS, SIGNING_SECRET, delivery, number_asked, place
from gateway.channels.base import Messages
from gateway.channels.slack.events import parse_event
from gateway.settings.accounts import SlackAccount

NUMBER = 17 * CONVERSATIONS + 42


def parts(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return fields, body


@pytest.mark.parametrize("retry", [0, 2])
def test_a_delivery_is_signed_as_slack_signs(retry: int) -> None:
    """Each redelivery anew, and marked as one."""
    fields, body = parts(delivery("/hook", NUMBER, at_s=time.time(), retry=retry))
    assert SignatureVerifier(SIGNING_SECRET).is_valid_request(body, fields)
    assert int(fields["Content-Length"]) == len(body)
    assert fields.get("X-Slack-Retry-Num", "0") == str(retry)


def test_a_redelivery_is_the_same_message() -> None:
    """To the byte."""
    now = time.time()
    first, again = (parts(delivery("/hook", NUMBER, at_s=now, retry=retry))[1] for retry in (0, 1))
    assert first == again


def test_our_channel_reads_a_message_in_its_thread() -> None:
    """And the assistant finds its number in what is made of it, with and without blanks."""
    _, body = parts(delivery("/hook", NUMBER, at_s=time.time()))
    parsed = parse_event(body, SlackAccount(channel="slack", name="bench", assistant="bench"))
    assert isinstance(parsed, Messages)
    (message,) = parsed.inbound
    assert (message.address["channel"], message.address["thread_ts"]) == place(NUMBER)
    for blank in ("", " "):
        assert number_asked(f'{{"message":{blank}{{"text":{blank}"{message.message.text}"}}}}'.encode()) == NUMBER


def test_numbers_say_the_conversation() -> None:
    """500 of them, each in a channel of its own."""
    assert len({place(number) for number in range(2 * CONVERSATIONS)}) == CONVERSATIONS
    assert place(NUMBER) == place(NUMBER + CONVERSATIONS)
