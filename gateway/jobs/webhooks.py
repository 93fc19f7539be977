"""What happened, as jobs that tell it to those webhooks of the settings that want to know.

| event           | when                                                         | `data`                       |
|-----------------|--------------------------------------------------------------|------------------------------|
| `turn.answered` | a turn has ended with an answer                              | which turn                   |
| `turn.failed`   | a turn has ended without one                                 | which turn, `reason`         |
| `message.sent`  | a platform has taken a message, or it left in the response   | which message, `platform_id` |
| `job.buried`    | a job was given up; not one of these, or it would never end  | which job, `reason`          |

The jobs are asked for in the transaction that makes the event true, so that none is told that did not happen, and none
is forgotten.  Each is told at least once, with the same ``webhook-id`` every time; order is not promised, as by the
specification.  What was said stands in none of them: it would outlive its erasure in other people's systems.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from gateway.domain.job import Draft, JobEnd
from gateway.domain.resilience.priority import Priority
from gateway.domain.turn import Settlement
from gateway.settings.webhooks import EventType, WebhookSettings
from gateway.store.ledger.asking import SentMessage

__all__ = ["WEBHOOK_SEND", "WebhookSend", "Webhooks"]

WEBHOOK_SEND = "webhook.send"


class WebhookSend(msgspec.Struct, frozen=True):
    """The payload of a job that tells one webhook of one event."""

    webhook: str
    #: The ``webhook-id``: by it a receiver knows a repeat.
    event_id: str
    type: EventType
    #: Unix seconds at which it happened.
    at: float
    data: dict[str, Any]


class Webhooks:
    """Those who want to be told.  Without any nothing here costs anything."""

    def __init__(
        self, settings: Mapping[str, WebhookSettings], *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._wall_clock = wall_clock
        self._wanting: dict[EventType, list[str]] = {}
        for name, webhook in settings.items():
            for event_type in dict.fromkeys(webhook.events):
                self._wanting.setdefault(event_type, []).append(name)

    def wants(self, event_type: EventType) -> bool:
        """Return whether anybody wants to be told of *event_type*."""
        return event_type in self._wanting

    def turn(self, settlement: Settlement) -> list[Draft]:
        """Return what tells of the end of a turn."""
        event_type: EventType = "turn.answered" if settlement.state == "answered" else "turn.failed"
        if event_type not in self._wanting:
            return []
        turn = settlement.turn
        data: dict[str, Any] = {
            "turn_id": turn.turn_id,
            "conversation_id": turn.conversation_id,
            "channel": turn.channel,
            "account": turn.account,
            "seq": turn.seq,
            "trace_id": turn.trace_id,
        }
        if event_type == "turn.failed":
            data["reason"] = settlement.reason
        return self._drafts(event_type, str(turn.turn_id), data, turn.trace_id)

    def sent(self, messages: Sequence[SentMessage]) -> list[Draft]:
        """Return what tells of messages that were sent."""
        return [
            draft
            for message in messages
            for draft in self._drafts(
                "message.sent", str(message.outbox_id), msgspec.structs.asdict(message), message.trace_id
            )
        ]

    def buried(self, end: JobEnd) -> list[Draft]:
        """Return what tells of the end of a job, if that was given up."""
        job = end.job
        if end.fate != "bury" or job.kind == WEBHOOK_SEND or not self.wants("job.buried"):
            return []
        data = {
            "job_id": job.job_id,
            "kind": job.kind,
            "attempts": end.attempts,
            "reason": end.reason,
            "trace_id": job.trace_id,
        }
        # One that was retried by hand may be buried again, which is another event: it joined its lane at another place.
        return self._drafts("job.buried", f"{job.job_id}_{job.place}", data, job.trace_id)

    def _drafts(self, event_type: EventType, key: str, data: dict[str, Any], trace_id: str) -> list[Draft]:
        # No full stop in it: that separates it from the time in what is signed.
        event_id = f"{event_type.replace('.', '_')}_{key}"
        at = self._wall_clock()
        return [
            Draft(
                kind=WEBHOOK_SEND,
                payload=WebhookSend(name, event_id, event_type, at, data),
                unique=f"webhook:{name}:{event_id}",
                priority=Priority.LOW,
                trace_id=trace_id,
            )
            for name in self._wanting.get(event_type, ())
        ]
