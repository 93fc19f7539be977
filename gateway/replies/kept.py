"""Answers kept for the next turn: told in the response of the next delivery, before its own answer.

Rules:

- They are taken when the response is about to be written, and end with it: told if it was written whole; else they are
  kept on, and marked, because the user may have heard them.
- An answer never waits for them: while PostgreSQL is away, or slow, they are told another time (open).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import gevent
import msgspec

from gateway.channels.bots import Bot
from gateway.domain.capabilities import Capabilities
from gateway.domain.degrade import degrade
from gateway.domain.errors import TryLater
from gateway.domain.message import Surface
from gateway.domain.reply import Card, Image, Part, Reply, Speech, Text
from gateway.settings.accounts import Account, KeepingAccount
from gateway.store.ledger.kept import Kept

__all__ = ["KeptAnswers", "kept_s", "together"]

#: Seconds for which a response may wait for them.
_TAKE_S = 0.3


class KeptAnswers:
    """Takes them out of the ledger, on surfaces whose late answers are kept."""

    def __init__(self, tell: Callable[[int], list[Kept]], hold: Callable[[Iterable[int]], None]) -> None:
        self._tell = tell
        #: Knows from then on that this process has these rows in its hands.
        self._hold = hold

    def take(self, bot: Bot, surface: Surface, turn_id: int) -> list[Kept]:
        """Return what is to be told in the response of this turn, in order; mostly nothing."""
        if bot.channel.surfaces[surface].late != "next_turn":
            return []
        patience = gevent.Timeout(_TAKE_S)
        try:
            with patience:
                kept = self._tell(turn_id)
        except TryLater:
            return []
        except gevent.Timeout as error:
            if error is not patience:
                raise
            # Perhaps they are taken by now: whoever looks for strays gives them back.
            return []
        self._hold(each.outbox_id for each in kept if each.taken)
        return kept


def kept_s(account: Account) -> float:
    """Return the seconds for which an answer of *account* is kept, where late ones are."""
    return account.kept_days * 86_400.0 if isinstance(account, KeepingAccount) else 0.0


def together(
    kept: Sequence[Kept], own: Reply, account: KeepingAccount, capabilities: Capabilities
) -> Reply:
    """Return one reply that tells what was kept, each with what comes before it, and then *own*."""
    parts: list[Part] = []
    for each in kept:
        if each.state == "failed":
            parts.append(_said(account.kept_failed, capabilities))
            continue
        before = account.kept_again if each.maybe_repeat else "" if each.unasked else account.kept
        if before and each.reply.parts:
            parts.append(_said(before, capabilities))
        parts += _voiced(each.reply, capabilities)
    return msgspec.structs.replace(own, parts=(*parts, *_voiced(own, capabilities)))


def _said(text: str, capabilities: Capabilities) -> Part:
    return Speech(text) if "speech" in capabilities.shows else Text(text)


def _voiced(reply: Reply, capabilities: Capabilities) -> Sequence[Part]:
    """Return the parts of *reply* so that they mean beside others what they mean alone.

    Where a surface speaks, a reply without speech is said whole, and one with speech is not; together they would be
    one with speech, of which half stayed unsaid.
    """
    speaks = "speech" in capabilities.shows and "text" not in capabilities.shows
    if not speaks or any(isinstance(part, Speech) for part in reply.parts):
        return reply.parts
    said, _ = degrade(reply, msgspec.structs.replace(capabilities, shows=frozenset({"speech"})))
    return (*said, *(part for part in reply.parts if isinstance(part, Card | Image)))
