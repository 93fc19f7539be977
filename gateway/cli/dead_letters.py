"""``switchboard dead-letters``: what was given up, and the operator's word on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TypeVar, get_args

import click
from psycopg2.extensions import cursor as Cursor

from gateway.channels.bots import Bots
from gateway.channels.registry import CHANNELS
from gateway.cli.beside import environment
from gateway.cli.given import Id, Words
from gateway.cli.hinting import hinting
from gateway.cli.ledger import ledger
from gateway.cli.table import table
from gateway.cli.telling import caller, echo_json, printable, told, utc_text
from gateway.domain.errors import NotFound, SwitchboardError
from gateway.intake.dead_letters import KINDS, ROWS_MAX, DroppedLetter, RetriedLetter, Told, is_unsure
from gateway.intake.dead_letters import drop as drop_letter
from gateway.intake.dead_letters import retry as retry_letter
from gateway.settings.accounts import ACCOUNT_TYPES
from gateway.settings.load import SettingsError, load
from gateway.store import dead_letters as rows
from gateway.store.dead_letters import Kind, Letter, LetterState, LetterView

__all__ = ["dead_letters"]

_HEADS = ("ID", "KIND", "CHANNEL", "ACCOUNT", "ABOUT", "REASON", "SINCE (UTC)", "CLOSED")
_LATER = "Redis does not answer: gateways and workers find it by themselves (lanes.poll_s, jobs.poll_s)."
#: Characters of a reason in a list, and of a delivery that is shown.
_CELL_CHARS_MAX = 48
_BODY_CHARS_MAX = 4_000

#: What a retry does; a message that may have arrived is told apart.
_RETRIED: dict[Kind, str] = {
    "turn": "asks it again at its conversation's end",
    "delivery": "reads it again, by this version",
    "send": "sends it again",
    "job": "lets it start anew at its lane's end",
    "webhook": "tells the event once more",
}

T = TypeVar("T")


@click.group()
def dead_letters() -> None:
    """See what was given up, and retry or drop it."""


@dead_letters.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="Only of this kind.")
@click.option(
    "--state",
    type=click.Choice(get_args(LetterState)),
    default="open",
    show_default=True,
    help="closed: those that were retried or dropped.",
)
@click.option("--channel", type=click.Choice(sorted(ACCOUNT_TYPES)), help="Only this channel's.")
@click.option("--account", type=Words(), help="Only this account's.")
@click.option("--before", type=Id(), help="Only those before this id: the page behind the last one.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, ROWS_MAX), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(
    *,
    kind: Kind | None,
    state: LetterState,
    channel: str | None,
    account: str | None,
    before: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show what was given up, newest first.

    turn: failed.  delivery: authentic, but not understood.  send: not sent, or nobody knows whether.  job: buried.
    webhook: an event that could not be told.
    """
    with told(), ledger() as cursor:
        # One more than is shown tells whether there are more.
        found = rows.letters(
            cursor, kind=kind, state=state, channel=channel, account=account, before=before, rows_max=limit + 1
        )
    shown = found[:limit]
    if as_json:
        echo_json(shown)
    else:
        click.echo(table(_HEADS, [_row(one) for one in shown]) if shown else "There are no such dead letters.")
    if len(found) > limit:
        click.echo(f"There are more: --before {shown[-1].letter_id} shows the next ones.", err=True)


@dead_letters.command()
@click.argument("letter_id", type=Id())
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(*, letter_id: int, as_json: bool) -> None:
    """Show one dead letter, with the delivery that it keeps."""
    try:
        with ledger() as cursor:
            found = rows.show(cursor, letter_id)
    except NotFound as error:
        raise click.ClickException(_problem(error)) from None
    if as_json:
        echo_json(found)
    else:
        click.echo(_text(found))


