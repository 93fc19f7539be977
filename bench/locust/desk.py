"""Who was told what, and how long after the instant at which the question was meant to leave.  Pure: times are given.

Latency counts from the intended start: what leaves late because the deployment stood still is late for its user, too.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from bench.locust.words import Words

__all__ = ["FAULTS", "Desk", "Judged", "Kind", "Tally"]

#: What becomes of a message or an answer.  ``late`` and ``swapped`` ones are answers, too.
Kind = Literal["answered", "late", "swapped", "doubled", "wrong", "lost", "refused"]
#: What must not happen at all; ``late`` is a matter of degree.
FAULTS: tuple[Kind, ...] = ("lost", "doubled", "swapped", "wrong", "refused")

#: Of a wrong answer, so much is shown.
_SHOWN_CHARS_MAX = 200

Place = tuple[str, str]


class Judged(msgspec.Struct, frozen=True):
    """What an answer was."""

    kind: Kind
    #: From the intended start to its arrival; of what answers nothing, none.
    took_s: float | None = None


class _Asked(msgspec.Struct):
    where: Place
    meant_s: float
    #: As what it was given up; an answer that comes after all takes that back.
    fate: Literal["", "lost", "refused"] = ""


class Tally:
    """What became of one channel's messages."""

    def __init__(self) -> None:
        self.asked = 0
        #: Answers that came, late and swapped ones included.
        self.answered = 0
        self.late = self.lost = self.doubled = self.swapped = self.wrong = self.refused = 0
        self.took_s: array[float] = array("d")
        #: What was said first of all that is wrong.
        self.wrong_text = ""
        #: Until the delivery was answered with a 2xx, from when it left.
        self.accepted_s: array[float] = array("d")


class Desk:
    """All messages of a run."""

    def __init__(self, words: Words, channels: Iterable[str], *, late_s: float, patience_s: float) -> None:
        self.tallies = {channel: Tally() for channel in channels}
        self._words = words
        self._late_s = late_s
        self._patience_s = patience_s
        #: In the order in which they left, or nearly so.
        self._open: dict[int, _Asked] = {}
        self._open_at: dict[Place, int] = {}
        self._closed: dict[int, Place] = {}
        self._given_up: dict[int, _Asked] = {}
        self._latest: dict[Place, int] = {}

    def ask(self, where: Place, number: int, meant_s: float) -> None:
        """Know a message that leaves now; *where*: its channel, and the conversation in the platform's words."""
        self.tallies[where[0]].asked += 1
        self._open[number] = _Asked(where, meant_s)
        self._open_at[where] = self._open_at.get(where, 0) + 1

    def accept(self, channel: str, took_s: float) -> None:
        """Know that a delivery was taken."""
        self.tallies[channel].accepted_s.append(took_s)

    def refuse(self, number: int) -> None:
        """Know that a message was not taken: its platform would be told so, and nobody waits for an answer."""
        if (asked := self._close(number)) is not None:
            self.tallies[asked.where[0]].refused += 1
            asked.fate = "refused"
            self._given_up[number] = asked

    def judge(
        self, where: Place, text: str, now_s: float, beside: Sequence[str] = (), *, apart: bool = False
    ) -> list[Judged]:
        """Judge what was said at *where*; mostly one answer.

        *apart*: it came another way than the rest of its conversation, in the response to its own question.  Whether
        it overtook others, or they it, nobody promises.
        """
        numbers = self._words.answered(text, beside)
        tally = self.tallies[where[0]]
        # None of "That takes me a little longer", which is no answer yet, and nothing wrong.
        found = (
            [Judged("wrong")]
            if numbers is None
            else [self._judge(where, number, now_s, apart=apart) for number in numbers]
        )
        wrong_n = sum(judged.kind == "wrong" for judged in found)
        if wrong_n and not tally.wrong:
            tally.wrong_text = text[:_SHOWN_CHARS_MAX]
        tally.wrong += wrong_n
        return found

    def overdue(self, now_s: float) -> list[str]:
        """Give up what nobody waits for any more; return the channel of each."""
        lost = []
        for number, asked in list(self._open.items()):
            if now_s - asked.meant_s <= self._patience_s:
                # Those behind it were meant later, but for a few that jumped the queue by less than a look.
                break
            lost.append(self._lose(number))
        return lost

    def give_up(self) -> list[str]:
        """Give up all that is open; return the channel of each."""
        return [self._lose(number) for number in list(self._open)]

    @property
    def open_n(self) -> int:
        """How many wait for their answer."""
        return len(self._open)

    def waits(self, where: Place) -> bool:
        """Whether somebody waits there."""
        return self._open_at.get(where, 0) > 0

    def _judge(self, where: Place, number: int, now_s: float, *, apart: bool) -> Judged:
        tally = self.tallies[where[0]]
        asked = self._open.get(number) or self._given_up.get(number)
        if asked is None:
            if self._closed.get(number) != where:
                return Judged("wrong")
            tally.doubled += 1
            return Judged("doubled")
        if asked.where != where:
            # Somebody else's answer; whose it is waits on.
            return Judged("wrong")
        took_s = now_s - asked.meant_s
        kind: Kind = "late" if took_s > self._late_s else "answered"
        if asked.fate == "lost":
            tally.lost -= 1
        elif asked.fate == "refused":
            tally.refused -= 1
        self._given_up.pop(number, None)
        self._close(number)
        self._closed[number] = where
        tally.answered += 1
        tally.took_s.append(took_s)
        if kind == "late":
            tally.late += 1
        if apart:
            return Judged(kind, took_s)
        if number < self._latest.get(where, 0):
            tally.swapped += 1
            return Judged("swapped", took_s)
        self._latest[where] = number
        return Judged(kind, took_s)

    def _close(self, number: int) -> _Asked | None:
        asked = self._open.pop(number, None)
        if asked is not None:
            self._open_at[asked.where] -= 1
            if not self._open_at[asked.where]:
                del self._open_at[asked.where]
        return asked

    def _lose(self, number: int) -> str:
        asked = self._close(number)
        assert asked is not None
        self.tallies[asked.where[0]].lost += 1
        asked.fate = "lost"
        self._given_up[number] = asked
        return asked.where[0]
