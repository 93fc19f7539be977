"""What is said in bench.chat, and how it looks on the wires: events as Slack sends them, signed; questions and answers.

Every message carries a number of its own, and its answer must carry the same: who answers what, and where, is known of
each.  The number says which conversation a message is of, too; in each of them numbers grow.
Pure: times and numbers are arguments.
"""

from __future__ import annotations

import hmac
import re

__all__ = [
    "CONVERSATIONS",
    "SIGNING_SECRET",
    "TOKEN",
    "answer",
    "answered",
    "delivery",
    "number_asked",
    "place",
]

CONVERSATIONS = 500
SIGNING_SECRET = "a signing secret of the benchmark, known to both sides"  # noqa: S105  # protects nothing
TOKEN = "xoxb-bench-00000000-token"  # noqa: S105  # protects nothing

_ASKED = re.compile(rb'"text": *"order (\d{1,18}): ')
_ANSWERED = re.compile(r"Order (\d{1,18}): a gimlet, shaken and strained")
#: The fields, and the order of them, that Slack's own deliveries of a message in a thread have.
_BODY = (
    '{"token":"deprecated","team_id":"T0BENCH00","context_team_id":"T0BENCH00","context_enterprise_id":null,'
    '"api_app_id":"A0BENCH00","event":{"type":"message","user":"U0BENCH%(conversation)04d","ts":"%(ts)s",'
    '"thread_ts":"%(thread_ts)s","parent_user_id":"U0BENCH%(conversation)04d","client_msg_id":"b4d0c3f2-9c1e-4d52-8a61-%(number)012d",'
    '"text":"order %(number)d: something with gin and lemon, please","team":"T0BENCH00",'
    '"blocks":[{"type":"rich_text","block_id":"%(number)d","elements":[{"type":"rich_text_section","elements":'
    '[{"type":"text","text":"order %(number)d: something with gin and lemon, please"}]}]}],'
    '"channel":"%(channel)s","event_ts":"%(ts)s","channel_type":"channel"},"type":"event_callback",'
    '"event_id":"Ev%(number)d","event_time":%(at_s)d,"authorizations":[{"enterprise_id":null,'
    '"team_id":"T0BENCH00","user_id":"U0BENCHBOT","is_bot":true,"is_enterprise_install":false}],'
    '"is_ext_shared_channel":false,"event_context":"4-bench-%(number)d"}'
)
_HEAD = (
    b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Slackbot 1.0 (+https://api.slack.com/robots)\r\n"
    b"Accept-Encoding: gzip,deflate\r\nAccept: */*\r\nX-Slack-Signature: v0=%b\r\n"
    b"X-Slack-Request-Timestamp: %d\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
)
_RETRY = b"X-Slack-Retry-Num: %d\r\nX-Slack-Retry-Reason: http_timeout\r\n"


def place(number: int) -> tuple[str, str]:
    """Return the channel and the thread in it, in which message *number* is said: its conversation.

    A thread, because some contestants take each message outside of threads for a conversation of its own; and none of
    a direct channel, because Bolt reads what was said in those before.
    """
    conversation = number % CONVERSATIONS
    return f"C0BENCH{conversation:04d}", f"1600000000.{conversation:06d}"


def delivery(path: str, number: int, *, at_s: float, retry: int = 0) -> bytes:
    """Return the request with message *number*, signed at *at_s*; its *retry*-th redelivery is the same one."""
    # Of all messages of a run no two have the same: a ts is the name of a message in its channel.
    ts = f"{1_700_000_000 + number // 1_000_000}.{number % 1_000_000:06d}"
    channel, thread_ts = place(number)
    named = {"number": number, "conversation": number % CONVERSATIONS, "channel": channel, "thread_ts": thread_ts}
    body = (_BODY % {**named, "ts": ts, "at_s": int(at_s)}).encode()
    signature = hmac.digest(SIGNING_SECRET.encode(), b"v0:%d:%b" % (int(at_s), body), "sha256")
    again = _RETRY % retry if retry else b""
    return _HEAD % (path.encode(), signature.hex().encode(), int(at_s), again, len(body)) + body


def number_asked(body: bytes) -> int | None:
    """Return the number of the message that an assistant is asked about, however the question is framed."""
    found = _ASKED.search(body)
    return int(found[1]) if found else None


def answer(number: int) -> str:
    """Return what the assistant says to message *number*."""
    return f"Order {number}: a gimlet, shaken and strained"


def answered(text: str) -> int | None:
    """Return the number of the message that *text* is the whole answer to."""
    found = _ANSWERED.fullmatch(text)
    return int(found[1]) if found else None

