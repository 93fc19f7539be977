"""What a timer is called: "a pasta timer", "a timer for the eggs", "remind me to turn the chicken".  Pure."""

from __future__ import annotations

import re

from gateway.demo.language.text import singular

__all__ = ["NAME_CHARS_MAX", "timer_name_in"]

NAME_CHARS_MAX = 40
_TO = re.compile(r"\b(?:remind|tell|call|ping|wake) me (?:in )?(?:to|about|of|that|when) (?P<name>.+)$")
_CALLED = re.compile(
    r"\btimers? (?:please )?(?:called|named|for|of) (?:the |my |a |an )?(?P<name>[a-z0-9]+(?: [a-z0-9]+){0,2})"
)
_BEFORE = re.compile(r"(?P<name>[a-z0-9]+(?: [a-z0-9]+)?) (?:timer|alarm|reminder)s?\b")
_CANCELLED = re.compile(r"^(?:please )?cancel (?:the |my )?(?P<name>[a-z0-9]+(?: [a-z0-9]+){0,2})$")
#: Words that stand near a timer and are no name of one.
_NO_NAME = frozenset(
    re.findall(
        "[a-z]+",
        """
        a all an and another any can cancel clear could delete does end every everything for has how i in is it left
        long many me minute more much my need new no now of off ok okay on one other please put remaining remove run
        second set show start still stop switch that the this time timer timers turn two up want what when
        which with yes you hour
        """,
    )
)


def timer_name_in(sentence: str) -> str:
    """Return what *sentence* (plain words, the span taken out) calls a timer; empty where it says nothing."""
    reminder = _TO.search(sentence)
    if reminder:
        return reminder["name"].removeprefix("the ")[:NAME_CHARS_MAX].strip()
    for pattern in (_CALLED, _BEFORE, _CANCELLED):
        found = pattern.search(sentence)
        if found:
            words = found["name"].split()
            while words and words[0] in _NO_NAME:
                del words[0]
            while words and words[-1] in _NO_NAME:
                words.pop()
            if words:
                # "For the eggs" and "the egg timer" are the same one.
                return " ".join(map(singular, words))[:NAME_CHARS_MAX].strip()
    return ""
