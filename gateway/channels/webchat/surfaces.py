"""How web chat is answered: the page shows everything, and reads late answers itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from gateway.domain.capabilities import Capabilities
from gateway.domain.message import Surface

__all__ = ["MESSAGE", "SURFACES", "TEXT_CHARS_MAX", "WAIT", "WAIT_S_MAX"]

#: Accepted with 202; the answer comes over the page's stream.
MESSAGE: Surface = "message"
#: ``Prefer: wait=N``: the answer in the response if it is ready in time.
WAIT: Surface = "wait"

#: Longest wait in one request: below the 30 s after which common proxies give up.
WAIT_S_MAX = 25.0
#: Characters that a visitor may send at once.
TEXT_CHARS_MAX = 4_000

_MESSAGE = Capabilities(
    shows=frozenset({"text", "image", "audio", "file", "card", "list", "buttons", "suggestions"}),
    answers_in_response=False,
    answer_by_s=10.0,
    turn_deadline_s=120.0,
    late="stream",
    # The page repeats a refused message under its id.
    redelivery="redelivers",
    text_chars_max=40_000,
    buttons_max=25,
    markdown=True,
    typing=True,
    streams=True,
)

SURFACES: Mapping[Surface, Capabilities] = MappingProxyType(
    {
        MESSAGE: _MESSAGE,
        WAIT: msgspec.structs.replace(_MESSAGE, answers_in_response=True, answer_by_s=WAIT_S_MAX),
    }
)
