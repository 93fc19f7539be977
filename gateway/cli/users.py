"""``switchboard users``: what people may ask of whoever keeps something about them."""

from __future__ import annotations

import time

import click

from gateway.cli.given import Id, Seconds
from gateway.cli.hinting import hinting
from gateway.cli.ledger import ledger
from gateway.cli.telling import echo_json, printable
from gateway.conversations import queries
from gateway.conversations.queries import Speaker
from gateway.domain.errors import NotFound, SwitchboardError
from gateway.domain.job import Draft, Enqueued
from gateway.jobs.erasure import ask, hint
from gateway.store.ledger.job_status import JobStatus, statuses

__all__ = ["users"]

#: Seconds between two looks at the job.
_LOOK_EVERY_S = 0.25


@click.group()
def users() -> None:
    """Do what a person may ask."""


@users.command()
@click.argument("channel", required=False)
@click.argument("account", required=False)
@click.argument("key", required=False)
@click.option("--conversation", "conversation_id", type=Id(), help="Whoever has spoken in it, instead of a KEY.")
@click.option("--yes", is_flag=True, help="Do not ask whether that is meant.")
@click.option("--even-if-unknown", is_flag=True, help="Look for what names the user even if they never spoke.")
@click.option("--wait", "wait_s", default=0.0, type=Seconds(), help="Seconds to wait for the report.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def erase(
    *,
    channel: str | None,
    account: str | None,
    key: str | None,
    conversation_id: int | None,
    yes: bool,
    even_if_unknown: bool,
    wait_s: float,
    as_json: bool,
) -> None:
    """Remove all that a user has left behind: for good.

    KEY is the platform's own name for the user (Slack: T0123:U0123).  On web chat it is a part of their cookie, which
    no command shows: there --conversation names them, by an id of `switchboard conversations list`.  A worker does it;
    what is said meanwhile is removed too, and conversations with others stay without the user's part.
    """
    given = [word for word in (channel, account, key) if word is not None]
    if conversation_id is not None and not given:
        whom = _speaker(conversation_id)
        called = f"the user of conversation {conversation_id}" + _name(whom)
    elif conversation_id is None and len(given) == 3:
        whom = Speaker(channel=given[0], account=given[1], key=given[2], name="")
        called = whom.key
    else:
        raise click.UsageError("expected CHANNEL ACCOUNT KEY, or --conversation ID")
    if not yes:
        where = f"{whom.channel}/{whom.account}"
        click.confirm(f"Remove all that {called} has left behind on {where}?", abort=True, err=True)
    asked, draft = _ask(whom, even_if_unknown=even_if_unknown)
    _tell(asked, draft)
    status = _ended(asked.job_id, wait_s)
    if as_json:
        echo_json({"job_id": asked.job_id, "status": status})
    else:
        click.echo(_text(asked.job_id, status))
    if status is not None and status.state == "buried":
        raise SystemExit(1)


def _speaker(conversation_id: int) -> Speaker:
    """Return the one who has spoken in a conversation."""
    with ledger() as cursor:
        if queries.conversation(cursor, conversation_id) is None:
            raise click.ClickException(f"there is no conversation {conversation_id}")
        found = queries.speakers(cursor, conversation_id)
    if not found:
        raise click.ClickException(f"nobody is named in conversation {conversation_id}: its user has been erased")
    if len(found) > 1:
        # Which of them is meant must not be guessed: what is removed is gone.
        raise click.ClickException(
            f"several users have spoken in conversation {conversation_id}: name one by CHANNEL ACCOUNT KEY"
        )
    return found[0]


def _ask(whom: Speaker, *, even_if_unknown: bool) -> tuple[Enqueued, Draft]:
    try:
        with ledger(writes=True) as cursor:
            return ask(cursor, whom.channel, whom.account, whom.key, even_if_unknown=even_if_unknown)
    except NotFound as error:
        with ledger() as cursor:
            known = queries.accounts(cursor)
        if (whom.channel, whom.account) in known:
            raise click.ClickException(f"{error}; --even-if-unknown looks for what names them") from None
        names = ", ".join(f"{channel}/{account}" for channel, account in known)
        there = f"{printable(whom.channel)}/{printable(whom.account)}"
        where = f"expected one of {names}" if names else "nor anywhere else"
        raise click.ClickException(f"nobody has ever spoken on {there}, {where}") from None
    except SwitchboardError as error:
        raise click.ClickException(str(error)) from None


def _name(whom: Speaker) -> str:
    # Some channels have no other name than the key.
    return f", {printable(whom.name)}," if whom.name not in ("", whom.key) else ""


def _tell(asked: Enqueued, draft: Draft) -> None:
    with hinting() as (_, hints):
        hint(hints, asked, draft)
        hints.flush()


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
