"""A streamed answer: server-sent events in, previews and at last the reply out.

| event | data | meaning |
|---|---|---|
| ``typing`` | ``{}`` | at work |
| ``delta`` | ``{"text": ...}`` | the next piece of the text being written |
| ``part`` | a part | a finished part, in place of the pieces before |
| ``reply`` | a reply | the message itself; required, and the end of the stream |

Events of other names are ignored: a newer assistant may send what this gateway does not know yet.  What
follows the reply is never read.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gateway.assistants.decode import decode_json, decode_reply
from gateway.assistants.preview import Delta, PartPreview, Preview, Typing
from gateway.assistants.sse import EventParser, ServerEvent
from gateway.domain.errors import AssistantFailed
from gateway.domain.reply import Part, Reply
from gateway.settings.assistants import AssistantSettings

__all__ = ["StreamDecoder"]


_typing_decoder = msgspec.json.Decoder(Typing)
_delta_decoder = msgspec.json.Decoder(Delta)
_part_decoder: msgspec.json.Decoder[Part] = msgspec.json.Decoder(Part)


class StreamDecoder:
    """Decodes one streamed answer.  ``reply`` is set once, and nothing is decoded afterwards."""

    def __init__(self, bounds: AssistantSettings) -> None:
        self._bounds = bounds
        self._parser = EventParser(
            event_bytes_max=bounds.reply_bytes_max,
            stream_bytes_max=bounds.stream_bytes_max,
            events_max=bounds.events_max,
        )
        self.reply: Reply | None = None

    def feed(self, chunk: bytes) -> Iterator[Preview]:
        """Yield the previews in *chunk*; stop at the reply.

        :raises AssistantFailed: as the parser and :func:`decode_reply` do.
        """
        if self.reply is not None:
            return
        for event in self._parser.feed(chunk):
            preview = self._decode(event)
            if preview is not None:
                yield preview
            elif event.name == "reply":
                return

    def close(self) -> Reply:
        """Return the reply of the stream that has ended.

        :raises AssistantFailed: ``stream_without_reply``.
        """
        if self.reply is None:
            message = (
                "the assistant's stream ended without a reply event (and the blank line that completes it)"
            )
            raise AssistantFailed(message, reason="stream_without_reply")
        return self.reply

    def _decode(self, event: ServerEvent) -> Preview | None:
        match event.name:
            case "delta":
                return decode_json(event.data, _delta_decoder, "delta event")
            case "part":
                return PartPreview(decode_json(event.data, _part_decoder, "part event"))
            case "typing":
                return decode_json(event.data, _typing_decoder, "typing event")
            case "reply":
                self.reply = decode_reply(event.data, self._bounds)
        return None
