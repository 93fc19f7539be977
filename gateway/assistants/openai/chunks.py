"""The wire: what a model server sends, as far as it is read.

https://platform.openai.com/docs/api-reference/chat/object
https://platform.openai.com/docs/api-reference/chat-streaming

Compatible servers differ in what they leave out or send as null, so everything here may be missing: what an answer
needs is asked of the whole, by :mod:`gateway.assistants.openai.answer`.  Fields that are not read may hold anything.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import msgspec

__all__ = ["Choice", "Completion", "Said", "Usage", "counted"]


class Said(msgspec.Struct, frozen=True):
    """A message, or the next piece of one."""

    content: str | None = None
    #: Said in place of an answer by a model that will not give one.
    refusal: str | None = None
    tool_calls: Any = None
    function_call: Any = None


class Choice(msgspec.Struct, frozen=True):
    """One of several answers.  ``message`` in a whole answer, ``delta`` in a stream."""

    index: int | None = None
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None


class Completion(msgspec.Struct, frozen=True):
    """A whole answer, or a chunk of a stream; or an error, with the status or without."""

    #: Empty or null in a stream's last chunk, which brings ``usage``.
    choices: tuple[Choice, ...] | None = None
    usage: Any = None
    error: Any = None
    #: ``error`` where the error's fields stand at the top.
    object: Any = None
    message: Any = None
    type: Any = None
    code: Any = None
    param: Any = None

    @property
    def spoken_error(self) -> Any:
        """The error that it is instead of an answer, or None."""
        if self.object == "error":
            return {"message": self.message, "type": self.type, "code": self.code, "param": self.param}
        return self.error or None


class Usage(msgspec.Struct, frozen=True):
    """What the server counted."""

    prompt_tokens: int
    completion_tokens: int


def counted(usage: Any) -> Usage | None:
    """Return what *usage* says, or None: no answer is worth less because of how it was counted."""
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return Usage(prompt if _is_count(prompt) else 0, completion if _is_count(completion) else 0)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
