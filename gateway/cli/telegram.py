"""``switchboard telegram``: a bot is told where its updates go, and asked how that goes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec

from gateway.channels.telegram.webhook import Bot, BotApi, WebhookInfo, webhook_url
from gateway.cli.telling import echo_json, printable, told, utc_text
from gateway.domain.deadline import Deadline
from gateway.embedded.addresses import kept
from gateway.embedded.home import Home
from gateway.embedded.programs import Plan
from gateway.replies.platform_client import RpcPlatformClient
from gateway.rpc.client import RpcClient
from gateway.settings.accounts import TelegramAccount
from gateway.settings.load import home_folder, load_account
from gateway.settings.problems import UnknownAccount

__all__ = ["telegram"]

#: Seconds for all calls of one command.
_PATIENCE_S = 30.0
_TELEGRAM = "https://api.telegram.org"


class _Set(msgspec.Struct, frozen=True):
    """What was set up, for ``--json``; ``warnings`` are for a person."""

    account: str
    bot: Bot
    webhook: WebhookInfo
    warnings: tuple[str, ...] = ()


@click.group()
def telegram() -> None:
    """Set a bot up at Telegram: where its updates go."""


@telegram.command("set-webhook")
@click.argument("account")
@click.option("--url", required=True, metavar="URL", help="The gateway's public address: https://HOST.")
@click.option("--drop-pending", is_flag=True, help="Throw away the updates that wait.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def set_webhook(*, account: str, url: str, drop_pending: bool, as_json: bool) -> None:
    """Have the updates of ACCOUNT's bot delivered to this gateway.

    The bot gets the newest of the account's secret_tokens, and delivers the updates that the gateway reads.  Safe to
    repeat; to be repeated when the secret has changed.
    """
    with _bot_api(account) as (api, settings):
        address = webhook_url(settings, url)
        bot = api.me()
        api.set_webhook(address, drop_pending=drop_pending)
        done = _Set(account, bot, api.webhook(), tuple(_warnings(settings, bot)))
    if as_json:
        echo_json(done)
        return
    click.echo(f"{_who(settings)} delivers the updates of @{printable(bot.username)} to {address}.")
    for warning in done.warnings:
        click.echo(f"But {warning}.")


@telegram.command("webhook")
@click.argument("account")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def webhook(*, account: str, as_json: bool) -> None:
    """Show where the updates of ACCOUNT's bot go, how many wait, and what went wrong last."""
    with _bot_api(account) as (api, settings):
        bot = api.me()
        found = _Set(account, bot, api.webhook(), tuple(_warnings(settings, bot)))
    if as_json:
        echo_json(found)
        return
    info = found.webhook
    where = f"are delivered to {printable(info.url)}" if info.url else "are delivered nowhere"
    click.echo(f"The updates of @{printable(bot.username)} {where}; {info.pending_update_count} wait.")
    if info.last_error_message:
        when = utc_text(info.last_error_date)
        click.echo(f"The last delivery that failed, {when} UTC: {printable(info.last_error_message)}")
    for warning in found.warnings:
        click.echo(f"But {warning}.")


@telegram.command("delete-webhook")
@click.argument("account")
@click.option("--drop-pending", is_flag=True, help="Throw away the updates that wait.")
def delete_webhook(*, account: str, drop_pending: bool) -> None:
    """Have the updates of ACCOUNT's bot delivered nowhere; Telegram keeps them for a day."""
    with _bot_api(account) as (api, settings):
        api.delete_webhook(drop_pending=drop_pending)
    click.echo(f"{_who(settings)} delivers no updates of this bot any more.")


@contextmanager
def _bot_api(name: str) -> Iterator[tuple[BotApi, TelegramAccount]]:
    home = Home(home_folder())
    # A copy that runs here may have its stand-in for Telegram at another port than the settings say.
    environ = Plan(home, os.environ).environment if kept(home) else os.environ
    with told():
        try:
            account, rpc = load_account("telegram", name, environ=environ)
        except UnknownAccount as error:
            raise click.UsageError(str(error)) from None
        assert isinstance(account, TelegramAccount)
        client = RpcClient(rpc)
        deadline = Deadline.after(_PATIENCE_S, now=time.monotonic())
        try:
            yield BotApi(RpcPlatformClient(client), account, deadline), account
        finally:
            client.stop(deadline)


def _who(account: TelegramAccount) -> str:
    """Return who was told: of a stand-in, or a Bot API server of one's own, nobody must think that it is Telegram."""
    if account.api_base_url.rstrip("/") == _TELEGRAM:
        return "Telegram"
    return f"{account.api_base_url} (api_base_url of the account: a stand-in or another server, not Telegram)"


def _warnings(account: TelegramAccount, bot: Bot) -> Iterator[str]:
    setting = f"accounts.telegram.{account.name}"
    ours = account.username.removeprefix("@")
    if ours.casefold() != bot.username.casefold():
        meant = f'set it to "{printable(bot.username)}", or the bot does not know when a group speaks to it'
        yield f'{setting}.username is "{ours}": {meant}'
    if account.group_messages == "all" and not bot.can_read_all_group_messages:
        yield f'{setting}.group_messages is "all", and privacy mode is on: see /setprivacy at @BotFather'
