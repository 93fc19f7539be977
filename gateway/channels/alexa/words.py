"""What was said, of an intent and its slots.

Alexa gives no text, only what it understood.  A slot that takes whatever was said (``text_slots`` of the account) is
the text.  Otherwise the intent's name is read as words, with the slots behind them: ``AMAZON.YesIntent`` says "yes",
and ``OrderDrinkIntent`` with ``negroni`` in it says "order drink negroni".  Name and slots travel beside the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from gateway.channels.alexa.payloads import Intent, Resolutions, Slot, SlotValue
from gateway.domain.text import clean

__all__ = ["STOPS", "arguments", "said"]

#: [D] "must end the session": https://developer.amazon.com/docs/alexa/custom-skills/standard-built-in-intents.html
STOPS = frozenset({"AMAZON.StopIntent", "AMAZON.NavigateHomeIntent"})
#: Alexa's own word for "I did not understand that": nothing was said that anybody could read.
_NOTHING = "AMAZON.FallbackIntent"
_PREFIX = "AMAZON."
_SUFFIX = re.compile(r"(?<=.)_?Intent$")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
#: A list's values nest by one; more is nobody's.
_VALUES_DEPTH_MAX = 3


def said(intent: Intent, slots: Mapping[str, str], text_slots: Iterable[str]) -> str:
    """Return the words of *intent*, whose filled slots are *slots*."""
    for name in text_slots:
        if slots.get(name):
            return slots[name]
    if intent.name == _NOTHING:
        return ""
    name = _SUFFIX.sub("", intent.name.removeprefix(_PREFIX))
    return " ".join([*(word.lower() for word in _WORD.findall(clean(name))), *slots.values()])


def arguments(intent: Intent) -> dict[str, str]:
    """Return what the slots hold: the word of the skill's model where there is one, else what was heard."""
    filled = ((name, ", ".join(_values(slot))) for name, slot in (intent.slots or {}).items())
    return {clean(name): clean(value) for name, value in filled if value}


def _values(slot: Slot) -> Iterator[str]:
    if slot.slot_value is not None and slot.slot_value.values:
        yield from _several(slot.slot_value, _VALUES_DEPTH_MAX)
    elif value := _resolved(slot.resolutions) or slot.value:
        yield value


def _several(filled: SlotValue, depth: int) -> Iterator[str]:
    if filled.values and depth:
        for each in filled.values:
            yield from _several(each, depth - 1)
    elif value := _resolved(filled.resolutions) or filled.value:
        yield value


def _resolved(resolutions: Resolutions | None) -> str:
    for authority in resolutions.resolutions_per_authority if resolutions else ():
        if authority.status.code == "ER_SUCCESS_MATCH" and authority.values:
            return authority.values[0].value.name
    return ""
