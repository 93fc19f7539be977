"""A streamed answer: server-sent events in, previews and at last the answer out.  Pure.

Each event's data is a chunk, or ``[DONE]``.  Rules:

- Pieces of the first choice are the answer; chunks without choices are no pieces (usage, a filter's remarks).
- The answer is whole once a ``finish_reason`` came, or ``[DONE]``.  Some servers send only one of the two.  A stream
  that ends before both was cut off, however much of it there is.
- Behind the ``finish_reason`` there is only what the server counted: it is waited for if it was asked for.
- An error object ends it, wherever it comes.  A chat that grew too long for the model in the middle of its answer is an
  answer that was cut off, as by ``length``: it was shown, and a shorter chat would begin another.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.assistants.openai.answer import Answer
from gateway.assistants.openai.refusal import TOO_LONG
from gateway.assistants.preview import Delta
from gateway.assistants.sse import EventParser
from gateway.domain.errors import AssistantFailed
from gateway.settings.assistants import AssistantSettings

__all__ = ["ChatStream"]

_DONE = b"[DONE]"


class ChatStream:
    """Reads one stream.  ``over``: nothing further of it is wanted."""

    def __init__(self, name: str, settings: AssistantSettings) -> None:
        self._name = name
        self._waits_for_usage = settings.openai.stream_usage
        self._parser = EventParser(
            event_bytes_max=settings.reply_bytes_max,
            stream_bytes_max=settings.stream_bytes_max,
            events_max=settings.events_max,
        )
        self._answer = Answer(name, bytes_max=settings.reply_bytes_max)
        self._done = False

    @property
    def whole(self) -> bool:
        """Whether all words of the answer are here."""
        return self._done or bool(self._answer.finish)

    @property
    def over(self) -> bool:
        """Whether nothing is left to come."""
        counted = self._answer.usage is not None or not self._waits_for_usage
        return self._done or (bool(self._answer.finish) and counted)

    def feed(self, chunk: bytes) -> Iterator[Delta]:
        """Yield the pieces of the answer in *chunk*.

        :raises AssistantFailed: as the parser and :class:`Answer` do.
        """
        for event in self._parser.feed(chunk):
            if self.over:
                return
            if event.data.startswith(_DONE):
                self._done = True
                return
            words = self._piece(event.data)
            if words:
                yield Delta(words)

    def close(self) -> Answer:
        """Return the answer of the stream that has ended.

        :raises AssistantFailed: ``stream_without_reply``.
        """
        if not self.whole:
            message = f"{self._name}: the stream ended without a finish_reason, and without [DONE]"
            raise AssistantFailed(message, reason="stream_without_reply")
        return self._answer

    def _piece(self, data: bytes) -> str:
        try:
            chunk = self._answer.decode(data, "chunk")
        except AssistantFailed as error:
            if error.reason != TOO_LONG or not self._answer.has_words:
                raise
            self._answer.finish, self._done = "length", True
            return ""
        words = ""
        for choice in chunk.choices or ():
            if not choice.index:
                # A whole message in a stream: so answers who was asked for pieces and has none.
                words += self._answer.add(choice.delta or choice.message, choice.finish_reason)
        return words
