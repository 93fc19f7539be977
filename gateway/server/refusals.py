"""What the server itself says to a caller whose request the application never sees: JSON, like all our refusals."""

from __future__ import annotations

import msgspec

from gateway.domain.errors import Overloaded, SwitchboardError, TooSlow, TryLater
from gateway.server.response import refusal

__all__ = ["STOPPING", "overloaded", "refusal_of", "too_slow"]

STOPPING = Overloaded("this process stops", reason="stopping", retry_after_s=1.0)


def overloaded(setting: str, bound: int) -> Overloaded:
    """Return the refusal of what would be above the bound of ``server.``\\ *setting*."""
    return Overloaded(
        f"the bound of {bound} is reached (server.{setting})", reason=setting, retry_after_s=1.0
    )


def too_slow(*, in_body: bool) -> TooSlow:
    """Return the refusal of a request that does not come to its end."""
    if in_body:
        return TooSlow(
            "expected the body within server.body_timeout_s, and then at server.transfer_rate_min_bytes_s",
            reason="body_too_slow",
        )
    return TooSlow("expected the head within server.header_timeout_s", reason="head_too_slow")


def refusal_of(error: SwitchboardError, date_line: bytes, *, close: bool, is_head: bool = False) -> bytes:
    """Return the whole answer that tells of *error*.

    *is_head*: without its body, which would be read as the next answer.  (Behind the last answer nothing is read.)
    """
    body = msgspec.json.encode({"error": error.reason, "message": str(error)})
    retry_after_s = max(1, round(error.retry_after_s)) if isinstance(error, TryLater) else None
    data = refusal(error.status, body, date_line, retry_after_s=retry_after_s, close=close)
    return data[: -len(body)] if is_head else data
