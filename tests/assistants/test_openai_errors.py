"""Model servers that refuse, fail and break off: each ends with its own reason, and nobody's words are in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway import telemetry
from gateway.assistants.openai.pushback import wanted_s
from gateway.domain.errors import AssistantFailed, StoreUnavailable
from gateway.domain.resilience.health_table import State
from gateway.rpc import RpcClient
from gateway.settings.secret import Secret
from gateway.store.ledger.transcripts import Exchange, Past
from gateway.telemetry import catalogue
from gateway.telemetry.emit import Writer
from tests.assistants.models import ask, assistant, fail, text
from tests.assistants.turns import CAPABILITIES, LANE_KEY, TURN, Said, deadline
from tests.support.model_server import KEY, ModelServer, chunk, error, event, refuses, says, sends
from tests.support.stand_in import Behaviour, Call, cut

SECRETIVE = "the user said hunter2"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def refusing(
    line: str, code: str | int | None = None, kind: str = "invalid_request_error", param: str | None = None
) -> Behaviour:
    return refuses(line, error(f"{SECRETIVE} {KEY}", kind, param=param, code=code))


BAD = "400 Bad Request"
#: What a server answers, the reason that it is called by, and what its operator is told.
REFUSALS: dict[str, tuple[Behaviour, str, str]] = {
    "401": (refusing("401 Unauthorized", "invalid_api_key"), "key_refused", "assistants.helper.openai.api_key"),
    "403": (refusing("403 Forbidden", "unsupported_country_region_territory"), "key_refused", "unsupported_country"),
    "404 model": (refusing("404 Not Found", "model_not_found"), "no_such_model", "little-model (assistants.helper"),
    "404 model, vLLM": (
        refuses("404 Not Found", {"object": "error", "message": "The model `x` does not exist.", "code": 404}),
        "no_such_model",
        "assistants.helper.openai.model",
    ),
    "404 path": (refuses("404 Not Found", b'{"detail":"Not Found"}'), "http_404", "assistants.helper.url"),
    "404 page": (refuses("404 Not Found", b"<html>model"), "http_404", "assistants.helper.url"),
    "400 parameter": (
        refusing(BAD, "unsupported_parameter", param="max_tokens"),
        "http_400",
        "unsupported_parameter, invalid_request_error, max_tokens",
    ),
    "400 index": (refusing(BAD, None, param="messages[3].content"), "http_400", "messages[3].content"),
    "400 filter": (refusing(BAD, "content_filter"), "content_filter", "filter"),
    "400 too long": (refusing(BAD, "context_length_exceeded"), "context_length_exceeded", "openai.history_tokens_max"),
    "400 too long, vLLM": (
        refuses(BAD, error("This model's maximum context length is 9 tokens.", "BadRequestError", code=400)),
        "context_length_exceeded",
        "openai.history_tokens_max",
    ),
    "400 too long, newer vLLM": (
        refuses(BAD, error("However, the model's context length is only 9", "BadRequestError", param="input_tokens")),
        "context_length_exceeded",
        "openai.history_tokens_max",
    ),
    "400 too long, llama.cpp": (
        refuses(BAD, error("the request exceeds it", "exceed_context_size_error", code=400)),
        "context_length_exceeded",
        "openai.history_tokens_max",
    ),
    "413, whoever stands before it": (
        refuses("413 Content Too Large", b""), "context_length_exceeded", "openai.history_tokens_max"
    ),
    "422": (refuses("422 Unprocessable Entity", {"detail": [{"loc": ["body"], "msg": SECRETIVE}]}), "http_422", "422"),
    "429": (refusing("429 Too Many Requests", "rate_limit_exceeded"), "rate_limited", "rate_limit_exceeded"),
    "429 of a minute's tokens": (
        refuses("429 Too Many Requests", error("Too many tokens, please wait before trying again.", "throttled")),
        "rate_limited",
        "(throttled)",
    ),
    "429 quota": (refusing("429 Too Many Requests", "insufficient_quota"), "quota_exhausted", "no quota left"),
    "500": (refusing("500 Internal Server Error", None, "server_error"), "http_500", "(server_error)"),
    "503": (refusing("503 Service Unavailable", 503, "unavailable_error"), "http_503", "(unavailable_error)"),
    "a redirect": (refuses("302 Found", b"", "Location: http://127.0.0.1:1/"), "http_302", "302"),
    "a sentence": (refuses(BAD, {"error": SECRETIVE}), "http_400", "400"),
    "no object": (refuses(BAD, b'["a"]'), "http_400", "400"),
    "no JSON": (refuses(BAD, b"\xff\x00{"), "http_400", "400"),
    "deep": (refuses(BAD, b"[" * 60_000), "http_400", "400"),
    "words that are none": (
        refuses(BAD, {"error": {"code": SECRETIVE, "type": ["x"], "param": "x" * 100, "message": None}}),
        "http_400",
        "status 400: no answer; its",
    ),
    "a code that is a number": (refuses(BAD, {"error": {"code": 7, "message": 8}}), "http_400", "400"),
}  # fmt: skip


@pytest.mark.parametrize(("behaviour", "reason", "told"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_has_its_reason_and_tells_no_secret(
    server: ModelServer, rpc: RpcClient, behaviour: Behaviour, reason: str, told: str
) -> None:
    """A server's own sentence may quote the prompt, or the key; its short words and the request's id may not."""
    server.will_say(behaviour)

    failed = fail(assistant(server, rpc))

    assert failed.reason == reason
    assert told in str(failed)
    assert "its request id is req_42" in str(failed)
    for secret in (KEY, "hunter2"):
        assert secret not in str(failed)


def test_the_stand_in_refuses_as_the_real_one(server: ModelServer, rpc: RpcClient) -> None:
    wrong = {"api_key": Secret("sk-another")}
    assert fail(assistant(server, rpc, openai=wrong)).reason == "key_refused"
    assert fail(assistant(server, rpc, openai={"model": "great"})).reason == "no_such_model"
    assert fail(assistant(server.origin, rpc)).reason == "http_404"


BROKEN: dict[str, tuple[Behaviour, str]] = {
    "an error in the middle": (
        sends(chunk({"content": "He"}), error(SECRETIVE, "server_error", code="overloaded")), "model_error"
    ),
    "an error at once": (sends(error(SECRETIVE, "server_error")), "model_error"),
    "an error without envelope": (
        sends(chunk({"content": "He"}), {"object": "error", "message": SECRETIVE, "code": 500}), "model_error"
    ),
    "an error that is a sentence": (sends(chunk({"content": "He"}), {"error": SECRETIVE}), "model_error"),
    "a filter in the middle": (sends(chunk({"content": "He"}), error("", "", code="content_filter")), "content_filter"),
    "an error with status 200": (
        lambda call: call.answer(msgspec.json.encode(error(SECRETIVE, "server_error", code=502))), "model_error"
    ),
    "neither reason nor [DONE]": (sends(chunk({"content": "He"})), "stream_without_reply"),
    "nothing": (sends(), "stream_without_reply"),
    "[DONE] alone": (sends(b"[DONE]"), "empty_answer"),
    "cut off": (sends(chunk({"content": "He"}), then=lambda call: call.connection.close()), "connection_lost"),
    "half an event": (
        lambda call: call.answer(event(chunk({"content": "Hi"}, "stop"))[:-1], media="text/event-stream"),
        "stream_without_reply",
    ),
    "no JSON": (sends(b"{"), "not_json"),
    "no object": (sends(b"[]"), "wrong_schema"),
    "words that are a list": (sends(chunk({"content": ["Hi"]})), "wrong_schema"),
    "choices that are none": (sends({"choices": {"0": SECRETIVE}}), "wrong_schema"),
    "an answer without choices": (lambda call: call.answer(b'{"choices": []}'), "wrong_schema"),
    "another type": (lambda call: call.answer(b"Hi", media="text/plain"), "wrong_content_type"),
}  # fmt: skip


@pytest.mark.parametrize(("behaviour", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_is_none_has_its_reason(
    server: ModelServer, rpc: RpcClient, behaviour: Behaviour, reason: str
) -> None:
    server.will_say(behaviour)

    failed = fail(assistant(server, rpc))

    assert failed.reason == reason
    assert "hunter2" not in str(failed)
    assert len(server.calls) == 1, "nothing is asked again once the head of an answer has come"


def test_every_turn_is_told_with_its_outcome(server: ModelServer, rpc: RpcClient) -> None:
    """One event each, however many calls it took, and never with what was said."""
    told, sink = told_of("assistant.call")
    model = assistant(server, rpc)
    telemetry.attach(sink)
    try:
        server.will_say(in_turn(refuses("503 Service Unavailable"), says("Hi"), refusing("401 Unauthorized")))
        ask(model)
        fail(model)
    finally:
        telemetry.detach(sink)

    assert [fields.pop("outcome") for fields in told] == ["ok", "key_refused"]
    for fields in told:
        assert fields.pop("duration_s") > 0
        assert len(fields.pop("span_id")) == 16
        assert fields == {"assistant": "helper", "turn_id": TURN.turn_id, "trace_id": TURN.trace_id}


@pytest.mark.parametrize("line", ["500 Internal Server Error", "503 Service Unavailable"])
def test_a_failure_of_the_server_is_asked_again(server: ModelServer, rpc: RpcClient, line: str) -> None:
    """A chat changes nothing at the server: whoever is answered twice has seen one answer."""
    server.will_say(in_turn(refuses(line), says("Hi")))

    assert text(ask(assistant(server, rpc))[0]) == "Hi"
    assert len(server.calls) == 2


def test_a_connection_that_breaks_before_the_answer_is_no_failure(server: ModelServer, rpc: RpcClient) -> None:
    server.will_say(in_turn(cut, says("Hi")))

    assert text(ask(assistant(server, rpc))[0]) == "Hi"


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Meet each call with the next of *behaviours*."""
    left = iter(behaviours)

    def behave(call: Call) -> None:
        next(left)(call)

    return behave


