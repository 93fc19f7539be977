"""Why a call gets no answer: a status for the gateway, a word for its log, never anything of the body."""

from __future__ import annotations

__all__ = ["Refusal"]


class Refusal(Exception):
    """The call is refused with *status*; *reason* is a short stable word."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
