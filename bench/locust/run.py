"""One run: what all users share, from the moment at which all of them are there until the last answer."""

from __future__ import annotations

import itertools
import random
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import gevent
import msgspec
from gevent.event import Event

from bench.locust.desk import Desk, Judged
from bench.locust.options import Accounts, accounts
from bench.locust.platforms.delivery import json_answer
from bench.locust.summary import Summary, summary
from bench.locust.watch import Clock, Watch
from bench.locust.wire import Connections, serve
from bench.locust.words import Words
from gateway.settings.accounts import AlexaAccount

__all__ = ["BREATH_S", "DOUBLES_S", "Run"]

#: Tells locust of one thing: channel, what it was, its milliseconds, and what was wrong with it.  What took no time, as
#: an answer that never came, has none: with 0 it would make locust's own percentiles better than they are.
Tell = Callable[[str, str, float | None, str], None]

#: Seconds in which doubles may still come after the last answer.
DOUBLES_S = 0.5
_LOOK_S = 1.0
_WAIT_S = 0.02
#: Between the last user's arrival and the first message.
BREATH_S = 0.2
#: What Alexa says beside answers, where the deployment's settings do not say otherwise.
_SAID_BESIDE = ("later", "kept", "kept_again")
_BESIDE = tuple(str(each.default) for each in msgspec.structs.fields(AlexaAccount) if each.name in _SAID_BESIDE)


