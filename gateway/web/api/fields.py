"""Types of fields that several operations have, with what the document and a refusal say of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

from msgspec import Meta

from gateway.domain.resilience.orders import REASON_CHARS_MAX

__all__ = ["Id", "Name", "Reason", "Time"]

Id: TypeAlias = Annotated[int, Meta(ge=1, le=2**63 - 1)]
#: A channel or an account.
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
#: What is printable at all is said where it is kept; here that it is one line.
Reason: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f]+$",
        max_length=REASON_CHARS_MAX,
        description=f"1 to {REASON_CHARS_MAX} printable characters, for whoever comes next",
    ),
]
Time: TypeAlias = Annotated[
    datetime, Meta(tz=True, description="a time with a zone, such as 2030-01-31T13:30:00Z")
]
