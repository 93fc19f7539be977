"""Platforms that do not give up: each sender says one thing after the other, and repeats it until it is accepted.

A sender stands for one conversation.  It behaves as Slack and the page do, only faster: no answer within its patience,
an error or a 503 is followed by the same delivery again, at whichever gateway the balancer picks.  One in five
deliveries is made once more although it was accepted, at the same moment or later.
"""

from __future__ import annotations

import http.client
import random
from collections.abc import Callable, Sequence

import gevent
import msgspec
from gevent.pool import Group
from gevent.queue import Full, JoinableQueue

from tests.soak.said import Said, Surface
from tests.support.calling import Answer, call
from tests.support.slack_platform import Delivery, SlackPlatform
from tests.support.visitor import Visitor

__all__ = ["Load", "Sender"]

REPEATED = 0.2
COMMANDS = 0.15
#: Seconds that a platform waits for the answer to an event or a command, as Slack does.
PATIENCE_S = 3.0
#: Seconds that the page asks to have its response held.
WAIT_S = 5
#: Seconds between two tries.
PAUSE_S = 0.25
#: Messages that wait behind one that is not accepted yet.
BACKLOG_MAX = 20

Ports = Callable[[], Sequence[int]]
#: Delivers once to the gateway at a port.
Deliver = Callable[[int], Answer]


class Sender:
    """Whoever speaks in one conversation."""

    def __init__(self, name: str, slack: SlackPlatform, ports: Ports, rng: random.Random) -> None:
        self.name = name
        self.said: list[Said] = []
        #: Statuses that no gateway may give, whatever happens to it.
        self.wrong: list[str] = []
        self.repeats = Group()
        self._slack = slack
        self._ports = ports
        self._rng = rng
        self._visitor = Visitor() if name.startswith("page") else None
        self._waiting: JoinableQueue[None] = JoinableQueue(maxsize=BACKLOG_MAX)

    def say_more(self) -> bool:
        """Have one more message said; return whether there was room for it."""
        try:
            self._waiting.put_nowait(None)
        except Full:
            return False
        return True

    def idle(self) -> bool:
        """Return whether everything was accepted, the repeats too."""
        return self._waiting.unfinished_tasks == 0 and not self.repeats

    def speak_forever(self) -> None:
        """Say what is to be said, in order."""
        while True:
            self._waiting.get()
            said, deliver = self._next()
            self.said.append(said)
            again = self._rng.random() < REPEATED
            if again and self._rng.random() < 0.5:
                self.repeats.spawn(self._until_accepted, said, deliver)
                again = False
            first = self._until_accepted(said, deliver)
            if again:
                self.repeats.spawn(self._later, said, deliver, first)
            self._waiting.task_done()

    def _next(self) -> tuple[Said, Deliver]:
        surface: Surface = "event"
        if self._visitor is not None:
            surface = "wait"
        elif self._rng.random() < COMMANDS:
            surface = "command"
        said = Said(surface, self.name, len(self.said) + 1)
        return said, self._page(said) if self._visitor else self._delivery(said)

    def _page(self, said: Said) -> Deliver:
        assert self._visitor is not None
        path, headers = self._visitor.path, self._visitor.headers(WAIT_S)
        body = msgspec.json.encode({"id": f"id-{said.word}", "text": said.word, "chat": "main"})
        return lambda port: call(port, path, body=body, headers=headers, timeout_s=WAIT_S + 1)

    def _delivery(self, said: Said) -> Deliver:
        make = self._slack.event if said.surface == "event" else self._slack.command
        delivery: Delivery = make(said.word, channel=self.name)
        path = f"/hooks/slack/{delivery.account}"
        return lambda port: call(
            port, path, body=delivery.body, headers=delivery.headers(), timeout_s=PATIENCE_S
        )

    def _later(self, said: Said, deliver: Deliver, first: int) -> None:
        gevent.sleep(self._rng.uniform(0, 4))
        self._until_accepted(said, deliver, avoid=first)

    def _until_accepted(self, said: Said, deliver: Deliver, avoid: int = 0) -> int:
        """Deliver until it is accepted; return the port at which it was."""
        while True:
            ports = self._ports()
            port = self._rng.choice([each for each in ports if each != avoid] or ports)
            try:
                answer = deliver(port)
            except (OSError, http.client.HTTPException) as error:
                said.note(port, error)
            else:
                said.note(port, answer)
                if self._is_accepted(said, answer):
                    return port
            avoid = port
            gevent.sleep(PAUSE_S * self._rng.uniform(0.5, 1.5))

    def _is_accepted(self, said: Said, answer: Answer) -> bool:
        if answer.status == 200 and said.surface == "command" and b"Please try again" in answer.body:
            said.excused = True
            return True
        if answer.status in {200, 202}:
            said.accepted.append(answer)
            return True
        if answer.status not in {429, 503}:
            self.wrong.append(f"{said.word}: {answer.status} {answer.body[:200]!r}")
        return False


class Load:
    """All senders, and the pace at which they speak."""

    def __init__(self, slack: SlackPlatform, ports: Ports, rng: random.Random, *, lanes: int) -> None:
        names = [f"page{at}" if at % 3 == 0 else f"C{at:03d}" for at in range(lanes)]
        self.senders = [Sender(name, slack, ports, rng) for name in names]
        #: Messages that nobody said, because too many waited before them.
        self.held_back = 0
        self._rng = rng
        self._speaking = Group()
        self._pacer: gevent.Greenlet[..., None] | None = None

    def start(self, rate: float) -> None:
        """Have *rate* messages said a second."""
        for sender in self.senders:
            self._speaking.spawn(sender.speak_forever)
        self._pacer = gevent.spawn(self._pace, rate)

    def say_no_more(self) -> None:
        """What was begun goes on until it is accepted."""
        if self._pacer is not None:
            self._pacer.kill()

    def idle(self) -> bool:
        """Return whether all that was said has been accepted."""
        return all(sender.idle() for sender in self.senders)

    def stop(self) -> None:
        """End at once."""
        self.say_no_more()
        self._speaking.kill()
        for sender in self.senders:
            sender.repeats.kill()

    def _pace(self, rate: float) -> None:
        tick_s = 0.02
        owed = 0.0
        while True:
            owed += rate * tick_s
            while owed >= 1:
                owed -= 1
                if not self._rng.choice(self.senders).say_more():
                    self.held_back += 1
            gevent.sleep(tick_s)
