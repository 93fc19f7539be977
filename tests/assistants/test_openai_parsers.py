"""Whatever comes, in whatever pieces: an answer, or a failure with a reason, in bounded time."""

from __future__ import annotations

import itertools
import json
from typing import Any, get_args

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.assistants.openai.answer import Answer, read_whole
from gateway.assistants.openai.prompt import fill
from gateway.assistants.openai.pushback import wanted_s
from gateway.assistants.openai.refusal import refusal, spoken_refusal
from gateway.assistants.openai.said import user_words
from gateway.assistants.openai.stream import ChatStream
from gateway.assistants.openai.window import Window, estimate_tokens, messages, past_turns
from gateway.domain.errors import AssistantFailed
from gateway.domain.message import Message, MessageKind, Sender
from gateway.domain.reply import Text
from gateway.settings.assistants import AssistantSettings
from gateway.settings.openai import OpenaiSettings
from gateway.store.ledger.push import PUSHED
from gateway.store.ledger.transcripts import Exchange
from tests.assistants.turns import TURN

BOUNDS = AssistantSettings(
    reply_bytes_max=2_000, stream_bytes_max=20_000, events_max=100, openai=OpenaiSettings(model="m")
)

SHORT = st.text(max_size=8)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | SHORT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHORT, inner, max_size=3),
    max_leaves=8,
)


def likely(name: str) -> st.SearchStrategy[Any]:
    """Return what a field of this name may hold: what it should, or anything."""
    should = {
        "content": st.text(max_size=10),
        "refusal": st.text(max_size=10),
        "tool_calls": st.just([{"id": "x"}]),
        "finish_reason": st.sampled_from(["stop", "length", "content_filter", "tool_calls", "other"]),
        "index": st.integers(0, 1),
    }
    return st.one_of(st.none(), should.get(name, JSON), JSON)


def table(*names: str, **nested: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={**{name: likely(name) for name in names}, **nested})


SAID = st.one_of(table("content", "refusal", "tool_calls", "function_call"), JSON)
CHOICE = st.one_of(table("index", "finish_reason", delta=SAID, message=SAID), JSON)
COMPLETION = st.one_of(
    table("error", "usage", "message", object=st.sampled_from(["error", "chat"]), choices=st.lists(CHOICE)), JSON
)
JSON_BYTES = JSON.map(lambda value: json.dumps(value).encode())
COMPLETION_BYTES = COMPLETION.map(lambda value: json.dumps(value).encode())
EVENTS = st.lists(
    st.one_of(COMPLETION_BYTES, st.sampled_from([b"[DONE]", b"{", b""]))
)
STREAMS = st.one_of(
    st.binary(max_size=300),
    st.tuples(EVENTS, st.sampled_from([b"\n", b"\r\n", b"\r"])).map(
        lambda drawn: b"".join(b"data: " + each + 2 * drawn[1] for each in drawn[0])
    ),
)


def read(stream: bytes, piece_bytes: int) -> tuple[list[str], str]:
    """Return the pieces that were shown, and the words of the reply or the reason why there is none."""
    chat, shown = ChatStream("helper", BOUNDS), []
    try:
        for at in range(0, len(stream), piece_bytes):
            shown += [piece.text for piece in chat.feed(stream[at : at + piece_bytes])]
            if chat.over:
                break
        return shown, words(chat.close())
    except AssistantFailed as failed:
        return shown, failed.reason


def words(answer: Answer) -> str:
    parts = answer.reply().parts
    assert parts
    return "".join(part.text for part in parts if isinstance(part, Text))


