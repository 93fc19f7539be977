"""What tells of one user: how their traces are known in a job, or in a delivery that nobody understood.

A job tells of them if it names them as platforms do, or one of their turns or conversations as this platform does:

    "user_id": 7    "turn_id": 12    "conversation_id": 3    conversation:3

So a job that holds what a user said must name, anywhere in its payload or by its lane, whose it is.

Doubt is in favour of removal: what only seems to name them goes too.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote_to_bytes

import msgspec

__all__ = ["Traces", "names"]

_NUMBERED = re.compile(r'\b(user_id|turn_id|conversation_id|conversation)"?\s*:\s*(\d+)')
_WORD = rb"0-9A-Za-z_"


class Traces(msgspec.Struct):
    """What the ledger says was theirs."""

    #: The platform's name for them.
    key: str
    user_id: int | None = None
    turns: set[int] = msgspec.field(default_factory=set)
    #: Those in which nobody else has spoken.
    conversations: set[int] = msgspec.field(default_factory=set)

    def in_job(self, words: str) -> bool:
        """Return whether a job tells of them; *words*: all that is in it."""
        # The rare thing first: a job's numbers cost a look at each.
        return _names_whole(self.key, words) or any(
            int(number) in self._of(what) for what, number in _NUMBERED.findall(words)
        )

    def in_delivery(self, body: bytes) -> bool:
        """Return whether the bytes of a delivery name them; their form may be any that platforms send."""
        return names(self.key, body) or (b"%" in body and names(self.key, unquote_to_bytes(body)))

    def _of(self, what: str) -> Collection[int]:
        if what == "user_id":
            return () if self.user_id is None else (self.user_id,)
        return self.turns if what == "turn_id" else self.conversations


def names(key: str, body: bytes) -> bool:
    """Return whether *body* names the user of *key*.

    A key may be made of several parts (a Slack workspace and its member), which a platform sends apart: each must be
    there.
    """
    parts = [part.encode() for part in key.split(":") if part]
    return bool(parts) and all(
        re.search(rb"(?<![%b])%b(?![%b])" % (_WORD, re.escape(part), _WORD), body) for part in parts
    )


def _names_whole(key: str, words: str) -> bool:
    return bool(key) and key in words and re.search(rf"(?<!\w){re.escape(key)}(?!\w)", words) is not None
