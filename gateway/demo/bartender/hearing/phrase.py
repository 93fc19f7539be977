"""A line of the table of what guests say: the sayings (:mod:`gateway.demo.language.sayings`), and what they mean."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from gateway.demo.bartender.hearing.intent import Act
from gateway.demo.language.sayings import compiled, words_of

__all__ = ["Needs", "Phrase", "phrase"]

#: What must have been named for a line to apply.  "subjects": ingredients, drinks or tastes.  "contents": ingredients,
#: or what some must not have.
Needs = Literal[
    "", "no names", "subjects", "contents", "contents of a drink", "ingredients", "drink", "two drinks", "no drink"
]  # fmt: skip


class Phrase(NamedTuple):
    """What some sayings mean.  ``topic`` tells apart what shares an act."""

    act: Act
    pattern: re.Pattern[str]
    needs: Needs
    topic: str
    #: All words of the sayings: they are known words, and no typos.
    words: frozenset[str]

    def fits(self, sentence: str) -> bool:
        """Whether any of the sayings is in *sentence* (plain words)."""
        return self.pattern.search(f" {sentence} ") is not None


def phrase(act: Act, sayings: str, *, needs: Needs = "", topic: str = "") -> Phrase:
    """Return the line of a table: *sayings*, one to a line, mean *act*."""
    return Phrase(act, compiled(sayings), needs, topic, words_of(sayings))
