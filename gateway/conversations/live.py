"""Live: who watches which conversation in this process, and what is being said in it right now.

    subscribe ─▶ (accepted │ publish_preview │ settled) ─▶ the stream is woken and looks ─▶ unsubscribe

Rules:

- A hint says "look at the ledger" and carries a sequence number; losing one costs ``lanes.poll_s``, never a
  message. Every hint follows its commit, and a stream subscribes before it reads, so nothing falls between
  the two.
- A conversation has no id before its first message, so streams wait for it by key.  The hint of a first
  message, or the poll, looks up which key belongs to the id.
- Hints and previews come from the lanes' greenlets and only set flags: they never block.
- Previews exist in the process that runs the turn, unless somebody forwards them here.  Watched or not, they
  are kept until the turn is settled: a page may come back in the middle of an answer.

Deliberately absent: reading transcripts for streams (``follow.py``), and bytes of any protocol.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar

from gevent.event import Event

from gateway import telemetry
from gateway.conversations.draft import Draft, Preview
from gateway.conversations.subscription import Subscription
from gateway.conversations.transcripts import Transcripts
from gateway.domain.errors import Overloaded, StoreUnavailable
from gateway.settings.webchat import WebchatSettings
from gateway.store.ledger.transcripts import ConversationKey

__all__ = ["Live"]

#: Seconds after which a page that found no place asks again.
_FULL_RETRY_AFTER_S = 5.0

#: Conversations that wait for being put together with their streams; above it the poll finds them.
_BEGUN_MAX = 1_000

Key = TypeVar("Key", bound=Hashable)


class Live:
    """All streams of this process."""

    def __init__(self, transcripts: Transcripts, settings: WebchatSettings, *, poll_s: float) -> None:
        self._transcripts = transcripts
        self._settings = settings
        self._poll_s = poll_s
        #: Streams of conversations that nobody has spoken in yet.
        self._by_key: dict[ConversationKey, list[Subscription]] = {}
        self._by_id: dict[int, list[Subscription]] = {}
        #: Oldest first.
        self._by_holder: dict[str, list[Subscription]] = {}
        self._streams = 0
        #: Conversations that got their first message and that streams may wait for by key.
        self._begun: set[int] = set()
        self._has_begun = Event()
        #: By conversation, the one touched last at the end.
        self._drafts: OrderedDict[int, Draft] = OrderedDict()
        self._stopping = False
        self._empty = Event()
        self._empty.set()

    def __len__(self) -> int:
        return self._streams

    def __repr__(self) -> str:
        stopping = ", stopping" if self._stopping else ""
        return f"<Live: {self._streams} streams, {len(self._drafts)} drafts{stopping}>"

    def subscribe(self, subscription: Subscription) -> None:
        """Count the stream in; from now on it is woken.  Follow it with a read of the ledger.

        :raises Overloaded: ``webchat.streams_max`` streams are open, or the process stops.
        """
        if self._stopping:
            raise Overloaded("this process stops", reason="stopping", retry_after_s=_FULL_RETRY_AFTER_S)
        if self._streams >= self._settings.streams_max:
            raise Overloaded(
                f"the bound of {self._settings.streams_max} open streams is reached (webchat.streams_max)",
                reason="streams_max",
                retry_after_s=_FULL_RETRY_AFTER_S,
            )
        held = self._by_holder.setdefault(subscription.holder, [])
        if len(held) >= self._settings.visitor_streams_max:
            # The oldest goes: it is the least likely to be looked at, or its network has gone in silence.
            held.pop(0).end("displaced")
        held.append(subscription)
        self._by_key.setdefault(subscription.key, []).append(subscription)
        self._streams += 1
        self._empty.clear()

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget the stream.  Safe twice."""
        conversation_id = subscription.conversation_id
        known = (
            _remove(self._by_key, subscription.key, subscription)
            if conversation_id is None
            else _remove(self._by_id, conversation_id, subscription)
        )
        if not known:
            return
        # A displaced stream was taken from here before.
        _remove(self._by_holder, subscription.holder, subscription)
        self._streams -= 1
        if not self._streams:
            self._empty.set()

    def bind(self, key: ConversationKey, conversation_id: int) -> None:
        """Put together the streams that wait for *key* and the id that it has in the ledger."""
        for subscription in self._by_key.pop(key, ()):
            subscription.conversation_id = conversation_id
            self._by_id.setdefault(conversation_id, []).append(subscription)

    def draft(self, conversation_id: int) -> Draft | None:
        """Return what is shown so far of the turn that runs."""
        return self._drafts.get(conversation_id)

    def accepted(self, conversation_id: int, seq: int) -> None:
        """A message was committed."""
        if seq == 1 and self._by_key and len(self._begun) < _BEGUN_MAX:
            self._begun.add(conversation_id)
            self._has_begun.set()
        self._hint(conversation_id, accepted_seq=seq, settled_seq=0)

    def publish_preview(self, conversation_id: int, seq: int, preview: Preview) -> None:
        """A running turn has something to show."""
        draft = self._drafts.get(conversation_id)
        if draft is None or draft.seq < seq:
            draft = self._drafts[conversation_id] = Draft(seq, self._settings.draft_bytes_max)
        elif draft.seq > seq:
            return
        self._drafts.move_to_end(conversation_id)
        if len(self._drafts) > self._settings.drafts_max:
            self._drafts.popitem(last=False)
            telemetry.event("preview.dropped", reason="drafts_max")
        was_full = draft.full
        draft.add(preview)
        if draft.full and not was_full:
            telemetry.event(
                "preview.dropped", reason="draft_bytes_max", conversation_id=conversation_id, seq=seq
            )
        for subscription in self._by_id.get(conversation_id, ()):
            subscription.wake()

    def settled(self, conversation_id: int, seq: int) -> None:
        """A turn's end was committed."""
        self._hint(conversation_id, accepted_seq=seq, settled_seq=seq)

    def _hint(self, conversation_id: int, *, accepted_seq: int, settled_seq: int) -> None:
        draft = self._drafts.get(conversation_id)
        if draft is not None and draft.seq <= settled_seq:
            del self._drafts[conversation_id]
        for subscription in self._by_id.get(conversation_id, ()):
            subscription.hint(accepted_seq=accepted_seq, settled_seq=settled_seq)

    def poll_forever(self) -> None:
        """Look for what other processes did, and for conversations that just began.  To be supervised."""
        due_at = time.monotonic() + self._poll_s
        while True:
            self._has_begun.wait(max(0.0, due_at - time.monotonic()))
            try:
                self._bind_begun()
                if time.monotonic() >= due_at:
                    due_at = time.monotonic() + self._poll_s
                    self.poll()
            except StoreUnavailable:
                # Told by the store.  The streams stay: what was missed is found when PostgreSQL is back.
                continue

    def poll(self) -> None:
        """Ask once how far all watched conversations have come, whoever moved them.

        :raises StoreUnavailable: PostgreSQL does not answer.
        """
        keys = list(self._by_key)
        for key, mark in zip(keys, self._transcripts.find_all(keys), strict=True):
            if mark is not None:
                self.bind(key, mark.conversation_id)
        for mark in self._transcripts.marks(list(self._by_id)):
            self._hint(mark.conversation_id, accepted_seq=mark.last_seq, settled_seq=mark.done_seq)

    def _bind_begun(self) -> None:
        begun, self._begun = self._begun, set()
        self._has_begun.clear()
        for conversation_id, key in self._transcripts.keys(begun).items():
            self.bind(key, conversation_id)
            self._hint(conversation_id, accepted_seq=1, settled_seq=0)

    def end(self) -> None:
        """Tell all streams to end, and take no new ones."""
        self._stopping = True
        for subscription in self._all():
            subscription.end("draining")

    def stop(self, deadline: float) -> None:
        """End all streams and wait for them until *deadline* (monotonic seconds).  Safe twice."""
        self.end()
        self._empty.wait(max(0.0, deadline - time.monotonic()))

    def _all(self) -> list[Subscription]:
        watched = [*self._by_key.values(), *self._by_id.values()]
        return [subscription for streams in watched for subscription in streams]


def _remove(watched: dict[Key, list[Subscription]], key: Key, subscription: Subscription) -> bool:
    """Take the stream out, and its list with the last one; return whether it was there."""
    streams = watched.get(key, [])
    if subscription not in streams:
        return False
    streams.remove(subscription)
    if not streams:
        del watched[key]
    return True
