"""The assistant and Slack as the campaign meets them: healthy, of varying speed, and with a perfect memory.

Each answer of the assistant names its own call, so a settled reply says which call it came from, and so under which
fence it was asked.
"""

from __future__ import annotations

import itertools
import random
import time

import gevent
import msgspec

from gateway.domain.reply import Reply, Text
from tests.soak.said import WORD
from tests.support.assistant import says, turn_of
from tests.support.slack_platform import too_many
from tests.support.stand_in import Call

__all__ = ["Asked", "AssistantMemory", "Posted", "SlackMemory"]

#: One in so many answers takes long enough for a mishap to meet it.
_SLOW = 50
#: One in so many posts is refused by the rate limit, which is certainly no post.
_LIMITED = 150


class Asked(msgspec.Struct):
    """One call, in the order of arrival; times are monotonic seconds."""

    number: int
    turn_id: int
    conversation_id: int
    seq: int
    fence: int
    attempt: int
    word: str
    arrived: float
    ended: float = float("inf")


class Posted(msgspec.Struct, frozen=True):
    """One message that Slack took, in the order of arrival."""

    #: Channel or response URL.
    place: str
    text: str


class AssistantMemory:
    """Answers every turn, and remembers who asked what under which fence."""

    def __init__(self, rng: random.Random) -> None:
        self.asked: list[Asked] = []
        self._rng = rng
        self._numbers = itertools.count()

    def __call__(self, call: Call) -> None:
        turn = turn_of(call)
        found = WORD.search(turn.message.text)
        asked = Asked(
            number=next(self._numbers),
            turn_id=int(turn.turn_id),
            conversation_id=int(turn.conversation.id),
            seq=turn.sequence,
            fence=turn.fence,
            attempt=turn.attempt,
            word=found[1] if found else turn.message.text,
            arrived=time.monotonic(),
        )
        self.asked.append(asked)
        try:
            slow = self._rng.randrange(_SLOW) == 0
            gevent.sleep(self._rng.uniform(0.3, 1.5) if slow else self._rng.expovariate(1 / 0.015))
            says(Reply((Text(f"{asked.word} #{asked.number}"),)))(call)
        finally:
            asked.ended = time.monotonic()


class SlackMemory:
    """Takes posts, and remembers them from the moment of their arrival: who takes one may die before it says so."""

    def __init__(self, rng: random.Random) -> None:
        self.posted: list[Posted] = []
        self.limited = 0
        self._rng = rng
        self._numbers = itertools.count(1)

    def __call__(self, call: Call) -> None:
        if self._rng.randrange(_LIMITED) == 0:
            self.limited += 1
            too_many(1)(call)
            return
        body = call.json
        place = call.path if call.path.startswith("/response/") else body["channel"]
        self.posted.append(Posted(place, body["text"]))
        gevent.sleep(self._rng.uniform(0.002, 0.03))
        if call.path.startswith("/response/"):
            call.answer(b"ok", media="text/plain")
        else:
            call.answer(msgspec.json.encode({"ok": True, "ts": f"1763800100.{next(self._numbers):06d}"}))
