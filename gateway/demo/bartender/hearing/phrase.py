"""A small language for ways of saying something, so that a table of them can be read aloud.

A saying is matched anywhere in the sentence, word by word::

    a/b            one of these words; "_" stands for a space in a phrase: good_night
    [a/b]          one of them, or nothing          [a/b]*   any number of them
    ...            any words, or none
    !a/b           not right after one of these words (at the beginning of a saying)
    ^  $           the sentence begins, ends here

Pure: compiled once to regular expressions without nested repetition, so no text can make them slow.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from gateway.demo.bartender.hearing.intent import Act

__all__ = ["Needs", "Phrase", "compiled", "phrase"]

#: What must have been named for a line to apply.  "subjects": ingredients, drinks or tastes.
Needs = Literal["", "no names", "subjects", "ingredients", "drink", "two drinks", "no drink"]
#: Words that "..." may skip.
_SKIPPED_WORDS_MAX = 6
_WORD = re.compile(r"[a-z0-9]+")


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
    return Phrase(act, compiled(sayings), needs, topic, frozenset(_WORD.findall(sayings)))


def compiled(sayings: str) -> re.Pattern[str]:
    """Return *sayings*, one to a line, as one expression over a sentence with a space at both ends."""
    lines = (line.split() for line in sayings.strip().splitlines())
    return re.compile("|".join(_saying(tokens) for tokens in lines if tokens))


def _saying(tokens: list[str]) -> str:
    expression = "^ " if tokens[0] == "^" else "(?<= )"
    for token in tokens:
        if token == "^":
            continue
        if token == "$":
            expression += "$"
        elif token == "...":
            expression += rf"(?:\w+ ){{0,{_SKIPPED_WORDS_MAX}}}?"
        elif token.startswith("!"):
            expression += "".join(f"(?<! {word} )" for word in token[1:].split("/"))
        elif token.startswith("["):
            words, repeat = token[1:].split("]")
            expression += f"(?:{_words(words)} ){repeat or '?'}"
        else:
            expression += f"{_words(token)} "
    return expression


def _words(token: str) -> str:
    words = token.replace("_", " ").split("/")
    return words[0] if len(words) == 1 else f"(?:{'|'.join(words)})"
