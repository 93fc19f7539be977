"""locust's users: each is a speaker of one channel, told by locust when to be there and when to go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import gevent
from locust import User

from bench.locust.run import Run
from bench.locust.speakers import SPEAKERS

__all__ = ["AlexaUser", "Conversation", "SlackUser", "TelegramUser", "WebchatUser"]

#: Between two looks whether locust has stopped everybody, of who has nothing to say any more.
_OVER_S = 1.0


def speak(user: Conversation) -> None:
    """Say one message: what locust calls a task."""
    user.speaker.speak()


class Conversation(User):  # type: ignore[misc]  # locust is installed when the benchmark runs
    """What all channels share."""

    abstract = True
    tasks: ClassVar[list[Callable[[Any], None]]] = [speak]
    channel = ""
    #: Shared by all users; set before the first is made.
    run_of_all: ClassVar[Run]

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.speaker = SPEAKERS[self.channel](self.run_of_all)

    def on_start(self) -> None:
        """Be there, and wait for the first message's instant: locust's own wait comes behind a task."""
        self.speaker.enter()
        gevent.sleep(self.speaker.wait_s())

    def wait_time(self) -> float:
        """Return the seconds until the next message is meant to leave."""
        return _OVER_S if self.run_of_all.is_over else self.speaker.wait_s()

    def on_stop(self) -> None:
        """Go."""
        self.speaker.leave()


class SlackUser(Conversation):
    """Somebody who writes to a bot in Slack."""

    channel = "slack"


class TelegramUser(Conversation):
    """Somebody who writes to a bot in Telegram."""

    channel = "telegram"


class AlexaUser(Conversation):
    """Somebody who speaks to a device."""

    channel = "alexa"


class WebchatUser(Conversation):
    """Somebody with our page open."""

    channel = "webchat"
