"""A play as values: who says what, and what they expect to see."""

from __future__ import annotations

import msgspec

from gateway.platforms.faults import Fault

__all__ = ["Expectation", "Play", "PlayError", "Step"]


class PlayError(Exception):
    """All that is wrong with a file, one problem a line."""

    def __init__(self, name: str, problems: list[str]) -> None:
        super().__init__("\n".join(f"{name}: {problem}" for problem in problems))
        self.problems = problems


class Expectation(msgspec.Struct, frozen=True):
    """What some message of a step must be like; fields that are not set ask nothing.

    ``lacks``, ``none`` and ``messages`` are about all messages of the step together.
    """

    contains: str = ""
    matches: str = ""
    lacks: str = ""
    button: str = ""
    image: bool = False
    none: bool = False
    messages: int | None = None

    @property
    def is_of_all(self) -> bool:
        """Whether it can only be judged when nothing more comes."""
        return self.none or self.messages is not None or bool(self.lacks)

    @property
    def conditions(self) -> int:
        """How many things it asks of one message."""
        return sum(map(bool, (self.contains, self.matches, self.button, self.image)))

    def __str__(self) -> str:
        asked = [
            *([f"contains {self.contains!r}"] if self.contains else []),
            *([f"matches {self.matches!r}"] if self.matches else []),
            *([f"has a button {self.button!r}"] if self.button else []),
            *(["has an image"] if self.image else []),
        ]
        if self.none:
            return "no message"
        if self.messages is not None:
            return f"{self.messages} message{'' if self.messages == 1 else 's'} in all"
        if self.lacks:
            return f"no message that contains {self.lacks!r}"
        return f"a message that {' and '.join(asked)}" if asked else "a message"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step.  At most one of ``say``, ``tap``, ``fault`` and ``pause_s`` is set; with none it only waits."""

    line: int
    user: str
    thread: str = ""
    group: bool = False
    say: str | None = None
    tap: str | None = None
    fault: Fault | None = None
    fault_count: int = 1
    pause_s: float | None = None
    repeat: int = 0
    twin: bool = False
    #: Channels on which it is played; empty: on all.
    on: tuple[str, ...] = ()
    within_s: float
    expect: tuple[Expectation, ...] = ()

    def __str__(self) -> str:
        # What tells it from another step with the same words stands in front of them, where nothing cuts it off.
        how = [
            *(["group"] if self.group else []),
            *([f"thread {self.thread}"] if self.thread else []),
            *([f"repeat {self.repeat}"] if self.repeat else []),
            *(["twin"] if self.twin else []),
            *([f"on {', '.join(self.on)}"] if self.on else []),
        ]
        who = f"{self.user} [{'; '.join(how)}]" if how else self.user
        if self.say is not None:
            return f"{who}: {self.say}"
        if self.tap is not None:
            return f"{who}: [tap] {self.tap}"
        if self.fault is not None:
            times = f", {self.fault_count} times" if self.fault_count > 1 else ""
            return f"({who} is next sent a message: {self.fault.kind}{times})"
        if self.pause_s is not None:
            return f"({self.pause_s:g} s pass)"
        return f"({who} waits)"


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """A whole script.  ``channel`` and ``account`` are where it is played unless somebody says otherwise."""

    name: str
    title: str
    channel: str = "webchat"
    account: str = ""
    steps: tuple[Step, ...]
