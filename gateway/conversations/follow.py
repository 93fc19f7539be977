"""What a stream shows next: the ledger's turns in order, and a draft of the one that runs.

A follower never waits for news.  Whoever holds the stream waits (a greenlet, or the server without one), is woken
through its subscription, and asks ``news()``.  The laws, for any cut and any order of hints:

- every settled turn is shown exactly once, in sequence order;
- a message that waits is announced once, and a preview never comes after its turn;
- a follower that starts behind the last turn shown repeats nothing and misses nothing.
"""

from __future__ import annotations

import msgspec

from gateway.conversations.draft import Draft, Preview
from gateway.conversations.live import Live
from gateway.conversations.subscription import Subscription
from gateway.conversations.transcripts import Transcripts
from gateway.store.ledger.transcripts import Entry, Mark

__all__ = ["Announced", "CaughtUp", "Follower", "News", "Previewed", "Shown"]


class Announced(msgspec.Struct, frozen=True):
    """A message was taken in and waits for its answer."""

    entry: Entry


class Previewed(msgspec.Struct, frozen=True):
    """A piece of an answer that is being made."""

    seq: int
    preview: Preview


class Shown(msgspec.Struct, frozen=True):
    """A turn is settled: this is what stands."""

    entry: Entry


class CaughtUp(msgspec.Struct, frozen=True):
    """All that was in the ledger at the start has been shown.  Once a stream."""

    seq: int


News = Announced | Previewed | Shown | CaughtUp


class Follower:
    """One stream's place in its conversation."""

    __slots__ = (
        "_announced_seq",
        "_caught_up",
        "_draft",
        "_draft_position",
        "_live",
        "_more",
        "_shown_seq",
        "_subscription",
        "_transcripts",
        "_turns_max",
    )

    def __init__(
        self, transcripts: Transcripts, live: Live, subscription: Subscription, *, turns_max: int
    ) -> None:
        self._transcripts = transcripts
        self._live = live
        self._subscription = subscription
        #: Turns of one look, and of the past that a new page is given.
        self._turns_max = turns_max
        self._shown_seq = 0
        self._announced_seq = 0
        self._draft: Draft | None = None
        self._draft_position = 0
        #: A look found as much as it may take: there is more.
        self._more = True
        self._caught_up = False

    def start(self, after_seq: int | None) -> None:
        """Take the place behind *after_seq*, or before the last turns if it is None or makes no sense.

        :raises StoreUnavailable, Overloaded: the ledger cannot be read now; nothing was shown.
        """
        subscription = self._subscription
        mark = self._transcripts.find(subscription.key)
        if mark is not None:
            self._live.bind(subscription.key, mark.conversation_id)
            self._shown_seq = self._place(after_seq, mark)

    @property
    def more(self) -> bool:
        """Whether ``news()`` is worth asking at once, without waiting to be woken."""
        return self._more or self._is_behind()

    def news(self) -> list[News]:
        """Return what is new, at most ``turns_max`` turns of it.

        :raises StoreUnavailable, Overloaded: the ledger cannot be read now; ask again, nothing is lost.
        """
        news: list[News] = []
        conversation_id = self._subscription.conversation_id
        if conversation_id is None:
            self._more = False
        else:
            if self.more:
                news += self._look(conversation_id)
            news += self._previews(conversation_id)
        if not self._more and not self._caught_up:
            self._caught_up = True
            news.append(CaughtUp(self._shown_seq))
        return news

    def _place(self, after_seq: int | None, mark: Mark) -> int:
        if after_seq is None or not 0 <= after_seq <= mark.last_seq:
            return max(0, mark.last_seq - self._turns_max)
        return after_seq

    def _is_behind(self) -> bool:
        hints = self._subscription
        return hints.settled_seq > self._shown_seq or hints.accepted_seq > self._announced_seq

    def _look(self, conversation_id: int) -> list[News]:
        hints = self._subscription
        heard = hints.accepted_seq, hints.settled_seq
        entries = self._transcripts.after(conversation_id, self._shown_seq, self._turns_max)
        news: list[News] = []
        for entry in entries:
            # Turns of a lane end in order, so what is settled comes before what waits.
            if entry.state != "accepted":
                news.append(Shown(entry))
                self._shown_seq = entry.seq
            elif entry.seq > self._announced_seq:
                news.append(Announced(entry))
            self._announced_seq = max(self._announced_seq, entry.seq)
        self._more = len(entries) == self._turns_max and bool(news)
        if not self._more and heard == (hints.accepted_seq, hints.settled_seq):
            # A hint that the ledger does not bear out is forgotten, or it would be followed for ever.
            hints.accepted_seq, hints.settled_seq = self._announced_seq, self._shown_seq
        return news

    def _previews(self, conversation_id: int) -> list[News]:
        draft = self._live.draft(conversation_id)
        if draft is None or draft.seq <= self._shown_seq:
            return []
        if draft is not self._draft:
            self._draft, self._draft_position = draft, 0
        pieces, self._draft_position = draft.since(self._draft_position)
        return [Previewed(draft.seq, piece) for piece in pieces]
