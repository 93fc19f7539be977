"""A model as an assistant, as the tests of its kind use it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.assistants.openai.assistant import OpenaiAssistant, Transcript
from gateway.assistants.preview import Preview
from gateway.domain.errors import AssistantFailed
from gateway.domain.reply import Reply, Text
from gateway.domain.turn import Turn
from gateway.rpc import RpcClient
from gateway.settings.assistants import AssistantSettings
from gateway.settings.openai import OpenaiSettings
from gateway.settings.secret import Secret
from tests.assistants.turns import CAPABILITIES, LANE_KEY, NOTHING_SAID, TURN, deadline
from tests.support.model_server import KEY, MODEL, ModelServer

__all__ = ["ask", "assistant", "fail", "settings", "text"]


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
