"""Sending to Slack: every documented answer has its outcome, and what is unclear is called unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.http_retry import HttpRequest, HttpResponse, RetryState
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from gateway.channels.base import PlatformAnswer
from gateway.channels.registry import CHANNELS
from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed, TryLater
from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.domain.quota import Scope
from gateway.settings.accounts import SlackAccount
from gateway.settings.secret import Secret
from tests.channels.slack.deliveries import ACCOUNT

SLACK = CHANNELS["slack"]
POST = {"via": "chat.postMessage", "body": {"channel": "C1", "text": "Hi"}}
HOOK = {"via": "response_url", "url": "https://hooks.slack.com/commands/1/2", "body": {"text": "Hi"}}
DEADLINE = Deadline(12.0)


class ScriptedPlatform:
    """A platform client that gives its answers, the last one for ever, or breaks, and keeps what it was asked."""

    def __init__(self, answer: PlatformAnswer | Exception, *later: PlatformAnswer | Exception) -> None:
        self.answer = answer
        self.later = list(later)
        self.calls: list[tuple[str, Mapping[str, str], bytes, Deadline]] = []
        self.allowed_hosts: list[Sequence[str] | None] = []

    def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
        allowed_hosts: Sequence[str] | None = None,
    ) -> PlatformAnswer:
        self.allowed_hosts.append(allowed_hosts)
        self.calls.append((url, headers, body, deadline))
        given = self.answer
        if self.later:
            self.answer = self.later.pop(0)
        if isinstance(given, Exception):
            raise given
        return given


def answer(body: bytes, status: int = 200, **headers: str) -> PlatformAnswer:
    return PlatformAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def send(platform: ScriptedPlatform, payload: dict[str, Any], account: SlackAccount = ACCOUNT) -> Outcome:
    return SLACK.send(platform, account, payload, idempotency_key="k", deadline=DEADLINE, now_s=0.0)


def test_a_message_is_posted_with_the_bots_token() -> None:
    platform = ScriptedPlatform(answer(b'{"ok":true,"channel":"C1","ts":"1763800011.000100","message":{}}'))

    assert send(platform, POST) == Sent("1763800011.000100")
    ((url, headers, body, deadline),) = platform.calls
    assert url == "https://slack.com/api/chat.postMessage"
    assert headers["authorization"] == "Bearer xoxb-test"
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert msgspec.json.decode(body) == POST["body"]
    assert deadline == DEADLINE


def test_a_response_url_is_called_without_the_token() -> None:
    """The address is a capability in itself, and is chosen by others: our token is not for it."""
    platform = ScriptedPlatform(answer(b"ok"))

    assert send(platform, HOOK) == Sent()
    ((url, headers, _, _),) = platform.calls
    assert url == HOOK["url"]
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (answer(b'{"ok":false,"error":"channel_not_found"}'), NotSent("channel_not_found")),
        (answer(b'{"ok":false,"error":"not_in_channel"}'), NotSent("not_in_channel")),
        (answer(b'{"ok":false,"error":"invalid_auth"}'), NotSent("invalid_auth")),
        (answer(b'{"ok":false,"error":"account_inactive"}'), NotSent("account_inactive")),
        (answer(b'{"ok":false,"error":"msg_too_long"}'), NotSent("msg_too_long")),
        (answer(b'{"ok":false,"error":"a_new_one <b>"}'), NotSent("a_new_one__b_")),
        (
            answer(b'{"ok":false,"error":"ratelimited"}', retry_after="3"),
            RetryLater("ratelimited", after_s=3.0, limited=True),
        ),
        (
            answer(b'{"ok":false,"error":"ratelimited"}', 429, retry_after="30"),
            RetryLater("ratelimited", after_s=30.0, limited=True),
        ),
        (answer(b"", 429), RetryLater("ratelimited", limited=True)),
        (answer(b"", 429, retry_after="soon"), RetryLater("ratelimited", limited=True)),
        (answer(b'{"ok":false,"error":"service_unavailable"}', 503), RetryLater("service_unavailable")),
        (answer(b'{"ok":false,"error":"internal_error"}', 500), Unknown("internal_error")),
        (answer(b'{"ok":false,"error":"fatal_error"}'), Unknown("fatal_error")),
        (answer(b"<html>", 500), Unknown("http_500")),
        (answer(b"", 503), Unknown("http_503")),
        (answer(b"not found", 404), NotSent("http_404")),
        (answer(b"", 302, location="https://elsewhere.example"), NotSent("http_302")),
        (answer(b""), Unknown("answer_not_understood")),
        (answer(b"ok"), Unknown("answer_not_understood")),
        (answer(b"<html>maintenance</html>"), Unknown("answer_not_understood")),
        (answer(b'{"ok":tru'), Unknown("answer_not_understood")),
        (answer(b'{"ok":false}'), Unknown("answer_not_understood")),
        (answer(b"[" * 100_000), Unknown("answer_not_understood")),
        (answer(b'{"ok":true,"ts":"1.2"}', 500), Unknown("http_500")),
    ],
)
def test_every_answer_of_chat_post_message_has_its_outcome(reply: PlatformAnswer, outcome: Outcome) -> None:
    assert send(ScriptedPlatform(reply), POST) == outcome


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (answer(b"ok"), Sent()),
        (answer(b""), Sent()),
        (answer(b'{"ok":true}'), Sent()),
        (answer(b'{"ok":false,"error":"used_url"}', 404), NotSent("used_url")),
        (answer(b'{"ok":false,"error":"expired_url"}'), NotSent("expired_url")),
        (answer(b"no_service", 404), NotSent("http_404")),
        (answer(b"channel_is_archived", 410), NotSent("http_410")),
        (answer(b"invalid_payload", 400), NotSent("http_400")),
        (answer(b"", 429, retry_after="1"), RetryLater("ratelimited", after_s=1.0, limited=True)),
        (answer(b"rollup_error", 500), Unknown("http_500")),
        (answer(b"<html>"), Unknown("answer_not_understood")),
    ],
)
def test_every_answer_of_a_response_url_has_its_outcome(reply: PlatformAnswer, outcome: Outcome) -> None:
    assert send(ScriptedPlatform(reply), HOOK) == outcome


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (CallFailed("refused", reason="connect", sent="never"), RetryLater("connect", "refused")),
        (CallFailed("reset", reason="reset", sent="maybe"), Unknown("reset", "reset")),
        (CallFailed("cut", reason="truncated", sent="answered"), Unknown("truncated", "cut")),
        (CallFailed("bad", reason="invalid_call", sent="never"), NotSent("invalid_call", "bad")),
        (TryLater("open", reason="breaker_open", retry_after_s=5), RetryLater("breaker_open", "open", 5)),
    ],
)
def test_a_call_without_an_answer_is_unknown_unless_nothing_was_written(
    error: Exception, outcome: Outcome
) -> None:
    assert send(ScriptedPlatform(error), POST) == outcome


@given(st.integers(100, 599), st.binary(max_size=60), st.sampled_from([POST, HOOK]))
def test_no_answer_breaks_the_sender(status: int, body: bytes, payload: dict[str, Any]) -> None:
    """Whatever comes back is an outcome, and only a 200 that says so is a success."""
    outcome = send(ScriptedPlatform(answer(body, status)), payload)

    assert isinstance(outcome, Sent | NotSent | RetryLater | Unknown)
    assert status == 200 or not isinstance(outcome, Sent)


GLASS = {"type": "image", "image_url": "https://a.example/1.png", "alt_text": "A glass"}
LINKED = {"type": "section", "text": {"type": "mrkdwn", "text": "<https://a.example/1.png|A glass>"}}
BAD_BLOCKS = answer(b'{"ok":false,"error":"invalid_blocks"}')


@pytest.mark.parametrize(
    ("payload", "refused"), [(POST, BAD_BLOCKS), (HOOK, BAD_BLOCKS), (HOOK, answer(b"invalid_blocks", 400))]
)
def test_a_picture_that_slack_does_not_get_costs_nobody_the_message(
    payload: dict[str, Any], refused: PlatformAnswer
) -> None:
    shown = {**payload, "body": {**payload["body"], "blocks": [GLASS]}}
    platform = ScriptedPlatform(refused, answer(b'{"ok":true,"ts":"1.2"}'))

    assert send(platform, shown) == Sent("1.2")
    first, second = (msgspec.json.decode(body) for _, _, body, _ in platform.calls)
    assert (first["blocks"], second["blocks"]) == ([GLASS], [LINKED])
    assert {**first, "blocks": []} == {**second, "blocks": []}
    assert platform.calls[0][:2] == platform.calls[1][:2]


@pytest.mark.parametrize(
    ("reply", "blocks"),
    [
        (BAD_BLOCKS, [LINKED]),
        (answer(b'{"ok":false,"error":"channel_not_found"}'), [GLASS]),
        (answer(b'{"ok":false,"error":"fatal_error"}'), [GLASS]),
        (answer(b'{"ok":false,"error":"invalid_blocks"}', 429), [GLASS]),
        (CallFailed("reset", reason="reset", sent="maybe"), [GLASS]),
    ],
)
def test_only_what_was_certainly_refused_for_its_blocks_and_has_pictures_is_posted_without(
    reply: PlatformAnswer | Exception, blocks: list[Any]
) -> None:
    platform = ScriptedPlatform(reply)

    assert not isinstance(send(platform, {**POST, "body": {**POST["body"], "blocks": blocks}}), Sent)
    assert len(platform.calls) == 1


def test_a_second_post_that_breaks_off_is_unknown() -> None:
    platform = ScriptedPlatform(BAD_BLOCKS, CallFailed("reset", reason="reset", sent="maybe"))

    assert send(platform, {**POST, "body": {**POST["body"], "blocks": [GLASS]}}) == Unknown("reset", "reset")


def test_without_a_token_nothing_is_sent() -> None:
    platform = ScriptedPlatform(answer(b'{"ok":true}'))

    outcome = send(platform, POST, msgspec.structs.replace(ACCOUNT, bot_token=Secret("")))

    assert isinstance(outcome, NotSent)
    assert outcome.reason == "no_token"
    assert platform.calls == []


def test_the_client_is_told_which_addresses_others_chose() -> None:
    """Where they may lead is the client's to check: what a name stands for is seen only by who connects."""
    platform = ScriptedPlatform(answer(b'{"ok":true,"ts":"1"}'))
    send(platform, POST)
    send(platform, HOOK)
    platform.answer = CallFailed("another host", reason="address_not_allowed", sent="never")
    refused = send(platform, HOOK)

    assert platform.allowed_hosts == [None, ("hooks.slack.com",), ("hooks.slack.com",)]
    assert isinstance(refused, NotSent)
    assert refused.reason == "address_not_allowed"
    assert "response_url_hosts" in refused.detail


