"""A model server that speaks OpenAI's chat completions, over real sockets: it answers what a test tells it to say.

https://platform.openai.com/docs/api-reference/chat — it refuses as a real one does whoever has another key, asks for
another model, or sends more than its model can read.  The official client is held against it in
``tests/assistants/test_openai_oracle.py``, so that it is not only our reading of the documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tests.support.stand_in import Behaviour, Call, StandIn, status

__all__ = [
    "CHAT_PATH", "KEY", "MODEL", "ModelServer", "chunk", "error", "event", "lists", "refuses", "says", "send", "sends",
]  # fmt: skip

KEY = "sk-of-this-test-run"
MODEL = "little-model"
CHAT_PATH = "/v1/chat/completions"
_MODELS_PATH = "/v1/models"
_ANSWER_ID = "chatcmpl-1"
DONE = b"[DONE]"
_CREATED = 1_790_000_000
_BYTES_PER_TOKEN = 4

Json = dict[str, Any]


class ModelServer(StandIn):
    """One server with one model; *context_tokens* are what it can read at once."""

    def __init__(self, answer: Behaviour | None = None, *, context_tokens: int = 1_000_000) -> None:
        super().__init__(self._serve_chat)
        self._answer = answer or says("Good evening.")
        self._context_tokens = context_tokens

    @property
    def url(self) -> str:
        """The base URL that its clients are given."""
        return f"{self.origin}/v1"

    def will_say(self, answer: Behaviour) -> None:
        """Answer with *answer* from now on."""
        self._answer = answer

    def _serve_chat(self, call: Call) -> None:
        refusal = self._refusal(call)
        (refusal or self._answer)(call)

    def _refusal(self, call: Call) -> Behaviour | None:
        if call.path.partition("?")[0] == _MODELS_PATH and call.headers.get("authorization") == f"Bearer {KEY}":
            return lists(MODEL)
        if call.path.partition("?")[0] != CHAT_PATH:
            return refuses("404 Not Found", error("Invalid URL", "invalid_request_error", code=None))
        if call.headers.get("authorization") != f"Bearer {KEY}":
            told = error(f"Incorrect API key provided: {KEY[:4]}***.", "invalid_request_error", code="invalid_api_key")
            return refuses("401 Unauthorized", told)
        if call.json["model"] != MODEL:
            told = error("The model does not exist.", "invalid_request_error", param="model", code="model_not_found")
            return refuses("404 Not Found", told)
        tokens = sum(len(message["content"].encode()) for message in call.json["messages"]) // _BYTES_PER_TOKEN
        if tokens > self._context_tokens:
            told = error(
                f"This model's maximum context length is {self._context_tokens} tokens.",
                "invalid_request_error",
                param="messages",
                code="context_length_exceeded",
            )
            return refuses("400 Bad Request", told)
        return None


def error(message: str, kind: str, *, param: str | None = None, code: str | int | None = None) -> Json:
    """Return an error as OpenAI puts it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def lists(*models: str) -> Behaviour:
    """Say which models there are."""
    found = [{"id": model, "object": "model", "created": _CREATED, "owned_by": "test"} for model in models]
    return lambda call: call.answer(msgspec.json.encode({"object": "list", "data": found}))


def refuses(line: str, body: Json | bytes = b"", *headers: str) -> Behaviour:
    """Refuse with the status *line*."""
    told = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return status(line, told, "x-request-id: req_42", *headers)


def says(
    *pieces: str,
    finish: str | None = "stop",
    usage: tuple[int, int] = (9, 3),
    line_end: bytes = b"\n",
    comments: bool = False,
    done: bool = True,
    cut_bytes: int = 65_536,
    delta: Json | None = None,
) -> Behaviour:
    """Say *pieces*, one chunk each, or all of them in one answer to whoever does not ask for a stream.

    *cut_bytes*: bytes of one HTTP chunk at most, wherever that cuts.  *delta*: further fields of the last piece.
    """

    def behave(call: Call) -> None:
        asked = call.json
        if not asked.get("stream"):
            call.answer(msgspec.json.encode(_whole("".join(pieces), finish, usage, delta)))
            return
        counted = bool((asked.get("stream_options") or {}).get("include_usage"))
        datas: list[Json | bytes] = [chunk({"role": "assistant", "content": ""})]
        datas += [chunk({"content": piece}) for piece in pieces]
        datas.append(chunk(delta or {}, finish))
        if counted:
            datas.append(_envelope([], usage=_usage(usage)))
        if done:
            datas.append(DONE)
        between = b": keep-alive" + 2 * line_end if comments else b""
        events = b"".join(between + event(data, line_end=line_end) for data in datas)
        send(call, (events[at : at + cut_bytes] for at in range(0, len(events), cut_bytes)))

    return behave


def sends(*datas: Json | bytes, then: Callable[[Call], None] | None = None) -> Behaviour:
    """Send these events as a stream, whatever was asked for; *then* takes the place of the stream's end."""
    return lambda call: send(call, (event(data) for data in datas), then)


def chunk(delta: Json | None, finish: str | None = None, *, index: int = 0) -> Json:
    """Return a chunk with one choice."""
    return _envelope([{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}])


def event(data: Json | bytes, *, line_end: bytes = b"\n") -> bytes:
    """Return one event of a stream."""
    return b"data: " + (data if isinstance(data, bytes) else msgspec.json.encode(data)) + 2 * line_end


def send(call: Call, pieces: Iterable[bytes], then: Callable[[Call], None] | None = None) -> None:
    """Send *pieces* as HTTP chunks."""
    call.connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for piece in pieces:
        call.connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    if then is None:
        call.connection.sendall(b"0\r\n\r\n")
    else:
        then(call)


def _envelope(choices: list[Json], **more: Any) -> Json:
    return {
        "id": _ANSWER_ID, "object": "chat.completion.chunk", "created": _CREATED, "model": MODEL, "choices": choices,
        **more,
    }  # fmt: skip


def _whole(text: str, finish: str | None, usage: tuple[int, int], delta: Json | None) -> Json:
    message = {"role": "assistant", "content": text or None, "refusal": None, **(delta or {})}
    return {
        **_envelope([{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}]),
        "object": "chat.completion",
        "usage": _usage(usage),
    }


def _usage(counted: tuple[int, int]) -> Json:
    prompt, completion = counted
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
