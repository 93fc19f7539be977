"""Controls whose platform has no room for their value: the value's digest travels in its place.

A channel that cannot put a button's value on the button puts the digest there.  When the button is tapped, the value is
looked for among the controls of the conversation's latest replies, which the ledger has.  Pure.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator

from gateway.domain.reply import Buttons, Card, List, Part

__all__ = ["DIGEST", "value_digest", "value_of"]

#: The name in an address under which a tap brings a digest in place of its value.
DIGEST = "value_digest"


def value_digest(value: str) -> str:
    """Return 22 letters that stand for *value*: 128 bits, so no two values of a conversation share them."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()


def value_of(digest: str, replies: Iterable[Iterable[Part]]) -> str | None:
    """Return the value that *digest* stands for, or None: no control among the parts of *replies* has it."""
    for parts in replies:
        for part in parts:
            for value in _values(part):
                if value_digest(value) == digest:
                    return value
    return None


def _values(part: Part) -> Iterator[str]:
    match part:
        case Buttons() | Card():
            yield from (button.value for button in part.buttons if button.value)
        case List():
            yield from (item.value for item in part.items if item.value)
