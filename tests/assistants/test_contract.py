"""The contract of an assistant: every kind is held to the same laws, the fakes and the real ones alike.

The same script is followed inside the process, by a service and by a model server behind real sockets.  A model says
words and nothing else, so what holds for every kind is said in words; what only a service can say has its laws as well.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway import telemetry
from gateway.assistants.assistant import Assistant
from gateway.assistants.http import HttpAssistant
from gateway.assistants.preview import Delta, PartPreview, Preview, Typing, ignore_preview
from gateway.assistants.script import Rule, Script, Step
from gateway.assistants.scripted import ScriptedAssistant
from gateway.domain.errors import AssistantFailed
from gateway.domain.message import Message
from gateway.domain.reply import Card, Reply, Text
from gateway.rpc import RpcClient
from gateway.settings.assistants import AssistantSettings
from gateway.telemetry.catalogue import Event
from gateway.telemetry.emit import Writer
from tests.assistants.models import assistant as assistant_of
from tests.assistants.models import recite
from tests.assistants.service import follow, serving
from tests.assistants.turns import CAPABILITIES, LANE_KEY, TURN, deadline, saying
from tests.support.model_server import ModelServer

RICH = Reply(
    (Text("Look:"), Card("Negroni", text="bitter")), {"last": "negroni"}, None, end=True, locale="en"
)
PREVIEWS: tuple[Preview, ...] = (Typing(), Delta("Loo"), Delta("k:"), PartPreview(Text("Look:")))

#: What a model can say.
WORDS = Reply((Text("A **Negroni**, then.", markdown=True),))
PIECES: tuple[Preview, ...] = (Typing(), Delta("A **Neg"), Delta("roni**, then."))

SCRIPT = Script(
    [
        Rule("rich", Step(reply=RICH)),
        Rule("slow words", Step(reply=WORDS, delay_s=30)),
        Rule("slow pieces", Step(reply=WORDS, previews=PIECES, delay_s=30)),
        Rule("pieces", Step(reply=WORDS, previews=PIECES)),
        Rule("words", Step(reply=WORDS)),
        Rule("bad characters", Step(reply=Reply((Text("a\x00b", markdown=True),)))),
        Rule("verbose", Step(reply=Reply((Text("x" * 3000, markdown=True),)))),
        Rule("^stream", Step(reply=RICH, previews=PREVIEWS)),
        Rule("nothing", Step()),
        Rule("forget", Step(reply=Reply(state=None, memory={"likes": []}))),
        Rule("slow stream", Step(reply=RICH, previews=PREVIEWS, delay_s=30)),
        Rule("slow", Step(reply=RICH, delay_s=30)),
        Rule("refuse", Step(fails_with="http_503")),
        Rule("unstorable", Step(reply=Reply((Text("a\x00b"),), {"k\x00": ["\x00"]}))),
        Rule("fat state", Step(reply=Reply(state={"k": "x" * 200}))),
        Rule("fat memory", Step(reply=Reply(memory={"k": "x" * 200}))),
        Rule("deep", Step(reply=Reply(state={"a": [[[[]]]]}))),
        Rule("long", Step(reply=Reply((Text("x" * 3000),)))),
        Rule("crowded", Step(reply=Reply((Text("x"),) * 51))),
    ]
)

SETTINGS = AssistantSettings(state_bytes_max=200, memory_bytes_max=200, nesting_max=4, reply_bytes_max=2000)


@pytest.fixture(params=["http", "scripted"])
def assistant(request: pytest.FixtureRequest, rpc: RpcClient) -> Iterator[Assistant]:
    """The script's follower, of each kind."""
    if request.param == "scripted":
        yield ScriptedAssistant("bartender", SETTINGS, script=SCRIPT)
        return
    with serving(follow(SCRIPT)) as service:
        yield HttpAssistant("bartender", msgspec.structs.replace(SETTINGS, url=service.url), rpc)


@pytest.fixture(params=["http", "openai", "scripted"])
def talker(request: pytest.FixtureRequest, rpc: RpcClient) -> Iterator[Assistant]:
    """The script's follower, of each kind that can follow its words."""
    if request.param == "openai":
        with ModelServer(recite(SCRIPT)) as server:
            yield assistant_of(server, rpc, reply_bytes_max=SETTINGS.reply_bytes_max, deadline_margin_s=0.05)
    elif request.param == "scripted":
        yield ScriptedAssistant("helper", SETTINGS, script=SCRIPT)
    else:
        with serving(follow(SCRIPT)) as service:
            yield HttpAssistant("helper", msgspec.structs.replace(SETTINGS, url=service.url), rpc)


