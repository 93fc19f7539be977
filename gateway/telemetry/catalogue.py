"""The catalogue: every event that Switchboard emits, with its fields and their units.

This table is the only place where an event is declared; a test compares it with the call sites in both
directions. ``level`` is the log level.  Units are in the names (``_s`` seconds, ``_bytes``); what has none is
a count or a word. An event that reports a span ends with ``duration_s`` and ``outcome``.

Words used again and again: ``channel``, ``account``, ``assistant`` and ``endpoint`` are names from the
configuration, ``reason`` is the short stable word of the error, ``kind`` says which of several things of one
sort.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["CATALOGUE", "COMMON_FIELDS", "Event", "Level"]

Level = Literal["debug", "info", "warning", "error"]


class Event(msgspec.Struct, frozen=True):
    """One event: what it means, and the fields that every emission of it carries."""

    name: str
    level: Level
    meaning: str
    fields: tuple[str, ...] = ()


#: Fields that any event may carry, for the log alone: they say which turn, row or failure is meant.
COMMON_FIELDS = frozenset(
    {
        "turn_id",
        "trace_id",
        "span_id",
        "conversation_id",
        "outbox_id",
        "process_id",
        "delivery_id",
        "detail",
        "attempt",
        "seq",
    }
)

_SPAN = ("duration_s", "outcome")

_EVENTS = (
    # The server
    Event(
        "http.answered",
        "info",
        "a request was answered; told for the share server.access_log_ratio of them",
        ("method", "path", "outcome", "duration_s"),
    ),
    Event("http.refused", "debug", "a request was refused before the application saw it", ("reason", "outcome")),
    Event(
        "server.observed",
        "debug",
        "told each second when it changed: what a server holds, and what it has answered since it was told last",
        ("connections", "in_flight", "buffered_bytes", "answered"),
    ),
    Event(
        "connection.dropped",
        "debug",
        "a connection was ended before its time, mostly for its caller's behaviour",
        ("reason",),
    ),
    Event("response.wrong_length", "error", "an application gave another length than it announced", ("reason",)),
    Event("server.exhausted", "error", "no connection can be accepted for a moment", ("reason",)),
    Event(
        "server.cut_off",
        "warning",
        "the process ended with requests that were being answered, or were still arriving",
        ("answering", "arriving"),
    ),
    Event(
        "server.limited",
        "warning",
        "fewer connections than server.connections_max: the limit of open files (ulimit -n) is lower",
        ("reason", "connections"),
    ),
    # The door
    Event("delivery.received", "debug", "a platform's call was answered", ("channel", "account", "outcome")),
    Event(
        "delivery.taken",
        "debug",
        "an authentic call that brought messages was answered with the status outcome; its trace begins with it",
        ("channel", "account", *_SPAN),
    ),
    Event(
        "delivery.refused",
        "warning",
        "a platform's call was refused at the door",
        ("channel", "account", "reason"),
    ),
    Event(
        "delivery.dead_lettered",
        "error",
        "an authentic call could not be understood and is kept whole",
        ("channel", "account", "reason"),
    ),
    Event(
        "delivery.crashed", "error", "our own code failed on an authentic call", ("channel", "account", "reason")
    ),
    Event("proof.unavailable", "warning", "what proves a platform's calls could not be fetched", ("reason",)),
    # Turns
    Event("turn.crashed", "error", "our own code failed while a turn ran", ("channel", "account", "reason")),
    Event("turn.accepted", "debug", "a message is committed in the ledger", ("channel", "account")),
    Event("turn.duplicate", "info", "a message was already there", ("channel", "account")),
    Event("turn.refused", "warning", "a message was refused by a bound", ("channel", "account", "reason")),
    Event(
        "turn.settled",
        "debug",
        "a turn ended: state is answered or failed",
        ("channel", "account", "state", "reason", "duration_s"),
    ),
    Event(
        "turn.failed",
        "warning",
        "a turn ended without an answer; its user got the apology",
        ("channel", "account", "reason"),
    ),
    # Lanes and processes
    Event(
        "lane.lost",
        "warning",
        "a lane belongs to another process now: what ours would have written was dropped",
        ("channel", "account", "reason"),
    ),
    Event("lane.taken_over", "info", "a lane that nobody ran is ours now", ("channel", "account", "reason")),
    Event("process.registered", "info", "this process has a row in the ledger", ("kind",)),
    Event("process.declared_dead", "warning", "this process was declared dead, owns nothing now", ("kind",)),
    Event(
        "process.buried",
        "warning",
        "other processes stopped beating: their lanes are free, their sends unknown",
        ("processes", "lanes", "sends"),
    ),
    # The ledger
    Event("batch.committed", "debug", "rows were written in one commit", ("kind", "rows", *_SPAN)),
    Event(
        "batch.split",
        "warning",
        "one row's data failed a batch, which was halved",
        ("kind", "rows", "reason"),
    ),
    Event("batch.untold", "error", "our own code failed on what became of a row", ("kind", "reason")),
    Event("store.unavailable", "error", "PostgreSQL does not answer", ("reason",)),
    Event("redis.unavailable", "warning", "Redis does not answer; work goes on without it", ("reason",)),
    Event("redis.missed", "debug", "one more try to reach Redis failed, told for as long as it is away", ("reason",)),
    # Calls
    Event("assistant.call", "debug", "an assistant was asked for a reply", ("assistant", *_SPAN)),
    Event(
        "assistant.counted",
        "debug",
        "what a model server counted for one answer",
        ("assistant", "prompt_tokens", "completion_tokens"),
    ),
    Event(
        "assistant.shortened",
        "warning",
        "a model could not take its chat, and is asked again with turns of the before that it was told first",
        ("assistant", "before", "turns"),
    ),
    Event(
        "breaker.changed",
        "warning",
        "a circuit breaker went from one state to another",
        ("endpoint", "before", "after", "reason"),
    ),
    Event(
        "breaker.ordered",
        "warning",
        "this process obeys an operator from now on; order is none where one was taken back",
        ("endpoint", "order"),
    ),
    Event(
        "breaker.hinted",
        "debug",
        "another process found an endpoint failing (kind opened) or well again (closed)",
        ("endpoint", "kind"),
    ),
    Event(
        "rpc.call",
        "debug",
        "a call over HTTP ended: outcome is answered, cancelled, or the reason of its failure",
        ("endpoint", "outcome", "status", "reused", "duration_s"),
    ),
    Event("rpc.refused", "warning", "a call was refused before it was sent", ("endpoint", "reason")),
    Event(
        "rpc.retried",
        "debug",
        "a call is made again: reason is how it ended, allowed why that is no harm, pause_s the pause before",
        ("service", "reason", "allowed", "pause_s"),
    ),
    Event(
        "rpc.not_retried",
        "debug",
        "a call that ended badly is not made again: refused says what forbids it",
        ("service", "reason", "refused"),
    ),
    Event("rpc.not_redirected", "debug", "a redirect is handed to the caller as it is", ("endpoint", "reason")),
    Event(
        "rpc.hedged",
        "debug",
        "a late call was made a second time: outcome is won, lost, or why there was no second one",
        ("service", "outcome"),
    ),
    Event(
        "rpc.probed",
        "debug",
        "an endpoint was asked for its health: outcome is ok, a status, or the reason of a failure",
        ("endpoint", "outcome", "duration_s"),
    ),
    Event("rpc.panicked", "warning", "too few endpoints are well: a sick one is tried before its time", ("endpoint",)),
    Event("rpc.replaced", "debug", "a call took a new connection for a dead one", ("endpoint", "sent")),
    Event("rpc.connected", "debug", "a connection was opened", ("endpoint", "duration_s")),
    Event("rpc.disconnected", "debug", "a pool closed a connection", ("endpoint", "reason")),
    Event(
        "dns.stale",
        "warning",
        "old addresses of a host are used, because looking it up again failed or is slow",
        ("host", "reason", "age_s"),
    ),
    # The outbox
    Event("outbox.claimed", "debug", "a worker took due replies", ("rows",)),
    Event(
        "platform.send",
        "debug",
        "a platform was given a reply to show; job_id and place say by which run of a job, if by one",
        ("channel", "account", "job_id", "place", *_SPAN),
    ),
    Event(
        "outbox.finished",
        "debug",
        "a reply's send ended: outcome is sent, not_sent, retry, wait (for room at the platform) or unknown",
        ("channel", "account", "outcome", "reason"),
    ),
    Event(
        "send.failed",
        "warning",
        "a reply did not reach its platform for good (not_sent), or nobody knows (unknown)",
        ("channel", "account", "outcome", "reason"),
    ),
    Event(
        "response.finished", "debug", "a reply left in an HTTP response, or could not", ("outcome", "reason")
    ),
    Event(
        "send.crashed",
        "error",
        "our own code failed while a reply was sent",
        ("channel", "account", "reason"),
    ),
    Event(
        "outbox.mended",
        "warning",
        "replies that waited without a job that carries them got one, or were given up with theirs",
        ("carried", "given_up"),
    ),
    Event(
        "sign_of_life.given",
        "debug",
        "a user was shown that a message is being worked on, or could not be",
        ("channel", "account", "outcome"),
    ),
    Event("outbox.strays", "warning", "rows claimed by an answer that never came were given back", ("rows",)),
    Event(
        "limits.alone", "warning", "Redis is away: sends go by this process's own share of the rates", ("reason",)
    ),
    Event("dedupe.pruned", "debug", "dedupe keys were forgotten by age", ("channel", "rows")),
    Event(
        "message.pushed",
        "debug",
        "a message that answers nothing was written to its conversation; or had been (again)",
        ("channel", "account", "outcome"),
    ),
    # Webhooks
    Event(
        "webhook.told",
        "debug",
        "a webhook's receiver took an event; or nothing was told, because it is disabled",
        ("webhook", "outcome"),
    ),
    Event(
        "webhook.failed",
        "warning",
        "a webhook's receiver did not take an event: it is told again, by the schedule",
        ("webhook", "reason"),
    ),
    Event("webhook.disabled", "error", "a webhook's receiver is gone: it is told nothing more", ("webhook", "reason")),
    # The parent of worker processes
    Event("worker.started", "info", "a worker process was started", ("pid",)),
    Event("worker.not_started", "error", "the machine has no room for one more worker process", ("reason",)),
    Event(
        "worker.ended",
        "warning",
        "a worker process ended: reason is crashed, killed (it did not stop in time), or misfit (it cannot start with "
        "its handlers or settings)",
        ("pid", "status", "reason"),
    ),
    Event("worker.stopped", "info", "a worker process ended in order", ("pid", "status")),
    Event(
        "worker.declared_dead",
        "warning",
        "a worker process that had not left was declared dead by its parent: what it owned is free",
        ("lanes", "sends"),
    ),
    Event("worker.gave_up", "error", "worker processes kept ending: their parent ends too", ("restarts",)),
    Event(
        "worker.not_replaced",
        "error",
        "the worker processes go on: the new settings are wrong, or need a new start",
        ("reason",),
    ),
    # Jobs, as operators see them
    Event("jobs.paused", "warning", "this worker starts no jobs of a kind that an operator paused", ("kind",)),
    Event("jobs.resumed", "warning", "this worker starts jobs of a kind again", ("kind",)),
    Event(
        "jobs.counted",
        "debug",
        "told by one worker for all: jobs there are, an estimate where they are very many, and for how long the oldest "
        "has been due or at its end",
        ("kind", "state", "jobs", "oldest_s"),
    ),
    Event("partitions.counted", "debug", "told by one worker for all: partitions of jobs without owner", ("unowned",)),
    # Jobs, as workers run them
    Event("jobs.settled", "debug", "ends of jobs were committed together", ("kind", "outcome", "jobs")),
    Event(
        "job.run",
        "debug",
        "a job that belongs to a trace was run once: outcome is done, retry, snooze, bury or the error that ended it",
        ("kind", "job_id", "place", *_SPAN),
    ),
    Event("job.crashed", "error", "a handler raised: a failed try", ("kind", "reason", "job_id")),
    Event(
        "job.failed",
        "warning",
        "a job took too long, or its handler returned no outcome: a failed try",
        ("kind", "reason", "job_id"),
    ),
    Event(
        "job.overran",
        "warning",
        "a handler goes on although it was told twice that its time is over (TimeLimit), or that this worker may not "
        "go on with it (Stopped): its lane waits for it",
        ("kind", "reason", "job_id", "late_s"),
    ),
    Event(
        "job.blocked",
        "warning",
        "a job computed for long without waiting, and nothing else of its worker could run, its beat neither",
        ("kind", "job_id", "seconds"),
    ),
    Event(
        "jobs.stalled",
        "warning",
        "a worker's event loop was held for long: by a job that had waited before, or the process was paused",
        ("seconds",),
    ),
    Event("job.buried", "warning", "a job is a dead letter", ("kind", "reason", "job_id")),
    Event("jobs.cut_off", "warning", "jobs were cut off because the worker had to end; they run again", ("jobs",)),
    Event(
        "jobs.drained", "info", "a worker has stopped running jobs", ("finished", "written", "released", "seconds")
    ),
    # Schedules, and what is forgotten
    Event(
        "schedule.ticked",
        "info",
        "it was time for a schedule's job: outcome is asked, or skipped because the last one's is not done",
        ("schedule", "outcome", "late_s"),
    ),
    Event("schedule.failed", "error", "a schedule's job cannot be asked for as configured", ("schedule", "reason")),
    Event(
        "schedule.unknown_kind",
        "warning",
        "a schedule asks for jobs of a kind that no handler of this worker performs: each it gets is a dead letter",
        ("schedule", "kind"),
    ),
    Event("user.erased", "info", "what a user left behind was removed", ("channel", "account", "turns")),
    Event("rows.forgotten", "debug", "rows of a kind were deleted for their age", ("kind", "rows")),
    # Partitions of jobs
    Event("partitions.taken", "info", "this worker owns more partitions of jobs", ("partitions", "owned")),
    Event("partitions.released", "info", "this worker gave partitions of jobs up", ("partitions", "owned")),
    # Streams
    Event("stream.opened", "debug", "a page listens to its conversation", ("channel", "account")),
    Event("stream.closed", "debug", "a page listens no longer", ("channel", "account", "reason")),
    Event("preview.dropped", "debug", "a piece of a running reply was over a bound", ("reason",)),
    # Traces
    Event(
        "tracing.unavailable",
        "warning",
        "telemetry.otlp_endpoint is set, but no spans can be made: reason is not_installed (the extra otel)",
        ("reason",),
    ),
    Event(
        "spans.lost",
        "warning",
        "spans were dropped: reason is queue_full, refused (their collector did not take them) or cut_off (at the end)",
        ("reason", "spans"),
    ),
    # The process itself
    Event("api.changed", "info", "somebody with a token has changed something; detail says who", ("operation",)),
    Event(
        "request.crashed", "error", "our own code failed while a request was answered", ("route", "reason")
    ),
    Event("greenlet.crashed", "error", "our own code failed where nobody waited for its end", ("reason",)),
    Event("supervisor.gave_up", "error", "a part kept failing: the process ends", ("child",)),
    Event(
        "supervisor.restarted", "error", "a long-lived part failed and was started again", ("child", "reason")
    ),
)

CATALOGUE: dict[str, Event] = {event.name: event for event in _EVENTS}
