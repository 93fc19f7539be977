"""Which workspace a delivery is for: one app, installed in several, has one address and a token for each of them.

What Slack signed for the app is authentic whatever workspace it comes from, and anybody may install an app that is
distributed.  So messages of a workspace that the settings do not name are not taken in: nothing of them is kept, and
Slack is told 200, because refusals in numbers make it stop all deliveries of the app.
https://docs.slack.dev/apis/events-api#failure_limits
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.channels.base import Immediate, Messages, Parsed
from gateway.channels.slack import answers
from gateway.domain.message import Inbound
from gateway.settings.accounts import SlackAccount

__all__ = ["messages"]


def messages(account: SlackAccount, installations: Iterable[str | None], inbound: Sequence[Inbound]) -> Parsed:
    """Return *inbound* for the workspace that they are for.

    *installations* are ids of the workspaces and organizations that the delivery names, what it says of our own
    installation first: the first of them that the settings know is meant.
    """
    if not account.workspaces or not inbound:
        return Messages(tuple(inbound))
    for team_id in installations:
        if team_id in account.workspaces:
            return Messages(tuple(inbound), account=account.workspace_name(team_id))
    return Immediate(answers.stranger(inbound[-1].surface, account), refused="unknown_workspace")
