"""Where assistants read what was said before: those that remember nothing themselves, and taps that stand for more."""

from __future__ import annotations

from typing import Protocol

from gateway.store.ledger.transcripts import Exchange, Past

__all__ = ["Transcript"]


class Transcript(Protocol):
    """What was said, as the ledger has it: :class:`gateway.conversations.transcripts.Transcripts` in the product."""

    def before(self, past: Past) -> list[Exchange]:
        """Return the answered turns of *past*, in order.

        :raises gateway.domain.errors.TryLater: it cannot be read now.
        """
        ...
