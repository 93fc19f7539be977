"""Calls of the Bot API and what their answers mean; and that the token in their address is told to nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.base import PlatformAnswer
from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed, TryLater
from gateway.domain.outcome import NotSent, Outcome, RetryLater, Sent, Unknown
from gateway.domain.quota import Scope
from gateway.settings.accounts import TelegramAccount
from gateway.settings.secret import Secret
from tests.channels.telegram.updates import ACCOUNT, BOT_TOKEN, TELEGRAM

TEXT = {"method": "sendMessage", "body": {"chat_id": 4815162342, "text": "Hi"}}
PHOTO = {
    "method": "sendPhoto",
    "body": {"chat_id": 4815162342, "photo": "https://a.example/m.png", "caption": "A Martini"},
    "instead": {
        "method": "sendMessage",
        "body": {"chat_id": 4815162342, "text": "A Martini\nhttps://a.example/m.png"},
    },
}
REPLY = {
    "method": "sendMessage",
    "body": {"chat_id": -77, "text": "Hi", "reply_parameters": {"message_id": 3}},
}
DEADLINE = Deadline(12.0)
TOO_MANY = ("chat", "group")


class ScriptedPlatform:
    """A platform client that gives one answer after the other, or breaks, and keeps what it was asked."""

    def __init__(self, *answers: PlatformAnswer | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, Mapping[str, str], Any, Deadline]] = []

    def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        deadline: Deadline,
        allowed_hosts: Sequence[str] | None = None,
    ) -> PlatformAnswer:
        assert allowed_hosts is None, "the address is the settings', and no payload's"
        self.calls.append((url, headers, msgspec.json.decode(body), deadline))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(body: bytes | dict[str, Any], status: int = 200, **headers: str) -> PlatformAnswer:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return PlatformAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def error(status: int, description: str, **parameters: int) -> PlatformAnswer:
    more = {"parameters": parameters} if parameters else {}
    return answer({"ok": False, "error_code": status, "description": description, **more}, status)


def sent(message_id: int = 5) -> PlatformAnswer:
    return answer({"ok": True, "result": {"message_id": message_id, "date": 1, "chat": {"id": 1}}})


def send(platform: ScriptedPlatform, payload: dict[str, Any], account: TelegramAccount = ACCOUNT) -> Outcome:
    outcome = TELEGRAM.send(platform, account, payload, idempotency_key="k", deadline=DEADLINE, now_s=0.0)
    assert BOT_TOKEN not in repr(outcome)
    return outcome


def test_a_message_is_sent_by_the_accounts_bot() -> None:
    platform = ScriptedPlatform(sent(4711))

    assert send(platform, TEXT) == Sent("4711")
    ((url, headers, body, deadline),) = platform.calls
    assert url == f"https://api.telegram.org/bot{BOT_TOKEN}/sendMessage"
    assert headers == {"content-type": "application/json"}
    assert body == TEXT["body"]
    assert deadline == DEADLINE


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (
            error(429, "Too Many Requests: retry after 7", retry_after=7),
            RetryLater("too_many_requests", after_s=7.0, limited=True, limited_scopes=TOO_MANY),
        ),
        (
            answer(b"", 429, retry_after="30"),
            RetryLater("too_many_requests", after_s=30.0, limited=True, limited_scopes=TOO_MANY),
        ),
        (
            answer(b"", 429, retry_after="soon"),
            RetryLater("too_many_requests", limited=True, limited_scopes=TOO_MANY),
        ),
        (
            error(403, "Forbidden: bot was blocked by the user"),
            NotSent("blocked", "Forbidden: bot was blocked by the user"),
        ),
        (
            error(403, "Forbidden: user is deactivated"),
            NotSent("user_deactivated", "Forbidden: user is deactivated"),
        ),
        (
            error(403, "Forbidden: bot was kicked from the supergroup chat"),
            NotSent("kicked", "Forbidden: bot was kicked from the supergroup chat"),
        ),
        (error(403, "Forbidden: something new"), NotSent("forbidden", "Forbidden: something new")),
        (
            error(400, "Bad Request: chat not found"),
            NotSent("chat_not_found", "Bad Request: chat not found"),
        ),
        (
            error(400, "Bad Request: message thread not found"),
            NotSent("topic_not_found", "Bad Request: message thread not found"),
        ),
        (
            error(400, "Bad Request: message is too long"),
            NotSent("bad_request", "Bad Request: message is too long"),
        ),
        (error(400, "x" * 900), NotSent("bad_request", "x" * 199 + "…")),
        (
            error(401, "Unauthorized"),
            NotSent("bad_token", "Telegram does not know the account's bot_token"),
        ),
        (error(404, "Not Found"), NotSent("bad_token", "Telegram does not know the account's bot_token")),
        (error(409, "Conflict"), NotSent("http_409", "Conflict")),
        (answer(b"<html>", 413), NotSent("http_413")),
        (answer(b"", 302, location="https://elsewhere.example"), NotSent("http_302")),
        (error(500, "Internal Server Error"), Unknown("http_500")),
        (error(502, "Bad Gateway"), Unknown("http_502")),
        (answer(b"<html>", 504), Unknown("http_504")),
        (answer({"ok": True, "result": {"message_id": 1}}, 500), Unknown("http_500")),
        (answer(b""), Unknown("answer_not_understood")),
        (answer(b'{"ok":tru'), Unknown("answer_not_understood")),
        (answer({"ok": False}), Unknown("answer_not_understood")),
        (answer(b"[" * 100_000), Unknown("answer_not_understood")),
        (answer({"ok": True, "result": True}), Sent("")),
    ],
)
def test_every_answer_has_its_outcome(reply: PlatformAnswer, outcome: Outcome) -> None:
    platform = ScriptedPlatform(reply)
    assert send(platform, TEXT) == outcome
    assert len(platform.calls) == 1


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (CallFailed("refused", reason="connect", sent="never"), RetryLater("connect", "refused")),
        (CallFailed("reset", reason="reset", sent="maybe"), Unknown("reset", "reset")),
        (CallFailed("cut", reason="truncated", sent="answered"), Unknown("truncated", "cut")),
        (CallFailed("bad", reason="invalid_call", sent="never"), NotSent("invalid_call", "bad")),
        (TryLater("open", reason="breaker_open", retry_after_s=5), RetryLater("breaker_open", "open", 5)),
        (
            CallFailed(f"no route to /bot{BOT_TOKEN}/x", reason="connect", sent="never"),
            RetryLater("connect", "no route to /bot***/x"),
        ),
    ],
)
def test_a_call_without_an_answer_is_unknown_unless_nothing_was_written(
    failure: Exception, outcome: Outcome
) -> None:
    assert send(ScriptedPlatform(failure), TEXT) == outcome


def test_a_group_that_became_a_supergroup_is_followed_once() -> None:
    """What was refused was not sent; the new chat knows no message of the old one."""
    platform = ScriptedPlatform(
        error(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1007), sent(9)
    )

    assert send(platform, REPLY) == Sent("9")
    assert [call[2] for call in platform.calls] == [REPLY["body"], {"chat_id": -1007, "text": "Hi"}]


def test_two_groups_that_name_each_other_are_not_followed_for_ever() -> None:
    platform = ScriptedPlatform(
        error(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1007),
        error(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-77),
    )

    assert isinstance(send(platform, REPLY), NotSent)
    assert len(platform.calls) == 2


def test_a_picture_that_telegram_cannot_fetch_is_sent_as_words() -> None:
    platform = ScriptedPlatform(error(400, "Bad Request: failed to get HTTP URL content"), sent(9))

    assert send(platform, PHOTO) == Sent("9")
    assert [call[0].rpartition("/")[2] for call in platform.calls] == ["sendPhoto", "sendMessage"]
    assert platform.calls[1][2] == PHOTO["instead"]["body"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (error(403, "Forbidden: bot was blocked by the user"), NotSent),
        (error(400, "Bad Request: chat not found"), NotSent),
        (error(429, "Too Many Requests", retry_after=1), RetryLater),
        (error(500, "Internal Server Error"), Unknown),
        (CallFailed("reset", reason="reset", sent="maybe"), Unknown),
    ],
)
def test_words_are_sent_instead_only_of_what_was_certainly_refused_for_its_content(
    reply: PlatformAnswer | Exception, outcome: type
) -> None:
    """Anything else might be there already, or would be refused again."""
    platform = ScriptedPlatform(reply)

    assert isinstance(send(platform, PHOTO), outcome)
    assert len(platform.calls) == 1


def test_a_second_call_that_breaks_off_is_unknown() -> None:
    platform = ScriptedPlatform(
        error(400, "Bad Request: wrong file identifier/HTTP URL specified"),
        CallFailed("reset", reason="reset", sent="maybe"),
    )
    assert send(platform, PHOTO) == Unknown("reset", "reset")


@pytest.mark.parametrize(
    "token", ["", " ", "secret", "1:a/../../x", "1:a?b", "1:a#b", "1:a b", "1:a\r\nx: y", "1:é"]
)
def test_without_a_token_nothing_is_sent(token: str) -> None:
    """A token of another form would lead to another address."""
    platform = ScriptedPlatform()

    outcome = send(platform, TEXT, msgspec.structs.replace(ACCOUNT, bot_token=Secret(token)))

    assert isinstance(outcome, NotSent)
    assert outcome.reason == "no_token"
    assert platform.calls == []
    assert len(token.strip()) < 3 or token not in outcome.detail


@given(st.integers(100, 599), st.binary(max_size=60), st.sampled_from([TEXT, PHOTO, REPLY]))
def test_no_answer_breaks_the_sender(status: int, body: bytes, payload: dict[str, Any]) -> None:
    """Whatever comes back is an outcome, and only a 200 that says so is a success."""
    outcome = send(ScriptedPlatform(answer(body, status), answer(body, status)), payload)

    assert isinstance(outcome, Sent | NotSent | RetryLater | Unknown)
    assert status == 200 or not isinstance(outcome, Sent)


def test_a_message_is_counted_by_its_chat_and_by_its_bot() -> None:
    account = msgspec.structs.replace(
        ACCOUNT,
        chat_messages_per_s=2.5,
        chat_messages_burst=7,
        bot_messages_per_s=10.0,
        bot_messages_burst=11,
    )
    assert TELEGRAM.scopes(TEXT, account) == (
        Scope("chat", "4815162342", rate_per_s=2.5, burst=7),
        Scope("bot", "", rate_per_s=10.0, burst=11),
    )


def test_a_group_takes_less() -> None:
    """https://core.telegram.org/bots/faq: 20 messages a minute to the same group."""
    group, bot = TELEGRAM.scopes(REPLY, ACCOUNT)

    assert group == Scope("group", "-77", rate_per_s=20 / 60, burst=3)
    assert bot == Scope("bot", "", rate_per_s=30, burst=30)


def test_too_many_pauses_the_chat_and_never_the_whole_bot() -> None:
    """Telegram does not say which of its counts is exceeded: one busy group must not silence all others."""
    outcome = send(ScriptedPlatform(error(429, "Too Many Requests", retry_after=35)), REPLY)

    assert isinstance(outcome, RetryLater)
    assert {scope.name for scope in TELEGRAM.scopes(REPLY, ACCOUNT)} - set(outcome.limited_scopes) == {"bot"}
