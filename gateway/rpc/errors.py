"""How a call can end without a usable answer: six classes, each with what the other side may have seen of it.

``sent`` decides what a sender may claim: ``never`` is not_sent and may be tried again anywhere, ``maybe`` is
unknown, ``answered`` means that the head of an answer came and the rest was unusable.  An HTTP status,
whatever it says, is an answer and no error here.

Whatever is not one of these (``gevent.Timeout``, ``GreenletExit``) passes through untouched; its connection
is destroyed all the same.
"""

from __future__ import annotations

from gateway.domain.errors import CallFailed, Reached, TryLater

__all__ = [
    "OVER_OUR_BOUND", "BadAnswer", "Beaten", "CallRefused", "CallTimeout", "ConnectFailed", "ConnectionLost",
    "InvalidCall",
]  # fmt: skip

#: Reasons of failures that our own bounds make of an answer: it would be the same again.
OVER_OUR_BOUND = frozenset({"body_too_large", "header_too_large"})


class InvalidCall(CallFailed, ValueError):
    """Our own mistake: something that must not be written to a wire, or an address that is none."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="invalid_call", sent="never")


class CallRefused(TryLater):
    """Refused here, before anything was written: circuit open, pool full, client stopped."""

    sent: Reached = "never"


class ConnectFailed(CallFailed):
    """No connection: unknown name, refused, unreachable, bad certificate, or not in time."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, reason=reason, sent="never")


class ConnectionLost(CallFailed):
    """The connection ended before the first byte of an answer."""


class CallTimeout(CallFailed):
    """A step took longer than its setting allows, or the caller's own deadline passed."""

    def __init__(self, message: str, *, reason: str, sent: Reached, waited_s: float) -> None:
        super().__init__(message, reason=reason, sent=sent)
        #: Seconds since the call began.
        self.waited_s = waited_s
        #: Whether the time ran out while the answer lay here and its reader did something else.
        self.by_reader = False

    @property
    def cut_short(self) -> bool:
        """Whether the whole call's time was over, and not one step's: an attempt may have had little of it."""
        return self.reason in ("deadline", "total_timeout")

    @property
    def by_deadline(self) -> bool:
        """Whether the caller's deadline cut the call short, and not one of our settings."""
        return self.reason == "deadline"


class BadAnswer(CallFailed):
    """What came is not HTTP, is over a bound, or ended too soon."""


class Beaten(BaseException):
    """Thrown into an attempt when another of the same call has won.  Nobody outside of this folder sees it."""
