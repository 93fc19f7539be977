"""A model as an assistant, as the tests of its kind use it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
import msgspec
import pytest

from gateway.assistants.openai.assistant import OpenaiAssistant
from gateway.assistants.preview import Delta, Preview
from gateway.assistants.script import Script
from gateway.assistants.transcript import Transcript
from gateway.domain.errors import AssistantFailed
from gateway.domain.message import Message
from gateway.domain.reply import Reply, Text
from gateway.domain.turn import Turn
from gateway.rpc import RpcClient
from gateway.settings.assistants import AssistantSettings
from gateway.settings.openai import OpenaiSettings
from gateway.settings.secret import Secret
from tests.assistants.turns import CAPABILITIES, LANE_KEY, NOTHING_SAID, TURN, deadline
from tests.support.model_server import KEY, MODEL, ModelServer, chunk, event, refuses, sends
from tests.support.stand_in import Behaviour, Call

__all__ = ["ask", "assistant", "fail", "recite", "settings", "text"]


LAST = event(chunk({}, "stop")) + event(b"[DONE]")


def settings(url: str, *, openai: dict[str, Any] | None = None, **changes: Any) -> AssistantSettings:
    """Return the settings of an assistant at *url*; *openai* are those of its table."""
    table = msgspec.structs.replace(OpenaiSettings(model=MODEL, api_key=Secret(KEY)), **(openai or {}))
    return msgspec.structs.replace(AssistantSettings(kind="openai", url=url, openai=table), **changes)


def assistant(
    server: ModelServer | str,
    rpc: RpcClient,
    *,
    transcript: Transcript = NOTHING_SAID,
    openai: dict[str, Any] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    **changes: Any,
) -> OpenaiAssistant:
    """Return the assistant that asks *server*."""
    url = server if isinstance(server, str) else server.url
    return OpenaiAssistant("helper", settings(url, openai=openai, **changes), rpc, transcript, monotonic=monotonic)


def recite(script: Script) -> Behaviour:
    """Answer as *script* says, as far as a model can: its words, in the pieces of its previews where there are any."""

    def behave(call: Call) -> None:
        step = script.step(Message("text", text=call.json["messages"][-1]["content"]))
        if step.fails_with:
            refuses(f"{step.fails_with.removeprefix('http_')} As Told")(call)
            return
        words = "".join(part.text for part in step.reply.parts if isinstance(part, Text))
        pieces = [piece.text for piece in step.previews if isinstance(piece, Delta)]

        def rest(call: Call) -> None:
            gevent.sleep(step.delay_s)
            call.connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(LAST), LAST))

        sends(*(chunk({"content": piece}) for piece in pieces or [words]), then=rest)(call)

    return behave


def ask(
    model: OpenaiAssistant, *, turn: Turn = TURN, streams: bool = True, budget_s: float = 20.0
) -> tuple[Reply, list[Preview]]:
    """Return what *model* answers, and what it showed before."""
    previews: list[Preview] = []
    capabilities = msgspec.structs.replace(CAPABILITIES, streams=streams)
    return model.ask(turn, LANE_KEY, capabilities, deadline(budget_s), previews.append), previews


def text(reply: Reply) -> str:
    """Return the words of *reply*, which has no others."""
    (part,) = reply.parts
    assert isinstance(part, Text)
    assert part.markdown
    return part.text


def fail(model: OpenaiAssistant, *, budget_s: float = 20.0) -> AssistantFailed:
    """Return the failure that asking *model* ends in."""
    with pytest.raises(AssistantFailed) as failed:
        ask(model, budget_s=budget_s)
    return failed.value
