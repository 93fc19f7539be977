"""Who speaks: each holds one conversation after the other, on one channel, and speaks when the plan says.

Nobody waits for an answer before they speak again: a message that is meant for an instant leaves then, or as soon as
the deliveries before it were acknowledged, and is late by that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bench.locust.hints import failure, hinted
from bench.locust.plan import instant_s
from bench.locust.platforms.alexa import Alexa
from bench.locust.platforms.delivery import Delivery, request
from bench.locust.platforms.slack import Slack
from bench.locust.platforms.telegram import Telegram
from bench.locust.platforms.webchat import Webchat, cookie_given
from bench.locust.run import Run
from bench.locust.visitor import Stream

__all__ = ["SPEAKERS", "Speaker"]

#: A conversation has so many times its mean length, drawn from between these.
_LENGTHS = (0.5, 1.5)


class Speaker:
    """What all channels share."""

    channel = ""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.account: Any = run.accounts[self.channel]
        self._place = run.user()
        #: One that was meant to be the last before the beginning may be drawn into it.
        self._spoken = -1
        self._left = 0
        self._meant_s = 0.0
        self._waited = False
        self.person = 0

    def enter(self) -> None:
        """Be there; and return when all others are."""
        self._begin()
        self._run.ready()
        self._run.opened.wait()
        self._mean()

    def wait_s(self) -> float:
        """Return the seconds until the next message is meant to leave."""
        left_s = self._meant_s - time.perf_counter()
        self._waited = left_s > 0
        return max(0.0, left_s)

    def speak(self) -> None:
        """Say the next message, at the instant for which it was meant; nothing once the run is over."""
        run, meant_s = self._run, self._meant_s
        if run.is_over:
            return
        if self._waited:
            run.watch.woke(time.perf_counter() - meant_s)
        self._mean()
        number = run.number()
        self.say(number, run.words.said(number), meant_s)
        self._left -= 1
        if not self._left:
            self._begin()

    def leave(self) -> None:
        """Close what is open."""

    def say(self, number: int, text: str, meant_s: float) -> None:
        """Say *text*, in the way of the channel."""
        raise NotImplementedError

    def begin(self) -> None:
        """Be somebody else from now on."""

    def ask(self, delivery: Delivery, number: int, meant_s: float) -> bytes | None:
        """Deliver a message; return the answer's body, or None: it was not taken."""
        self._run.desk.ask((self.channel, delivery.place), number, meant_s)
        body = self.deliver(delivery)
        if body is None:
            self._run.desk.refuse(number)
        return body

    def repeat(self, delivery: Delivery) -> None:
        """Deliver it again, now and then; it must not be answered again."""
        if self._run.draws.random() < self._run.given.repeated:
            self.deliver(self.account.again(delivery, 1, time.time()))

    def deliver(self, delivery: Delivery) -> bytes | None:
        """Make a platform's call; return the answer's body, or None: it was not taken."""
        run = self._run
        raw = delivery.raw(run.connections.host)
        began_s, wrong, body = time.perf_counter(), "", b""
        try:
            status, _, body = run.connections.ask(raw)
            if not 200 <= status < 300:
                wrong = hinted(self.channel, status)
        except (OSError, ValueError) as error:
            wrong = failure(self.channel, error)
        run.delivered(self.channel, time.perf_counter() - began_s, wrong)
        return None if wrong else body

    def read(self, body: bytes) -> str:
        """Return what a user reads in the answer to a delivery; of what no platform understands, that it is so."""
        try:
            return str(self.account.answered(body))
        except ValueError as error:
            return f"not what {self.channel} understands: {error}"

    def is_command(self) -> bool:
        """Draw whether the next message is one."""
        return self._run.draws.random() < float(self._run.given.commands)

    def _begin(self) -> None:
        run = self._run
        self._left = max(1, round(run.given.turns * run.draws.uniform(*_LENGTHS)))
        self.person = run.number()
        self.begin()

    def _mean(self) -> None:
        run = self._run
        users, rate = run.users, run.given.rate
        is_first = not self._meant_s
        while True:
            at_s = instant_s(self._spoken, self._place % users, users=users, rate=rate, draw=run.draws.random())
            self._meant_s = run.began_s + at_s
            self._spoken += 1
            # Who comes when others speak already, too, begins with what is yet to come.
            if not is_first or self._meant_s >= max(run.began_s, time.perf_counter()):
                return


class _Pushed(Speaker):
    """Of a platform that is called with the answer; where a command has a response, it may be in there."""

    account: Slack | Telegram

    def say(self, number: int, text: str, meant_s: float) -> None:
        is_command = self.is_command()
        make = self.account.command if is_command else self.account.message
        delivery = make(self.person, number, text, time.time())
        body = self.ask(delivery, number, meant_s)
        # Only a command's user reads what is in the response.
        if is_command and body and (read := self.read(body)):
            # It need not wait for an answer before it that Slack is slow to take.
            self._run.judge(self.channel, delivery.place, read, apart=True)
        # Slack sends a command once, whatever becomes of it.
        if body is not None and not (is_command and self.channel == "slack"):
            self.repeat(delivery)


class _Slack(_Pushed):
    """Somebody who writes to a bot in Slack."""

    channel = "slack"


class _Telegram(_Pushed):
    """Somebody who writes to a bot in Telegram."""

    channel = "telegram"


class _Alexa(Speaker):
    """Somebody who speaks to a device; the answer is in the response."""

    channel = "alexa"
    account: Alexa

    def say(self, number: int, text: str, meant_s: float) -> None:
        delivery = self.account.message(self.person, number, text, time.time())
        body = self.ask(delivery, number, meant_s)
        if body is not None:
            self._run.judge(self.channel, delivery.place, self.read(body))


class _Webchat(Speaker):
    """Somebody with our page open, who reads its stream."""

    channel = "webchat"
    account: Webchat

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._cookie = ""
        self._stream: Stream | None = None

    def begin(self) -> None:
        """Open the page, as a visitor whom nobody knows, and its stream."""
        run = self._run
        if self._stream is not None:
            self._stream.retire()
        began_s, wrong = time.perf_counter(), ""
        try:
            status, head, _ = run.connections.ask(request("GET", self.account.page, run.connections.host, {}))
            self._cookie = cookie_given(head)
            if status != 200:
                wrong = hinted(self.channel, status)
            elif not self._cookie:
                wrong = "expected a cookie, got none: is this a gateway's page?"
        except (OSError, ValueError) as error:
            wrong = failure(self.channel, error)
        run.opened_page(self.channel, time.perf_counter() - began_s, wrong)
        self._stream = Stream(run, self.account, self._cookie, str(self.person))
        self._stream.start()

    def say(self, number: int, text: str, meant_s: float) -> None:
        delivery = self.account.message(self.person, number, text, self._cookie)
        if self.ask(delivery, number, meant_s) is not None:
            self.repeat(delivery)

    def leave(self) -> None:
        """Close the page."""
        if self._stream is not None:
            self._stream.close()


#: Somebody on each channel.
SPEAKERS: Mapping[str, type[Speaker]] = {each.channel: each for each in (_Slack, _Telegram, _Alexa, _Webchat)}
