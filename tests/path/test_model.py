"""The whole way with a model for an assistant: what it is told of is what the ledger says was said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.model_server import KEY, MODEL, ModelServer, refuses, says
from tests.support.stack import Stack, running_stack, word
from tests.support.stand_in import Call
from tests.support.stores import Migrated, Stores
from tests.support.visitor import Visitor, texts


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    def repeat(call: Call) -> None:
        says("You said ", call.json["messages"][-1]["content"])(call)

    with ModelServer(repeat) as running:
        yield running


@pytest.fixture(scope="module")
def stack(stores: Stores, migrated: Migrated, server: ModelServer) -> Iterator[Stack]:
    """The account ``shop`` has the model, by its environment alone."""
    settings = {
        "assistants.patient.kind": "openai",
        "assistants.patient.url": server.url,
        "assistants.patient.openai.model": MODEL,
        "assistants.patient.openai.api_key": "env:TEST_MODEL_KEY",
        "assistants.patient.openai.system_prompt": "You serve on {channel}.",
        "assistants.patient.openai.temperature": 0.5,
    }
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("TEST_MODEL_KEY", KEY)
        with migrated() as url, running_stack(url, stores.redis.url, settings=settings) as running:
            yield running
            print(running.logs())


def chat(server: ModelServer, said: str) -> list[tuple[str, str]]:
    """Return the chat of the last call that ends with *said*."""
    found: list[Any] = [call.json["messages"] for call in server.calls]
    messages = next(each for each in reversed(found) if each[-1]["content"] == said)
    return [(each["role"], each["content"]) for each in messages]


def test_a_conversation_is_told_from_its_beginning(stack: Stack, server: ModelServer) -> None:
    first, second, visitor = word(), word(), Visitor()

    assert texts(visitor.say(stack.port, first, wait_s=20)) == [f"You said {first}"]
    assert texts(visitor.say(stack.port, second, wait_s=20)) == [f"You said {second}"]

    assert server.calls[-1].json["temperature"] == 0.5
    assert chat(server, second) == [
        ("system", "You serve on webchat."), ("user", first), ("assistant", f"You said {first}"), ("user", second)
    ]  # fmt: skip


def test_conversations_know_nothing_of_each_other(stack: Stack, server: ModelServer) -> None:
    first, second = word(), word()
    Visitor().say(stack.port, first, wait_s=20)
    Visitor().say(stack.port, second, wait_s=20)

    assert chat(server, second) == [("system", "You serve on webchat."), ("user", second)]


def test_a_failed_turn_is_not_told(stack: Stack, server: ModelServer) -> None:
    """Its user read the apology; the model never answered."""
    first, broken, third, visitor = word(), word(), word(), Visitor()
    server.will(broken, refuses("401 Unauthorized"))
    for said in (first, broken, third):
        visitor.say(stack.port, said, wait_s=20)

    [turn] = stack.ledger.wait_settled(broken)
    assert (turn["state"], turn["reason"]) == ("failed", "key_refused")
    assert [content for _, content in chat(server, third)][1:] == [first, f"You said {first}", third]
