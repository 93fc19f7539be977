"""Tokens of the API: how one looks, what it may do, and what is kept of it.

    swb_ + 43 characters of a random 256-bit number in base 62 + 6 characters of its CRC-32

The prefix lets people and scanners of leaked secrets recognise one, and the checksum tells one that was copied badly,
or made up, from one that may stand, without a question to any store.  It proves nothing: anybody can work it out.

What is kept is the SHA-256 of the whole token.  Slow hashes with salt (bcrypt, Argon2) protect what people choose,
whose guesses are few; of 2**256 equally likely tokens none can be guessed however fast the hash is, and one without
salt can be looked up by an index.

A scope is an area and what may be done there; ``write`` does not include ``read``.  ``admin`` may do everything.  There
is one for what some operation needs, and no other: who is given a scope may do something with it.

Pure: the random bytes are handed in.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection
from typing import Literal, get_args

from gateway.domain.errors import BadRequest

__all__ = [
    "PREFIX", "RANDOM_BYTES", "SCOPES", "Scope", "allows", "check_scopes", "is_well_formed", "make", "token_hash",
]  # fmt: skip

Scope = Literal[
    "admin",
    "breakers:read",
    "breakers:write",
    "conversations:read",
    "dead-letters:read",
    "dead-letters:write",
    "jobs:read",
    "jobs:write",
    "messages:write",
    "turns:read",
    "users:write",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)

PREFIX = "swb_"
RANDOM_BYTES = 32
#: 62**43 > 2**256, and 62**6 > 2**32.
_RANDOM_CHARS = 43
_CHECK_CHARS = 6
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def make(random: bytes) -> str:
    """Return the token of *random*, which nobody must be able to guess.

    :raises ValueError: it is not of ``RANDOM_BYTES``.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"expected {RANDOM_BYTES} bytes, got {len(random)}")
    number = _base62(int.from_bytes(random), _RANDOM_CHARS)
    return PREFIX + number + _checksum(number)


def is_well_formed(token: str) -> bool:
    """Return whether *token* can be one: only then is it worth a question to the store."""
    number = token[len(PREFIX) : -_CHECK_CHARS]
    return (
        token.startswith(PREFIX)
        and len(number) == _RANDOM_CHARS
        and number.isascii()
        and token[-_CHECK_CHARS:] == _checksum(number)
    )


def token_hash(token: str) -> bytes:
    """Return what is kept of *token*."""
    return hashlib.sha256(token.encode()).digest()


def allows(held: Collection[str], wanted: Scope) -> bool:
    """Return whether a token with the scopes *held* may do what needs *wanted*."""
    return wanted in held or "admin" in held


def check_scopes(scopes: Collection[str]) -> None:
    """Check what a person asks for.

    :raises BadRequest: there is none, or one that is not known.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        got = repr(unknown[0][:40]) if unknown else "none"
        raise BadRequest(f"expected scopes of {', '.join(SCOPES)}, got {got}", reason="bad_scope")


def _checksum(number: str) -> str:
    return _base62(zlib.crc32(number.encode()), _CHECK_CHARS)


def _base62(value: int, chars: int) -> str:
    digits = []
    for _ in range(chars):
        value, digit = divmod(value, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
