"""What the server itself says to a caller whose request the application never sees: JSON, like all our refusals."""

from __future__ import annotations

from gateway.domain.errors import Overloaded, SwitchboardError, TooSlow
from gateway.domain.http import error_response, status_line

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
    response = error_response(error)
    fields = [
        *response.headers,
        ("Content-Type", response.content_type),
        ("Content-Length", str(len(response.body))),
    ]
    if close:
        fields.append(("Connection", "close"))
    return b"HTTP/1.1 %b\r\n%b%b\r\n%b" % (
        status_line(error.status).encode(),
        date_line,
        "".join(f"{name}: {value}\r\n" for name, value in fields).encode(),
        b"" if is_head else response.body,
    )
