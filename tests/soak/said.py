"""One message of the campaign, as its sender remembers it: when it was said, and every answer that it got."""

from __future__ import annotations

import itertools
import re
import time
from typing import Literal

from tests.support.calling import Answer

__all__ = ["WORD", "Said", "Surface"]

Surface = Literal["event", "command", "wait"]
#: How a message's word, and the call that answered it, are found again in any text.
WORD = re.compile(r"(m\d{6}x)(?: #(\d+))?")
_numbers = itertools.count(1)


class Said:
    """A message, repeated by its platform until it is accepted."""

    def __init__(self, surface: Surface, lane: str, place: int) -> None:
        self.word = f"m{next(_numbers):06d}x"
        self.surface = surface
        self.lane = lane
        #: Its place among the messages of its sender, who waits for each to be accepted before the next.
        self.place = place
        #: (seconds of the wall clock, port, what came back): for the story of a message that went wrong.
        self.tries: list[tuple[float, int, str]] = []
        self.accepted: list[Answer] = []
        #: A sentence of refusal with a 200, as commands get it: it may have been stored or not.
        self.excused = False

    def note(self, port: int, answer: Answer | Exception) -> None:
        """Remember what came of one try."""
        if isinstance(answer, Answer):
            told = f"{answer.status} {answer.body[:120]!r}"
        else:
            told = f"{type(answer).__name__} {answer}"
        self.tries.append((time.time(), port, told))

    def story(self) -> str:
        """Return what its sender saw, line by line."""
        lines = [f"{at:.3f} port {port}: {told}" for at, port, told in self.tries]
        return "\n".join([f"{self.word}: {self.surface} {self.place} of {self.lane}", *lines])
