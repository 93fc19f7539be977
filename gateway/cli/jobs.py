"""``switchboard jobs``: what waits for workers, what was given up, and the operator's word on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, get_args

import click
from psycopg2.extensions import cursor as Cursor

from gateway.cli.given import Id
from gateway.cli.hinting import hinting
from gateway.cli.job_texts import list_text, view_text
from gateway.cli.jobs_enqueue import enqueue
from gateway.cli.ledger import ledger
from gateway.cli.telling import caller, echo_json, told
from gateway.domain.errors import SwitchboardError
from gateway.jobs.admin import ROWS_MAX, Asked, Overview, Tellers, check_kind, check_pause, look, near, whole
from gateway.store import job_admin, job_views

__all__ = ["jobs"]

_LATER = "Redis does not answer: workers find it by themselves (jobs.poll_s)."
_DROPPED_LATER = "Redis does not answer: what a worker has read already may still be run."

T = TypeVar("T")


@click.group()
def jobs() -> None:
    """Ask for workers' jobs, see and steer them."""


jobs.add_command(enqueue)


@jobs.command("list")
@click.option("--kind", help="Only of this kind.")
@click.option("--state", type=click.Choice(list(get_args(job_views.State))), help="Only in this state.")
@click.option("--lane", help="Only of this lane.")
@click.option("--before", type=Id(), help="Only those before this id: the page behind the last one.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, ROWS_MAX), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(
    *,
    kind: str | None,
    state: job_views.State | None,
    lane: str | None,
    before: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show jobs, how many there are, and what is paused.

    The jobs that were asked for last come first.

    ready: waits for its turn in its lane, or is running.  scheduled: joins its lane when it is due.  done: kept for its
    result.  buried: given up, a dead letter.
    """
    with told(), ledger() as cursor:
        wanted = Asked(kind=kind, state=state, lane=lane, before=before, limit=limit)
        found = look(cursor, wanted)
        more = _more(cursor, wanted, found)
    if as_json:
        echo_json(found)
    else:
        click.echo(list_text(found))
    if more:
        click.echo(f"There are more: --before {found.jobs[-1].job_id} shows the next ones.", err=True)
    meant = near(kind, {one.kind for one in found.counts}) if kind and not found.jobs else None
    if meant:
        click.echo(f"There is none of kind {kind} in any state; did you mean {meant}?", err=True)


@jobs.command()
@click.argument("job_id", type=Id())
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(*, job_id: int, as_json: bool) -> None:
    """Show one job: its payload, what became of it, and its dead letters."""
    with told(), ledger() as cursor:
        found = whole(cursor, job_id)
    if as_json:
        echo_json(found)
    else:
        click.echo(view_text(found))


@jobs.command()
@click.argument("job_ids", type=Id(), nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def retry(*, job_ids: tuple[int, ...], as_json: bool) -> None:
    """Let buried jobs start anew.

    Each joins its lane at the end, in the order given.  What came behind one in its lane went on without it, and is not
    held up again.
    """
    retried, problems = _each(job_ids, lambda job_id: _write(job_admin.retry, job_id))
    with _tellers() as tell:
        for job in retried:
            tell.retried(job)
        at_once = tell.flush()
    if as_json:
        echo_json({"retried": retried, "problems": problems})
    else:
        for job in retried:
            click.echo(f"Job {job.job_id} is ready again, at the end of its lane.")
    _end(problems, shown=as_json, late="" if at_once else _LATER)


@jobs.command()
@click.argument("job_ids", type=Id(), nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def drop(*, job_ids: tuple[int, ...], as_json: bool) -> None:
    """Forget jobs that are not done.

    Those that wait, are scheduled, or were buried.  A reply that one was to send is not sent.
    """
    dropped, problems = _each(job_ids, lambda job_id: _write(job_admin.drop, job_id))
    with _tellers() as tell:
        for job in dropped:
            tell.dropped(job)
        at_once = tell.flush()
    if as_json:
        echo_json({"dropped": dropped, "problems": problems})
    else:
        for job in dropped:
            held = f": {job.holder} had read it, and may be running it" if job.holder else ""
            click.echo(f"Job {job.job_id} is dropped{held}.")
    _end(problems, shown=as_json, late="" if at_once else _DROPPED_LATER)


@jobs.command()
@click.argument("kind")
@click.option("--reason", required=True, help="Why, for whoever comes next.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def pause(*, kind: str, reason: str, as_json: bool) -> None:
    """Have no worker start a job of KIND.

    Until `switchboard jobs resume KIND`.  What runs goes on to its end.  A lane whose next job is of this kind waits
    behind it.
    """
    with told():
        check_pause(kind, reason)
        with ledger(writes=True) as cursor:
            paused = job_admin.pause(cursor, kind, by=caller(), reason=reason)
            waiting = {one.kind: one.jobs for one in job_views.census(cursor) if one.state in {"ready", "scheduled"}}
    at_once = _announce_pauses()
    if as_json:
        echo_json(paused)
    else:
        click.echo(f"No job of kind {kind} is started from now on, until `switchboard jobs resume {kind}`.")
    if not waiting.get(kind):
        meant = near(kind, waiting)
        hint = f"; did you mean {meant}?" if meant else "."
        click.echo(f"There is none of that kind at this moment{hint}", err=True)
    if not at_once:
        click.echo(_LATER, err=True)


@jobs.command()
@click.argument("kind")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def resume(*, kind: str, as_json: bool) -> None:
    """Let workers start jobs of KIND again."""
    with told():
        check_kind(kind)
        with ledger(writes=True) as cursor:
            if not job_admin.resume(cursor, kind):
                raise click.ClickException(f"jobs of kind {kind} are not paused")
    at_once = _announce_pauses()
    if as_json:
        echo_json({"kind": kind, "paused": False})
    else:
        click.echo(f"Jobs of kind {kind} are started again.")
    if not at_once:
        click.echo(_LATER, err=True)


def _more(cursor: Cursor, wanted: Asked, found: Overview) -> bool:
    if len(found.jobs) < wanted.limit:
        return False
    behind = job_views.list_jobs(
        cursor, kind=wanted.kind, state=wanted.state, lane=wanted.lane, before=found.jobs[-1].job_id, rows_max=1
    )
    return bool(behind)


def _write(do: Callable[..., T], job_id: int) -> T:
    # A transaction each: one that cannot be done undoes no other.
    with ledger(writes=True) as cursor:
        return do(cursor, job_id, by=caller())


def _each(job_ids: Sequence[int], do: Callable[[int], T]) -> tuple[list[T], list[str]]:
    """Do it to all; return what was done, and why the others could not be."""
    done, problems = [], []
    for job_id in dict.fromkeys(job_ids):
        try:
            done.append(do(job_id))
        except SwitchboardError as error:
            problems.append(str(error))
    return done, problems


def _end(problems: Sequence[str], *, shown: bool, late: str) -> None:
    """Tell what went wrong, and end so that a script sees it."""
    if late:
        click.echo(late, err=True)
    if not shown:
        for problem in problems:
            click.echo(f"Error: {problem}", err=True)
    if problems:
        raise SystemExit(1)


def _announce_pauses() -> bool:
    """Have every worker look now; False if Redis did not take the word."""
    with _tellers() as tell:
        tell.paused()
        return tell.flush()


@contextmanager
def _tellers() -> Iterator[Tellers]:
    with hinting() as words:
        yield Tellers(*words)
