"""Signs of life: what shows a user that a message is being worked on, while there is no answer.

Best effort, and in nobody's way: each is one call from a greenlet of its own, with a short time and no repeat; over the
bound it is left out.  What becomes of it is counted and nothing else.
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
        self._waiting += 1
        sign = gevent.spawn_later(max(0.0, arrived + after_s - self._clock()), self._give, bot, inbound)
        sign.rawlink(self._over)
        return lambda: sign.kill(block=False)

    def _over(self, _: object) -> None:
        self._waiting -= 1

    def _give(self, bot: Bot, inbound: Inbound) -> None:
        sign = bot.channel.sign_of_life(inbound, bot.account)
        if sign is None:
            return
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


def _nothing() -> None:
    """Stop nothing: there is no sign of life."""
