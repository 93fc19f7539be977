"""Jobs in plain words: what a terminal shows of them."""

from __future__ import annotations

import msgspec

from gateway.cli.table import table
from gateway.cli.telling import printable, utc_text
from gateway.jobs.admin import Overview
from gateway.store.job_views import AHEAD_MAX, JobLetter, JobSummary, JobView

__all__ = ["list_text", "view_text"]

_HEADS = ("ID", "KIND", "STATE", "LANE", "PRIORITY", "TRIES", "DEATHS", "ASKED FOR (UTC)", "DUE (UTC)", "REASON")
_COUNT_HEADS = ("KIND", "STATE", "JOBS", "OLDEST")
#: Characters of a lane or a reason in a list.
_CELL_CHARS_MAX = 40


def list_text(found: Overview) -> str:
    """Return a list, the counts below it, and what is paused."""
    texts = [table(_HEADS, [_row(one) for one in found.jobs]) if found.jobs else "There are no such jobs."]
    if found.counts:
        rows = [(one.kind, one.state, one.jobs, _age(one.oldest_s)) for one in found.counts]
        texts.append(table(_COUNT_HEADS, rows))
    if found.pauses:
        texts.append(
            "\n".join(f"{one.kind}: paused by {one.by} since {utc_text(one.at)}: {one.reason}" for one in found.pauses)
        )
    return "\n\n".join(texts)


def view_text(job: JobView) -> str:
    """Return one job whole."""
    lines = [f"Job {job.job_id} of kind {job.kind}: {job.state}{' (its kind is paused)' if job.paused else ''}"]
    facts: dict[str, object] = {
        "lane": job.lane or "none",
        "ahead in its lane": f"{job.ahead} or more" if job.ahead == AHEAD_MAX else job.ahead,
        "priority": job.priority,
        "asked for": utc_text(job.created_at),
        "due": utc_text(job.due_at),
        "ended": utc_text(job.finished_at),
        "kept until": utc_text(job.expires_at),
        "failed tries": job.attempts,
        "deaths": job.deaths,
        "unique key": job.unique,
        "trace": job.trace_id,
        "partition": f"{job.partition}, owned by {job.owner or 'nobody'}",
        "in the hands of": job.holder,
        "reason": job.reason,
        "detail": job.detail,
        "payload": _json(job.payload),
        "progress": _json(job.progress),
        "result": _json(job.result),
    }
    lines += [f"  {name}: {printable(str(fact))}" for name, fact in facts.items() if fact not in {None, ""}]
    lines += [f"  dead letter {one.letter_id}: {printable(_letter(one))}" for one in job.letters]
    return "\n".join(lines)


def _row(job: JobSummary) -> tuple[object, ...]:
    return (
        job.job_id,
        job.kind,
        f"{job.state}, paused" if job.paused and job.state in {"ready", "scheduled"} else job.state,
        _cell(job.lane or "-"),
        job.priority,
        job.attempts,
        job.deaths,
        utc_text(job.created_at),
        utc_text(job.due_at),
        _cell(job.reason or "-"),
    )


def _letter(letter: JobLetter) -> str:
    why = f"{letter.reason}: {letter.detail}" if letter.detail else letter.reason
    closed = f", {letter.closed_as} {utc_text(letter.closed_at)}" if letter.closed_as else ""
    return f"{utc_text(letter.created_at)} {why}{closed}"


def _json(raw: msgspec.Raw | None) -> str:
    return "" if raw is None else bytes(raw).decode()


def _cell(text: str) -> str:
    safe = printable(text)
    return safe if len(safe) <= _CELL_CHARS_MAX else safe[: _CELL_CHARS_MAX - 1] + "…"


def _age(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"