TOO_MANY = "429 Too Many Requests"


def test_a_short_wait_is_waited_for(server: ModelServer, rpc: RpcClient) -> None:
    server.will_say(in_turn(refuses(TOO_MANY, b"", "Retry-After: 0.2"), says("Hi")))
    started_at = time.monotonic()

    assert text(ask(assistant(server, rpc))[0]) == "Hi"
    assert time.monotonic() - started_at >= 0.2


def test_after_a_429_nothing_is_asked_for_as_long_as_was_said(server: ModelServer, rpc: RpcClient) -> None:
    """The next users are told at once, and the server has its peace; then it is asked as before."""
    now = 1_000.0
    model = assistant(server, rpc, monotonic=lambda: now)
    server.will_say(in_turn(refuses(TOO_MANY, b"", "Retry-After: 20"), says("Hi")))

    assert fail(model).reason == "rate_limited"
    now += 19.9
    held = fail(model)
    assert held.reason == "rate_limited"
    assert "0.1 s" in str(held)
    assert len(server.calls) == 1
    now += 0.2
    assert text(ask(model)[0]) == "Hi"


def test_nobody_is_held_back_longer_than_the_setting(server: ModelServer, rpc: RpcClient) -> None:
    now = 1_000.0
    model = assistant(server, rpc, openai={"hold_back_max_s": 2.0}, monotonic=lambda: now)
    server.will_say(in_turn(refuses(TOO_MANY, b"", "Retry-After: 86400"), says("Hi")))

    assert fail(model).reason == "rate_limited"
    now += 2.1
    assert text(ask(model)[0]) == "Hi"


