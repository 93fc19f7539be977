"""Signed messages of each channel, written beforehand for wrk's scripts: all different, each of its own or one of many
conversations.

A file is good for five minutes (Slack) or two and a half (Alexa): its proofs bear the time at which it was made.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.chat.messages import SIGNING_SECRET
from bench.locust.platforms.alexa import Alexa
from bench.locust.platforms.delivery import Delivery
from bench.locust.platforms.slack import Slack
from bench.locust.platforms.telegram import Telegram
from bench.locust.platforms.webchat import Webchat
from bench.locust.stack import ACCOUNT, ALEXA_CHAIN, ALEXA_KEY, COOKIE_SECRET, SECRET_TOKEN, SKILL
from bench.locust.words import Words

__all__ = ["ACKNOWLEDGED", "CONVERSATIONS", "Deliveries"]

#: The channels, and the status with which each message is taken.
ACKNOWLEDGED: Mapping[str, int] = {"slack": 200, "telegram": 200, "alexa": 200, "webchat": 202}
#: That speak in turn, so that none has many messages under way.
CONVERSATIONS = 1_000
_HOST = "127.0.0.1"

#: From a person, a number, the words and the time.
_Make = Callable[[int, int, str, float], Delivery]


class Deliveries:
    """What users of a deployment say; no message twice, over all files."""

    def __init__(self, folder: Path) -> None:
        """*folder* has Alexa's key and chain."""
        self._folder = folder
        self._words = Words()
        self._numbers = itertools.count(int(time.time()) * 100_000)
        slack = Slack(account=ACCOUNT, signing_secret=SIGNING_SECRET)
        telegram = Telegram(account=ACCOUNT, secret_token=SECRET_TOKEN)
        alexa = Alexa(
            account=ACCOUNT,
            skill_id=SKILL,
            key=(folder / ALEXA_KEY).read_text(),
            chain=(folder / ALEXA_CHAIN).read_text(),
        )
        self._webchat = Webchat(account=ACCOUNT, cookie_secret=COOKIE_SECRET)
        self._made: Mapping[str, _Make] = {
            "slack": slack.message,
            "telegram": telegram.message,
            "alexa": alexa.message,
            "webchat": self._visitors,
        }
        # A person has one cookie for as long as they are there.
        self._cookies: dict[int, str] = {}

    def write(self, channel: str, count: int) -> Path:
        """Write a file with *count* messages, signed now."""
        path = self._folder / f"{channel}.requests"
        with path.open("wb") as file:
            for message in self._requests(channel, count):
                file.write(b"%d\n%b" % (len(message), message))
        return path

    def _requests(self, channel: str, count: int) -> Iterator[bytes]:
        make = self._made[channel]
        for number in itertools.islice(self._numbers, count):
            person = 1_000_000 + number % CONVERSATIONS
            yield make(person, number, self._words.said(number), time.time()).raw(_HOST)

    def _visitors(self, person: int, number: int, text: str, at_s: float) -> Delivery:
        cookie = self._cookies.setdefault(person, "") or self._webchat.cookie(person, at_s)
        self._cookies[person] = cookie
        return self._webchat.message(person, number, text, cookie)
