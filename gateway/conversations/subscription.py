"""A subscription: one stream's place among those who watch a conversation.

It holds what the stream must know to look again, and nothing that grows: the highest sequence numbers that
somebody named (a hint is never dropped, only overtaken by a higher one), and whether the stream has to end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from gateway.store.ledger.transcripts import ConversationKey

__all__ = ["Ending", "Subscription"]

#: Why a stream ends by our wish: the process stops, or the visitor opened more streams than one may have.
Ending = Literal["draining", "displaced"]


class Subscription:
    """Watches one conversation for one stream.  ``wake`` is called whenever there may be news; it must not
    block."""

    __slots__ = ("accepted_seq", "conversation_id", "ending", "holder", "key", "settled_seq", "wake")

    def __init__(self, key: ConversationKey, holder: str, wake: Callable[[], None]) -> None:
        self.key = key
        #: Who watches: streams are bounded for each.
        self.holder = holder
        self.wake = wake
        #: None until somebody has spoken in the conversation.
        self.conversation_id: int | None = None
        #: Turns up to this one are said to be accepted ...
        self.accepted_seq = 0
        #: ... and up to this one settled.
        self.settled_seq = 0
        self.ending: Ending | None = None

    def __repr__(self) -> str:
        ending = f", {self.ending}" if self.ending else ""
        return f"<Subscription {self.conversation_id}: {self.settled_seq}/{self.accepted_seq}{ending}>"

    def hint(self, *, accepted_seq: int, settled_seq: int) -> None:
        """Take a hint; wake the stream if it says anything new."""
        if accepted_seq > self.accepted_seq or settled_seq > self.settled_seq:
            self.accepted_seq = max(self.accepted_seq, accepted_seq)
            self.settled_seq = max(self.settled_seq, settled_seq)
            self.wake()

    def end(self, ending: Ending) -> None:
        """Have the stream end itself, in good order."""
        self.ending = self.ending or ending
        self.wake()
