"""Spans of time in words: "20 minutes", "an hour and a half", "1 h 30", "half an hour".  Pure."""

from __future__ import annotations

import re

import msgspec

from gateway.demo.language.text import NUMBERS

__all__ = ["Span", "span_in", "span_text"]

_WORDS = NUMBERS | {
    "a": 1, "an": 1, "fifteen": 15, "thirty": 30, "forty": 40, "forty five": 45, "fifty": 50, "sixty": 60,
    "ninety": 90,
}  # fmt: skip
_NUMBER = "|".join(sorted(_WORDS, key=len, reverse=True))
_UNITS = {"h": 3_600, "m": 60, "s": 1}
_UNIT = r"(?P<{0}>h|hr|hrs|hours?|m|mins?|minutes?|s|secs?|seconds?)"
_HALF = re.compile(r"\b(?:half an?|half) (?P<unit>hour|minute)\b|\bquarter of an (?P<quarter>hour)\b")
_PIECE = re.compile(
    # Only digits stand close to their unit: "am" is no minute.
    rf"\b(?:(?P<word>{_NUMBER})(?P<before> and a half)?(?: more)? |(?P<digits>\d{{1,5}})(?: more)? ?)"
    rf"{_UNIT.format('unit')}\b(?P<after> and a half)?(?: and)?"
)


class Span(msgspec.Struct, frozen=True):
    """How long, and the sentence without the words that said so.  0: it says nothing."""

    seconds: int
    rest: str


def span_in(sentence: str) -> Span:
    """Return the span that *sentence* (plain words) names; several that follow one another are added up."""
    total, rest = 0.0, sentence
    half = _HALF.search(rest)
    if half:
        total += _UNITS[half["unit"][0]] / 2 if half["unit"] else 900
        rest = _cut(rest, half)
    for _ in range(3):
        found = _PIECE.search(rest)
        if not found:
            break
        unit = _UNITS[found["unit"][0]]
        number = int(found["digits"]) if found["digits"] else _WORDS[found["word"]]
        total += (number + (0.5 if found["before"] or found["after"] else 0)) * unit
        rest = _cut(rest, found)
    return Span(round(total), rest)


def span_text(seconds: float) -> str:
    """Return so many *seconds* as somebody says them: ``1 hour 5 minutes``, to the second below two minutes."""
    whole = max(0, round(seconds))
    if whole < 120:
        minutes, rest = divmod(whole, 60)
        return " ".join(filter(None, (_some(minutes, "minute"), _some(rest, "second")))) or "0 seconds"
    hours, minutes = divmod(round(whole / 60), 60)
    return " ".join(filter(None, (_some(hours, "hour"), _some(minutes, "minute"))))


def _some(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}" if number else ""


def _cut(sentence: str, found: re.Match[str]) -> str:
    return f"{sentence[: found.start()].strip()} {sentence[found.end() :].strip()}".strip()
