"""Jobs in plain words: what a terminal shows of them."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec

from gateway.cli.table import table
from gateway.jobs.admin import Overview
from gateway.store.job_views import AHEAD_MAX, JobSummary, JobView, Letter

__all__ = ["echo_json", "list_text", "view_text"]

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
            "\n".join(f"{one.kind}: paused by {one.by} since {_time(one.at)}: {one.reason}" for one in found.pauses)
        )
    return "\n\n".join(texts)


def view_text(job: JobView) -> str:
    """Return one job whole."""
    lines = [f"Job {job.job_id} of kind {job.kind}: {job.state}{' (its kind is paused)' if job.paused else ''}"]
    facts: dict[str, object] = {
        "lane": job.lane or "none",
        "ahead in its lane": f"{job.ahead} or more" if job.ahead == AHEAD_MAX else job.ahead,
        "priority": job.priority,
        "asked for": _time(job.created_at),
        "due": _time(job.due_at),
        "ended": _time(job.finished_at),
        "kept until": _time(job.expires_at),
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
    lines += [f"  {name}: {_safe(str(fact))}" for name, fact in facts.items() if fact not in {None, ""}]
    lines += [f"  dead letter {one.letter_id}: {_safe(_letter(one))}" for one in job.letters]
    return "\n".join(lines)


def echo_json(value: object) -> None:
    """Print *value* for programs."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def _row(job: JobSummary) -> tuple[object, ...]:
    return (
        job.job_id,
        job.kind,
        f"{job.state}, paused" if job.paused and job.state in {"ready", "scheduled"} else job.state,
        _cell(job.lane or "-"),
        job.priority,
        job.attempts,
        job.deaths,
        _time(job.created_at),
        _time(job.due_at),
        _cell(job.reason or "-"),
    )


def _letter(letter: Letter) -> str:
    why = f"{letter.reason}: {letter.detail}" if letter.detail else letter.reason
    closed = f", {letter.closed_as} {_time(letter.closed_at)}" if letter.closed_as else ""
    return f"{_time(letter.created_at)} {why}{closed}"


def _json(raw: msgspec.Raw | None) -> str:
    return "" if raw is None else bytes(raw).decode()


def _cell(text: str) -> str:
    safe = _safe(text)
    return safe if len(safe) <= _CELL_CHARS_MAX else safe[: _CELL_CHARS_MAX - 1] + "…"


def _safe(text: str) -> str:
    # Lanes, payloads and reasons come from elsewhere, and a terminal would obey their control characters.
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _age(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def _time(unix_s: float | None) -> str:
    return "" if unix_s is None else datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
