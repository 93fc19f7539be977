"""Sending to Slack, and what its answer means.

Slack has no idempotency key for messages, so the difference between "not sent" and "unknown" is all there
is against duplicates: only what Slack documents as not done is tried again, or otherwise.

Slack fetches pictures itself, and refuses the whole message for one that it does not get, now and then also for a good
one (slackapi/python-slack-sdk#1782).  Such a message is posted again at once, with links in place of its pictures.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.channels.base import PlatformAnswer, PlatformClient
from gateway.channels.slack.blocks import without_pictures
from gateway.channels.slack.render import POST_MESSAGE, RESPONSE_URL
from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed, TryLater
from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.domain.quota import Scope
from gateway.domain.text import clean, shorten
from gateway.settings.accounts import SlackAccount

__all__ = ["scopes", "send"]

#: "It's possible some aspect of the operation succeeded before the error was raised."
#: https://docs.slack.dev/reference/methods/chat.postMessage#errors
_MAYBE_DONE = frozenset({"internal_error", "fatal_error"})
#: Above a rate limit.
_LIMITED = frozenset({"ratelimited", "rate_limited"})
#: Not done, and worth another try.
_TRANSIENT = _LIMITED | frozenset(
    {
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
    }
)
#: What a message is refused with for its pictures, or for anything else that is wrong with its blocks; of a
#: ``response_url`` the status may be all that says so.
_BAD_BLOCKS = frozenset({"invalid_blocks", "http_400"})
_WORD_CHARS_MAX = 80


class Answer(msgspec.Struct):
    """What the Web API says; a ``response_url`` says the same, or the word "ok"."""

    ok: bool
    error: str = ""
    ts: str = ""


_ANSWER = msgspec.json.Decoder(Answer)


def scopes(account: SlackAccount, payload: dict[str, Any]) -> tuple[Scope, ...]:
    """Return what Slack counts the message under.

    [D] https://docs.slack.dev/apis/web-api/rate-limits: one post a second for each channel.  The limit of a whole
    workspace has no figure there; who exceeds it is told so.  A ``response_url`` bears five uses, and no rate.
    """
    if payload["via"] == RESPONSE_URL:
        return ()
    return (
        Scope(
            POST_MESSAGE,
            payload["body"]["channel"],
            rate_per_s=account.channel_posts_per_s,
            burst=account.channel_posts_burst,
        ),
    )


def send(
    client: PlatformClient, account: SlackAccount, payload: dict[str, Any], deadline: Deadline
) -> Outcome:
    """POST one rendered message and return what became of it."""
    outcome = _post(client, account, payload, deadline)
    if not (isinstance(outcome, NotSent) and outcome.reason in _BAD_BLOCKS):
        return outcome
    blocks = payload["body"].get("blocks", [])
    bare = without_pictures(blocks)
    if bare == blocks:
        return outcome
    return _post(client, account, {**payload, "body": {**payload["body"], "blocks": bare}}, deadline)


def _post(
    client: PlatformClient, account: SlackAccount, payload: dict[str, Any], deadline: Deadline
) -> Outcome:
    headers = {"content-type": "application/json; charset=utf-8"}
    allowed_hosts: tuple[str, ...] | None = None
    if payload["via"] == RESPONSE_URL:
        url = payload["url"]
        allowed_hosts = account.response_url_hosts
    else:
        token = account.bot_token.reveal()
        if not token:
            return NotSent("no_token", "the account has no bot_token")
        url = account.api_base_url.rstrip("/") + "/chat.postMessage"
        headers["authorization"] = f"Bearer {token}"
    try:
        answer = client.post(
            url,
            headers=headers,
            body=msgspec.json.encode(payload["body"]),
            deadline=deadline,
            allowed_hosts=allowed_hosts,
        )
    except TryLater as error:
        return RetryLater(error.reason, str(error), error.retry_after_s)
    except CallFailed as error:
        if error.reason == "address_not_allowed":
            return NotSent(error.reason, f"{error}; see the account's response_url_hosts")
        if error.reason == "invalid_call":
            # Nothing that could be written to a wire: the same tomorrow.
            return NotSent(error.reason, str(error))
        if error.sent == "never":
            return RetryLater(error.reason, str(error))
        return Unknown(error.reason, str(error))
    return _outcome(answer, payload["via"])


def _outcome(answer: PlatformAnswer, via: str) -> Outcome:
    said = _read(answer, via)
    if answer.status == 429:
        return RetryLater("ratelimited", after_s=_retry_after_s(answer), limited=True)
    if said is not None and said.ok and answer.status == 200:
        return Sent(shorten(clean(said.ts), _WORD_CHARS_MAX))
    if said is not None and said.error:
        reason = _word(said.error)
        if reason in _MAYBE_DONE:
            return Unknown(reason)
        if reason in _TRANSIENT:
            return RetryLater(reason, after_s=_retry_after_s(answer), limited=reason in _LIMITED)
        return NotSent(reason)
    if answer.status >= 500:
        return Unknown(f"http_{answer.status}")
    if answer.status >= 300:
        return NotSent(f"http_{answer.status}")
    return Unknown("answer_not_understood")


def _read(answer: PlatformAnswer, via: str) -> Answer | None:
    if via == RESPONSE_URL and answer.status == 200 and answer.body.strip() in {b"ok", b""}:
        return Answer(ok=True)
    try:
        return _ANSWER.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _retry_after_s(answer: PlatformAnswer) -> float | None:
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 9 else None


def _word(error: str) -> str:
    """Return *error* as a word that logs and metrics can bear, whoever wrote it."""
    word = "".join(character if character.isalnum() or character in "_-" else "_" for character in error)
    return shorten(clean(word), _WORD_CHARS_MAX)
