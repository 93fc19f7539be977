"""``[assistants.<name>.openai]``: what a model server is asked for beside what was said.

How it is called, and how much of it is borne, are the settings of every assistant (:mod:`gateway.settings.assistants`).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.settings.problems import Problems, did_you_mean
from gateway.settings.prose import Prose
from gateway.settings.quantities import Bytes, Count, Seconds
from gateway.settings.secret import Secret

__all__ = ["PLACEHOLDERS", "OpenaiSettings", "note_openai_problems"]

#: What may stand in a system prompt for what is known only when a turn runs.
PLACEHOLDERS = ("user_name", "locale", "channel", "date")
#: Parameters that are not passed on, and why.
_OURS = {
    "model": "it has a setting of its own",
    "messages": "they are what was said",
    "stream": "it has a setting of its own",
    "stream_options": "stream_usage is the setting",
    "temperature": "it has a setting of its own",
    "max_tokens": "answer_tokens_max and answer_bound_name are the settings",
    "max_completion_tokens": "answer_tokens_max and answer_bound_name are the settings",
    "n": "a turn has one answer",
    "tools": "nothing here would run them",
    "tool_choice": "nothing here would run tools",
    "functions": "nothing here would run them",
    "function_call": "nothing here would run functions",
}
_BRACED = re.compile(r"\{([a-z_]+)\}")


class OpenaiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an assistant of the kind ``openai`` adds to the settings of every assistant."""

    #: Name of the model, as the server calls it.  Required for ``kind = "openai"``.
    model: str = ""
    #: Sent as a bearer token.  Not set: none is sent; a server of one's own mostly wants none.
    api_key: Secret = Secret("")
    #: What the model reads before anything that was said.  ``{user_name}``, ``{locale}``, ``{channel}`` and ``{date}``
    #: (the day in UTC) stand for what they name; any other word in braces stays as it is.
    system_prompt: Prose = Prose("")
    #: Whether the answer comes in pieces: its user sees it grow, and the waits are those between pieces.  Without,
    #: ``first_byte_timeout_s`` and ``slow_s`` count for the whole answer.
    stream: bool = True
    #: Whether a stream ends with what the server counted (``stream_options.include_usage``); for servers that refuse
    #: what they do not know.
    stream_usage: bool = True
    #: How freely words are drawn.  Not set: the server's own way; some models take no other.
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    #: Tokens of one answer at most.  Not set: the server's own bound.
    answer_tokens_max: Count | None = None
    #: What the server calls that bound: OpenAI takes the first for all of its models, Ollama only the second.
    answer_bound_name: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    #: Further parameters, sent as they stand here.
    parameters: dict[str, Any] = {}

    #: Turns that the model is told of before the one it answers; 0: none, each message stands alone.
    history_turns_max: Annotated[int, Meta(ge=0, le=1_000)] = 20
    #: Tokens of those turns together, by the estimate of ``bytes_per_token``; the oldest are left out first.
    history_tokens_max: Count = 4_000
    #: Bytes of those turns together, as the ledger keeps them.
    history_bytes_max: Bytes = 256 * 1024
    #: Bytes of UTF-8 to a token.  An estimate, because each model counts by a table of its own: about 4 for English,
    #: 3 and less where words are rarer in what it learned from.
    bytes_per_token: Annotated[float, Meta(ge=0.5, le=16)] = 3.0
    #: Seconds for which nothing is asked after a 429 at most, however long the server wants to be left alone.
    hold_back_max_s: Seconds = 30.0


def note_openai_problems(where: str, settings: OpenaiSettings, problems: Problems) -> None:
    """Note what is wrong with the table *where* of an assistant of this kind."""
    if not settings.model:
        problems.add(f"{where}.model", "required: the name of the model, as the server calls it")
    for name in settings.parameters:
        if name in _OURS:
            problems.add(f"{where}.parameters.{name}", f"is not passed on: {_OURS[name]}")
    for word in dict.fromkeys(_BRACED.findall(settings.system_prompt)):
        # Braces may mean something to the model, so only what looks like a slip is one.
        hint = "" if word in PLACEHOLDERS else did_you_mean(word, PLACEHOLDERS)
        if hint:
            problems.add(f"{where}.system_prompt", f"{{{word}}} stands for nothing{hint}")
