"""``switchboard conversations``: what there is, and what was said."""

from __future__ import annotations

import click

from gateway.cli.given import Id, Words
from gateway.cli.ledger import ledger
from gateway.cli.table import table
from gateway.cli.telling import echo_json, printable, utc_text
from gateway.conversations import queries
from gateway.conversations.plain import message_text, reply_text
from gateway.conversations.queries import Exchange, Page, Undelivered
from gateway.settings.accounts import ACCOUNT_TYPES
from gateway.store.ledger.push import PUSHED

__all__ = ["conversations"]

ROWS_MAX = 10_000
_NONE = "There are no conversations yet."
_HEADS = ("ID", "CHANNEL", "ACCOUNT", "KEY", "TURNS", "WAITING", "STATE", "LAST MESSAGE (UTC)")


class _PageText(click.ParamType[Page]):
    """Where a page begins."""

    name = "page"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Page:
        try:
            return Page.of(str(value))
        except ValueError as error:
            self.fail(f"{error}, got {str(value)[:40]!r}", param, ctx)


@click.group()
def conversations() -> None:
    """Look at conversations."""


@conversations.command("list")
@click.option("--channel", type=click.Choice(sorted(ACCOUNT_TYPES)), help="Only this channel's.")
@click.option("--account", type=Words(), help="Only this account's.")
@click.option("--before", type=_PageText(), help="Only those behind this one: what the page before said.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, ROWS_MAX), help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(*, channel: str | None, account: str | None, before: Page | None, limit: int, as_json: bool) -> None:
    """Show the conversations that were active last, newest first.

    KEY is a short hash of the platform's own name for the conversation.
    """
    with ledger() as cursor:
        # One more than is shown tells whether there are more.
        more = queries.conversations(
            cursor, channel=channel or "", account=account or "", behind=before, rows_max=limit + 1
        )
        known = [] if more else queries.accounts(cursor)
    found = more[:limit]
    if as_json:
        echo_json(found)
    elif not found:
        there = ", ".join(f"{channel}/{account}" for channel, account in known)
        click.echo(f"There are no such conversations; there are on {there}." if there else _NONE)
    else:
        rows = [
            (
                one.conversation_id,
                one.channel,
                one.account,
                one.key_hash,
                one.turns,
                one.waiting,
                one.state,
                utc_text(one.active_at),
            )
            for one in found
        ]
        click.echo(table(_HEADS, rows))
    if len(more) > limit:
        last = Page(found[-1].active_at, found[-1].conversation_id)
        click.echo(f"There are more: --before {last} shows the next ones.", err=True)


@conversations.command()
@click.argument("conversation_id", type=Id())
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, ROWS_MAX), help="Last so many turns."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(*, conversation_id: int, limit: int, as_json: bool) -> None:
    """Show what was said in a conversation, oldest first."""
    with ledger() as cursor:
        found = queries.conversation(cursor, conversation_id)
        if found is None:
            raise click.ClickException(f"there is no conversation {conversation_id}")
        exchanges = queries.transcript(cursor, conversation_id, turns_max=limit)
        undelivered = queries.undelivered(cursor, [one.turn_id for one in exchanges])
    if as_json:
        echo_json({"conversation": found, "turns": exchanges, "undelivered": undelivered})
        return
    where = f"{found.channel}/{found.account}"
    turns = "1 turn" if found.turns == 1 else f"{found.turns} turns"
    click.echo(f"Conversation {conversation_id} on {where}: {turns}, {found.state}")
    for exchange in exchanges:
        click.echo()
        click.echo(_exchange(exchange))
        for one in undelivered:
            if one.turn_id == exchange.turn_id:
                click.echo(_fate(one))


def _exchange(exchange: Exchange) -> str:
    took = "" if exchange.took_s is None else f" in {exchange.took_s:.2f} s"
    why = f" ({exchange.reason})" if exchange.reason else ""
    head = f"#{exchange.seq}  {utc_text(exchange.accepted_at)}  turn {exchange.turn_id}  {exchange.state}"
    if exchange.erased:
        return f"{head}{why}{took}\n  (erased)"
    lines = [head + why + took]
    if exchange.message == PUSHED:
        lines.append("  (answers nothing)")
    elif exchange.retry_of is None:
        lines.append(_block(exchange.user or "user", message_text(exchange.message)))
    else:
        # Its user said the words once, in that turn.
        lines.append(f"  (asked again: what was said in turn {exchange.retry_of})")
    if exchange.reply is not None:
        lines.append(_block("reply", reply_text(exchange.reply)))
    lines += [_block("degraded", line) for line in exchange.degraded]
    return "\n".join(lines)


def _fate(one: Undelivered) -> str:
    """Return what became of a message, and where to see more: that a turn was answered says nothing of it."""
    what = "it is not known whether it arrived" if one.state == "unknown" else "it was not sent"
    why = f" ({printable(one.reason)})" if one.reason else ""
    closed = ", closed" if one.is_closed else ""
    where = "" if one.letter_id is None else f": dead letter {one.letter_id}{closed}"
    return f"  message {one.outbox_id}: {what}{why}{where}"


def _block(name: str, text: str) -> str:
    first, *rest = map(printable, text.split("\n"))
    return "\n".join([f"  {name}: {first}", *(f"    {line}" for line in rest)])
