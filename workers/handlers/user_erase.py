"""Removes all that one user has left behind, and reports what it was.

    turns, and what was sent for them ─▶ jobs ─▶ deliveries nobody understood ─▶ the name ─▶ what was said meanwhile

Rules:

- Everything can be run again, and a run that is cut off is: the name goes last, in one commit with the report, which
  takes the place of the name in the job's own payload.
- What is at work in one of the user's conversations would write again what is removed: it is waited for.  So is the
  turn of a message that had found the name just before it went, by a job of its own that names nobody.
- Jobs are known by what they say (``domain/traces.py``), whatever their state and kind.  One that a worker has begun
  runs on, and writes nothing of how it ended.
- A conversation with others stays theirs: the user's turns in it are emptied, and what the assistant kept for it is
  cleared, because nobody can tell whom that is about.
- Rows without any content and name are left for a while (``erase.sql`` says why), until the retention's last step.

Not within reach: what assistants keep for themselves, platforms, logs, and backups.
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec.structs import asdict

from gateway import telemetry
from gateway.domain.hint import JobDropped
from gateway.domain.job import Done, Draft, JobOutcome, Retry
from gateway.domain.traces import Traces
from gateway.jobs.kinds import USER_ERASE, UserErase
from gateway.store.ledger import erase
from workers.context import Context
from workers.portions import ROWS_MAX
from workers.registry import job_handler

__all__ = ["Report", "user_erase"]

_TIME_LIMIT_S = 3_600.0
#: Seconds before another look at conversations that were at work.
_BUSY_S = 2.0
#: Deliveries of one statement: each may be a megabyte.
_DELIVERIES_MAX = 50


class Report(msgspec.Struct):
    """What was removed, in rows.  A job that was cut off counts only what it found when it was run again."""

    users: int = 0
    turns: int = 0
    #: Those in which nobody else has spoken.
    conversations: int = 0
    outbox: int = 0
    dead_letters: int = 0
    jobs: int = 0
    deliveries: int = 0


@job_handler(USER_ERASE, UserErase, time_limit_s=_TIME_LIMIT_S)
def user_erase(job: Context, payload: UserErase) -> JobOutcome:
    """Tell the story."""
    if payload.report is not None:
        # It was all done, and only its end was not written; or something was at work when it was.
        return _end(job, payload)
    run = job.tools.database.run
    user_id = run(
        partial(erase.find, channel=payload.channel, account=payload.account, key=payload.key)
    )
    traces, report, last = Traces(payload.key, user_id), Report(users=int(user_id is not None)), 0
    ended = False
    # Again, if the user has said something since.
    while not ended:
        busy, last = _empty_turns(job, traces, report, last)
        if busy:
            return Retry("conversations_busy", f"{busy} of them are at work", after_s=_BUSY_S, counted=False)
        _drop_jobs(job, traces, report)
        _drop_deliveries(job, payload, traces, report)
        nameless = UserErase(report=asdict(report), user_id=user_id, behind=last)
        words = msgspec.json.encode(nameless)
        ended = run(partial(erase.end, user_id=user_id, behind=last, job_id=job.job_id, payload=words))
    telemetry.event("user.erased", channel=payload.channel, account=payload.account, turns=report.turns)
    return _end(job, nameless)


def _end(job: Context, nameless: UserErase) -> JobOutcome:
    """Remove a message that had found the name before it went."""
    traces = Traces("", nameless.user_id)
    busy, _ = _empty_turns(job, traces, Report(), nameless.behind)
    if traces.turns:
        _drop_jobs(job, traces, Report())
    if not busy:
        return Done(nameless.report)
    # Not by trying again: the words of the job that are in memory still have the name.
    rest = Draft(kind=USER_ERASE, payload=nameless, run_at=job.tools.wall_clock() + _BUSY_S)
    return Done(nameless.report, then=(rest,))


def _empty_turns(job: Context, traces: Traces, report: Report, last: int) -> tuple[int, int]:
    """Return how many conversations were at work, and the last turn that was emptied."""
    busy = 0
    behind: int | None = last
    while behind is not None and traces.user_id is not None:
        emptied = job.tools.database.run(
            partial(erase.empty_turns, user_id=traces.user_id, behind=behind, rows_max=ROWS_MAX)
        )
        traces.turns.update(emptied.turns)
        traces.conversations.update(emptied.lanes)
        report.turns, report.conversations = len(traces.turns), len(traces.conversations)
        report.outbox += emptied.boxes
        report.dead_letters += emptied.letters
        busy += emptied.busy
        last = max([last, *emptied.turns])
        behind = emptied.behind
        if emptied.turns:
            job.progress(asdict(report))
    return busy, last


def _drop_jobs(job: Context, traces: Traces, report: Report) -> None:
    run, behind = job.tools.database.run, 0
    while page := run(partial(erase.jobs, behind=behind, rows_max=ROWS_MAX)):
        behind = page[-1].job_id
        theirs = [one for one in page if one.job_id != job.job_id and traces.in_job(one.words)]
        if theirs:
            report.jobs += run(partial(erase.drop_jobs, ids=[one.job_id for one in theirs]))
            for one in theirs:
                job.tools.signals.publish("workers", JobDropped(one.job_id, one.partition))


def _drop_deliveries(job: Context, payload: UserErase, traces: Traces, report: Report) -> None:
    run, behind = job.tools.database.run, 0
    look = partial(erase.deliveries, channel=payload.channel, account=payload.account, rows_max=_DELIVERIES_MAX)
    while page := run(partial(look, behind=behind)):
        behind = page[-1].letter_id
        theirs = [one.letter_id for one in page if traces.in_delivery(one.body)]
        if theirs:
            report.deliveries += run(partial(erase.drop_deliveries, ids=theirs))