@dead_letters.command()
@click.argument("letter_ids", type=Id(), nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def retry(*, letter_ids: tuple[int, ...], as_json: bool) -> None:
    """Do once more what was given up.

    A turn is asked again at its conversation's end, and its reply is pushed; a delivery is read again by this version;
    a message is sent again, marked where its user may have it already; a job starts anew at its lane's end.
    """
    bots = cache(_bots)

    def do(cursor: Cursor, letter_id: int, told_of: Told) -> RetriedLetter:
        return retry_letter(cursor, letter_id, told_of, by=caller(), bots=bots, now=time.time())

    retried, problems, at_once = _each(letter_ids, do)
    if as_json:
        echo_json({"retried": retried, "problems": problems})
    else:
        for one in retried:
            click.echo(f"Dead letter {one.letter_id} is retried: {_begun(one)}.")
    _end(problems, shown=as_json, at_once=at_once)


@dead_letters.command()
@click.argument("letter_ids", type=Id(), nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def drop(*, letter_ids: tuple[int, ...], as_json: bool) -> None:
    """Close dead letters without doing anything about them; a job that one is about is forgotten."""

    def do(cursor: Cursor, letter_id: int, told_of: Told) -> DroppedLetter:
        return drop_letter(cursor, letter_id, told_of, by=caller())

    dropped, problems, at_once = _each(letter_ids, do)
    if as_json:
        echo_json({"dropped": dropped, "problems": problems})
    else:
        for one in dropped:
            job = "" if one.job_id is None else f", and job {one.job_id} is forgotten"
            click.echo(f"Dead letter {one.letter_id} is dropped{job}.")
    _end(problems, shown=as_json, at_once=at_once)


def _bots() -> Bots:
    """Return the accounts, whose channels read deliveries: the only thing here that needs all settings."""
    try:
        return Bots(CHANNELS, load(None, environment()).accounts)
    except SettingsError as error:
        raise click.ClickException(
            f"a delivery is read as its account's settings say, which needs all of them (a gateway has them: "
            f"POST /api/v1/dead-letters/ID/retry): {error}"
        ) from None


def _each(
    letter_ids: Sequence[int], do: Callable[[Cursor, int, Told], T]
) -> tuple[list[T], list[str], bool]:
    """Do it to all and tell who runs it; return what was done, why others could not be, and whether Redis took it."""
    done, problems = [], []
    with hinting() as words:
        told_of = Told(*words)
        for letter_id in dict.fromkeys(letter_ids):
            try:
                # A transaction each: one that cannot be done undoes no other.
                with ledger(writes=True) as cursor:
                    done.append(do(cursor, letter_id, told_of))
            except SwitchboardError as error:
                problems.append(_problem(error))
        return done, problems, told_of.flush()


def _end(problems: Sequence[str], *, shown: bool, at_once: bool) -> None:
    """Tell what went wrong, and end so that a script sees it."""
    if not at_once:
        click.echo(_LATER, err=True)
    if not shown:
        for problem in problems:
            click.echo(f"Error: {problem}", err=True)
    if problems:
        raise SystemExit(1)


def _problem(error: SwitchboardError) -> str:
    where = "; `switchboard dead-letters list --state any` shows all" if error.reason == "no_such_letter" else ""
    return f"{error}{where}"


def _begun(one: RetriedLetter) -> str:
    if one.job_id is not None:
        return f"job {one.job_id} is ready again, at the end of its lane"
    if one.outbox_id is not None:
        twice = ", and its user may get it twice (marked where the channel can)" if one.maybe_repeat else ""
        return f"message {one.outbox_id} waits to be sent{twice}"
    if not one.turns:
        return "the delivery says nothing for us"
    return ", ".join(
        f"turn {turn.turn_id} of conversation {turn.conversation_id} {'waits' if turn.fresh else 'was there already'}"
        for turn in one.turns
    )


def _row(one: Letter) -> tuple[object, ...]:
    closed = f"{one.closed_as} by {one.closed_by}" if one.closed_by else one.closed_as
    reason = printable(one.reason)[:_CELL_CHARS_MAX]
    return (
        one.letter_id,
        one.kind,
        one.channel,
        one.account,
        _about(one),
        reason,
        utc_text(one.created_at),
        printable(closed),
    )


def _about(one: Letter) -> str:
    if one.job_id is not None:
        return f"job {one.job_id}"
    if one.outbox_id is not None:
        return f"message {one.outbox_id}"
    return "" if one.turn_id is None else f"turn {one.turn_id}"


def _next_steps(one: LetterView) -> Iterator[str]:
    if one.conversation_id is not None:
        yield f"`switchboard conversations show {one.conversation_id}` shows what was said."
    if one.job_id is not None:
        yield f"`switchboard jobs show {one.job_id}` shows all of it."
    retried = "sends it again, and its user may get it twice" if is_unsure(one) else _RETRIED[one.kind]
    dropped = "forgets the job" if one.job_id is not None else "closes this letter and does nothing else"
    yield f"`switchboard dead-letters retry {one.letter_id}` {retried}; `drop {one.letter_id}` {dropped}."


def _text(one: LetterView) -> str:
    state = f"{one.closed_as} by {one.closed_by or 'somebody'}" if one.closed_as else "open"
    facts: dict[str, object] = {
        "account": f"{one.channel}/{one.account}" if one.channel else "",
        "conversation": one.conversation_id,
        "turn": one.turn_id,
        "message": one.outbox_id,
        "job": one.job_id,
        "webhook": one.webhook,
        "since": f"{utc_text(one.created_at)} UTC",
        "closed": f"{utc_text(one.closed_at)} UTC" if one.closed_at else "",
        "reason": printable(one.reason),
        "detail": printable(one.detail),
        "content type": printable(one.content_type),
    }
    lines = [f"Dead letter {one.letter_id}, a {one.kind}: {printable(state)}"]
    lines += [f"  {name}: {value}" for name, value in facts.items() if value not in (None, "")]
    if one.body is not None:
        text = one.body.decode("utf-8", "replace")
        more = f" (the first {_BODY_CHARS_MAX} of {len(text)} characters)" if len(text) > _BODY_CHARS_MAX else ""
        lines += [f"  body{more}: {printable(text[:_BODY_CHARS_MAX])}"]
    if not one.closed_as:
        lines += [f"  {line}" for line in _next_steps(one)]
    return "\n".join(lines)