@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
def test_what_slacks_own_sdk_waits_for_pauses_what_was_counted(status: int) -> None:
    """Law: their handler of rate limits and we take the same answers for one."""
    theirs = RateLimitErrorRetryHandler().can_retry(
        state=RetryState(),
        request=HttpRequest(method="POST", url="https://slack.com/api/chat.postMessage", headers={}),
        response=HttpResponse(status_code=status, headers={"Retry-After": ["3"]}),
    )
    outcome = send(ScriptedPlatform(answer(b'{"ok":false,"error":"?"}', status, retry_after="3")), POST)
    assert (isinstance(outcome, RetryLater) and outcome.limited) is theirs


def test_posts_are_counted_by_channel_and_response_urls_by_nobody() -> None:
    account = msgspec.structs.replace(ACCOUNT, channel_posts_per_s=2.5, channel_posts_burst=7)
    assert SLACK.scopes(POST, account) == (Scope("chat.postMessage", "C1", rate_per_s=2.5, burst=7),)
    assert SLACK.scopes(HOOK, account) == ()


def test_the_default_is_slacks_own_rate() -> None:
    """https://docs.slack.dev/apis/web-api/rate-limits: one message a second for each channel."""
    assert [scope.rate_per_s for scope in SLACK.scopes(POST, ACCOUNT)] == [1.0]
