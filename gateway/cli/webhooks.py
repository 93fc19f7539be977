"""``switchboard webhooks``: where events are told, and which receivers are told nothing."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import click
import msgspec

from gateway.cli.given import Words
from gateway.cli.ledger import ledger
from gateway.cli.table import table
from gateway.cli.telling import caller, echo_json, told, utc_text
from gateway.domain.resilience.orders import check_reason
from gateway.settings.load import load_webhooks
from gateway.settings.problems import did_you_mean
from gateway.settings.webhooks import WebhookSettings
from gateway.store.webhooks import Disabled, disable, enable, list_disabled

__all__ = ["webhooks"]

_HEADS = ("WEBHOOK", "RECEIVER", "EVENTS", "STATE")


class _Shown(msgspec.Struct, frozen=True):
    """A webhook as it stands."""

    webhook: str
    #: Without what stands behind its path: a token, mostly.  None: it is in the settings no more.
    receiver: str | None
    events: tuple[str, ...]
    disabled: Disabled | None


@click.group()
def webhooks() -> None:
    """See where events are told, and have a receiver told nothing, or again."""


@webhooks.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(*, as_json: bool) -> None:
    """Show each webhook of the settings, and those that are disabled.

    A receiver that answers 410 Gone is disabled by that, until `switchboard webhooks enable`.
    """
    with told():
        shown = _all(load_webhooks())
    if as_json:
        echo_json(shown)
        return
    rows = [(one.webhook, one.receiver or "-", ", ".join(one.events) or "-", _state(one)) for one in shown]
    click.echo(table(_HEADS, rows) if rows else "There are no webhooks.")
    for one in shown:
        if off := one.disabled:
            click.echo(f"{one.webhook}: disabled by {off.by} since {utc_text(off.at)}: {off.reason}")


@webhooks.command("enable")
@click.argument("name", type=Words())
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def enable_(*, name: str, as_json: bool) -> None:
    """Have the receiver of NAME told of what happens from now on.

    What happened while it was disabled is not told; the event that found it gone can be: `switchboard jobs retry`.
    """
    with told(), ledger(writes=True) as cursor:
        if not enable(cursor, name):
            _check_known(name, load_webhooks())
            raise click.ClickException(f"{name} is not disabled")
    if as_json:
        echo_json({"webhook": name, "disabled": False})
    else:
        click.echo(f"{name} is told of what happens from now on.")


@webhooks.command("disable")
@click.argument("name", type=Words())
@click.option("--reason", required=True, help="Why, for whoever comes next.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def disable_(*, name: str, reason: str, as_json: bool) -> None:
    """Have the receiver of NAME told nothing, until `switchboard webhooks enable NAME`."""
    with told():
        check_reason(reason)
        _check_known(name, load_webhooks())
        with ledger(writes=True) as cursor:
            if not disable(cursor, name, by=caller(), reason=reason):
                raise click.ClickException(f"{name} is disabled already")
    if as_json:
        echo_json({"webhook": name, "disabled": True})
    else:
        click.echo(f"{name} is told nothing until `switchboard webhooks enable {name}`.")


def _all(settings: Mapping[str, WebhookSettings]) -> list[_Shown]:
    with ledger() as cursor:
        off = {one.webhook: one for one in list_disabled(cursor)}
    return [
        _Shown(name, _receiver(webhook.url), webhook.events, off.get(name))
        for name, webhook in sorted(settings.items())
    ] + [_Shown(name, None, (), one) for name, one in off.items() if name not in settings]


def _check_known(name: str, settings: Mapping[str, WebhookSettings]) -> None:
    if name not in settings:
        meant = did_you_mean(name, settings) or (f", expected one of {', '.join(sorted(settings))}" if settings else "")
        raise click.ClickException(f"there is no webhook {name!r} in the settings{meant}")


def _receiver(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _state(one: _Shown) -> str:
    return "disabled" if one.disabled else "enabled"
