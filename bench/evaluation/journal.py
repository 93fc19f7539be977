"""What a run has done so far, a line of JSON for each thing, so that it can be stopped at any moment and go on.

Only ever added to.  The first line says what is measured, of which sources, on which machine: a run of anything else
does not go on with it, because its numbers would not belong together.  A last line without its end was being written
when the run was stopped, and counts as never written.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.evaluation.measure import Taken
from bench.evaluation.plan import Plan, Turn
from bench.evaluation.results import Machine

__all__ = ["Busy", "Head", "Journal", "OtherRun", "alone"]


class Head(msgspec.Struct, frozen=True, tag="head"):
    """What is measured."""

    plan: Plan
    #: A digest of the sources.
    tree: str
    machine: Machine
    #: RFC 3339, UTC.
    began: str


class _Took(msgspec.Struct, frozen=True, tag="took"):
    turn: Turn
    taken: Taken


class _Out(msgspec.Struct, frozen=True, tag="out"):
    measure: str
    contestant: str
    reason: str


class _Part(msgspec.Struct, frozen=True, tag="part"):
    name: str
    report: Mapping[str, Any] | None


_Line = Head | _Took | _Out | _Part


class OtherRun(Exception):
    """There is an unfinished run, and it is not this one; says how they differ."""

    def __init__(self, message: str, plan: Plan | None = None) -> None:
        """Say so; *plan* is what would finish it, if anything can."""
        super().__init__(message)
        self.plan = plan


class Busy(Exception):
    """Another process is writing in the same folder."""


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one that writes journals and results in *folder* until the block ends; :exc:`Busy` if one is there.

    Two runs of one journal would take everything twice, beside each other, and each would forget it for both.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"Another run is writing in {folder}: wait for its end, or stop it.") from None
        yield
    finally:
        # Not left to close: where gevent has patched it, a descriptor is closed a moment later.
        fcntl.flock(held, fcntl.LOCK_UN)
        os.close(held)


class Journal:
    """The journal of one run; what it was told it remembers."""

    def __init__(self, path: Path, head: Head) -> None:
        """Go on with the journal at *path* if *head* is what it measures, or begin one."""
        self._path = path
        #: Of the run's beginning, which may be some time ago.
        self.head = head
        self.taken: dict[Turn, Taken] = {}
        #: Why, by measure and contestant.
        self.out: dict[tuple[str, str], str] = {}
        self.parts: dict[str, Mapping[str, Any] | None] = {}
        lines = _read(path)
        #: Whether it was there.
        self.resumed = bool(lines)
        if lines:
            self._remember(lines, head)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(head)

    def took(self, turn: Turn, taken: Taken) -> None:
        """Keep a take."""
        self.taken[turn] = taken
        self._write(_Took(turn, taken))

    def throw_out(self, measure: str, contestant: str, reason: str) -> None:
        """Keep why a contestant counts no more in a measure, whatever it had reached before."""
        self.out[measure, contestant] = reason
        self._write(_Out(measure, contestant, reason))

    def ended(self, name: str, report: Mapping[str, Any] | None) -> None:
        """Keep the report of a benchmark that is a part of the run; none if it failed."""
        self.parts[name] = report
        self._write(_Part(name, report))

    def is_done(self, turn: Turn) -> bool:
        """Whether a take need not be tried any more."""
        return turn in self.taken or (turn.measure, turn.contestant) in self.out

    def remove(self) -> None:
        """Forget the run: its results are written."""
        self._path.unlink()

    def _remember(self, lines: list[_Line], now: Head) -> None:
        head = lines[0]
        if not isinstance(head, Head):
            raise OtherRun(f"{self._path} is no journal of a run")
        if differs := _difference(head, now):
            same = not _elsewhere(head, now)
            raise OtherRun(
                f"{self._path} is of an unfinished run that is not this one: {differs}", head.plan if same else None
            )
        self.head = head
        for line in lines[1:]:
            match line:
                case _Took(turn, taken):
                    self.taken[turn] = taken
                case _Out(measure, contestant, reason):
                    self.out[measure, contestant] = reason
                case _Part(name, report):
                    self.parts[name] = report

    def _write(self, line: _Line) -> None:
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def _read(path: Path) -> list[_Line]:
    """Return the lines that were written whole, and cut off what was not."""
    if not path.exists():
        return []
    written = path.read_bytes()
    whole = written[: written.rfind(b"\n") + 1]
    if whole != written:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    lines: list[_Line] = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            lines.append(msgspec.json.decode(line, type=_Line))
        except msgspec.DecodeError as error:
            raise OtherRun(f"{path}, line {number}, cannot be read: {error}") from None
    return lines


def _difference(then: Head, now: Head) -> str:
    """Return in what two runs differ, for a person, or an empty text."""
    for name in Plan.__struct_fields__:
        before, after = getattr(then.plan, name), getattr(now.plan, name)
        if before != after:
            return f"its {name}: {_said(before)}; now: {_said(after)}"
    return _elsewhere(then, now)


def _elsewhere(then: Head, now: Head) -> str:
    """Return in what two runs differ, whatever they measure: nothing that this command is told can make up for it."""
    for name in ("cpus", "model", "platform", "python"):
        before, after = getattr(then.machine, name), getattr(now.machine, name)
        if before != after:
            return f"its machine's {name}: {before}; now: {after}"
    return "" if then.tree == now.tree else "the sources have changed since"


def _said(value: object) -> str:
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)
