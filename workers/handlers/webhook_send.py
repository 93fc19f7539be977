"""Tells one webhook of one event, by Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

    is it known and wanted? ─▶ sign ─▶ POST ─▶ 2xx: done │ 410: it is disabled │ anything else: again, by the schedule

Rules:

- Every try has the same ``webhook-id`` and body, and a time and signatures of its own.
- A pause is the schedule's, with up to a tenth more so that a receiver that comes back is not met by all at once; or
  what the receiver asks for, if that is more, within a day.
- What was refused on our side, because the circuit is open or there is no room, was no try, and waits the longer the
  older it is: a receiver that is away for hours must not have all that it misses run every few seconds.  No event is
  told for longer than four days; one that an operator has retried after them is tried once.
- A receiver that is gone (410) is told nothing more until an operator says so (``switchboard webhooks enable``).  The
  event that found it is a dead letter; those that come while it is disabled are dropped, and counted.

Redirects are not followed: a receiver that has moved says so to its operator.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from gateway import telemetry
from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed, TryLater
from gateway.domain.job import Bury, Done, JobOutcome, Retry
from gateway.domain.resilience.priority import Priority
from gateway.domain.resilience.retry import parse_retry_after
from gateway.domain.signing import signature_headers, signing_key
from gateway.jobs.webhooks import WEBHOOK_SEND, WebhookSend
from gateway.rpc.call import Call, CallResult, Policy, Service
from gateway.rpc.errors import InvalidCall
from gateway.settings.webhooks import WebhookSettings
from gateway.store import webhooks as rows
from workers.context import Context
from workers.registry import job_handler

__all__ = ["AGE_MAX_S", "JITTER", "RETRY_AFTER_MAX_S", "SCHEDULE_S", "webhook_send"]

#: Seconds before each try, counted from the one before: the specification's own example.
SCHEDULE_S = (0.0, 5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
#: By how much of itself a pause is longer at most.
JITTER = 0.1
#: Seconds of a receiver's Retry-After that are obeyed at most.
RETRY_AFTER_MAX_S = 86_400.0
#: Seconds after which an event is told no more, whatever kept it: the schedule's own end, and the jitter.
AGE_MAX_S = 4 * 86_400.0
_EXPIRED = Bury("expired", f"it could not be told within {AGE_MAX_S / 86_400:g} days")
#: Seconds before what was refused on our side is tried, at least; and the part of its age that it waits.
_REFUSED_S = 5.0
_REFUSED_OF_AGE = 0.1
#: Bytes of an answer that are read: it says nothing that matters here.
_ANSWER_BYTES_MAX = 65_536
#: Told where the client names the setting of its own that guards addresses out of payloads.
_NOT_ALLOWED = (
    "expected a public address behind webhooks.{0}.url, got a private or special one"
    " (webhooks.{0}.private_addresses_allowed)"
)
#: Calls of one process to one receiver at once.
_CONNECTIONS_MAX = 16


@job_handler(WEBHOOK_SEND, WebhookSend, attempts_max=len(SCHEDULE_S), time_limit_s=90.0, in_flight_max=128)
def webhook_send(job: Context, payload: WebhookSend) -> JobOutcome:
    """Tell it."""
    tools, name = job.tools, payload.webhook
    webhook = tools.settings.webhooks.get(name)
    if webhook is None:
        return Bury("unknown_webhook", f"there is no webhooks.{name} in the settings of this worker")
    if tools.database.run(lambda cursor: rows.disabled(cursor, name)):
        telemetry.event("webhook.told", webhook=name, outcome="disabled")
        return Done()
    expired = tools.wall_clock() - payload.at > AGE_MAX_S
    # One that has no failed try to its name has been put back by hand, or was never let through to its receiver.
    if expired and job.attempt > 1:
        return _EXPIRED
    try:
        result = tools.rpc.call(_call(job, payload, webhook))
    except TryLater as error:
        if expired:
            return _EXPIRED
        return Retry(error.reason, str(error), after_s=_later_s(job, payload, error.retry_after_s), counted=False)
    except InvalidCall as error:
        return Bury(error.reason, str(error))
    except CallFailed as error:
        detail = _NOT_ALLOWED.format(name) if error.reason == "address_not_allowed" else str(error)
        return _again(job, payload, error.reason, detail)
    return _outcome(job, payload, result)


def _outcome(job: Context, payload: WebhookSend, result: CallResult) -> JobOutcome:
    name, status = payload.webhook, result.status
    if 200 <= status < 300:
        telemetry.event("webhook.told", webhook=name, outcome="ok")
        return Done()
    if status == 410:
        _disable(job, name)
        return Bury(
            "gone", f"it answered 410: it is told nothing more until `switchboard webhooks enable {name}`"
        )
    said = result.header("retry-after")
    asked_s = None if said is None else parse_retry_after(said, job.tools.wall_clock())
    return _again(job, payload, f"http_{status}", f"it answered {status}", asked_s or 0.0)


def _again(job: Context, payload: WebhookSend, reason: str, detail: str, asked_s: float = 0.0) -> Retry:
    telemetry.event(
        "webhook.failed", webhook=payload.webhook, reason=reason, attempt=job.attempt, detail=detail
    )
    # Beyond the last try there is no pause: it is given up.
    pause_s = SCHEDULE_S[min(job.attempt, len(SCHEDULE_S) - 1)] * (1 + JITTER * job.tools.draw())
    return Retry(reason, detail, after_s=max(pause_s, min(asked_s, RETRY_AFTER_MAX_S)))


def _later_s(job: Context, payload: WebhookSend, retry_after_s: float) -> float:
    age_s = job.tools.wall_clock() - payload.at
    return max(_REFUSED_S, retry_after_s, _REFUSED_OF_AGE * age_s) * (1 + job.tools.draw())


def _disable(job: Context, name: str) -> None:
    by = f"job {job.job_id}"
    if job.tools.database.run(
        lambda cursor: rows.disable(cursor, name, by=by, reason="its receiver answered 410 Gone")
    ):
        telemetry.event("webhook.disabled", webhook=name, reason="gone")


def _call(job: Context, payload: WebhookSend, webhook: WebhookSettings) -> Call:
    tools = job.tools
    body = _body(payload)
    keys = [signing_key(secret.reveal()) for secret in webhook.signing_secrets]
    signed = signature_headers(keys, message_id=payload.event_id, unix_s=int(tools.wall_clock()), body=body)
    parts = urlsplit(webhook.url)
    path = parts.path or "/"
    left_s = min(webhook.timeout_s, job.deadline.expires_at - tools.clock())
    return Call(
        service=Service(
            f"webhook:{payload.webhook}",
            (f"{parts.scheme}://{parts.netloc}",),
            # Quotas: a receiver that has enough of us for now is not sick.
            Policy(connections_max=_CONNECTIONS_MAX, quotas=True, guarded=not webhook.private_addresses_allowed),
        ),
        method="POST",
        path=f"{path}?{parts.query}" if parts.query else path,
        headers={"content-type": "application/json", **dict(signed)},
        body=body,
        deadline=Deadline.after(left_s, now=tools.clock()),
        body_bytes_max=_ANSWER_BYTES_MAX,
        timeouts=msgspec.structs.replace(
            tools.rpc.timeouts, first_byte_s=webhook.timeout_s, total_s=webhook.timeout_s
        ),
        priority=Priority.LOW,
        # The schedule repeats.
        retries_max=0,
    )


def _body(payload: WebhookSend) -> bytes:
    at = datetime.fromtimestamp(payload.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.json.encode({"type": payload.type, "timestamp": at, "data": payload.data})
