"""What of a reply a voice says, and what its screen shows, where there is one.

- A reply with ``speech`` in it knows that it is spoken: its speech is said, and the rest is shown, but for questions
  (``buttons``), which cannot be answered unheard.
- Of any other reply every word is said; cards and images are shown as well.
- Suggestions are neither: what becomes of them is the surface's own business.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from gateway.domain.reply import Audio, Buttons, Card, File, Image, Part, Speech, Suggestions

__all__ = ["shared_out"]


def shared_out(parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """Return what is said of *parts*, and what is shown."""
    parts = [part for part in parts if not isinstance(part, Suggestions)]
    if any(isinstance(part, Speech) for part in parts):
        spoken = Speech | Buttons | Audio | File
        return (
            [part for part in parts if isinstance(part, spoken)],
            [part for part in parts if not isinstance(part, spoken)],
        )
    # A picture that is shown is described aloud only where nothing else is said.
    heard = [_unseen(part) for part in parts if not isinstance(part, Image)] or parts
    return heard, [part for part in parts if isinstance(part, Card | Image)]


def _unseen(part: Part) -> Part:
    return msgspec.structs.replace(part, image=UNSET) if isinstance(part, Card) else part
