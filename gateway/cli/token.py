"""``switchboard token``: who may use the API, and what they may do there.

Here and not in the API itself: a token that makes tokens could give itself what was taken from it.
"""

from __future__ import annotations

import re
import secrets

import click
import msgspec

from gateway.cli.given import Id
from gateway.cli.ledger import ledger
from gateway.cli.table import table
from gateway.cli.telling import caller, echo_json, told, utc_text
from gateway.domain.api_token import RANDOM_BYTES, SCOPES, check_scopes, make
from gateway.store.tokens import Token, create, list_tokens, revoke

__all__ = ["token"]

_HEADS = ("ID", "NAME", "SCOPES", "STATE", "CREATED (UTC)", "BY", "EXPIRES (UTC)", "LAST USED (UTC)")
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_EXPIRES_DAYS_MAX = 3_660


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new token, this once with the token itself."""

    secret: str
    token: Token


class _Duration(click.ParamType[float]):
    """A number with s, m, h or d."""

    name = "duration"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", value)
        if found is None:
            self.fail(f"expected a number with s, m, h or d, such as 90d, got {value!r}", param, ctx)
        seconds = float(found[1]) * _UNITS_S[found[2]]
        if seconds > _EXPIRES_DAYS_MAX * 86_400:
            self.fail(f"expected at most {_EXPIRES_DAYS_MAX}d, got {value}", param, ctx)
        return seconds


@click.group()
def token() -> None:
    """Let programs use the API: create, list, revoke."""


@token.command("create")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="What it may do, as often as needed; write does not include read.  admin: everything.",
)
@click.option("--name", required=True, help="Whose it is: what is done with it bears this name.")
@click.option("--expires", "expires_in_s", type=_Duration(), help="After so long it is refused: 12h, 90d.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def create_(*, scopes: tuple[str, ...], name: str, expires_in_s: float | None, as_json: bool) -> None:
    """Make a token, and show it this once: only a hash of it is kept."""
    secret = make(secrets.token_bytes(RANDOM_BYTES))
    with told():
        check_scopes(scopes)
        with ledger(writes=True) as cursor:
            made = create(cursor, secret, name=name, scopes=scopes, by=caller(), expires_in_s=expires_in_s)
    if as_json:
        echo_json(_Made(secret=secret, token=made))
        return
    click.echo(secret)
    until = "until it is revoked" if made.expires_at is None else f"until {utc_text(made.expires_at)} UTC"
    whose = f"This is token {made.token_id}, {made.name}: {', '.join(made.scopes)}, {until}."
    click.echo(f"{whose}  It is not shown again.", err=True)


@token.command("list")
@click.option("--all", "revoked", is_flag=True, help="Those that were revoked, too.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(*, revoked: bool, as_json: bool) -> None:
    """Show the tokens that were made, never the tokens themselves.

    Those of the setting api.tokens are not among them: they are the operator's own, and may do everything.
    """
    with ledger() as cursor:
        found = list_tokens(cursor, revoked=revoked)
    if as_json:
        echo_json(found)
        return
    rows = [
        (
            one.token_id,
            one.name,
            ",".join(one.scopes),
            one.state,
            utc_text(one.created_at),
            one.created_by,
            utc_text(one.expires_at),
            utc_text(one.last_used_at),
        )
        for one in found
    ]
    click.echo(table(_HEADS, rows) if rows else "There are no tokens: `switchboard token create` makes one.")


@token.command("revoke")
@click.argument("token_id", type=Id())
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def revoke_(*, token_id: int, as_json: bool) -> None:
    """Have every process refuse a token, within a second."""
    with told(), ledger(writes=True) as cursor:
        revoked = revoke(cursor, token_id, by=caller())
    if as_json:
        echo_json(revoked)
    else:
        click.echo(f"Token {token_id}, {revoked.name}, is refused from now on.")
