"""``switchboard jobs enqueue``: asks for a job from a shell, a crontab, or a deployment.

The same promises as in code: the job is committed when the command ends well.  It is not known here which kinds have a
handler; a job of a kind that no worker knows is a dead letter, which ``--wait`` shows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec

from gateway.cli.given import Seconds, Time
from gateway.cli.ledger import stores, unreachable
from gateway.cli.telling import echo_json, told, utc_text
from gateway.domain.errors import StoreUnavailable
from gateway.domain.job import Enqueued
from gateway.domain.resilience.priority import Priority
from gateway.jobs.drafts import DELAY_S_MAX, KEEP_S_MAX
from gateway.jobs.opened import open_jobs
from gateway.settings.load import load_jobs
from gateway.store.ledger.job_status import JobStatus

__all__ = ["enqueue"]

_PRIORITIES = {one.name.lower(): one for one in Priority}


@click.command()
@click.argument("kind")
@click.argument("payload", metavar="PAYLOAD_JSON")
@click.option("--lane", help="Jobs of one lane run one at a time, in order.  [default: in none]")
@click.option("--at", "run_at", type=Time(), help="Not before this time: with a zone, or Unix seconds.")
@click.option("--in", "delay_s", type=Seconds(DELAY_S_MAX, "100 years"), help="Not before so many seconds have passed.")
@click.option("--unique", help="While an unfinished job bears this key, no other is written.")
@click.option("--priority", type=click.Choice(list(_PRIORITIES)), default="normal", show_default=True, help="Class.")
@click.option("--keep", "keep_s", type=Seconds(KEEP_S_MAX, "90 days"), default=0.0, help="Seconds to keep its result.")
@click.option("--wait", "wait_s", type=Seconds(), help="Wait so many seconds for its end, and show it.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def enqueue(
    *,
    kind: str,
    payload: str,
    lane: str | None,
    unique: str | None,
    priority: str,
    keep_s: float,
    run_at: float | None,
    delay_s: float | None,
    wait_s: float | None,
    as_json: bool,
) -> None:
    """Ask for a job of KIND with PAYLOAD_JSON.

    A payload of - is read from the standard input.  With --wait the command ends with status 1 unless the job has ended
    well by then; its result is shown where --keep keeps it.
    """
    if run_at is not None and delay_s is not None:
        raise click.UsageError("expected --at or --in, got both")
    raw = _payload(payload)
    status: JobStatus | None = None
    with told(), _reached(), open_jobs(stores(), load_jobs()[1], application="switchboard command") as jobs:
        enqueued = jobs.enqueue(
            kind,
            raw,
            lane=lane,
            unique=unique,
            priority=_PRIORITIES[priority],
            keep_s=keep_s,
            run_at=run_at,
            delay_s=delay_s,
        )
        if wait_s is not None:
            status = jobs.wait(enqueued.job_id, wait_s)
    if as_json:
        known = {} if wait_s is None else {"status": status}
        echo_json({"job_id": enqueued.job_id, "fresh": enqueued.fresh, **known})
    else:
        _tell(kind, enqueued, waits=wait_s is not None)
    if wait_s is not None:
        _end(enqueued.job_id, status, wait_s, shown=as_json)


@contextmanager
def _reached() -> Iterator[None]:
    """Tell what other commands tell where PostgreSQL is not there."""
    try:
        yield
    except StoreUnavailable as error:
        raise unreachable() if error.reason == "postgres_unreachable" else error from None


def _payload(text: str) -> msgspec.Raw:
    """Return the payload as it was written, once it is certain that it is JSON."""
    given = sys.stdin.buffer.read() if text == "-" else text.encode(errors="surrogateescape")
    try:
        msgspec.json.decode(given)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise click.BadParameter(
            f"expected JSON, such as '{{\"name\": \"Ada\"}}' (in quotes, for the shell), or - for the standard "
            f"input, {f'got what is none: {error}' if given.strip() else 'got nothing'}",
            param_hint="PAYLOAD_JSON",
        ) from None
    return msgspec.Raw(given.strip())


def _tell(kind: str, enqueued: Enqueued, *, waits: bool) -> None:
    if enqueued.fresh:
        # Workers tell nobody which kinds they know, so whether one knows this shows only when it is run.
        how = "." if waits else f": `switchboard jobs show {enqueued.job_id}` shows what becomes of it."
        click.echo(f"Job {enqueued.job_id} of kind {kind} is asked for{how}")
    else:
        click.echo(f"Job {enqueued.job_id} bears this key and has not ended: no other was written.")


def _end(job_id: int, status: JobStatus | None, wait_s: float, *, shown: bool) -> None:
    """Tell how the job stands, and end so that a script sees it."""
    if status is None:
        words = f"Job {job_id} is done; nothing of it was to be kept."
    elif status.state == "done":
        words = f"Job {job_id} is done: {msgspec.json.encode(status.result).decode()}"
    elif status.state == "buried":
        why = f"{status.reason}: {status.detail}" if status.detail else status.reason
        words = f"Job {job_id} is given up: {why}"
    else:
        when = f", due at {utc_text(status.due_at)} UTC" if status.state == "scheduled" else ""
        words = (
            f"Job {job_id} has not ended within {wait_s:g} s; it is {status.state}{when}: "
            f"`switchboard jobs show {job_id}` shows how it goes on."
        )
    ended_well = status is None or status.state == "done"
    if not shown:
        click.echo(words, err=not ended_well)
    if not ended_well:
        raise SystemExit(1)
