"""A secret that cannot be printed by accident."""

from __future__ import annotations

__all__ = ["Secret"]


class Secret:
    """Holds a secret's text.  ``reveal()`` is the only way to it; ``repr``, ``str`` and comparisons never show it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret itself, for the one place that signs, verifies or sends it."""
        return self._text

    def reveal_bytes(self) -> bytes:
        """Return the secret as UTF-8 bytes."""
        return self._text.encode()

    def __repr__(self) -> str:
        return "Secret(***)"
