"""How Slack is answered and what it shows: a capability table a surface, and Block Kit's limits.

Figures marked [D] are Slack's own documentation, [3P] others' measurements: those are set with room to spare.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from gateway.domain.capabilities import Capabilities
from gateway.domain.message import Surface

__all__ = [
    "COMMAND",
    "EVENT",
    "INTERACTION",
    "MESSAGES_MAX",
    "SURFACES",
    "VIEW",
]

#: Messages of the Events API: acknowledged at once, answered by ``chat.postMessage``.
EVENT: Surface = "event"
#: Slash commands.
COMMAND: Surface = "command"
#: Buttons, menus and shortcuts of a message.
INTERACTION: Surface = "interaction"
#: Modals and global shortcuts: there is no message to answer under, so the answer goes to the user's own
#: channel.
VIEW: Surface = "view"

#: [D] Slack gives up after 3 s, counted at its end: half a second is left for both ways through the network.
#: https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
ANSWER_BY_S = 2.5
#: Nobody reads an answer that comes later than this; far inside the 30 minutes of a ``response_url`` [D].
TURN_DEADLINE_S = 120.0

_EVENT = Capabilities(
    shows=frozenset({"text", "image", "card", "list", "buttons", "suggestions"}),
    answers_in_response=False,
    answer_by_s=ANSWER_BY_S,
    turn_deadline_s=TURN_DEADLINE_S,
    late="push",
    # [D] three more deliveries: at once, after 1 min, after 5 min.
    # https://docs.slack.dev/apis/events-api#retries
    redelivery="redelivers",
    # One message's worth: longer texts become several messages.
    text_chars_max=9_000,
    buttons_max=25,
    markdown=True,
)
# [D] commands and interactions are sent once: what is refused is lost, so a refusal is a sentence to the
# user.
_COMMAND = msgspec.structs.replace(_EVENT, answers_in_response=True, late="deferred", redelivery="gives_up")

SURFACES: Mapping[Surface, Capabilities] = MappingProxyType(
    {
        EVENT: _EVENT,
        COMMAND: _COMMAND,
        # [3P] Slack's clients ignore a message in the response to a Block Kit control and want the response_url:
        # https://github.com/slackapi/bolt-js/issues/132
        INTERACTION: msgspec.structs.replace(_COMMAND, answers_in_response=False),
        VIEW: msgspec.structs.replace(_EVENT, redelivery="gives_up"),
    }
)

#: Messages that one reply may become.  [3P] a ``response_url`` works five times, and chat.postMessage
#: allows about one a second and channel, so more would still be arriving when the user writes again.
MESSAGES_MAX = 5
