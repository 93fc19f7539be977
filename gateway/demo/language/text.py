"""Plain words out of anything that was typed: case, accents, apostrophes and plurals do not matter, nor do curses."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["CHARS_MAX", "NUMBERS", "ORDINALS", "plain", "singular", "singular_words"]

#: Characters of a message that are read; a longer story is understood by its beginning.
CHARS_MAX = 400

NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "a dozen": 12, "twenty": 20,
}  # fmt: skip
ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "6th": 6, "7th": 7, "8th": 8, "last": -1,
}  # fmt: skip

_APOSTROPHES = re.compile(r"['’`´ʼ]")
_NO_WORD = re.compile(r"[^a-z0-9]+")
#: Said to nobody: who asks what the hell is in it, asks what is in it.
_CURSES = re.compile(r"\b(?:the (?:fuck|hell|heck)|(?:mother)?fuckin[g]?|freaking|damn(?:ed)?|goddamn(?:ed)?) (?=\w)")
_THUMBS = str.maketrans({"👍": " yes ", "👎": " no "})
#: What is typed by who types little.
_SHORT = {
    "gimme": "give me", "lemme": "let me", "wanna": "want to", "pls": "please", "plz": "please", "thx": "thanks",
    "ty": "thanks", "k": "ok", "kk": "ok", "nvm": "never mind", "idk": "i dont know", "dunno": "i dont know",
    "sth": "something", "smth": "something", "wtf": "what", "u": "you", "nope": "no", "nah": "no",
}  # fmt: skip
#: Singular as they are, or another word without their s.
_WHOLE = frozenset(
    {"bitters", "schnapps", "cassis", "molasses", "swiss", "this", "is", "was", "has", "us", "yes"}
)


def plain(text: str) -> str:
    """Return *text* as lower-case ASCII words with single spaces between them, cut at :data:`CHARS_MAX`."""
    lowered = text[:CHARS_MAX].casefold().translate(_THUMBS)
    if not lowered.isascii():
        lowered = unicodedata.normalize("NFKD", lowered)
        lowered = "".join(char for char in lowered if not unicodedata.combining(char))
    words = _NO_WORD.sub(" ", _APOSTROPHES.sub("", lowered).replace("&", " and ")).strip()
    return _CURSES.sub("", " ".join([_SHORT.get(word, word) for word in words.split(" ")]))


def singular(word: str) -> str:
    """Return the singular of an English *word*, or something that both sides of a comparison agree on."""
    if len(word) < 4 or not word.endswith("s") or word in _WHOLE or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("oes", "shes", "ches", "xes", "sses")):
        return word[:-2]
    return word[:-1]


def singular_words(text: str) -> tuple[str, ...]:
    """Return the words of *text*, plain and singular."""
    return tuple(map(singular, plain(text).split()))
