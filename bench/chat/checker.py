"""Who was answered what: knows each message that was sent, and judges each answer that arrives.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bench.chat.messages import CONVERSATIONS, answered, place

__all__ = ["Checker", "Verdict"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages of a scene."""

    asked: int
    #: Never answered.
    lost: int = 0
    #: Answers that came once more.
    doubled: int = 0
    #: Answers that came behind the answer to a later message of their conversation.
    swapped: int = 0
    #: Answers to nothing that was asked, in a place that is another's, or with words that the assistant never said.
    wrong: int = 0
    #: Deliveries that were not taken with a 200.
    refused: int = 0

    def __add__(self, other: Verdict) -> Verdict:
        """Return both together."""
        return Verdict(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def faults(self) -> str:
        """Return what was wrong, for a person; an empty text if nothing was."""
        return self._found("lost", "doubled", "swapped", "wrong", "refused")

    @property
    def disqualifies(self) -> str:
        """Return what takes a speed out of the table.  Order does not: messages may overtake each other underway."""
        return self._found("lost", "doubled", "wrong", "refused")

    def _found(self, *names: str) -> str:
        found = [(name, getattr(self, name)) for name in names]
        return ", ".join(f"{count:,} {name}" for name, count in found if count)


class Checker:
    """One scene's messages, and what was said to them."""

    def __init__(self, said: Sequence[int] = ()) -> None:
        """*said*: how many messages each conversation had sent before."""
        self._before = list(said) or [0] * CONVERSATIONS
        self._asked: set[int] = set()
        self._answered: set[int] = set()
        #: The latest message of each conversation that was answered.
        self._latest: dict[tuple[str, str], int] = {}
        self._doubled = self._swapped = self._wrong = 0
        self.refused = 0

    def ask(self, number: int) -> None:
        """Know a message."""
        self._asked.add(number)

    @property
    def left(self) -> int:
        """How many wait for their answer."""
        return len(self._asked) - len(self._answered)

    def judge(self, where: tuple[str, str], text: str) -> int | None:
        """Judge an answer; return the number of the message if this is its first, right one."""
        number = answered(text)
        if number is not None and number // CONVERSATIONS <= self._before[number % CONVERSATIONS]:
            # To a message of an earlier scene, which was counted there as lost.
            return None
        if number is None or number not in self._asked or place(number) != where:
            self._wrong += 1
            return None
        if number in self._answered:
            self._doubled += 1
            return None
        self._answered.add(number)
        if number < self._latest.get(where, 0):
            self._swapped += 1
        else:
            self._latest[where] = number
        return number

    def verdict(self) -> Verdict:
        """Return what became of all; who waits still is lost."""
        return Verdict(
            asked=len(self._asked),
            lost=self.left,
            doubled=self._doubled,
            swapped=self._swapped,
            wrong=self._wrong,
            refused=self.refused,
        )
