"""What the chat page's stream says, in the words of ``static/chat/connection.js``.

| event       | id  | data                                             | meaning                                   |
|-------------|-----|--------------------------------------------------|-------------------------------------------|
| `accepted`  |     | `{seq, message: {kind, text}, at}`               | a message was taken in, in whichever tab  |
| `preview`   |     | `{seq, kind, text or part}`                      | a piece of the answer to it               |
| `turn`      | seq | `{seq, state, message: {kind, text}, parts, at}` | what stands; takes the previews' place    |
| `ready`     |     | `{seq}`                                          | the past has been shown                   |
| `beat`      |     | `{}`                                             | nothing is new, the network is alive      |
| `displaced` |     | `{}`                                             | too many streams of this visitor: no more |

``at`` is Unix seconds.  Only a settled turn moves the place from which a page goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway import telemetry
from gateway.conversations.follow import Announced, CaughtUp, Follower, News, Previewed, Shown
from gateway.conversations.live import Live
from gateway.conversations.subscription import Subscription
from gateway.domain.message import Message
from gateway.domain.reply import Reply
from gateway.store.ledger.transcripts import Entry
from gateway.web.event_stream import event, retry

__all__ = ["BEAT", "COME_BACK", "OPENING", "ChatSource", "Draw"]

#: Makes what the page draws of a reply.
Draw = Callable[[Reply], Any]

#: When a reader that leaves reconnecting to its browser comes back.  By then a process that stops has closed its idle
#: connections (a second, and a tick of its server's clock): on one of those the reader would be refused, and a browser
#: gives up on the first refusal.  Our own page has a back-off of its own.
RETRY_MS = 2_000
OPENING = COME_BACK = retry(RETRY_MS)
BEAT = event("beat", {})


class ChatSource:
    """One page's stream."""

    __slots__ = ("_closed", "_draw", "_follower", "_live", "_subscription")

    def __init__(self, live: Live, subscription: Subscription, follower: Follower, draw: Draw) -> None:
        self._live = live
        self._subscription = subscription
        self._follower = follower
        self._draw = draw
        self._closed = False
        channel, account, _ = subscription.key
        telemetry.event("stream.opened", channel=channel, account=account)

    @property
    def more(self) -> bool:
        return self._follower.more

    @property
    def ended(self) -> str:
        return self._subscription.ending or ""

    def next(self) -> bytes:
        return b"".join(self._encode(news) for news in self._follower.news())

    def last(self) -> bytes:
        return event("displaced", {}) if self.ended == "displaced" else COME_BACK

    def close(self, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        self._live.unsubscribe(self._subscription)
        channel, account, _ = self._subscription.key
        telemetry.event("stream.closed", channel=channel, account=account, reason=reason)

    def _encode(self, news: News) -> bytes:
        match news:
            case Announced():
                return event("accepted", _said(news.entry))
            case Previewed():
                return event("preview", {"seq": news.seq, **news.preview})
            case Shown():
                turn = {**_said(news.entry), "state": news.entry.state, "parts": self._parts(news.entry)}
                return event("turn", turn, seq=news.entry.seq)
            case CaughtUp():
                return event("ready", {"seq": news.seq})

    def _parts(self, entry: Entry) -> Any:
        return [] if entry.reply is None else self._draw(entry.reply)


def _said(entry: Entry) -> dict[str, Any]:
    message = {"kind": entry.message.kind, "text": _words(entry.message)}
    return {"seq": entry.seq, "message": message, "at": entry.accepted_at}


def _words(message: Message) -> str:
    if message.kind == "event":
        # Nobody said anything: the page must not take it for a message of its own that was called so.
        return ""
    return message.text or message.value or message.name
