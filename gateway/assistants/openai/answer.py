"""An answer of a model, put together from what came, and what becomes of it.  Pure.

| finish_reason | |
|---|---|
| ``stop``, none, one that nobody has documented | its words are the reply |
| ``length`` | its words are the reply, with an ellipsis; without words ``answer_cut_off`` |
| ``content_filter`` | ``content_filter``, also where words came before: they are not what the model would have said |
| ``tool_calls``, ``function_call`` | ``unasked_tool_calls``: nobody here runs tools |

An answer without a word is ``empty_answer``.  A model that refuses with words of its own (``refusal``) has answered.
"""

from __future__ import annotations

import msgspec

from gateway.assistants.decode import decode_json
from gateway.assistants.openai.chunks import Completion, Said, Usage, counted
from gateway.assistants.openai.refusal import spoken_refusal
from gateway.domain.errors import AssistantFailed
from gateway.domain.reply import PARTS_MAX, TEXT_CHARS_MAX, Reply, Text
from gateway.domain.text import split

__all__ = ["Answer", "read_whole"]

_decoder = msgspec.json.Decoder(Completion)


class Answer:
    """What has come of one answer."""

    def __init__(self, name: str, *, bytes_max: int) -> None:
        self._name = name
        self._bytes_max = bytes_max
        self._words: list[str] = []
        self._bytes = 0
        self._tools = False
        #: Why the model stopped; empty while it has not said.
        self.finish = ""
        #: Whether anything of an answer came at all.
        self.begun = False
        self.usage: Usage | None = None

    def decode(self, data: bytes, what: str) -> Completion:
        """Return *data* as a completion that is no error.

        :raises AssistantFailed: it is an error (``model_error`` or what it says), or nothing that could be read.
        """
        completion = decode_json(data, _decoder, what)
        if (error := completion.spoken_error) is not None:
            raise spoken_refusal(self._name, error)
        self.usage = counted(completion.usage) or self.usage
        return completion

    def add(self, said: Said | None, finish: str | None) -> str:
        """Take the next piece; return its words.

        :raises AssistantFailed: ``too_large``.
        """
        self.begun = True
        self.finish = finish or self.finish
        if said is None:
            return ""
        self._tools = self._tools or bool(said.tool_calls or said.function_call)
        words = said.content or said.refusal or ""
        if words:
            self._bytes += len(words.encode())
            if self._bytes > self._bytes_max:
                message = f"{self._name} answered with too much (assistants.{self._name}.reply_bytes_max)"
                raise AssistantFailed(message, reason="too_large")
            self._words.append(words)
        return words

    @property
    def has_words(self) -> bool:
        """Whether there is something to show."""
        return bool(self._words)

    def reply(self) -> Reply:
        """Return the whole answer as a reply.

        :raises AssistantFailed: it is none; the table above has the reasons.
        """
        own = f"assistants.{self._name}"
        if self.finish == "content_filter":
            raise AssistantFailed(f"{self._name}: its filter cut the answer off", reason="content_filter")
        if self._tools or self.finish in {"tool_calls", "function_call"}:
            raise AssistantFailed(f"{self._name} called a tool, and was offered none", reason="unasked_tool_calls")
        text = "".join(self._words).strip()
        if not text and self.finish == "length":
            message = f"{self._name} used all tokens before its first word ({own}.openai.answer_tokens_max)"
            raise AssistantFailed(message, reason="answer_cut_off")
        if not text:
            raise AssistantFailed(f"{self._name} answered without a word", reason="empty_answer")
        pieces = split(f"{text}…" if self.finish == "length" else text, TEXT_CHARS_MAX)
        if len(pieces) > PARTS_MAX:
            message = f"{self._name} answered with more than {PARTS_MAX} parts hold ({own}.reply_bytes_max)"
            raise AssistantFailed(message, reason="too_large")
        return Reply(tuple(Text(piece, markdown=True) for piece in pieces))


def read_whole(name: str, body: bytes, *, bytes_max: int) -> Answer:
    """Return the answer that came in one piece.

    :raises AssistantFailed: ``not_json``, ``wrong_schema``, ``too_large``, or what the error in its place says.
    """
    answer = Answer(name, bytes_max=bytes_max)
    for choice in answer.decode(body, "answer").choices or ():
        if not choice.index:
            answer.add(choice.message, choice.finish_reason)
    if not answer.begun:
        raise AssistantFailed("the answer does not fit the schema: no choice at $.choices", reason="wrong_schema")
    return answer