class Run:
    """What users need of one another."""

    def __init__(
        self,
        host: str,
        channels: Iterable[str],
        given: Namespace,
        tell: Tell,
        *,
        breath_s: float = BREATH_S,
        doubles_s: float = DOUBLES_S,
    ) -> None:
        """Take calls at the stand-in's address from now on.

        :raises OSError: its port is taken.
        """
        self.host = host
        self.given = given
        self.words = Words(given.says, given.reply)
        self.draws = random.Random()
        self.watch = Watch()
        self.connections = Connections(host, silence_s_max=given.patience_s + 30.0)
        self.is_over = False
        self.opened = Event()
        self._tell = tell
        self._breath_s, self._doubles_s = breath_s, doubles_s
        self._server = serve(given.stand_in_host, given.stand_in_port, self._called)
        self.stand_in = given.stand_in_url or f"http://{given.stand_in_host}:{self._server.server_port}"
        self.accounts: Mapping[str, Accounts] = accounts(channels, given, self.stand_in)
        self.desk = Desk(self.words, self.accounts, late_s=given.late_s, patience_s=given.patience_s)
        # Growing from run to run, too: an answer of an earlier one is not taken for one of this.
        self._numbers = itertools.count(int(time.time()) * 100_000)
        self._users = itertools.count()
        self._called_n: Counter[str] = Counter()
        #: What went wrong first on a channel.
        self._failed: dict[str, str] = {}
        self._ready = self._expected = 0
        self.began_s = 0.0
        self._began = self._ended = Clock.now()
        self._looker: gevent.Greenlet[[], None] | None = None

    @property
    def users(self) -> int:
        """How many speak."""
        return max(1, self._expected)

    def number(self) -> int:
        """Return a number that no other message or person has."""
        return next(self._numbers)

    def user(self) -> int:
        """Return the place of a new user among all, from 0."""
        return next(self._users)

    def expect(self, users: int) -> bool:
        """Know how many users there will be: as soon as all are ready, they begin.

        Once they have begun, False if it is another number: everybody's instants were planned for this one.
        """
        if self.opened.is_set():
            return users == self._expected
        self._expected = users
        self._open()
        return True

    def ready(self) -> None:
        """A user could speak now."""
        self._ready += 1
        self._open()

    def judge(self, channel: str, place: str, text: str, *, apart: bool = False) -> None:
        """Somebody reads something; *apart*: not where the rest of the conversation is read."""
        beside = _BESIDE if channel == "alexa" else ()
        for judged in self.desk.judge((channel, place), text, time.perf_counter(), beside, apart=apart):
            self._tell_judged(channel, judged)

    def delivered(self, channel: str, took_s: float, wrong: str) -> None:
        """Somebody's delivery was taken, or *wrong* says why not."""
        if not wrong:
            self.desk.accept(channel, took_s)
        self._tell_done(channel, "delivery", took_s, wrong)

    def opened_page(self, channel: str, took_s: float, wrong: str) -> None:
        """Somebody's page was opened, or *wrong* says why not."""
        self._tell_done(channel, "page", took_s, wrong)

    def broke(self, channel: str, wrong: str) -> None:
        """Somebody's stream ended as none should."""
        self._tell_done(channel, "stream", None, wrong)

    def close(self) -> None:
        """Let nobody speak any more, and wait for the answers that are underway."""
        if self.is_over:
            return
        self.is_over = True
        self._ended = Clock.now()
        until = self._ended.at_s + self.given.patience_s
        while self.desk.open_n and time.perf_counter() < until:
            gevent.sleep(_WAIT_S)
        gevent.sleep(self._doubles_s)
        for channel in self.desk.give_up():
            self._tell_judged(channel, Judged("lost"))
        if self._looker is not None:
            self._looker.kill()
        self._server.stop()
        self.connections.close()

    def summary(self) -> Summary:
        """Return what the run comes to."""
        messages = sum(tally.asked for tally in self.desk.tallies.values())
        generator = self.watch.generator(self._began, self._ended, messages=messages)
        return summary(
            self.desk,
            generator,
            conversations=self.users,
            asked_rate=self.given.rate,
            began_s=self.began_s,
            advice=self._advice(),
            failed=self._failed,
        )

    def report(self) -> None:
        """Print the summary, and write it where that was asked for."""
        found = self.summary()
        sys.stderr.write(found.text)
        if self.given.report:
            Path(self.given.report).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))

    def _open(self) -> None:
        if self.opened.is_set() or not self._expected or self._ready < self._expected:
            return
        self.began_s = time.perf_counter() + self._breath_s
        self._looker = gevent.spawn(self._look)
        self.opened.set()

    def _look(self) -> None:
        gevent.sleep(self.began_s - time.perf_counter())
        self._began = Clock.now()
        while True:
            gevent.sleep(_LOOK_S)
            for channel in self.desk.overdue(time.perf_counter()):
                self._tell_judged(channel, Judged("lost"))

    def _called(self, method: str, path: str, head: bytes, body: bytes) -> bytes:
        for channel, account in self.accounts.items():
            called = getattr(account, "called", None)
            call = called and called(method, path, head, body)
            if call:
                self._called_n[channel] += 1
                if call.wrong:
                    self._tell(channel, "call", None, call.wrong)
                if call.place:
                    self.judge(channel, call.place, call.text)
                answer: bytes = call.answer
                return answer
        # A token is in the middle of a path.
        name = path.partition("?")[0].rpartition("/")[2]
        self._tell("stand-in", "call", None, f"nobody is played here who is called at .../{name}: see api_base_url")
        return json_answer({"error": "nobody of this name is played here"}, 404)

    def _advice(self) -> list[str]:
        """Return what to look at, where a platform was never called though messages were taken."""
        roots = {"slack": f"{self.stand_in}/api", "telegram": self.stand_in}
        return [
            f"nobody called the stand-in for {channel}: expected {roots[channel]} as the account's api_base_url"
            for channel, tally in self.desk.tallies.items()
            if channel in roots and tally.accepted_s and tally.lost and not self._called_n[channel]
        ]

    def _tell_done(self, channel: str, what: str, took_s: float | None, wrong: str) -> None:
        if wrong:
            self._failed.setdefault(channel, f"{what}: {wrong}")
        self._tell(channel, what, None if took_s is None else 1e3 * took_s, wrong)

    def _tell_judged(self, channel: str, judged: Judged) -> None:
        took_ms = None if judged.took_s is None else 1e3 * judged.took_s
        self._tell(channel, "answer", took_ms, "" if judged.kind == "answered" else judged.kind)
