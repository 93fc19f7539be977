"""Taps that bring a digest in place of their value get the value back before their assistant is asked.

The value stands on a control of a reply in the ledger (:mod:`gateway.domain.control`).  All other turns pass through
without a look.  A control that is older than what is read has its label alone: that is what its user saw, too.
"""

from __future__ import annotations

import msgspec

from gateway.assistants.assistant import Assistant
from gateway.assistants.preview import OnPreview
from gateway.assistants.transcript import Transcript
from gateway.domain.capabilities import Capabilities
from gateway.domain.control import DIGEST, value_of
from gateway.domain.deadline import Deadline
from gateway.domain.errors import AssistantFailed, TryLater
from gateway.domain.reply import Reply
from gateway.domain.turn import LaneKey, Turn
from gateway.store.ledger.transcripts import Past

__all__ = ["TURNS_MAX", "Recalling"]

#: Answered turns, newest first, in which the control is looked for, and how much of them is read.
TURNS_MAX = 50
_BYTES_MAX = 1_000_000


class Recalling:
    """:class:`gateway.assistants.assistant.Assistant`, asked with whole taps."""

    def __init__(self, assistant: Assistant, transcript: Transcript) -> None:
        self._assistant = assistant
        self._transcript = transcript

    def ask(
        self,
        turn: Turn,
        lane_key: LaneKey,
        capabilities: Capabilities,
        deadline: Deadline,
        on_preview: OnPreview,
    ) -> Reply:
        """Return the reply to *turn*."""
        if DIGEST in turn.address:
            turn = self._whole(turn)
        return self._assistant.ask(turn, lane_key, capabilities, deadline, on_preview)

    def _whole(self, turn: Turn) -> Turn:
        try:
            past = self._transcript.before(Past(turn.conversation_id, turn.seq, TURNS_MAX, _BYTES_MAX))
        except TryLater as error:
            # Closed: without its value it would be another tap, and nobody would know.
            message = f"the value of what was tapped could not be read: {error}"
            raise AssistantFailed(message, reason="history_unavailable") from error
        value = value_of(turn.address[DIGEST], (exchange.parts for exchange in past))
        if value is None:
            return turn
        return msgspec.structs.replace(turn, message=msgspec.structs.replace(turn.message, value=value))
