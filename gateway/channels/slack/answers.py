"""The HTTP answers to Slack's deliveries."""

from __future__ import annotations

import math
from typing import Any

from gateway.channels.slack.surfaces import COMMAND
from gateway.domain.errors import Overloaded, TryLater
from gateway.domain.http import Response, json_response, text_response
from gateway.domain.message import Surface
from gateway.settings.accounts import SlackAccount

__all__ = ["EMPTY", "refuse", "respond", "stranger"]

#: Accepted, and nothing to say yet: any text would be shown to the user of a command.
EMPTY = Response(200)


def respond(payload: dict[str, Any]) -> Response:
    """Return a rendered message as the response body."""
    return json_response(payload["body"])


def refuse(surface: Surface | None, account: SlackAccount, error: TryLater) -> Response:
    """Return a refusal in the words of whoever can do something about it.

    Slack sends an event again.  A command is the user's to repeat, who is told so in a sentence.  The response to a
    control would not be shown: without a 200 Slack marks the control as failed, and a modal stays open.
    """
    if surface == COMMAND:
        words = account.busy if isinstance(error, Overloaded) else account.apology
        return json_response({"response_type": "ephemeral", "replace_original": False, "text": words})
    return text_response(error.reason, 503, (("Retry-After", str(max(1, math.ceil(error.retry_after_s)))),))


def stranger(surface: Surface, account: SlackAccount) -> Response:
    """Return the answer to a workspace that the settings do not name: a sentence to whoever can read one."""
    if surface == COMMAND:
        return json_response({"response_type": "ephemeral", "text": account.unknown_workspace})
    return EMPTY