def ask(
    assistant: Assistant, text: str, *, streams: bool = True, budget_s: float = 10.0
) -> tuple[Reply, list[Preview]]:
    """Return what *assistant* answers to *text*, and what it showed before."""
    previews: list[Preview] = []
    capabilities = msgspec.structs.replace(CAPABILITIES, streams=streams)
    reply = assistant.ask(saying(text), LANE_KEY, capabilities, deadline(budget_s), previews.append)
    return reply, previews


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("rich", RICH),
        ("nothing", Reply()),
        ("forget", Reply(state=None, memory={"likes": []})),
        ("an echo: grün 😀", Reply((Text("an echo: grün 😀"),))),
    ],
)
def test_the_reply_arrives_whole(assistant: Assistant, text: str, reply: Reply) -> None:
    """Every part, and absent told from null in state and memory."""
    assert ask(assistant, text) == (reply, [])


def test_previews_arrive_in_order_before_the_reply(assistant: Assistant) -> None:
    assert ask(assistant, "stream") == (RICH, list(PREVIEWS))


def test_words_arrive_whole(talker: Assistant) -> None:
    assert ask(talker, "words")[0] == WORDS


def test_pieces_of_words_arrive_in_order_before_the_reply(talker: Assistant) -> None:
    assert ask(talker, "pieces") == (WORDS, list(PIECES))


def test_no_preview_where_none_can_be_shown(talker: Assistant) -> None:
    assert ask(talker, "pieces", streams=False) == (WORDS, [])


def test_characters_that_no_store_keeps_are_replaced(talker: Assistant) -> None:
    assert ask(talker, "bad characters")[0] == Reply((Text("a\ufffdb", markdown=True),))


@pytest.mark.parametrize(("text", "reason"), [("refuse", "http_503"), ("verbose", "too_large")])
def test_a_failure_of_any_kind_has_its_reason(talker: Assistant, text: str, reason: str) -> None:
    with pytest.raises(AssistantFailed) as failed:
        ask(talker, text)

    assert failed.value.reason == reason


def test_the_message_may_be_anything_a_user_does(assistant: Assistant) -> None:
    turn = msgspec.structs.replace(TURN, message=Message(kind="tap", name="choose", value="rich"))

    assert assistant.ask(turn, LANE_KEY, CAPABILITIES, deadline(), ignore_preview) == RICH


def test_what_no_store_keeps_is_replaced(assistant: Assistant) -> None:
    assert ask(assistant, "unstorable")[0] == Reply((Text("a\ufffdb"),), {"k\ufffd": ["\ufffd"]})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("refuse", "http_503"),
        ("fat state", "state_too_large"),
        ("fat memory", "memory_too_large"),
        ("deep", "too_deep"),
        ("long", "too_large"),
        ("crowded", "wrong_schema"),
    ],
)
def test_a_failure_has_its_reason(assistant: Assistant, text: str, reason: str) -> None:
    with pytest.raises(AssistantFailed) as failed:
        ask(assistant, text)

    assert failed.value.reason == reason


@pytest.mark.parametrize("text", ["slow words", "slow pieces"])
def test_the_deadline_ends_it(talker: Assistant, text: str) -> None:
    """In time: not much sooner, for the assistant may use what there is, and not later."""
    started_at = time.monotonic()

    with pytest.raises(AssistantFailed) as failed:
        ask(talker, text, budget_s=0.5)

    assert failed.value.reason == "timeout"
    assert 0.4 < time.monotonic() - started_at < 3


def test_a_deadline_that_has_passed_ends_it_at_once(talker: Assistant) -> None:
    with pytest.raises(AssistantFailed) as failed:
        ask(talker, "words", budget_s=-1)

    assert failed.value.reason == "timeout"


def test_every_call_is_told_with_its_outcome(talker: Assistant) -> None:
    """One event each, by the assistant's name and the turn's trace, never with what was said."""
    told: list[dict[str, Any]] = []

    class Sink:
        def writer(self, event: Event) -> Writer | None:
            return told.append if event.name == "assistant.call" else None

    sink = Sink()
    telemetry.attach(sink)
    try:
        ask(talker, "words")
        with pytest.raises(AssistantFailed):
            ask(talker, "refuse")
    finally:
        telemetry.detach(sink)

    assert [fields.pop("outcome") for fields in told] == ["ok", "http_503"]
    for fields in told:
        assert fields.pop("duration_s") > 0
        # Of a service: what its ``traceparent`` says.
        assert len(fields.pop("span_id", "0123456789abcdef")) == 16
        assert fields == {"assistant": "helper", "turn_id": TURN.turn_id, "trace_id": TURN.trace_id}


def test_a_failure_does_not_stick(talker: Assistant) -> None:
    """The lane moves on: the next turn is answered."""
    for text in ("refuse", "verbose", "slow pieces"):
        with pytest.raises(AssistantFailed):
            ask(talker, text, budget_s=0.5)

    assert ask(talker, "words")[0] == WORDS
