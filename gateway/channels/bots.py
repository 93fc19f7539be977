"""Bots: every account together with the channel that speaks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.channels.base import Channel
from gateway.domain.errors import NotFound
from gateway.settings.accounts import Account

__all__ = ["Bot", "Bots"]


class Bot:
    """One account and its channel."""

    __slots__ = ("account", "channel")

    def __init__(self, channel: Channel[Any], account: Account) -> None:
        self.channel = channel
        self.account = account


class Bots:
    """All accounts of the settings, by channel and name."""

    def __init__(
        self, channels: Mapping[str, Channel[Any]], accounts: Mapping[tuple[str, str], Account]
    ) -> None:
        self._bots = {key: Bot(channels[key[0]], account) for key, account in accounts.items()}

    def find(self, channel: str, account: str) -> Bot:
        """Return the account's bot.

        :raises NotFound: the settings have no such account.
        """
        bot = self._bots.get((channel, account))
        if bot is None:
            raise NotFound(
                f"there is no account {account!r} on channel {channel!r}", reason="unknown_account"
            )
        return bot
