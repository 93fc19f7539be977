"""Which kind of delivery this is: three different bodies arrive at one address."""

from __future__ import annotations

from gateway.channels.base import Immediate, Parsed
from gateway.channels.decoding import decode_form
from gateway.channels.slack.commands import parse_command
from gateway.channels.slack.events import parse_event
from gateway.channels.slack.interactions import parse_interaction
from gateway.domain.http import Request, Response
from gateway.settings.accounts import SlackAccount

__all__ = ["parse"]


def parse(request: Request, account: SlackAccount) -> Parsed:
    """Return what the delivery says, or raise NotUnderstood."""
    if not request.header("content-type").lower().startswith("application/x-www-form-urlencoded"):
        return parse_event(request.body, account)
    form = decode_form(request.body)
    if "payload" in form:
        return parse_interaction(form["payload"], request.body, account)
    if form.get("ssl_check") == "1":
        # Slack looks at our certificate now and then; there is no user behind it.
        return Immediate(Response(200))
    return parse_command(form, request.body, account)
