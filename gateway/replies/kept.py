"""Answers kept for the next turn: told in the response of the next delivery, before its own answer.

Rules:

- They are taken when the response is about to be written, and end with it: told if it was written whole; else they are
  kept on, and marked, because the user may have heard them.
- None is told outside this process's lease, or of a life before the present one: another tells it by then.
- An answer never waits for them: while PostgreSQL is away, or slow, they are told another time (open).
- What has no room in a response is kept on, the latest first: nothing counts as told that was cut away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import gevent
import msgspec

from gateway.channels.base import Rendered
from gateway.channels.bots import Bot
from gateway.domain.capabilities import Capabilities
from gateway.domain.degrade import degrade
from gateway.domain.errors import TryLater
from gateway.domain.message import Inbound, Surface
from gateway.domain.reply import Part, Reply, Speech, Suggestions, Text
from gateway.domain.voice import shared_out
from gateway.settings.accounts import Account, KeepingAccount
from gateway.store.ledger.kept import Kept

__all__ = ["KeptAnswers", "Telling", "kept_s", "tell_together", "tellings"]

#: Seconds for which a response may wait for them.
_TAKE_S = 0.3


class KeptAnswers:
    """Takes them out of the ledger, on surfaces whose late answers are kept."""

    def __init__(
        self,
        tell: Callable[[int], list[Kept]],
        hold: Callable[[Iterable[int], int], None],
        lives: Callable[[int], bool],
    ) -> None:
        self._tell = tell
        #: Knows from then on that this process has these rows in its hands, since an epoch.
        self._hold = hold
        #: Whether this is that epoch, and the lease holds.
        self._lives = lives

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
        if not kept or not self._lives(kept[0].epoch):
            return []
        self._hold([each.outbox_id for each in kept if each.taken], kept[0].epoch)
        return kept


def kept_s(account: Account) -> float:
    """Return the seconds for which an answer of *account* is kept, where late ones are."""
    return account.kept_days * 86_400.0 if isinstance(account, KeepingAccount) else 0.0


class Telling(msgspec.Struct, frozen=True):
    """What one response may tell: of what is kept so many, the earliest; and whether the turn's own answer."""

    reply: Reply
    kept: int
    own: bool


def tell_together(
    bot: Bot, inbound: Inbound, kept: Sequence[Kept], own: Reply | None, *, waits: bool
) -> tuple[Rendered, Telling]:
    """Render as much of what is kept and of the turn's *own* answer as has room; see :func:`tellings`."""
    choices: Iterable[Telling] = [Telling(own or Reply(), 0, own=True)]
    if kept:
        assert isinstance(bot.account, KeepingAccount), "a channel that keeps answers has an account that says how"
        choices = tellings(kept, own, bot.account, bot.channel.surfaces[inbound.surface], waits=waits)
    for telling in choices:
        rendered = bot.channel.render(telling.reply, inbound.surface, inbound.address, bot.account)
        if not rendered.cut:
            break
    return rendered, telling


def tellings(
    kept: Sequence[Kept], own: Reply | None, account: KeepingAccount, capabilities: Capabilities, *, waits: bool
) -> Iterator[Telling]:
    """Yield what a response may tell, the most first: whoever renders takes the first that fits, or else the last.

    *own* is None where the turn's answer is still being made.  *waits*: it can be kept, too, and is where not even the
    earliest fits beside it; one that cannot goes before what is kept.
    """
    later = Reply((Text(account.later),))
    for count in range(len(kept), 0, -1):
        yield Telling(_together(kept[:count], own or later, account, capabilities), count, own is not None)
    if own is not None:
        if kept and waits:
            yield Telling(_together(kept[:1], later, account, capabilities), 1, own=False)
        else:
            yield Telling(own, 0, own=True)


def _together(kept: Sequence[Kept], own: Reply, account: KeepingAccount, capabilities: Capabilities) -> Reply:
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
    # What can be said next is about what was told last.
    offers = [[part for part in reply.parts if isinstance(part, Suggestions)] for reply in (*_replies(kept), own)]
    following = next((each for each in reversed(offers) if each), [])
    return msgspec.structs.replace(own, parts=(*parts, *_voiced(own, capabilities), *following))


def _replies(kept: Sequence[Kept]) -> Iterator[Reply]:
    return (each.reply for each in kept if each.state == "answered")


def _said(text: str, capabilities: Capabilities) -> Part:
    return Speech(text) if _speaks(capabilities) else Text(text)


def _voiced(reply: Reply, capabilities: Capabilities) -> Sequence[Part]:
    """Return the parts of *reply* so that they mean beside others what they mean alone; without suggestions.

    Where a surface speaks, a reply without speech is said whole, and one with speech is not; together they would be
    one with speech, of which half stayed unsaid.
    """
    parts = [part for part in reply.parts if not isinstance(part, Suggestions)]
    if not _speaks(capabilities) or any(isinstance(part, Speech) for part in parts):
        return parts
    heard, seen = shared_out(parts)
    said, _ = degrade(Reply(tuple(heard)), msgspec.structs.replace(capabilities, shows=frozenset({"speech"})))
    return (*said, *seen)


def _speaks(capabilities: Capabilities) -> bool:
    return "speech" in capabilities.shows and "text" not in capabilities.shows
