"""From a message to an intent: taps by their form, everything else by what is said in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from gateway.demo.language.sayings import compiled
from gateway.demo.language.text import NUMBERS, ORDINALS, plain
from gateway.demo.tasted.hearing.intent import Act, Intent
from gateway.demo.tasted.hearing.lexicon import Lexicon, Named
from gateway.demo.tasted.hearing.spans import span_in
from gateway.demo.tasted.hearing.table import TABLE, Line
from gateway.demo.tasted.hearing.timer_names import timer_name_in
from gateway.demo.wire import Message

__all__ = ["SERVES_MAX", "understand"]

#: Words of a sentence that are read.
WORDS_MAX = 60
#: More people than these and it is a canteen; the answer says so.
SERVES_MAX = 100

#: The part of a tap's value before the colon, and the act that it stands for.
_TAPS: Mapping[str, Act] = {
    "show": "show",
    "cook": "cook",
    "step": "step",
    "timer": "timer",
    "favourite": "favourite",
    "done": "done",
}
_COUNT = "|".join([*NUMBERS, r"\d{1,4}"])
_SERVES = re.compile(
    rf"\b(?:for|serves?|feeds?) (?:about |all |the )?(?P<a>{_COUNT})"
    r"(?: (?:people|persons?|guests?|friends?|of us|servings?))?\b"
    rf"|\b(?P<b>{_COUNT}) (?:people|persons?|guests?|servings?|portions?)\b"
)
_STEP = re.compile(rf"\bstep (?P<number>{_COUNT})\b")
_PLACE = re.compile(
    rf"\b(?:the )?(?P<ordinal>{'|'.join(ORDINALS)})(?: (?:one|recipe|dish))?\b"
    rf"|\b(?:number|option|no) (?P<number>{_COUNT})\b|^(?P<bare>\d{{1,2}})$"
)
_WITHOUT = re.compile(
    r"\b(?:without(?: any)?|leave out(?: the)?|skip the|minus|free of"
    r"|(?:i )?(?:dont|do not|havent|have not) (?:have|got|want)(?: any)?|(?:i )?have no"
    r"|(?:i )?(?:ran|am|im|were) out of"
    r"|no more|no|not) (?=\w)"
)
_JOINERS = frozenset({"and", "or", "any", "the", "a", "an", "no", "nor", "my", "of", "fresh", "some"})
_HAVING = compiled(
    """
    i/we [also/only/just/still]* have/got
    ive/weve/theres/i_have/we_have/there_is/there_are
    what ... cook/make/do/bake ... with/from/of
    use up
    leftover/left_over
    in my/the fridge
    """
)
_EXTENDS = compiled("^ and/also/plus\n also\n as well\n too $")
_ASKS = compiled("something/anything/what/recipe/recipes/idea/ideas")
_QUICK = compiled("quick/quickly/fast/hurry/short/in_no_time/little_time")


class _Heard(msgspec.Struct, frozen=True):
    """A sentence taken apart."""

    sentence: str
    names: tuple[Named, ...]
    without: tuple[str, ...]
    serves: int
    seconds: int

    def of(self, *kinds: str) -> tuple[str, ...]:
        """Return the values of the names of *kinds*, each once."""
        return tuple(dict.fromkeys(named.value for named in self.names if named.kind in kinds))

    def has(self, needs: str) -> bool:
        """Whether what a line needs was named."""
        match needs:
            case "nothing":
                return not self.names
            case "recipe":
                return bool(self.of("recipe"))
            case "no recipe":
                return not self.of("recipe")
            case "ingredient":
                return bool(self.of("ingredient"))
            case "subject":
                return bool(self.of("ingredient", "diet", "content") or self.without)
            case "time":
                return self.seconds > 0
        return True


def understand(message: Message, lexicon: Lexicon) -> Intent:
    """Return what *message* means.  Never raises: what is not understood is an intent too."""
    match message.kind:
        case "event":
            return Intent("goodbye" if "end" in message.name.lower() else "greet")
        case "attachment" if not message.text.strip():
            return Intent("cannot_see")
        case "tap":
            return _tapped(message, lexicon)
        case "command" if not message.text.strip():
            return Intent("help")
    return _said(message.text, lexicon)


def _tapped(message: Message, lexicon: Lexicon) -> Intent:
    verb, _, subject = message.value.partition(":")
    act = _TAPS.get(verb)
    if act is None:
        # A control that is not ours, or of an older version: what stands on it says what it was for.
        return _said(message.text or message.value or message.name, lexicon)
    slug, _, number = subject.partition(":")
    figure = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
    return Intent(act, recipe=slug[:80], number=figure)


def _said(text: str, lexicon: Lexicon) -> Intent:
    words = plain(text).split()[:WORDS_MAX]
    if not words:
        return Intent("nothing")
    intent = _read(words, lexicon)
    if intent.act == "unknown" or (intent.act == "find" and not _narrows(intent)):
        again = _read(lexicon.corrected(words), lexicon)
        if again.act != "unknown" and _narrows(again):
            return again
    return intent


def _narrows(intent: Intent) -> bool:
    return bool(intent.recipe or intent.ingredients or intent.tags or intent.diets or intent.without)


def _read(words: Sequence[str], lexicon: Lexicon) -> Intent:
    heard = _take_apart(" ".join(words), lexicon)
    sentence = heard.sentence
    step = _STEP.search(sentence)
    if step:
        number = NUMBERS.get(step["number"]) or int(step["number"])
        return Intent("step", number=min(number, 1_000))
    line = _first(heard)
    place = 0 if heard.of("recipe") else _place_in(sentence)
    act = line.act if line else "unknown"
    if act in ("find", "unknown"):
        act = _by_what_was_named(heard, place, act)
    return _intent(act, heard, place)


def _by_what_was_named(heard: _Heard, place: int, act: Act) -> Act:
    """Decide by names and quantities, now that no particular saying has."""
    asked = act == "find"
    if heard.of("recipe"):
        return "without" if heard.without else "show"
    if place and not heard.names:
        return "show"
    if heard.without and not heard.names and not asked:
        return "without"
    if heard.names or heard.without or (asked and heard.seconds) or _QUICK.search(f" {heard.sentence} "):
        return "find"
    if heard.serves and not asked:
        return "serve"
    # "Ten minutes", and nothing else.
    return "timer" if heard.seconds and not asked else act


def _take_apart(sentence: str, lexicon: Lexicon) -> _Heard:
    span = span_in(sentence)
    serves, rest = _serves_in(span.rest)
    without, rest = _without_in(rest, lexicon)
    return _Heard(rest, lexicon.names_in(rest.split()), without, serves, span.seconds)


def _serves_in(sentence: str) -> tuple[int, str]:
    found = _SERVES.search(sentence)
    if not found:
        return 0, sentence
    said = found["a"] or found["b"]
    number = NUMBERS.get(said) or int(said)
    return min(number, SERVES_MAX + 1), f"{sentence[: found.start()].strip()} {sentence[found.end() :].strip()}".strip()


def _without_in(sentence: str, lexicon: Lexicon) -> tuple[tuple[str, ...], str]:
    """Return what *sentence* wants left out, and the rest of it: "no egg or cream", "without nuts"."""
    found = _WITHOUT.search(sentence)
    if not found:
        return (), sentence
    clause = sentence[found.end() :].split()
    names: list[str] = []
    used = 0
    for named in lexicon.names_in(clause):
        if named.kind not in ("ingredient", "content") or not _JOINERS.issuperset(clause[used : named.start]):
            break
        names.append(named.value)
        used = named.end
    if not names:
        return (), sentence
    return tuple(names), f"{sentence[: found.start()].strip()} {' '.join(clause[used:])}".strip()


def _place_in(sentence: str) -> int:
    found = _PLACE.search(sentence)
    if not found:
        return 0
    if found["ordinal"]:
        return ORDINALS[found["ordinal"]]
    said = found["number"] or found["bare"]
    return NUMBERS.get(said) or int(said)


def _first(heard: _Heard) -> Line | None:
    return next((line for line in TABLE if heard.has(line.needs) and line.fits(heard.sentence)), None)


def _intent(act: Act, heard: _Heard, place: int) -> Intent:
    subjects = heard.of("diet", "content", "ingredient")
    padded = f" {heard.sentence} "
    return Intent(
        act,
        recipe=next(iter(heard.of("recipe")), ""),
        # Who asks for shellfish wants a dish that has some.
        ingredients=heard.of("ingredient", "content") if act == "find" else heard.of("ingredient"),
        without=heard.without,
        avoided=tuple(dict.fromkeys((*subjects, *heard.without))) if act in ("avoid", "allow", "suits") else (),
        tags=heard.of("tag"),
        diets=heard.of("diet"),
        quick=_QUICK.search(padded) is not None,
        having=_HAVING.search(padded) is not None,
        extends=_EXTENDS.search(padded) is not None,
        serves=heard.serves,
        place=place,
        seconds=heard.seconds,
        name=timer_name_in(heard.sentence) if act in ("timer", "timers", "timer_off") else "",
        anew=_ASKS.search(padded) is not None,
        everything=act == "timer_off" and {"all", "timers", "every", "everything"} & set(padded.split()) != set(),
    )
