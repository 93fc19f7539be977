"""Signs of life: what shows a user that a message is being worked on, while there is no answer.

Two sorts, of which a platform has one or none: one for a message that waits for its answer, and one that is given again
and again for as long as its turn runs.

Best effort, and in nobody's way: each is one call from a greenlet of its own, with a short time; over the bound it is
left out, and one that is refused is not repeated.  What becomes of it is counted and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

from gateway import telemetry
from gateway.channels.base import PlatformClient
from gateway.channels.bots import Bot
from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed, TryLater
from gateway.domain.message import Inbound
from gateway.domain.turn import Turn

__all__ = ["SignsOfLife"]

#: Seconds for one of them.
_CALL_S = 2.0
#: Under way or waiting for their time in one process.
_WAITING_MAX = 4_096


class SignsOfLife:
    """Gives them."""

    def __init__(self, client: PlatformClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def begin(self, bot: Bot, inbound: Inbound, arrived: float) -> Callable[[], None]:
        """Give one once the message that arrived then (monotonic seconds) has waited long enough; return what stops it.

        One whose call is under way is not called back.
        """
        after_s = bot.channel.surfaces[inbound.surface].alive_after_s
        if after_s is None or self._waiting >= _WAITING_MAX:
            return _nothing
        return self._later(max(0.0, arrived + after_s - self._clock()), self._give, bot, inbound)

    def keep_up(self, bot: Bot, turn: Turn) -> Callable[[], None]:
        """Give one every so often while *turn* runs; return what stops that.  The first was given with its message."""
        every_s = bot.channel.surfaces[turn.surface].alive_every_s
        if every_s is None or self._waiting >= _WAITING_MAX:
            return _nothing
        said = Inbound(turn.conversation_key, (), turn.sender, turn.message, turn.surface, turn.address)
        return self._later(every_s, self._repeat, bot, said, every_s)

    def _later(self, wait_s: float, give: Callable[..., object], *arguments: object) -> Callable[[], None]:
        self._waiting += 1
        sign = gevent.spawn_later(wait_s, give, *arguments)
        sign.rawlink(self._over)
        return lambda: sign.kill(block=False)

    def _repeat(self, bot: Bot, inbound: Inbound, every_s: float) -> None:
        while self._give(bot, inbound):
            gevent.sleep(every_s)

    def _over(self, _: object) -> None:
        self._waiting -= 1

    def _give(self, bot: Bot, inbound: Inbound) -> bool:
        """Give one; return whether it was taken."""
        sign = bot.channel.sign_of_life(inbound, bot.account)
        if sign is None:
            return False
        outcome = "unreachable"
        try:
            answer = self._client.post(
                sign.url,
                headers=sign.headers,
                body=sign.body,
                deadline=Deadline.after(_CALL_S, now=self._clock()),
                allowed_hosts=sign.allowed_hosts,
            )
            outcome = "given" if 200 <= answer.status < 300 else f"http_{answer.status}"
        except (CallFailed, TryLater) as error:
            outcome = error.reason
        telemetry.event(
            "sign_of_life.given", channel=bot.account.channel, account=bot.account.name, outcome=outcome
        )
        return outcome == "given"


def _nothing() -> None:
    """Stop nothing: there is no sign of life."""
