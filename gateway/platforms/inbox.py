"""What comes to one user in one conversation, whichever way: by the stand-in, or by web chat's stream.

A thread reads, the caller takes: whoever waits for a message may wait as long as they like and no longer.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, Protocol

import msgspec

from gateway.platforms.base import Answer, Scene, Seen
from gateway.platforms.calls import NotThere, StandInClient
from gateway.platforms.stream import Stream
from gateway.platforms.webchat import accepted_seq, read
from gateway.settings.accounts import WebchatAccount

__all__ = ["Inbox", "StandInInbox", "StreamInbox"]


class Inbox(Protocol):
    """One user's messages from the moment at which it was opened."""

    @property
    def past(self) -> tuple[Seen, ...]:
        """What was shown before, oldest first."""
        ...

    def next(self, wait_s: float) -> Seen | None:
        """Return the next message, or None if none comes in time.

        :raises NotThere: none can come any more.
        """
        ...

    def keep(self, seen: tuple[Seen, ...]) -> None:
        """Remember what was shown in a response, for a tap in a later run."""
        ...

    def is_answered(self, answer: Answer) -> bool | None:
        """Return whether what the delivery with *answer* asked for has come; None: nobody can know."""
        ...

    def close(self) -> None:
        """Read no more.  Safe twice."""
        ...


class StandInInbox:
    """What the stand-in keeps of a conversation."""

    def __init__(self, client: StandInClient, platform: str, account: str, place: str) -> None:
        self._client = client
        self._where = (platform, account, place)
        shown = client.past(*self._where)
        self.past = tuple(entry.seen for entry in shown.entries)
        self._queue: queue.SimpleQueue[tuple[int, Seen] | NotThere] = queue.SimpleQueue()
        self._kept: set[int] = set()
        self._closed = False
        threading.Thread(target=self._read, args=(shown.last,), daemon=True).start()

    def next(self, wait_s: float) -> Seen | None:
        until = time.monotonic() + wait_s
        while True:
            try:
                arrived = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return None
            if isinstance(arrived, NotThere):
                raise arrived
            number, seen = arrived
            if number not in self._kept:
                return seen

    def keep(self, seen: tuple[Seen, ...]) -> None:
        # They come back by the other way, and have been seen.
        self._kept.update(self._client.keep(*self._where, seen))

    def is_answered(self, answer: Answer) -> bool | None:
        return None

    def close(self) -> None:
        self._closed = True

    def _read(self, after: int) -> None:
        while not self._closed:
            try:
                shown = self._client.wait(*self._where, after)
            except NotThere as error:
                self._queue.put(error)
                return
            for entry in shown.entries:
                after = entry.number
                self._queue.put((entry.number, entry.seen))


class StreamInbox:
    """What web chat's stream tells a visitor."""

    def __init__(self, gateway: str, account: WebchatAccount, scene: Scene) -> None:
        self._queue: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self._past: list[Seen] = []
        self._seq = 0
        self._stream = Stream(gateway, account, scene, self._take)
        self._stream.start()
        self.past = tuple(self._past)

    def next(self, wait_s: float) -> Seen | None:
        try:
            return self._queue.get(timeout=max(0.0, wait_s))
        except queue.Empty:
            return None

    def keep(self, seen: tuple[Seen, ...]) -> None:
        """Nothing: the ledger has it."""

    def is_answered(self, answer: Answer) -> bool | None:
        seq = accepted_seq(answer)
        return None if seq is None else self._seq >= seq and self._queue.empty()

    def close(self) -> None:
        self._stream.close()

    def _take(self, name: str, data: dict[str, Any]) -> None:
        if name != "turn" or data["seq"] <= self._seq:
            return
        if data["parts"]:
            notes = ("by itself",) if data["message"]["kind"] == "event" else ()
            seen = msgspec.structs.replace(read(data["parts"]), notes=notes)
            # What is shown first, and then that it is all.
            self._queue.put(seen) if self._stream.is_ready else self._past.append(seen)
        self._seq = data["seq"]
