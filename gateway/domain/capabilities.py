"""What a channel can show and how it wants to be answered: one table a surface.

The pipeline decides by these values alone and never by a channel's name.  A figure that a platform does not document
is a setting with a cautious default in the channel's own file, with its source beside it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Capabilities", "Late", "Redelivery", "Unknown"]

#: How a reply reaches the user when the HTTP response cannot carry it:
#: ``push``         through the platform's send API, from the outbox, at any time;
#: ``deferred``     through an address that came with the delivery and expires (Slack's ``response_url``);
#: ``stream``       the user's own client reads it from the ledger (web chat);
#: ``next_turn``    kept, and given with the next answer (Alexa);
#: ``none``         not at all.
Late = Literal["push", "deferred", "stream", "next_turn", "none"]

#: What the platform does with a delivery that was refused with 503: sends it again, or gives up at once.
Redelivery = Literal["redelivers", "gives_up"]

#: What happens to a send whose fate is unknown: kept as it is, or sent again with a mark that it may be a repeat.
Unknown = Literal["keep", "resend_marked"]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """The table of one surface of one channel."""

    #: Names of the part types that can be shown as they are (the ``type`` tags of :mod:`gateway.domain.reply`).
    shows: frozenset[str]
    #: Whether the reply may leave in the HTTP response of its delivery.
    answers_in_response: bool
    #: Seconds from arrival until the HTTP response must have left.
    answer_by_s: float
    #: Seconds from arrival after which nobody wants the answer any more.
    turn_deadline_s: float
    late: Late
    redelivery: Redelivery
    unknown: Unknown = "keep"
    #: Characters of one text.
    text_chars_max: int
    #: Controls beside one another.
    buttons_max: int = 0
    markdown: bool = False
    typing: bool = False
    #: Seconds from arrival after which a message that waits for its answer in the response gets a sign of life; None:
    #: there is none.  Only where answers leave in the response: elsewhere nobody waits, so nothing would stop it.
    alive_after_s: float | None = None
    #: Seconds that a sign of life is seen: as often a turn that still runs gives another one; None: it gives none.
    alive_every_s: float | None = None
    #: Whether pieces of a reply are shown while it is still being made.
    streams: bool = False
    #: Days for which a dedupe key of this channel is kept: longer than the platform keeps redelivering.
    dedupe_days: float = 7.0

    def __post_init__(self) -> None:
        if self.alive_after_s is not None and not self.answers_in_response:
            raise ValueError("alive_after_s: expected answers_in_response beside it, or a sign comes behind the answer")
