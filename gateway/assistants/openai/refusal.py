"""What a model server says instead of an answer, as a reason of the README's table.  Pure.

https://platform.openai.com/docs/guides/error-codes

An error's own sentence is never shown: some servers quote the prompt in it, and OpenAI the ends of the key.  Its short
words are (code, type, param), where they are short words.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from gateway.domain.errors import AssistantFailed

__all__ = ["BODY_BYTES_MAX", "TOO_LONG", "refusal", "spoken_refusal"]

#: Bytes of a refusal's body that are read.
BODY_BYTES_MAX = 64 * 1024
#: The reason for which a smaller window is worth another try.
TOO_LONG = "context_length_exceeded"

_WORD = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
#: Codes and types that say it (OpenAI; llama.cpp), and what servers say that have no word for it (vLLM, llama.cpp).
_TOO_LONG_WORDS = frozenset({TOO_LONG, "exceed_context_size_error", "string_above_max_length"})
_TOO_LONG_SENTENCE = re.compile(
    r"context (?:length|size|window)|maximum (?:context|sequence) length|prompt is too long|too many tokens",
    re.IGNORECASE,
)
_FILTERED_WORDS = frozenset({"content_filter", "content_policy_violation"})
_NO_QUOTA_WORDS = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class _Fields(msgspec.Struct, frozen=True):
    """The fields of an error that are texts."""

    code: str = ""
    type: str = ""
    param: str = ""
    message: str = ""

    @property
    def words(self) -> str:
        """What may be shown."""
        found = [each for each in (self.code, self.type, self.param) if _WORD.fullmatch(each)]
        return f" ({', '.join(dict.fromkeys(found))})" if found else ""

    def says(self, words: frozenset[str]) -> bool:
        """Return whether code or type is one of *words*."""
        return self.code in words or self.type in words


def refusal(name: str, model: str, status: int, body: bytes, request_id: str | None) -> AssistantFailed:
    """Return what an answer with *status*, not 200, means."""
    own, fields = f"assistants.{name}", _fields(body)
    # "Too many tokens" is also what is said of a minute's quota: behind a 429 only their words for it count.
    known = _known(own, msgspec.structs.replace(fields, message="") if status == 429 else fields)
    if known is not None:
        reason, message = known
    elif status == 413:
        reason, message = TOO_LONG, _too_long(own)
    elif status in {401, 403}:
        reason, message = "key_refused", f"the key is not accepted ({own}.openai.api_key)"
    elif status == 404 and (fields.says(frozenset({"model_not_found"})) or "model" in fields.message.lower()):
        shown = model if _WORD.fullmatch(model.replace("/", ".").replace(":", ".")) else "of that name"
        reason, message = "no_such_model", f"there is no model {shown} ({own}.openai.model)"
    elif status == 404:
        reason, message = "http_404", f"nothing is there ({own}.url is a base URL, and mostly ends in /v1)"
    elif status == 429:
        reason, message = "rate_limited", "too much is asked of it"
    else:
        reason, message = f"http_{status}", "no answer"
    called = f"; its request id is {request_id}" if request_id and _REQUEST_ID.fullmatch(request_id) else ""
    return AssistantFailed(f"{name} answered with status {status}: {message}{fields.words}{called}", reason=reason)


def spoken_refusal(name: str, error: Any) -> AssistantFailed:
    """Return what the error object in an answer with status 200 means: in the middle of a stream, mostly."""
    fields = _of(error)
    reason, message = _known(f"assistants.{name}", fields) or ("model_error", "its answer broke off with an error")
    return AssistantFailed(f"{name}: {message}{fields.words}", reason=reason)


def _known(own: str, fields: _Fields) -> tuple[str, str] | None:
    if fields.says(_TOO_LONG_WORDS) or _TOO_LONG_SENTENCE.search(fields.message):
        return TOO_LONG, _too_long(own)
    if fields.says(_FILTERED_WORDS):
        return "content_filter", "its filter let nothing through"
    if fields.says(_NO_QUOTA_WORDS):
        return "quota_exhausted", "the account behind the key has no quota left"
    return None


def _too_long(own: str) -> str:
    return f"the chat is too long for its model ({own}.openai.history_tokens_max, .bytes_per_token)"


def _fields(body: bytes) -> _Fields:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Fields()
    # Either {"error": {...}}, or the same without the envelope, or {"error": "a sentence"}.
    error = value.get("error", value) if isinstance(value, dict) else None
    return _of(error)


def _of(error: Any) -> _Fields:
    if isinstance(error, str):
        return _Fields(message=error)
    if not isinstance(error, dict):
        return _Fields()
    names: tuple[Literal["code", "type", "param", "message"], ...] = ("code", "type", "param", "message")
    return _Fields(**{name: error[name] for name in names if isinstance(error.get(name), str)})
