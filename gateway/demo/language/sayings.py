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

__all__ = ["compiled", "words_of"]

#: Words that "..." may skip.
_SKIPPED_WORDS_MAX = 6
_WORD = re.compile(r"[a-z0-9]+")


def compiled(sayings: str) -> re.Pattern[str]:
    """Return *sayings*, one to a line, as one expression over a sentence with a space at both ends."""
    lines = (line.split() for line in sayings.strip().splitlines())
    return re.compile("|".join(_saying(tokens) for tokens in lines if tokens))


def words_of(sayings: str) -> frozenset[str]:
    """Return all words of *sayings*: they are known words, and no typos."""
    return frozenset(_WORD.findall(sayings))


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
