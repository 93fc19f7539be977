"""Telegram's own side: updates out, the Bot API in, and what a webhook's answer may ask for.

https://core.telegram.org/bots/api, read for itself.  A text that begins with a slash is a command, as Telegram's own
clients mark it; in a group the bot is addressed by its username, or, where the settings do not know it, by a reply.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from gateway.platforms.base import (
    Act,
    Answer,
    Call,
    Delivery,
    Inbox,
    Offers,
    Say,
    Scene,
    Seen,
    Served,
    Shows,
    Signed,
    Unprovable,
    json_answer,
)
from gateway.platforms.telegram import api, updates
from gateway.settings.accounts import TelegramAccount

__all__ = ["TelegramPlatform"]


class TelegramPlatform:
    """:class:`gateway.platforms.base.Platform`."""

    name = "telegram"
    shows: frozenset[Shows] = frozenset({"controls", "pictures"})
    offers: frozenset[Offers] = frozenset({"groups", "faults"})
    inbox: Inbox = "stand_in"

    def __init__(self, home: Path) -> None:
        """Telegram keeps nothing of its own in *home*."""

    def api_base_url(self, account: TelegramAccount) -> str:
        return account.api_base_url

    def place(self, account: TelegramAccount, scene: Scene) -> str:
        return updates.Room.of(scene).place

    def deliver(self, account: TelegramAccount, scene: Scene, act: Act) -> Delivery:
        update = (
            updates.said(account, scene, act.text)
            if isinstance(act, Say)
            else updates.tapped(scene, act.control)
        )
        return Delivery(msgspec.json.encode(update), f"/hooks/telegram/{account.name}")

    def twin(self, account: TelegramAccount, scene: Scene, act: Act) -> Delivery | None:
        return None

    def signed(self, account: TelegramAccount, delivery: Delivery, *, at_s: float, repeat: int = 0) -> Signed:
        secret = next((each for each in account.secret_tokens if each.reveal().strip()), None)
        if secret is None:
            raise Unprovable(f"accounts.telegram.{account.name}.secret_tokens is empty")
        headers = {
            "Content-Type": delivery.content_type,
            "X-Telegram-Bot-Api-Secret-Token": secret.reveal(),
        }
        return Signed(delivery.path, headers, delivery.body)

    def answered(self, account: TelegramAccount, delivery: Delivery, answer: Answer) -> tuple[Seen, ...]:
        # What is refused comes again by itself, and its user is told nothing.
        if answer.status != 200 or not answer.body.strip():
            return ()
        call = api.arguments(answer.body)
        return api.run(str(call.pop("method", "")), call, at_s=0, number=0).seen if call is not None else ()

    def served(self, account: TelegramAccount, call: Call) -> Served:
        return api.served(account, call)

    def refusal(self, status: Literal[429, 500], retry_after_s: int) -> Answer:
        if status == 429:
            body = api.error(
                429, f"Too Many Requests: retry after {retry_after_s}", retry_after=retry_after_s
            )
            return json_answer(body, 429, {"retry-after": str(retry_after_s)})
        return json_answer(api.error(500, "Internal Server Error"), 500)