def test_a_quota_that_is_used_up_is_not_asked_for_at_every_turn(server: ModelServer, rpc: RpcClient) -> None:
    now = 1_000.0
    server.will_say(refusing(TOO_MANY, "insufficient_quota"))
    model = assistant(server, rpc, monotonic=lambda: now)

    assert fail(model).reason == "quota_exhausted"
    now += 29.0
    assert fail(model).reason == "rate_limited"
    assert len(server.calls) == 1
    now += 2.0
    assert fail(model).reason == "quota_exhausted"


def test_a_429_is_about_our_key_and_not_about_the_servers_health(server: ModelServer, rpc: RpcClient) -> None:
    now = 0.0
    model = assistant(server, rpc, monotonic=lambda: now)
    server.will_say(refuses(TOO_MANY))
    for _ in range(30):
        assert fail(model).reason == "rate_limited"
        now += 1.1

    (health,) = rpc.breakers().values()
    assert (health.state, health.failed) == (State.CLOSED, 0)


def test_a_5xx_is_about_the_servers_health(server: ModelServer, rpc: RpcClient) -> None:
    server.will_say(refuses("500 Internal Server Error"))
    reasons = {fail(assistant(server, rpc)).reason for _ in range(30)}

    assert reasons == {"http_500", "breaker_open"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 1.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9s"}, 7.0),
        ({"retry-after": "soon", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9s"}, 9.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1h2m3.5s"}, 3_723.5),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1h"}, 1.0),
        (
            {
                "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "3s",
            },
            3.0,
        ),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": ""}, 1.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "tomorrow"}, 1.0),
    ],
)  # fmt: skip
def test_how_long_a_server_wants_to_be_left_alone(headers: dict[str, str], seconds: float) -> None:
    assert wanted_s(headers.get, unix_now=0.0) == pytest.approx(seconds)


def chats(server: ModelServer) -> list[list[str]]:
    """Return the words of each chat that the server was sent."""
    return [[message["content"] for message in call.json["messages"]] for call in server.calls]


def told_of(name: str) -> tuple[list[dict[str, Any]], Any]:
    told: list[dict[str, Any]] = []

    class Sink:
        def writer(self, event: catalogue.Event) -> Writer | None:
            return told.append if event.name == name else None

    return told, Sink()


