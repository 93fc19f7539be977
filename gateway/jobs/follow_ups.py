"""Which jobs follow of what the ledger is told, in the words of :class:`gateway.store.ledger.asking.FollowUps`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gateway.domain.job import Draft, Enqueued
from gateway.domain.turn import Settlement
from gateway.jobs.jobs import Jobs
from gateway.jobs.pushes import Pushes, timer_cancels, timer_drafts
from gateway.jobs.webhooks import Webhooks
from gateway.store.ledger.asking import Following, SentMessage
from gateway.store.ledger.push import Cancelled

__all__ = ["JobFollowUps"]


class JobFollowUps:
    """Assistants' timers are set, and webhooks are told."""

    def __init__(
        self, webhooks: Webhooks, jobs: Jobs, pushes: Pushes, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._webhooks = webhooks
        self._jobs = jobs
        self._pushes = pushes
        self._wall_clock = wall_clock
        self.follow_sends = webhooks.wants("message.sent")

    def of_turn(self, settlement: Settlement) -> Following | None:
        """Return what follows of the end of a turn."""
        told = self._webhooks.turn(settlement)
        if not settlement.reply.timers:
            return Following(told) if told else None
        return Following(
            (*timer_drafts(settlement, self._wall_clock()), *told), timer_cancels(settlement)
        )

    def of_sends(self, messages: Sequence[SentMessage]) -> list[Draft]:
        """Return what follows of messages that were sent."""
        return self._webhooks.sent(messages)

    def asked(
        self, enqueued: Sequence[Enqueued], drafts: Sequence[Draft], cancelled: Sequence[Cancelled]
    ) -> None:
        """Tell the owners of the partitions of jobs that are committed, and of those that are no more."""
        self._jobs.hint(enqueued, drafts)
        self._pushes.told(cancelled)
