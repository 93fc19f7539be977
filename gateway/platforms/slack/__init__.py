"""Slack's own side: events, commands and taps out; the Web API and response URLs in.

https://docs.slack.dev: apis/events-api, interactivity, reference/methods/chat.postMessage,
authentication/verifying-requests-from-slack.
A text that begins with a slash is a slash command, as in Slack's own message box.
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
    json_answer,
)
from gateway.platforms.slack import api, deliveries
from gateway.platforms.slack.blocks import shown
from gateway.settings.accounts import SlackAccount

__all__ = ["SlackPlatform"]


class SlackPlatform:
    """:class:`gateway.platforms.base.Platform`."""

    name = "slack"
    shows: frozenset[Shows] = frozenset({"controls", "pictures"})
    offers: frozenset[Offers] = frozenset({"groups", "twins", "faults"})
    inbox: Inbox = "stand_in"

    def __init__(self, home: Path) -> None:
        """Slack keeps nothing of its own in *home*."""

    def api_base_url(self, account: SlackAccount) -> str:
        return account.api_base_url

    def place(self, account: SlackAccount, scene: Scene) -> str:
        return deliveries.Room.of(scene, account).place

    def deliver(self, account: SlackAccount, scene: Scene, act: Act) -> Delivery:
        if not isinstance(act, Say):
            return deliveries.tap(account, scene, act.control)
        if act.text.startswith("/"):
            return deliveries.command(account, scene, act.text)
        return deliveries.event(account, scene, act.text)

    def twin(self, account: SlackAccount, scene: Scene, act: Act) -> Delivery | None:
        # Only a message in a channel that mentions the bot comes twice, as message and as app_mention.
        if isinstance(act, Say) and scene.group and not act.text.startswith("/"):
            return deliveries.event(account, scene, act.text, twin=True)
        return None

    def signed(self, account: SlackAccount, delivery: Delivery, *, at_s: float, repeat: int = 0) -> Signed:
        return deliveries.signed(account, delivery, at_s=at_s, repeat=repeat)

    def answered(self, account: SlackAccount, delivery: Delivery, answer: Answer) -> tuple[Seen, ...]:
        if deliveries.is_command(delivery):
            return _command_answered(answer)
        if deliveries.is_tap(delivery) and answer.status != 200:
            return (Seen("⚠ This app responded with an error.", notes=("beside the button",)),)
        # Slack tells nobody what became of an event, and shows no message in the response to a Block Kit control.
        return ()

    def served(self, account: SlackAccount, call: Call) -> Served:
        return api.served(account, call)

    def refusal(self, status: Literal[429, 500], retry_after_s: int) -> Answer:
        if status == 429:
            return json_answer({"ok": False, "error": "ratelimited"}, 429, {"retry-after": str(retry_after_s)})
        return json_answer({"ok": False, "error": "internal_error"}, 500)


def _command_answered(answer: Answer) -> tuple[Seen, ...]:
    if answer.status != 200:
        return (Seen("The command failed with the error “dispatch_failed”.", notes=("from Slackbot",)),)
    if not answer.body.strip():
        return ()
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return (Seen(answer.body.decode(errors="replace"), notes=("only you can see this",)),)
    try:
        body = msgspec.json.decode(answer.body, type=dict)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return (Seen("The command failed with the error “invalid_response”.", notes=("from Slackbot",)),)
    return (shown(body, ts="", ephemeral=body.get("response_type") != "in_channel"),)
