"""Reading a play from TOML: every problem at once with its line, so that an author corrects a file once."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gateway.platforms.faults import FAULTS, Fault
from gateway.platforms.plays.play import Expectation, Play, PlayError, Step
from gateway.platforms.registry import CHANNELS
from gateway.settings.problems import did_you_mean

__all__ = ["read_play"]

#: Seconds that a step waits for what it expects, unless it says so itself.
WITHIN_S = 10.0
#: The same where it expects that nothing comes.
SILENCE_S = 2.0
_SECONDS_MAX = 600.0
#: Of a fault: a platform that is slower is taken for one that is gone.
_FAULT_SECONDS_MAX = 60.0
_COUNT_MAX = 100

_STEP_HEAD = re.compile(r"^[ \t]*\[\[[ \t]*step[ \t]*\]\]", re.MULTILINE)
_PLAY_KEYS = ("title", "channel", "account", "user", "within_s", "step")
_ACTS = ("say", "tap", "fault", "pause_s")
_STEP_KEYS = (
    *_ACTS,
    *("user", "thread", "group", "repeat", "twin", "count", "seconds", "on", "within_s", "expect"),
)
_EXPECT_KEYS = ("contains", "matches", "lacks", "button", "image", "none", "messages")


def read_play(name: str, text: str) -> Play:
    """Return the play that *text* is; *name* is what its problems are told with.

    :raises PlayError: with every problem that was found.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlayError(name, [f"is not TOML: {error}"]) from None
    reader = _Reader(text)
    play = reader.play(name, table)
    if reader.problems:
        raise PlayError(name, reader.problems)
    return play


class _Place(NamedTuple):
    """Where in the file a table is: its lines by number, which TOML's reader does not tell, and how it is called."""

    lines: Mapping[int, str]
    #: Of the table's head; 0: it has none.
    line: int = 0
    called: str = ""
    #: Which of the step's expectations it is.
    within: str = ""

    def of(self, key: str = "") -> str:
        """Return what stands before a problem with *key*; an expectation's are told with its step's ``expect``."""
        start = re.compile(rf"""[ \t]*["']?{re.escape("expect" if self.within else key)}["']?[ \t]*=""")
        line = next((number for number, text in self.lines.items() if start.match(text)), self.line)
        if not line:
            return f"{self.called}: {self.within}" if self.called else self.within
        called = f" ({self.called})" if self.called else ""
        return f"line {line}{called}: {self.within}"


