"""The request: one chat as the JSON and the headers that a model server receives.  Pure.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gateway.assistants.openai.window import ChatMessage
from gateway.domain.turn import Turn
from gateway.settings.openai import OpenaiSettings
from gateway.settings.secret import Secret

__all__ = ["below", "encode", "headers", "is_sendable"]

_VISIBLE = re.compile(r"[!-~]+")


def encode(settings: OpenaiSettings, messages: list[ChatMessage]) -> bytes:
    """Return the body of the call."""
    body: dict[str, Any] = {**settings.parameters, "model": settings.model, "messages": messages}
    if settings.stream:
        body["stream"] = True
        if settings.stream_usage:
            body["stream_options"] = {"include_usage": True}
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.answer_tokens_max is not None:
        body[settings.answer_bound_name] = settings.answer_tokens_max
    return msgspec.json.encode(body)


def headers(settings: OpenaiSettings, turn: Turn, *, span_id: str) -> dict[str, str]:
    """Return the headers of the call; *span_id*: 16 lower-case hexadecimal digits, not all zero."""
    key = {"authorization": f"Bearer {settings.api_key.reveal()}"} if settings.api_key else {}
    return {
        "content-type": "application/json",
        "accept": "text/event-stream, application/json" if settings.stream else "application/json",
        "traceparent": f"00-{turn.trace_id}-{span_id}-01",
        # OpenAI keeps it with the request: https://platform.openai.com/docs/api-reference/debugging-requests
        "x-client-request-id": turn.trace_id,
        **key,
    }


def is_sendable(key: Secret) -> bool:
    """Return whether a header can carry *key*, or there is none."""
    return not key or _VISIBLE.fullmatch(key.reveal()) is not None


def below(base_path: str, place: str) -> str:
    """Return where *place* of the API is, below the path of a base URL; its query stays behind it."""
    parts = urlsplit(base_path)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.path.rstrip('/')}/{place}{query}"
