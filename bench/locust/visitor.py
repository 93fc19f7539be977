"""The stream that a chat page reads, for as long as somebody waits for an answer in it."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from gevent.event import Event

from bench.locust.hints import failure
from bench.locust.platforms.webchat import Events, Webchat, words
from bench.locust.run import Run

__all__ = ["Stream"]

#: Between two connections, where one broke.
_AGAIN_S = 0.5


class Stream:
    """One visitor's; it goes on behind the last settled turn whenever its connection ends."""

    def __init__(self, run: Run, account: Webchat, cookie: str, place: str, *, again_s: float = _AGAIN_S) -> None:
        self._again_s = again_s
        self._run, self._account, self._cookie, self._place = run, account, cookie, place
        self._seq = 0
        self._is_retired = self._is_closed = False
        self._hang_up: Callable[[], None] | None = None
        self._ready = Event()

    def start(self) -> None:
        """Return when it is open, or when nobody would wait for it any longer."""
        gevent.spawn(self._read_on)
        patience_s = self._run.given.patience_s
        if not self._ready.wait(patience_s) and not self._run.is_over:
            self._run.broke("webchat", f"was not ready within {patience_s:g} s")

    def retire(self) -> None:
        """Close it as soon as nobody waits there any more."""
        self._is_retired = True
        self._close_if_done()

    def close(self) -> None:
        """Read no more."""
        self._is_closed = True
        if self._hang_up is not None:
            self._hang_up()

    def _read_on(self) -> None:
        while not self._is_closed:
            try:
                self._read()
            except (OSError, ValueError) as error:
                if not self._is_closed:
                    self._run.broke("webchat", failure("webchat", error))
            if not self._is_closed:
                gevent.sleep(self._again_s)

    def _read(self) -> None:
        headers = {"Accept": "text/event-stream", "Cookie": self._cookie}
        if self._seq:
            headers["Last-Event-ID"] = str(self._seq)
        events = Events()
        for data in self._run.connections.stream(self._account.stream, headers, self._opened):
            for name, said in events.feed(data):
                if name == b"turn":
                    self._seq = said["seq"]
                    self._run.judge("webchat", self._place, words(said["parts"]))
                    self._close_if_done()
                elif name == b"ready":
                    self._ready.set()

    def _opened(self, hang_up: Callable[[], None]) -> None:
        self._hang_up = hang_up

    def _close_if_done(self) -> None:
        if self._is_retired and not self._run.desk.waits(("webchat", self._place)):
            self.close()
