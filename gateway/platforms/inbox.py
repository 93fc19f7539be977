"""What comes to one user in one conversation, whichever way: by the stand-in, or by web chat's stream.

A thread reads, the caller takes: whoever waits for a message may wait as long as they like and no longer.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from gateway.platforms.base import Answer, Scene, Seen
from gateway.platforms.calls import NotThere, StandInClient, connect
from gateway.platforms.events import Event, events
from gateway.platforms.webchat import read, stream_of
from gateway.settings.accounts import WebchatAccount

__all__ = ["Inbox", "StandInInbox", "StreamInbox"]

#: Seconds in which a stream has told the past.
READY_S_MAX = 15.0
#: Seconds between two attempts to read a stream that ended.
AGAIN_S = 0.5


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
        self._gateway = gateway
        self._account = account
        self._scene = scene
        self._queue: queue.SimpleQueue[Seen | NotThere] = queue.SimpleQueue()
        self._past: list[Seen] = []
        self._is_ready = threading.Event()
        self._seq = 0
        self._closed = False
        self._connection = connect(gateway)
        threading.Thread(target=self._read, daemon=True).start()
        if not self._is_ready.wait(READY_S_MAX):
            raise NotThere(gateway, f"does not open its stream within {READY_S_MAX:.0f} s")
        self.past = tuple(self._past)

    def next(self, wait_s: float) -> Seen | None:
        try:
            arrived = self._queue.get(timeout=max(0.0, wait_s))
        except queue.Empty:
            return None
        if isinstance(arrived, NotThere):
            raise arrived
        return arrived

    def keep(self, seen: tuple[Seen, ...]) -> None:
        """Nothing: the ledger has it."""

    def is_answered(self, answer: Answer) -> bool | None:
        try:
            seq = msgspec.json.decode(answer.body).get("seq")
        except (msgspec.DecodeError, AttributeError):
            return None
        return None if seq is None else self._seq >= seq and self._queue.empty()

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._connection.close()

    def _read(self) -> None:
        while not self._closed:
            try:
                self._read_once()
            except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
                # The last two are http.client's, when its connection is closed under it.
                if not self._is_ready.is_set():
                    self._give_up(f"does not answer: {error}")
                    return
            if not self._closed:
                # Streams end, of age or with their process: the ledger knows what comes behind the last turn.
                time.sleep(AGAIN_S)

    def _read_once(self) -> None:
        scene = msgspec.structs.replace(self._scene, at_s=time.time())
        after = self._seq if self._is_ready.is_set() else None
        signed = stream_of(self._account, scene, after_seq=after)
        self._connection = connect(self._gateway)
        self._connection.request(signed.method, signed.path, headers=dict(signed.headers))
        response = self._connection.getresponse()
        if response.status != 200:
            raise http.client.HTTPException(f"status {response.status}")
        for event in events(iter(response.readline, b"")):
            self._take(event)

    def _take(self, event: Event) -> None:
        if event.name == "ready":
            self._is_ready.set()
        elif event.name == "turn":
            turn = msgspec.json.decode(event.data, type=dict[str, Any])
            if self._is_ready.is_set():
                # What is shown first, and then that it is all.
                self._show(turn)
            elif turn["parts"]:
                self._past.append(read(turn["parts"]))
            self._seq = max(self._seq, turn["seq"])

    def _show(self, turn: Mapping[str, Any]) -> None:
        if turn["seq"] > self._seq and turn["parts"]:
            notes = ("by itself",) if turn["message"]["kind"] == "event" else ()
            self._queue.put(msgspec.structs.replace(read(turn["parts"]), notes=notes))

    def _give_up(self, why: str) -> None:
        self._queue.put(NotThere(self._gateway, why))
        self._is_ready.set()
