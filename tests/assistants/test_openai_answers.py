"""What a model says becomes the reply, whichever way it comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gateway import telemetry
from gateway.assistants.preview import Delta, Preview, Typing
from gateway.domain.reply import PARTS_MAX, TEXT_CHARS_MAX
from gateway.rpc import RpcClient
from gateway.telemetry import catalogue
from gateway.telemetry.emit import Writer
from tests.assistants.models import ask, assistant, fail, text
from tests.assistants.turns import CAPABILITIES, LANE_KEY, TURN, deadline
from tests.support.model_server import ModelServer, chunk, event, says, send, sends
from tests.support.stand_in import Call
from tests.support.waiting import GUARD_S

PIECES = ("A **Negr", "oni**, then", ". Größe: 2 × 3 cl 🍸")
WHOLE = "".join(PIECES)
BOTH = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def answered(server: ModelServer, rpc: RpcClient, **changes: Any) -> str:
    return text(ask(assistant(server, rpc, **changes))[0])


@BOTH
def test_the_reply_is_what_the_model_said(server: ModelServer, rpc: RpcClient, stream: bool) -> None:
    server.will_say(says(*PIECES))

    assert answered(server, rpc, openai={"stream": stream}) == WHOLE


def test_pieces_are_shown_in_order(server: ModelServer, rpc: RpcClient) -> None:
    server.will_say(says(*PIECES))

    _, previews = ask(assistant(server, rpc))

    assert previews == [Typing(), *(Delta(piece) for piece in PIECES)]


def test_nothing_is_shown_where_nothing_can_be(server: ModelServer, rpc: RpcClient) -> None:
    server.will_say(says(*PIECES))

    assert ask(assistant(server, rpc), streams=False)[1] == []


def test_a_piece_is_shown_while_the_model_still_thinks(server: ModelServer, rpc: RpcClient) -> None:
    """The server waits until its first piece was shown: buffering anywhere would hang this test."""
    shown = Event()

    def rest(call: Call) -> None:
        assert shown.wait(GUARD_S)
        for data in (chunk({"content": "ot"}, "stop"), b"[DONE]"):
            piece = event(data)
            call.connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        call.connection.sendall(b"0\r\n\r\n")

    def show(preview: Preview) -> None:
        if preview == Delta("Sh"):
            shown.set()

    server.will_say(sends(chunk({"content": "Sh"}), then=rest))
    reply = assistant(server, rpc).ask(TURN, LANE_KEY, CAPABILITIES, deadline(GUARD_S), show)

    assert text(reply) == "Shot"


@pytest.mark.parametrize("cut_bytes", [1, 2, 3, 7])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_bytes_may_be_cut_anywhere(server: ModelServer, rpc: RpcClient, cut_bytes: int, line_end: bytes) -> None:
    """Inside a character, a line end or a comment."""
    server.will_say(says("ü🍸", "Größe", line_end=line_end, comments=True, cut_bytes=cut_bytes))

    assert answered(server, rpc) == "ü🍸Größe"


@pytest.mark.parametrize(
    ("asks_for_stream", "behaviour"),
    [
        (True, lambda call: call.answer(b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}')),
        (False, sends(chunk({"content": "Hi"}, "stop"), b"[DONE]")),
        (False, sends({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}, b"[DONE]")),
    ],
    ids=["whole though a stream was asked for", "a stream though it was not", "a whole message in a stream"],
)
def test_the_answer_says_itself_what_it_is(
    server: ModelServer, rpc: RpcClient, asks_for_stream: bool, behaviour: Any
) -> None:
    server.will_say(behaviour)

    assert answered(server, rpc, openai={"stream": asks_for_stream}) == "Hi"


HI = chunk({"content": "Hi"})
STREAMS: dict[str, tuple[dict[str, Any] | bytes, ...]] = {
    "without [DONE]": (HI, chunk({}, "stop")),
    "without finish_reason": (HI, b"[DONE]"),
    "the reason in the last piece": (chunk({"content": "Hi"}, "stop"), b"[DONE]"),
    "chunks without choices": ({"choices": []}, {"choices": None}, {}, HI, chunk({}, "stop"), b"[DONE]"),
    "a filter's remarks": (
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        HI,
        {"choices": [{"index": 0, "content_filter_offsets": {}, "finish_reason": None}]},
        chunk({}, "stop"),
        b"[DONE]",
    ),
    "usage with choices null": (HI, chunk({}, "stop"), {"choices": None, "usage": {"prompt_tokens": 1}}, b"[DONE]"),
    "usage that is none": (HI, chunk({}, "stop"), {"choices": [], "usage": "many"}, b"[DONE]"),
    "other choices": (HI, chunk({"content": "other"}, "length", index=1), chunk({}, "stop"), b"[DONE]"),
    "nulls": (chunk({"role": "assistant", "content": None, "tool_calls": None}), HI, chunk(None, "stop"), b"[DONE]"),
    "thoughts": (chunk({"reasoning_content": "hm"}), chunk({"reasoning": "hm"}), HI, chunk({}, "stop"), b"[DONE]"),
    "an unknown reason": (HI, chunk({}, "eos_token"), b"[DONE]"),
    "no space and words behind [DONE]": (HI, b"[DONE] "),
    "white space around": (chunk({"content": "\n\n "}), HI, chunk({"content": " \n"}, "stop"), b"[DONE]"),
    "an index that is null": ({"choices": [{"index": None, "delta": {"content": "Hi"}}]}, chunk({}, "stop")),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_what_servers_leave_out_and_add(
    server: ModelServer, rpc: RpcClient, stream: tuple[dict[str, Any] | bytes, ...]
) -> None:
    server.will_say(sends(*stream))

    assert answered(server, rpc) == "Hi"


def test_the_answer_is_not_waited_for_once_it_is_there(server: ModelServer, rpc: RpcClient) -> None:
    """A server that forgets to end its stream costs nobody any time: everything that was asked for has come."""
    server.will_say(
        sends(chunk({"content": "Hi"}, "stop"), {"choices": [], "usage": {"prompt_tokens": 1}}, then=hang)
    )
    started_at = time.monotonic()

    assert answered(server, rpc) == "Hi"
    assert time.monotonic() - started_at < 5


def test_a_count_that_never_comes_does_not_cost_the_answer(server: ModelServer, rpc: RpcClient) -> None:
    """The last word was said: neither a silence behind it nor a broken connection takes it back."""
    server.will_say(sends(chunk({"content": "Hi"}, "stop"), then=hang))
    assert answered(server, rpc, idle_timeout_s=0.2) == "Hi"

    server.will_say(sends(chunk({"content": "Hi"}, "stop"), then=lambda call: call.connection.close()))
    assert answered(server, rpc) == "Hi"


def hang(call: Call) -> None:
    call.connection.recv(1)


@BOTH
def test_what_was_cut_off_by_its_length_says_so(server: ModelServer, rpc: RpcClient, stream: bool) -> None:
    server.will_say(says("A Negroni is", finish="length"))

    assert answered(server, rpc, openai={"stream": stream}) == "A Negroni is…"


@BOTH
def test_a_refusal_in_words_is_an_answer(server: ModelServer, rpc: RpcClient, stream: bool) -> None:
    """``refusal`` stands where ``content`` would, and its user is to read it."""
    server.will_say(says(delta={"refusal": "I cannot help with that."}))

    assert answered(server, rpc, openai={"stream": stream}) == "I cannot help with that."


TOOL = [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


@BOTH
@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (says("I was going to", finish="content_filter"), "content_filter"),
        (says(finish="content_filter"), "content_filter"),
        (says("Let me look", finish="tool_calls", delta={"tool_calls": TOOL}), "unasked_tool_calls"),
        (says("Let me look", delta={"tool_calls": TOOL}), "unasked_tool_calls"),
        (says(finish="function_call", delta={"function_call": {"name": "f"}}), "unasked_tool_calls"),
        (says(finish="length"), "answer_cut_off"),
        (says(), "empty_answer"),
        (says(" \n"), "empty_answer"),
    ],
)
def test_an_end_that_is_no_answer_has_its_reason(
    server: ModelServer, rpc: RpcClient, stream: bool, behaviour: Any, reason: str
) -> None:
    server.will_say(behaviour)

    assert fail(assistant(server, rpc, openai={"stream": stream})).reason == reason


def test_a_long_answer_is_several_parts(server: ModelServer, rpc: RpcClient) -> None:
    words = "Gin and lemon. " * (TEXT_CHARS_MAX // 10)
    server.will_say(says(words))

    parts = ask(assistant(server, rpc))[0].parts

    assert len(parts) == 2
    assert " ".join(part.text.strip() for part in parts) == words.strip()  # type: ignore[union-attr]


@BOTH
def test_an_answer_over_its_bound_is_refused(server: ModelServer, rpc: RpcClient, stream: bool) -> None:
    server.will_say(says(*["x" * 100] * 30))

    failed = fail(assistant(server, rpc, reply_bytes_max=2_000, openai={"stream": stream}))

    assert failed.reason == "too_large"
    assert "assistants.helper.reply_bytes_max" in str(failed)


def test_an_answer_of_too_many_parts_is_refused(server: ModelServer, rpc: RpcClient) -> None:
    server.will_say(says("x" * TEXT_CHARS_MAX * (PARTS_MAX + 1)))

    assert fail(assistant(server, rpc, reply_bytes_max=10_000_000, openai={"stream": False})).reason == "too_large"


def test_a_stream_without_end_is_ended(server: ModelServer, rpc: RpcClient) -> None:
    def forever(call: Call) -> None:
        while True:
            call.connection.sendall(b"1000\r\n" + b": keep-alive\n\n".ljust(0x1000, b"\n") + b"\r\n")
            gevent.sleep()

    server.will_say(sends(then=forever))

    assert fail(assistant(server, rpc, stream_bytes_max=100_000)).reason == "stream_too_long"


def test_what_no_store_keeps_is_replaced(server: ModelServer, rpc: RpcClient) -> None:
    raw = rb'{"choices": [{"index": 0, "delta": {"content": "a\u0000b\ud83dc"}, "finish_reason": "stop"}]}'
    server.will_say(lambda call: send(call, [event(raw)]))

    assert answered(server, rpc) == "a\ufffdb\ufffdc"


@BOTH
def test_what_the_server_counted_is_told(server: ModelServer, rpc: RpcClient, stream: bool) -> None:
    told: list[dict[str, Any]] = []

    class Sink:
        def writer(self, event: catalogue.Event) -> Writer | None:
            return told.append if event.name == "assistant.counted" else None

    sink = Sink()
    telemetry.attach(sink)
    try:
        server.will_say(says("Hi", usage=(120, 7)))
        ask(assistant(server, rpc, openai={"stream": stream}))
    finally:
        telemetry.detach(sink)

    assert told == [{"assistant": "helper", "prompt_tokens": 120, "completion_tokens": 7}]


def test_streams_share_a_connection(server: ModelServer, rpc: RpcClient) -> None:
    """[DONE] comes a moment before the last bytes: those are waited for, so that the next call need not connect."""
    for _ in range(3):
        answered(server, rpc)
        gevent.sleep(0.1)

    assert len({id(call.connection) for call in server.calls}) == 1
