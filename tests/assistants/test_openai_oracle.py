"""The official client as the judge: what it reads of our stand-in, we read, and what it raises has its reason here.

Were the stand-in only our own reading of the documents, both sides could be wrong in the same way.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionUserMessageParam

from gateway.assistants.preview import Delta
from gateway.domain.deadline import Deadline
from gateway.domain.errors import AssistantFailed
from gateway.rpc import RpcClient
from gateway.settings.rpc import RpcSettings
from tests.assistants.models import ask, assistant, fail, text
from tests.support.model_server import KEY, MODEL, ModelServer, chunk, error, refuses, says, sends
from tests.support.stand_in import Behaviour

MESSAGES: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "something with gin"}]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def official(server: ModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=server.url, max_retries=0) as client:
        yield client
    gc.collect()


def streamed(client: openai.OpenAI) -> tuple[list[str], str | None, int]:
    """Return the pieces that the client reads, the reason why there are no more, and the tokens that were read."""
    pieces, finish, tokens = [], None, 0
    stream = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    with stream:
        for part in stream:
            tokens = part.usage.prompt_tokens if part.usage else tokens
            for choice in part.choices:
                pieces += [choice.delta.content] if choice.delta.content else []
                finish = choice.finish_reason or finish
    return pieces, finish, tokens


def whole(client: openai.OpenAI) -> Any:
    return client.chat.completions.create(model=MODEL, messages=MESSAGES)


#: Words without what no JSON in UTF-8 can hold, and without what is taken off at the ends of an answer.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


@given(
    pieces=st.lists(WORDS, min_size=1, max_size=6),
    cut_bytes=st.sampled_from([1, 3, 50, 10_000]),
    line_end=st.sampled_from([b"\n", b"\r\n"]),
    comments=st.booleans(),
    usage=st.tuples(st.integers(0, 9_999), st.integers(0, 9_999)),
)
@settings(max_examples=60)
def test_we_read_of_a_stream_what_the_official_client_reads(
    server: ModelServer,
    official: openai.OpenAI,
    pieces: list[str],
    cut_bytes: int,
    line_end: bytes,
    comments: bool,
    usage: tuple[int, int],
) -> None:
    server.will_say(says(*pieces, cut_bytes=cut_bytes, line_end=line_end, comments=comments, usage=usage))
    theirs, finish, tokens = streamed(official)
    if not "".join(theirs).strip():
        with pytest.raises(AssistantFailed, match="without a word"):
            _ours(server)
        return
    reply, previews = _ours(server)

    assert (finish, tokens) == ("stop", usage[0])
    assert [preview.text for preview in previews if isinstance(preview, Delta)] == theirs
    assert text(reply) == "".join(theirs).strip()


def test_we_read_of_a_whole_answer_what_the_official_client_reads(
    server: ModelServer, official: openai.OpenAI
) -> None:
    server.will_say(says("A **Negroni**, ", "then. 🍸", usage=(12, 5)))
    theirs = whole(official)

    assert text(_ours(server, {"stream": False})[0]) == theirs.choices[0].message.content
    assert (theirs.choices[0].finish_reason, theirs.usage.prompt_tokens) == ("stop", 12)


REFUSALS: dict[str, tuple[Behaviour, type[openai.APIStatusError], str]] = {
    "key": (refuses("401 Unauthorized", error("no", "e")), openai.AuthenticationError, "key_refused"),
    "right": (refuses("403 Forbidden", error("no", "e")), openai.PermissionDeniedError, "key_refused"),
    "model": (
        refuses("404 Not Found", error("no", "e", code="model_not_found")), openai.NotFoundError, "no_such_model"
    ),
    "length": (
        refuses("400 Bad Request", error("no", "e", code="context_length_exceeded")),
        openai.BadRequestError,
        "context_length_exceeded",
    ),
    "rate": (refuses("429 Too Many Requests", error("no", "e")), openai.RateLimitError, "rate_limited"),
    "fault": (refuses("500 Internal Server Error", error("no", "e")), openai.InternalServerError, "http_500"),
}  # fmt: skip


@pytest.mark.parametrize(("behaviour", "theirs", "ours"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_the_official_client_raises_has_its_reason_here(
    server: ModelServer,
    official: openai.OpenAI,
    rpc: RpcClient,
    behaviour: Behaviour,
    theirs: type[openai.APIStatusError],
    ours: str,
) -> None:
    server.will_say(behaviour)
    with pytest.raises(theirs) as raised:
        whole(official)

    assert raised.value.request_id == "req_42"
    failed = fail(assistant(server, rpc))
    assert failed.reason == ours
    assert "req_42" in str(failed)


def test_the_stand_ins_own_refusals_are_known_to_the_official_client(server: ModelServer) -> None:
    with openai.OpenAI(api_key="sk-another", base_url=server.url, max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as raised:
            whole(stranger)
        assert raised.value.code == "invalid_api_key"
    with (
        ModelServer(context_tokens=1) as small,
        openai.OpenAI(api_key=KEY, base_url=small.url, max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        whole(client)
    assert refused.value.code == "context_length_exceeded"


def test_the_stand_in_lists_its_model(official: openai.OpenAI) -> None:
    assert [model.id for model in official.models.list()] == [MODEL]


def test_an_error_in_the_middle_is_one_for_both(server: ModelServer, official: openai.OpenAI, rpc: RpcClient) -> None:
    server.will_say(sends(chunk({"content": "He"}), error("no", "server_error", code="overloaded")))
    with pytest.raises(openai.APIError) as raised:
        streamed(official)

    assert raised.value.code == "overloaded"
    failed = fail(assistant(server, rpc))
    assert failed.reason == "model_error"
    assert "overloaded" in str(failed)


def _ours(server: ModelServer, table: dict[str, Any] | None = None) -> Any:
    # A client of its own: hypothesis runs many examples in one test, and a fixture would be shared by all of them.
    client = RpcClient(RpcSettings())
    try:
        return ask(assistant(server, client, openai=table))
    finally:
        client.stop(Deadline(0))