class _Reader:
    """Takes tables apart and notes what is wrong with them."""

    def __init__(self, text: str) -> None:
        self._text_lines = text.split("\n")
        self._heads = [text.count("\n", 0, head.start()) + 1 for head in _STEP_HEAD.finditer(text)]
        self.problems: list[str] = []

    def _lines(self, first: int, head: int) -> dict[int, str]:
        """Return the lines from *first* on, up to the head of number *head*, or all."""
        end = self._heads[head] if len(self._heads) > head else len(self._text_lines) + 1
        return {number: self._text_lines[number - 1] for number in range(first, end)}

    def play(self, name: str, table: Mapping[str, Any]) -> Play:
        top = _Place(self._lines(1, 0))
        self._unknown(top, table, _PLAY_KEYS)
        user = self._text(top, table, "user", "ada")
        within_s = self._seconds(top, table, "within_s", WITHIN_S)
        steps = table.get("step", [])
        if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
            self.problems.append("there are no steps: expected [[step]] tables")
            steps = []
        return Play(
            name=name,
            title=self._text(top, table, "title", name),
            channel=self._channel(top, table),
            account=self._text(top, table, "account", ""),
            steps=tuple(self._step(at, step, user, within_s) for at, step in enumerate(steps)),
        )

    def _step(self, at: int, table: Mapping[str, Any], user: str, within_s: float) -> Step:
        # A play may write its steps as inline tables, which have no heads to be found by.
        line = self._heads[at] if len(self._heads) > at else 0
        where = _Place(self._lines(line, at + 1) if line else {}, line, f"step {at + 1}")
        self._unknown(where, table, _STEP_KEYS)
        acts = [name for name in _ACTS if name in table]
        if len(acts) > 1:
            self.problems.append(f"{where.of()}expected one of {', '.join(acts)}, got {len(acts)} of them")
        speaks = "say" in table or "tap" in table
        self._only_with(where, table, ("repeat", "twin"), is_there=speaks, what="say or tap")
        self._only_with(where, table, ("count", "seconds"), is_there="fault" in table, what="fault")
        expect = tuple(self._expectations(where, table.get("expect")))
        if "expect" not in table and speaks:
            expect = (Expectation(),)
        elif not acts and not expect:
            self.problems.append(f"{where.of()}expected one of {', '.join(_ACTS)} or expect, got none of them")
        if any(one.none for one in expect) and "within_s" not in table:
            within_s = SILENCE_S
        return Step(
            line=line,
            user=self._text(where, table, "user", user),
            thread=self._text(where, table, "thread", ""),
            group=self._flag(where, table, "group"),
            say=self._text(where, table, "say", "") if "say" in table else None,
            tap=self._tap(where, table),
            fault=self._fault(where, table),
            fault_count=self._count(where, table, "count", 1, least=1),
            pause_s=self._seconds(where, table, "pause_s", 0.0) if "pause_s" in table else None,
            repeat=self._count(where, table, "repeat", 0),
            twin=self._flag(where, table, "twin"),
            on=self._channels(where, table, "on"),
            within_s=self._seconds(where, table, "within_s", within_s),
            expect=expect,
        )

    def _expectations(self, where: _Place, value: Any) -> Iterator[Expectation]:
        tables = value if isinstance(value, list) else [] if value is None else [value]
        for number, table in enumerate(tables, 1):
            at = where._replace(within=f"expect {number}: " if len(tables) > 1 else "expect: ")
            if not isinstance(table, dict):
                self.problems.append(f'{at.of()}expected a table such as {{ contains = "rum" }}, got {table!r}')
                continue
            self._unknown(at, table, _EXPECT_KEYS)
            of_all = [name for name in ("lacks", "none", "messages") if name in table]
            if of_all and len(table) > 1:
                self.problems.append(f"{at.of()}{of_all[0]} stands alone: it is about all messages of the step")
            matches = self._text(at, table, "matches", "")
            try:
                re.compile(matches)
            except re.error as error:
                self.problems.append(f"{at.of()}matches is no regular expression: {error}")
            yield Expectation(
                contains=self._text(at, table, "contains", ""),
                matches=matches,
                lacks=self._text(at, table, "lacks", ""),
                button=self._text(at, table, "button", ""),
                image=self._flag(at, table, "image"),
                none=self._flag(at, table, "none"),
                messages=self._count(at, table, "messages", 0) if "messages" in table else None,
            )

    def _tap(self, where: _Place, table: Mapping[str, Any]) -> str | None:
        value = table.get("tap")
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return str(value)
        self.problems.append(f"{where.of('tap')}tap: expected a button's label or its number from 1 on, got {value!r}")
        return None

    def _fault(self, where: _Place, table: Mapping[str, Any]) -> Fault | None:
        if "fault" not in table:
            return None
        kind = str(table["fault"])
        if kind not in FAULTS:
            hint = did_you_mean(kind, FAULTS)
            self.problems.append(f"{where.of('fault')}fault: expected one of {', '.join(FAULTS)}, got {kind!r}{hint}")
            return None
        seconds = self._seconds(where, table, "seconds", 2.0, most=_FAULT_SECONDS_MAX)
        return Fault(next(known for known in FAULTS if known == kind), seconds)

    def _unknown(self, where: _Place, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for name in table:
            if name not in known:
                hint = did_you_mean(name, known) or f"; expected one of {', '.join(known)}"
                self.problems.append(f"{where.of(name)}unknown key {name!r}{hint}")

    def _only_with(
        self, where: _Place, table: Mapping[str, Any], names: tuple[str, ...], *, is_there: bool, what: str
    ) -> None:
        if not is_there:
            wrong = [name for name in names if name in table]
            self.problems += [f"{where.of(name)}{name} means something beside {what} only" for name in wrong]

    def _text(self, where: _Place, table: Mapping[str, Any], name: str, default: str) -> str:
        value = table.get(name, default)
        if isinstance(value, str) and (value.strip() or name not in table):
            return value
        self.problems.append(f"{where.of(name)}{name}: expected a text, got {value!r}")
        return default

    def _flag(self, where: _Place, table: Mapping[str, Any], name: str) -> bool:
        value = table.get(name, False)
        if isinstance(value, bool):
            return value
        self.problems.append(f"{where.of(name)}{name}: expected true or false, got {value!r}")
        return False

    def _count(self, where: _Place, table: Mapping[str, Any], name: str, default: int, *, least: int = 0) -> int:
        value = table.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= _COUNT_MAX:
            return value
        expected = f"a whole number from {least} to {_COUNT_MAX}"
        self.problems.append(f"{where.of(name)}{name}: expected {expected}, got {value!r}")
        return default

    def _seconds(
        self, where: _Place, table: Mapping[str, Any], name: str, default: float, *, most: float = _SECONDS_MAX
    ) -> float:
        value = table.get(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if is_number and 0 <= value <= most:
            return float(value)
        self.problems.append(f"{where.of(name)}{name}: expected seconds from 0 to {most:.0f}, got {value!r}")
        return default

    def _channel(self, where: _Place, table: Mapping[str, Any]) -> str:
        name = self._text(where, table, "channel", "webchat")
        self._known_channel(where, "channel", name)
        return name

    def _channels(self, where: _Place, table: Mapping[str, Any], name: str) -> tuple[str, ...]:
        value = table.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.problems.append(f"{where.of(name)}{name}: expected a list of channels, got {value!r}")
            return ()
        for one in value:
            self._known_channel(where, name, one)
        return tuple(value)

    def _known_channel(self, where: _Place, key: str, name: str) -> None:
        # A step for a channel that there is not would be left out on every one, and nobody would know.
        if name not in CHANNELS:
            hint = did_you_mean(name, CHANNELS)
            self.problems.append(f"{where.of(key)}{key}: expected one of {', '.join(CHANNELS)}, got {name!r}{hint}")
