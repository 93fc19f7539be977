"""How Alexa is answered and what she can say and show: a capability table a surface, and the response's limits.

Figures marked [D] are Amazon's documentation, [3P] others' measurements, [M] neither: those are set with room to spare.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from gateway.domain.capabilities import Capabilities
from gateway.domain.message import Surface

__all__ = ["ANSWER_BY_S", "NOTICE", "REQUEST", "SPEECH_CHARS_MAX", "STOP", "SURFACES"]

#: Somebody speaks and waits: a launch, an intent.
REQUEST: Surface = "request"
#: The same, of who wants it to end: whatever is answered, the session is over then.
STOP: Surface = "stop"
#: Something happened and nobody listens: a session has ended, the skill was enabled.  There is no way to say anything.
NOTICE: Surface = "notice"

#: [D] Alexa gives up at about 8 s, whatever is said meanwhile; an account's ``answer_by_s`` is inside of this.
#: https://developer.amazon.com/docs/alexa/custom-skills/send-the-user-a-progressive-response.html
ANSWER_BY_S = 7.0
#: [D] https://developer.amazon.com/docs/alexa/custom-skills/request-and-response-json-reference.html
SPEECH_CHARS_MAX = 8_000

_REQUEST = Capabilities(
    # Cards and images are shown in the Alexa app, and on a device with a screen.
    shows=frozenset({"speech", "card", "image"}),
    answers_in_response=True,
    answer_by_s=ANSWER_BY_S,
    # There is no way to send anything later, but what is kept is told at the next turn.
    turn_deadline_s=120.0,
    late="next_turn",
    # [D] no redelivery is documented: who was refused hears it, and says it again.
    redelivery="gives_up",
    # What was perhaps told is told once more, and says so.
    unknown="resend_marked",
    text_chars_max=6_000,
    alive_after_s=1.5,
    dedupe_days=1.0,
)

SURFACES: Mapping[Surface, Capabilities] = MappingProxyType(
    {
        REQUEST: _REQUEST,
        STOP: _REQUEST,
        NOTICE: msgspec.structs.replace(
            _REQUEST,
            shows=frozenset(),
            answers_in_response=False,
            late="none",
            unknown="keep",
            alive_after_s=None,
        ),
    }
)
