"""A secret that cannot be printed by accident."""

from __future__ import annotations

import hmac

__all__ = ["Secret"]


class Secret:
    """Holds a secret's text; ``reveal()`` is the only way to it, and ``repr`` and ``str`` never show it.

    An empty secret is false: nothing is configured, so nothing can be proved.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret itself, for the one place that signs, verifies or sends it."""
        return self._text

    def reveal_bytes(self) -> bytes:
        """Return the secret as UTF-8 bytes."""
        return self._text.encode()

    def __bool__(self) -> bool:
        return self._text != ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal_bytes(), other.reveal_bytes())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str:
        # A pickle would carry the text into a file or a queue without anybody having asked for it.
        raise TypeError("a Secret is not pickled: use reveal() where it is meant")
