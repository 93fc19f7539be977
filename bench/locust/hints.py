"""What went wrong with a call of ours, in words that lead to the setting that is mostly meant."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from socket import gaierror

from bench.locust.wire import Refused

__all__ = ["failure", "hinted"]

#: By the answer's status: where settings of both sides do not fit.
_STATUSES: Mapping[int, str] = {
    401: "the proof was refused; see LOAD_{1}_..., which the account must know, and the clock",
    404: "no such account; see --host, LOAD_{1}_ACCOUNT and [accounts.{0}] of the deployment",
}
#: Where nobody answered: first the narrower kinds.
_ERRORS: Mapping[type[Exception], str] = {
    ssl.SSLError: "see --host: is it https?",
    gaierror: "no such host; see --host",
    ConnectionRefusedError: "nobody listens there; see --host",
}


def hinted(channel: str, status: int) -> str:
    """Return what is said of an answer's *status* that is no success."""
    hint = _STATUSES.get(status, "").format(channel, channel.upper())
    return f"status {status}{f': {hint}' if hint else ''}"


def failure(channel: str, error: OSError | ValueError) -> str:
    """Return what is said where there was no answer, or a stream was refused."""
    if isinstance(error, Refused):
        return hinted(channel, error.status)
    hint = next((hint for kind, hint in _ERRORS.items() if isinstance(error, kind)), "")
    return f"{type(error).__name__}: {error}{f'; {hint}' if hint else ''}"
