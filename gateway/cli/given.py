"""What commands are given, and how what is none is refused: ids, seconds, times, words, addresses."""

from __future__ import annotations

import math
from datetime import datetime
from urllib.parse import urlsplit

import click

__all__ = ["Id", "Origin", "Seconds", "Time", "Words"]

_ID_MAX = 2**63 - 1
#: 9999-12-31 as Unix seconds.
_TIME_MAX = 253_402_214_400.0


class Id(click.ParamType[int]):
    """What the ledger numbers a row by."""

    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        # The length first: Python reads no number of more digits than it likes.
        number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(_ID_MAX)) else 0
        if not 1 <= number <= _ID_MAX:
            self.fail(f"expected an id, a whole number from 1 on as lists show it, got {text[:40]!r}", param, ctx)
        return number


class Seconds(click.ParamType[float]):
    """A time span, at most *max_s*, which is *called* so by people."""

    name = "seconds"

    def __init__(self, max_s: float = math.inf, called: str = "") -> None:
        self._max_s = max_s
        self._to = "on" if math.isinf(max_s) else f"to {max_s:.0f} ({called})"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(str(value))
        except ValueError:
            seconds = math.nan
        if not (math.isfinite(seconds) and 0 <= seconds <= self._max_s):
            self.fail(f"expected a number of seconds from 0 {self._to}, got {str(value)[:40]!r}", param, ctx)
        return seconds


class Time(click.ParamType[float]):
    """A time with a zone, or Unix seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value)
        try:
            unix_s = float(text)
        except ValueError:
            unix_s = self._unix_s(text, param, ctx)
        if not unix_s <= _TIME_MAX or math.isinf(unix_s):
            self.fail(f"expected a time before the year 10000, got {text[:80]!r}", param, ctx)
        return unix_s

    def _unix_s(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"expected a time such as 2030-01-31T13:30:00Z, or Unix seconds, got {text[:80]!r}", param, ctx
            )
        if when.tzinfo is None:
            self.fail(f"expected a time zone, such as {text}Z or {text}+01:00, got {text!r}", param, ctx)
        return when.timestamp()


class Words(click.ParamType[str]):
    """What somebody says, or is called: some text."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not text.strip():
            self.fail("expected a text, got an empty one", param, ctx)
        # What is not UTF-8 on a command line comes as surrogates, which nothing can be made of.
        if not text.isascii() and text != text.encode(errors="replace").decode():
            self.fail("expected a text in UTF-8", param, ctx)
        return text


class Origin(click.ParamType[str]):
    """Where a server is: scheme, host and perhaps a port."""

    name = "url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            parts = urlsplit(text)
            is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_one = False
        if not is_one or parts.path not in ("", "/") or parts.query or parts.fragment:
            self.fail(f"expected an address such as http://127.0.0.1:8080, got {text[:80]!r}", param, ctx)
        return text.rstrip("/")