def test_a_chat_that_is_too_long_is_asked_again_with_half_of_its_past(rpc: RpcClient) -> None:
    """It was refused before anything was done; the newest half is what matters most."""
    told, sink = told_of("assistant.shortened")
    past = Said(*((f"question {n} " + "x" * 300, f"answer {n} " + "x" * 300) for n in range(4)))
    telemetry.attach(sink)
    try:
        with ModelServer(context_tokens=400) as server:
            assert text(ask(assistant(server, rpc, transcript=past))[0]) == "Good evening."
            first, second = chats(server)
    finally:
        telemetry.detach(sink)

    assert len(first) == 9
    assert [words.split(" x")[0] for words in second[:-1]] == ["question 2", "answer 2", "question 3", "answer 3"]
    assert told == [{"assistant": "helper", "before": 4, "turns": 2}]


def test_at_last_the_message_is_asked_alone(rpc: RpcClient) -> None:
    """No conversation can grow into one that is never answered again."""
    past = Said(*(("x" * 1_000, "y" * 1_000) for _ in range(4)))
    with ModelServer(context_tokens=100) as server:
        assert text(ask(assistant(server, rpc, transcript=past, openai={"system_prompt": "Hi"}))[0]) == "Good evening."

        assert [len(chat) for chat in chats(server)] == [10, 6, 2]


def test_a_429_is_not_answered_with_another_call(server: ModelServer, rpc: RpcClient) -> None:
    """Some servers say of a minute's quota what others say of a chat: a shorter one is refused as well."""
    server.will_say(refuses("429 Too Many Requests", error("Too many tokens, please wait.", "throttled")))

    assert fail(assistant(server, rpc, transcript=Said(("a", "b"), ("c", "d")))).reason == "rate_limited"

    assert len(server.calls) == 1


def test_a_message_that_is_too_long_by_itself_fails(rpc: RpcClient) -> None:
    with ModelServer(context_tokens=2) as server:
        assert fail(assistant(server, rpc)).reason == "context_length_exceeded"
        assert len(server.calls) == 1


def test_a_chat_that_grows_too_long_in_the_middle_of_an_answer_is_cut_off(server: ModelServer, rpc: RpcClient) -> None:
    """It was shown already: another answer must not begin behind it."""
    server.will_say(sends(chunk({"content": "A Negroni"}), error("Context size has been exceeded.", "server_error")))

    reply, previews = ask(assistant(server, rpc, transcript=Said(("a", "b"))))

    assert text(reply) == "A Negroni…"
    assert len(previews) == 2
    assert len(server.calls) == 1


def test_a_past_that_cannot_be_read_fails_the_turn(server: ModelServer, rpc: RpcClient) -> None:
    """A model that has forgotten everything would answer something else, and nobody would know."""

    class Gone:
        def before(self, past: Past) -> list[Exchange]:
            raise StoreUnavailable("PostgreSQL does not answer", reason="postgres_unavailable", retry_after_s=1)

    assert fail(assistant(server, rpc, transcript=Gone())).reason == "history_unavailable"
    assert server.calls == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"first_byte_timeout_s": 0.2}, "timeout"), ({"total_timeout_s": 0.2}, "timeout")],
)
def test_a_server_that_says_nothing_is_not_waited_for(
    server: ModelServer, rpc: RpcClient, changes: dict[str, float], reason: str
) -> None:
    server.will_say(hang)
    started_at = time.monotonic()

    assert fail(assistant(server, rpc, slow_s=0.1, **changes)).reason == reason
    assert time.monotonic() - started_at < 5


def test_a_silence_in_the_middle_ends_it(server: ModelServer, rpc: RpcClient) -> None:
    server.will_say(sends(chunk({"content": "He"}), then=hang))

    failed = fail(assistant(server, rpc, idle_timeout_s=0.2))
    assert failed.reason == "timeout"
    assert "assistants.helper.idle_timeout_s" in str(failed)


def test_nobody_there_is_unreachable(rpc: RpcClient) -> None:
    with ModelServer() as server:
        url = server.url
    assert fail(assistant(url, rpc)).reason == "unreachable"


def test_no_time_left_is_a_timeout(server: ModelServer, rpc: RpcClient) -> None:
    """Less than the margin that settling the answer needs."""
    model = assistant(server, rpc, deadline_margin_s=0.5)

    with pytest.raises(AssistantFailed) as failed:
        model.ask(TURN, LANE_KEY, CAPABILITIES, deadline(0.4), lambda _: None)

    assert failed.value.reason == "timeout"
    assert server.calls == []


def hang(call: Call) -> None:
    call.connection.recv(1)
