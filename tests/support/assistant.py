"""An assistant under a test's control: echoes what it is asked, unless told otherwise, and remembers who asked when."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from gateway.assistants.wire import TurnRequest
from gateway.domain.reply import Reply, Text
from tests.support.stand_in import Behaviour, Call, StandIn

__all__ = ["Assistant", "says", "turn_of"]


class Assistant(StandIn):
    """The service; a call's answer is ``echo: <text>``."""

    def __init__(self) -> None:
        super().__init__(_echo)

    @property
    def url(self) -> str:
        """Where turns are POSTed."""
        return f"{self.origin}/turn"

    def turns(self, word: str) -> list[TurnRequest]:
        """Return what was asked about *word*, in order."""
        return [turn_of(call) for call in self.about(word)]

    def overlaps(self, word: str) -> list[tuple[Call, Call]]:
        """Return pairs of calls of one conversation that were under way at the same time."""
        lanes: dict[str, list[Call]] = defaultdict(list)
        for call in self.about(word):
            lanes[turn_of(call).conversation.id].append(call)
        return [
            (earlier, later)
            for calls in lanes.values()
            for earlier, later in itertools.pairwise(calls)
            if later.arrived < earlier.ended
        ]


def turn_of(call: Call) -> TurnRequest:
    """Return the turn that a call asks about."""
    return msgspec.json.decode(call.body, type=TurnRequest)


def says(reply: str | Reply, *headers: str) -> Behaviour:
    """Answer with *reply*."""
    whole = Reply((Text(reply),)) if isinstance(reply, str) else reply
    return lambda call: call.answer(_encode(whole), *headers)


def _echo(call: Call) -> None:
    message = turn_of(call).message
    said: Sequence[str] = [word for word in (message.name, message.value, message.text) if word]
    call.answer(_encode(Reply((Text("echo: " + " ".join(said)),))))


def _encode(reply: Reply) -> bytes:
    return msgspec.json.encode({"parts": (), **msgspec.to_builtins(reply)})
