"""Errors, sorted by who must act: the caller, a peer, we ourselves, or nobody until later.

An error carries its own remedy: the HTTP status for whoever called, and for "try later" the seconds to wait.
``reason`` is a short stable word for metrics, ledger rows and tests; the message is for a person and names the
setting to change where there is one.  No error text may contain a body, a signature or a secret.

Exceptions of foreign libraries are translated into these once, at the border where they arrive.
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "AssistantFailed",
    "BadRequest",
    "CallFailed",
    "Conflict",
    "NotFound",
    "NotUnderstood",
    "Overloaded",
    "PeerFailed",
    "Reached",
    "StoreUnavailable",
    "SwitchboardError",
    "TooLarge",
    "TooLate",
    "TooSlow",
    "TryLater",
    "TurnExpired",
    "Unauthentic",
    "WrongMediaType",
    "body_too_large",
]

#: What the other side may have seen of a call that failed.
Reached = Literal["never", "maybe", "answered"]


class SwitchboardError(Exception):
    """Root of all errors that this project raises on purpose."""

    #: HTTP status for the caller whose request met this error.
    status = 500

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class BadRequest(SwitchboardError):
    """The caller's fault: sending the same thing again will not help."""

    status = 400


class TooLarge(BadRequest):
    """The caller's body or header is over a named bound."""

    status = 413


def body_too_large(bytes_max: int, got: str) -> TooLarge:
    """Return the refusal of a body; *got* says how large it is, as far as that is known."""
    return TooLarge(
        f"expected a body of at most {bytes_max} bytes (server.body_bytes_max), got {got}",
        reason="body_too_large",
    )


class TooSlow(BadRequest):
    """The caller began a request and did not end it in time."""

    status = 408


class NotFound(BadRequest):
    """No such account, conversation or route."""

    status = 404


class Conflict(BadRequest):
    """What is asked for cannot be done to the thing as it is now."""

    status = 409


class Unauthentic(BadRequest):
    """The caller did not prove who it is.  Nothing is stored."""

    status = 401


class WrongMediaType(Unauthentic):
    """The caller's body is of a type that anybody's form could send, so it proves nothing."""

    status = 415


class NotUnderstood(BadRequest):
    """Authentic, but not a payload that the channel can read.

    The gateway answers with a 2xx and keeps the delivery as a dead letter: a 4xx would block Telegram's chat for a
    day and can suspend Slack and Meta subscriptions.
    """


class PeerFailed(SwitchboardError):
    """A service that we called failed or lied."""

    status = 502


class CallFailed(PeerFailed):
    """A call over HTTP got no usable answer.  ``sent`` says what the other side may have seen of it.

    ``never``: no byte of the request was written, so the same call may be made again anywhere.  ``maybe``: it may have
    been received and acted on.  ``answered``: the head of an answer came, so it was received; the rest was unusable.
    """

    def __init__(self, message: str, *, reason: str, sent: Reached) -> None:
        super().__init__(message, reason=reason)
        self.sent: Reached = sent


class AssistantFailed(PeerFailed):
    """An assistant crashed, was slow, or answered with something that is not a reply."""


class TryLater(SwitchboardError):
    """Nobody's fault that repeating will not cure: come back after ``retry_after_s`` seconds."""

    status = 503

    def __init__(self, message: str, *, reason: str, retry_after_s: float) -> None:
        super().__init__(message, reason=reason)
        self.retry_after_s = retry_after_s


class Overloaded(TryLater):
    """A named bound is reached; the message names the setting."""


class StoreUnavailable(TryLater):
    """PostgreSQL or Redis does not answer."""


class StoreRefused(SwitchboardError):
    """PostgreSQL refuses this very value: writing it again will not help, and others' values are not touched."""

    status = 422


class TooLate(SwitchboardError):
    """The time that somebody was willing to wait has run out."""

    status = 504


class TurnExpired(TooLate):
    """Nobody waits for this turn's answer any more."""

    def __init__(self, *, late_by_s: float) -> None:
        super().__init__(f"the turn's deadline passed {late_by_s:.3f} s ago", reason="turn_expired")
        self.late_by_s = late_by_s
