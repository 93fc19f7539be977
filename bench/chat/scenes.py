"""The scenes, from the outside: who sends which message when, and how long it took until its answer was posted.

Messages are made and signed before a scene begins.  A turn begins when its message leaves, or was meant to leave, and
ends when its answer has arrived at the stand-in for Slack.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from typing import Literal

import msgspec

from bench.chat.checker import Checker, Verdict
from bench.chat.messages import CONVERSATIONS, delivery
from bench.chat.wire import Callers
from bench.load import uncollected
from bench.report import percentile

__all__ = ["BURST", "DELIVERED", "Order", "Outcome", "Played", "Scene"]

#: Messages that a conversation sends in a burst, and times that a message of the scene "repeats" is delivered.
BURST, DELIVERED = 10, 3
#: Turns under way at once in the scene "closed".
CALLERS = 64
#: Seconds between two messages of the scene "repeats".
_REPEATS_EVERY_S = 0.005
_LOOK_S = 0.01

#: What can be played.
Played = Literal["closed", "rate", "repeats", "bursts"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A scene to be played to the contestant at *port*.

    ``closed``: 64 turns are under way at any time, for ``seconds``.  ``rate``: ``rate`` messages a second.
    ``repeats``: each message is delivered three times, every other one's repeats when the last delivery was
    acknowledged.  ``bursts``: conversations send ten messages each, the next as soon as the last was acknowledged; the
    assistant takes its time, another one for each.
    """

    scene: Played
    port: int
    path: str
    seconds: float = 0.0
    rate: float = 0.0
    #: To be made beforehand (``closed``) or to be sent (``repeats``, ``bursts``).
    messages: int = 0
    #: Seconds without an answer after which the missing ones are lost, and seconds in which doubles may still come.
    idle_max_s: float = 5.0
    doubles_s: float = 0.3


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a scene."""

    verdict: Verdict
    #: Turns that ended within the scene's time, and seconds that this was.
    turns: int
    took_s: float
    #: From when a message left or was meant to leave; of all that were answered.
    p50_ms: float
    p99_ms: float
    #: How much later than meant messages left, at a fixed rate.
    late_p99_ms: float
    #: Processor seconds of the outside within that time, and from the order to this, preparations included.
    busy_s: float
    spent_s: float


class Scene:
    """One scene, played once."""

    def __init__(self, order: Order, said: list[int]) -> None:
        """*said*: how many messages each conversation has sent so far, in any scene; it goes on from there."""
        self._order = order
        self._said = said
        self._checker = Checker(said)
        self._callers = Callers("127.0.0.1", order.port)
        self._ready: list[deque[tuple[int, bytes]]] = [deque() for _ in range(CONVERSATIONS)]
        self._free: deque[int] = deque()
        self._began: dict[int, float] = {}
        self._latencies_s: list[float] = []
        self._late_s: list[float] = []
        self._end = float("inf")
        #: Deliveries that wait for their acknowledgement.
        self._delivered = 0
        self._turns = 0
        self._last = 0.0

    @property
    def thoughtful(self) -> bool:
        """Whether the assistant takes its time."""
        return self._order.scene == "bursts"

    def posted(self, where: tuple[str, str], text: str) -> None:
        """Take note of what was posted."""
        now = self._last = time.perf_counter()
        number = self._checker.judge(where, text)
        if number is None:
            return
        self._latencies_s.append(now - self._began.pop(number))
        if now > self._end:
            return
        self._turns += 1
        if self._order.scene == "closed":
            self._free.append(number % CONVERSATIONS)
            self._say(self._free.popleft(), now)

    async def play(self) -> Outcome:
        """Play it to its end."""
        order, spent_s = self._order, time.process_time()
        for at in range(int(order.rate * order.seconds) if order.scene == "rate" else order.messages):
            self._ready[at % CONVERSATIONS].append(self._make(at % CONVERSATIONS))
        await self._callers.open(CALLERS)
        try:
            with uncollected():
                busy_s, began = time.process_time(), time.perf_counter()
                match order.scene:
                    case "closed":
                        await self._closed(began)
                    case "rate":
                        await self._rate(began)
                    case "repeats":
                        await self._repeats()
                    case "bursts":
                        await self._bursts()
                busy_s, took_s = time.process_time() - busy_s, time.perf_counter() - began
                await self._settle()
        finally:
            self._callers.close()
        return Outcome(
            verdict=self._checker.verdict(),
            turns=self._turns,
            took_s=took_s,
            p50_ms=1e3 * percentile(self._latencies_s or [0.0], 0.5),
            p99_ms=1e3 * percentile(self._latencies_s or [0.0], 0.99),
            late_p99_ms=1e3 * percentile(self._late_s or [0.0], 0.99),
            busy_s=busy_s,
            spent_s=time.process_time() - spent_s,
        )

    def _make(self, conversation: int) -> tuple[int, bytes]:
        self._said[conversation] += 1
        number = self._said[conversation] * CONVERSATIONS + conversation
        return number, delivery(self._order.path, number, at_s=time.time())

    def _say(self, conversation: int, began: float) -> None:
        ready = self._ready[conversation]
        number, request = ready.popleft() if ready else self._make(conversation)
        self._ask(number, began)
        self._deliver(request)

    def _ask(self, number: int, began: float) -> None:
        self._checker.ask(number)
        self._began[number] = began

    async def _closed(self, began: float) -> None:
        self._end = began + self._order.seconds
        self._free.extend(range(CONVERSATIONS))
        for _ in range(CALLERS):
            self._say(self._free.popleft(), time.perf_counter())
        await asyncio.sleep(self._order.seconds)

    async def _rate(self, began: float) -> None:
        self._end = began + self._order.seconds
        for at in range(int(self._order.rate * self._order.seconds)):
            meant = began + at / self._order.rate
            # Timers are of milliseconds: at high rates several are due by the time that the loop comes round.
            if (wait_s := meant - time.perf_counter()) > 0:
                await asyncio.sleep(wait_s)
            self._late_s.append(max(0.0, time.perf_counter() - meant))
            self._say(at % CONVERSATIONS, meant)
        await asyncio.sleep(max(0.0, self._end - time.perf_counter()))

    async def _repeats(self) -> None:
        for at in range(self._order.messages):
            number, first = self._ready[at % CONVERSATIONS].popleft()
            again = [
                delivery(self._order.path, number, at_s=time.time(), retry=retry) for retry in range(1, DELIVERED)
            ]
            self._ask(number, time.perf_counter())
            if at % 2:
                self._deliver(first, iter(again))
            else:
                for request in (first, *again):
                    self._deliver(request)
            await asyncio.sleep(_REPEATS_EVERY_S)

    async def _bursts(self) -> None:
        for conversation in range(self._order.messages // BURST):
            messages = [self._make(conversation) for _ in range(BURST)]
            for number, _ in messages:
                self._ask(number, time.perf_counter())
            requests = (request for _, request in messages)
            self._deliver(next(requests), requests)

    def _deliver(self, request: bytes, others: Iterator[bytes] | None = None) -> None:
        """Send it, and each of *others* when the last one was acknowledged: no network puts those out of order."""

        def acknowledged(status: int) -> None:
            self._last = time.perf_counter()
            self._delivered -= 1
            if status != 200:
                self._checker.refused += 1
            if others is not None and (following := next(others, None)) is not None:
                self._deliver(following, others)

        self._delivered += 1
        self._callers.send(request, acknowledged)

    async def _settle(self) -> None:
        self._last = max(self._last, time.perf_counter())
        # Looking costs nothing while nothing is measured any more, and telling on every answer would.
        while (self._checker.left or self._delivered) and time.perf_counter() - self._last < self._order.idle_max_s:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        await asyncio.sleep(self._order.doubles_s)
