"""How Telegram is answered and what it shows.

Figures marked [D] are Telegram's own documentation, [S] the source of its Bot API server, [3P] others' measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.channels.telegram.limits import TEXT_UNITS_MAX
from gateway.domain.capabilities import Capabilities
from gateway.domain.message import Surface

__all__ = ["MESSAGE", "MESSAGES_MAX", "SURFACES"]

#: Whatever is said in a chat, taps included: all of it is answered by calls of the Bot API.
MESSAGE: Surface = "message"

SURFACES: Mapping[Surface, Capabilities] = MappingProxyType(
    {
        MESSAGE: Capabilities(
            # Audio and files are links: Telegram fetches only MP3 and M4A, and only GIF, PDF and ZIP, by address [D].
            # https://core.telegram.org/bots/api#sending-files
            shows=frozenset({"text", "image", "card", "list", "buttons", "suggestions"}),
            # A method in the webhook's answer would be run again after a lost acknowledgement, and tells no result.
            answers_in_response=False,
            # [S] a webhook connection that is idle for 50 to 60 s is a failure (WebhookActor.cpp).
            answer_by_s=20.0,
            # Nobody reads an answer that comes later than this.
            turn_deadline_s=120.0,
            late="push",
            # [S] for up to 24 hours, each chat's updates in order (WebhookActor.cpp).
            redelivery="redelivers",
            text_chars_max=TEXT_UNITS_MAX,
            buttons_max=25,
            markdown=True,
            typing=True,
            # [D] "The status is set for 5 seconds or less": https://core.telegram.org/bots/api#sendchataction
            alive_every_s=4.5,
            # Longer than the redelivery, and shorter than the week of silence after which update ids begin anew at
            # random [D]: none of the old ones may be taken for a repeat.  https://core.telegram.org/bots/api#update
            dedupe_days=4.0,
        )
    }
)

#: Messages that one reply may become: a chat takes about one a second, so more would still be arriving when the user
#: writes again.
MESSAGES_MAX = 5