@given(STREAMS, st.integers(1, 40))
@example(b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\r\n\r\n', 1)
def test_a_stream_is_read_alike_in_any_pieces(stream: bytes, piece_bytes: int) -> None:
    assert read(stream, piece_bytes) == read(stream, len(stream) or 1)


@given(st.one_of(st.binary(max_size=300), COMPLETION_BYTES))
@example(b"[" * 100_000)
@example(b'{"error": {"message": "\\ud800"}}')
def test_any_body_is_an_answer_or_a_failure_with_a_reason(body: bytes) -> None:
    try:
        said = words(read_whole("helper", body, bytes_max=2_000))
    except AssistantFailed as failed:
        said = failed.reason
    assert said.encode()


@given(st.integers(100, 599), st.one_of(st.binary(max_size=200), JSON_BYTES), st.text())
@example(400, b"[" * 100_000, "")
@example(400, b'{"error": {"code": "\\ud800"}}', "")
def test_any_refusal_has_a_reason_and_quotes_nothing_but_words(status: int, body: bytes, request_id: str) -> None:
    failed = refusal("helper", "m", status, body, request_id)

    assert failed.reason
    str(failed).encode()
    assert "\n" not in str(failed)
    assert len(str(failed)) < 600


@given(JSON)
def test_any_error_in_a_stream_has_a_reason(error: Any) -> None:
    assert spoken_refusal("helper", error).reason


HEADERS = st.sampled_from(["retry-after", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"])


@given(st.dictionaries(HEADERS, st.text(max_size=12)))
@example({"retry-after": "9" * 400})
@example({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9" * 400 + "s"})
@example({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "٣s"})
def test_any_headers_say_a_time(headers: dict[str, str]) -> None:
    assert 0 <= wanted_s(headers.get, unix_now=0.0) < float("inf")


@given(st.text(), st.text(), st.text())
def test_any_name_leaves_the_prompt_one_line(prompt: str, name: str, locale: str) -> None:
    turn = msgspec.structs.replace(TURN, sender=Sender("U1", name, locale))

    filled = fill("Serve {user_name} in {locale}.", turn, date="2026-11-23")
    assert len(filled.splitlines()) == 1
    assert len(filled) < 120
    plain = prompt.replace("{", "")
    assert fill(plain, turn, date="2026-11-23") == plain


MESSAGES = st.one_of(st.just(PUSHED), st.builds(Message, st.just("text"), st.text(max_size=40)))
PARTS = st.one_of(st.just(()), st.tuples(st.builds(Text, st.one_of(st.just(" "), st.text(max_size=40)))))
EXCHANGES = st.lists(st.builds(Exchange, st.just(1), MESSAGES, PARTS))


@given(EXCHANGES, st.integers(0, 60), st.sampled_from([0.5, 1.0, 3.0]))
def test_any_past_is_a_chat_that_every_template_takes(
    exchanges: list[Exchange], tokens_max: int, bytes_per_token: float
) -> None:
    """System, then user and assistant in turn, user first and last; within the bound; the newest, without a gap."""
    turns = past_turns(exchanges, bytes_per_token)
    window = Window(turns, tokens_max)
    chat = messages("Be brief.", window, Message("text", "now"))

    assert [each.role for each in chat] == ["system", *("user", "assistant") * (len(chat) // 2)][: len(chat)]
    assert chat[-1].role == "user"
    assert chat[-1].content.endswith("now")
    assert all(each.content.strip() for each in chat)
    assert sum(estimate_tokens(each.content, bytes_per_token) for each in window.chat()) <= window.tokens <= tokens_max
    assert window._turns == turns[len(turns) - len(window) :]


@given(EXCHANGES)
def test_each_try_is_smaller_than_the_one_before(exchanges: list[Exchange]) -> None:
    window = Window(past_turns(exchanges, 3.0), 1_000)
    tries = [window, *window.smaller()]

    assert all(len(later) < len(sooner) for sooner, later in itertools.pairwise(tries))
    assert len(tries) <= 3
    assert len(tries[-1]) == 0


@given(st.sampled_from(get_args(MessageKind)), SHORT, SHORT, SHORT)
def test_whatever_a_user_does_can_be_said(kind: Any, said: str, name: str, value: str) -> None:
    words = user_words(Message(kind, text=said, name=name, value=value))

    assert words == "" or words.strip()
