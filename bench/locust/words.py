"""What users say, and what they must read: every message carries a number, and its answer the same.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["REPLY", "SAYS", "Words"]

SAYS = "order {number}: something with gin and lemon, please"
REPLY = "Order {number}: a gimlet, shaken and strained"
_MARK = "{number}"


class Words:
    """The two texts, with ``{number}`` in each."""

    def __init__(self, says: str = SAYS, reply: str = REPLY) -> None:
        """Take the texts.

        :raises ValueError: one of them has no place for a number, so that nobody could tell who is answered what.
        """
        for name, text in (("says", says), ("reply", reply)):
            if text.count(_MARK) != 1:
                raise ValueError(f"{name}: expected {_MARK} in it once, got {text!r}")
        self._says = says
        before, after = map(re.escape, reply.split(_MARK))
        self._reply = re.compile(rf"{before}(\d{{1,18}}){after}")

    def said(self, number: int) -> str:
        """Return what is said in message *number*."""
        return self._says.replace(_MARK, str(number))

    def answered(self, text: str, beside: Sequence[str] = ()) -> tuple[int, ...] | None:
        """Return the numbers of the messages that *text* answers; None if anything else is in it, or nothing at all.

        *beside*: sentences of the channel's own that may stand around answers, or alone where there is none yet.
        """
        numbers = tuple(int(number) for number in self._reply.findall(text))
        rest = self._reply.sub("", text)
        for sentence in beside:
            rest = rest.replace(sentence, "")
        return None if rest.strip() or not text.strip() else numbers
