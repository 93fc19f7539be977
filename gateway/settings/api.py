"""The HTTP API under ``/api/v1`` for operators and their programs."""

from __future__ import annotations

import msgspec

from gateway.settings.secret import Secret

__all__ = ["ApiSettings"]

#: What can be guessed proves nothing.
_TOKEN_CHARS_MIN = 16


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[api]``"""

    #: Bearer tokens that may do everything, newest first, so that one can be rotated without an outage; each of at
    #: least 16 characters.  They need no store; those of ``switchboard token`` may do what their scopes say.
    tokens: tuple[Secret, ...] = ()

    def __post_init__(self) -> None:
        if any(len(token.reveal()) < _TOKEN_CHARS_MIN for token in self.tokens):
            raise ValueError(f"tokens: each needs at least {_TOKEN_CHARS_MIN} characters")
