"""``switchboard users``: what people may ask of whoever keeps something about them."""

from __future__ import annotations

import time

import click

from gateway.cli.job_texts import echo_json
from gateway.cli.ledger import ledger, store_settings
from gateway.domain.errors import SwitchboardError
from gateway.domain.job import Draft, Enqueued
from gateway.jobs.erasure import ask, hint
from gateway.settings.jobs import JobSettings
from gateway.store.job_hints import JobHints
from gateway.store.ledger.job_status import JobStatus, statuses

__all__ = ["users"]

#: Seconds between two looks at the job.
_LOOK_EVERY_S = 0.25


@click.group()
def users() -> None:
    """Do what a person may ask."""


@users.command()
@click.argument("channel")
@click.argument("account")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask whether that is meant.")
@click.option("--even-if-unknown", is_flag=True, help="Look for what names the user even if they never spoke.")
@click.option("--wait", "wait_s", default=0.0, help="Seconds to wait for the report.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def erase(
    *, channel: str, account: str, key: str, yes: bool, even_if_unknown: bool, wait_s: float, as_json: bool
) -> None:
    """Remove all that a user has left behind: for good.

    KEY is the platform's own name for the user (Slack: T0123:U0123).  A worker does it; what is said meanwhile is
    removed too, and conversations with others stay without the user's part.
    """
    if not yes:
        click.confirm(f"Remove all that {key} has left behind on {channel}/{account}?", abort=True, err=True)
    try:
        with ledger(writes=True) as cursor:
            asked, draft = ask(cursor, channel, account, key, even_if_unknown=even_if_unknown)
    except SwitchboardError as error:
        raise click.ClickException(str(error)) from None
    _tell(asked, draft)
    status = _ended(asked.job_id, wait_s)
    if as_json:
        echo_json({"job_id": asked.job_id, "status": status})
    else:
        click.echo(_text(asked.job_id, status))
    if status is not None and status.state == "buried":
        raise SystemExit(1)


def _tell(asked: Enqueued, draft: Draft) -> None:
    # The cap's default will do: what it cuts off is found by a look.
    hints = JobHints(store_settings(), JobSettings().hints_per_partition_max)
    try:
        hint(hints, asked, draft)
        hints.flush()
    finally:
        hints.close()


def _ended(job_id: int, wait_s: float) -> JobStatus | None:
    """Return how the job ended, or None if it has not after *wait_s*."""
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        with ledger() as cursor:
            [status] = statuses(cursor, [job_id])
        if status is None or status.ended:
            return status
        time.sleep(_LOOK_EVERY_S)
    return None


def _text(job_id: int, status: JobStatus | None) -> str:
    if status is None:
        return f"Job {job_id} removes it: `switchboard jobs show {job_id}` shows the report when it has ended."
    if status.state == "buried":
        return f"Job {job_id} was given up: {status.reason}. {status.detail}"
    removed = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in status.result.items() if count)
    return f"Removed: {removed or 'nothing, there was nothing'}."
