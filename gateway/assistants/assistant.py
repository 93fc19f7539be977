"""What an assistant is to the rest of the gateway: it is asked, and answers or fails with a reason."""

from __future__ import annotations

from typing import Protocol

from gateway.assistants.preview import OnPreview
from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.reply import Reply
from gateway.domain.turn import LaneKey, Turn

__all__ = ["Assistant"]


class Assistant(Protocol):
    """One assistant.  ``tests/assistants/test_contract.py`` holds every kind to the same laws."""

    def ask(
        self,
        turn: Turn,
        lane_key: LaneKey,
        capabilities: Capabilities,
        deadline: Deadline,
        on_preview: OnPreview,
    ) -> Reply:
        """Return the reply to *turn*, checked and storable, before *deadline*; show previews as they come.

        Nothing is retried here: that is the RPC client's business alone.

        :raises gateway.domain.errors.AssistantFailed: anything else; ``reason`` is one of the README's table.
        """
        ...
