"""Which jobs follow of what the ledger is told, in the words of :class:`gateway.store.ledger.ledger.FollowUps`."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.domain.job import Draft, Enqueued
from gateway.domain.turn import Settlement
from gateway.jobs.jobs import Jobs
from gateway.jobs.webhooks import Webhooks
from gateway.store.ledger.asking import SentMessage

__all__ = ["JobFollowUps"]


class JobFollowUps:
    """Webhooks are told."""

    def __init__(self, webhooks: Webhooks, jobs: Jobs) -> None:
        self._webhooks = webhooks
        self._jobs = jobs
        self.follow_sends = webhooks.wants("message.sent")

    def of_turn(self, settlement: Settlement) -> Sequence[Draft]:
        """Return what follows of the end of a turn."""
        return self._webhooks.turn(settlement)

    def of_sends(self, messages: Sequence[SentMessage]) -> list[Draft]:
        """Return what follows of messages that were sent."""
        return self._webhooks.sent(messages)

    def asked(self, enqueued: Sequence[Enqueued], drafts: Sequence[Draft]) -> None:
        """Tell the owners of the partitions of jobs that are committed."""
        self._jobs.hint(enqueued, drafts)
