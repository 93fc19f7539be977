"""From a message to an intent: taps and commands by their form, everything else by what is said in it."""

from __future__ import annotations

import re

import msgspec

from gateway.demo.bartender.hearing.intent import Act, Diet, Direction, Intent, Which
from gateway.demo.bartender.hearing.lexicon import Lexicon
from gateway.demo.bartender.hearing.modifiers import direction_in, glasses_in, which_in, without_in
from gateway.demo.bartender.hearing.phrase import Phrase
from gateway.demo.bartender.hearing.table import IN_PASSING, OF_DRINKS, OF_DRINKS_LATER, OF_GUEST
from gateway.demo.language.sayings import compiled
from gateway.demo.language.text import plain, singular
from gateway.demo.wire import Message

__all__ = ["understand"]

#: Words of a sentence that are read.
WORDS_MAX = 60

#: The part of a tap's value before the colon, and the act that it stands for.
_TAPS: dict[str, Act] = {
    "make": "make",
    "show": "show",
    "another": "another",
    "reject": "reject",
    "serve": "serve",
    "like": "like",
}
_EXTENDS = compiled(
    """
    ^ and/also/plus/add/oh_and/what_if/what_about
    also
    as well
    too $
    """
)
_MAKE_WITH = compiled("what ... make/mix/do/prepare/shake/have ... with\n use")
_ANY_WISH = compiled(
    "something/anything/mocktail/mocktails/drinks/drink/cocktail/cocktails/what/which/any/options"
)
_POLITE = re.compile(
    r"^(?:(?:hello|hi|hey|good (?:morning|afternoon|evening)|please|bartender|ok|okay|well|so|um|oh|yes) )+(?=\w)"
)
_DIETS: tuple[tuple[Diet, str], ...] = (
    ("vegan", "vegan"),
    ("vegetarian", "vegetarian"),
    ("alcohol", "alcohol halal"),
    ("egg", "egg eggs"),
    ("milk", "milk dairy lactose"),
    ("nuts", "nut nuts almond almonds"),
    ("gluten", "gluten wheat celiac coeliac"),
    ("fish", "fish anchovy anchovies"),
    ("honey", "honey"),
)
#: Said with a direction ("less sweet"), these are the direction itself and no wish of their own.
_AXES = frozenset({"sweet", "sour", "bitter", "strong", "light"})
_DIET_WORDS = {word: diet for diet, words in _DIETS for word in words.split()}
#: "More" of these, or their comparative, adds to what was wished before.
_COMPARATIVES = {
    "fruitier": "fruity", "creamier": "creamy", "smokier": "smoky", "spicier": "spicy", "fresher": "refreshing",
    "hotter": "hot", "warmer": "hot", "fizzier": "sparkling", "longer": "sparkling", "simpler": "classic",
}  # fmt: skip


class _Heard(msgspec.Struct, frozen=True):
    """A sentence taken apart."""

    sentence: str
    ingredients: tuple[str, ...]
    drinks: tuple[str, ...]
    tags: tuple[str, ...]
    without: tuple[str, ...]
    alcohol_free: bool
    glasses: int
    which: Which
    direction: Direction | None
    more: bool

    def has(self, needs: str) -> bool:
        """Whether what a phrase needs was named."""
        if not needs:
            return True
        contents = bool(self.ingredients) or not _DIET_WORDS.keys().isdisjoint(self.sentence.split())
        subjects = bool(self.ingredients or self.drinks or self.tags)
        met = {
            "no names": not subjects,
            "subjects": subjects,
            "contents": contents,
            "contents of a drink": contents and bool(self.drinks),
            "ingredients": bool(self.ingredients),
            "drink": bool(self.drinks),
            "two drinks": len(self.drinks) > 1,
            "no drink": not self.drinks,
        }
        return met[needs]


def understand(message: Message, lexicon: Lexicon) -> Intent:
    """Return what *message* means.  Never raises: what is not understood is an intent too."""
    match message.kind:
        case "event":
            ended = "end" in message.name.lower()
            return Intent("goodbye" if ended else "greet")
        case "attachment" if not message.text.strip():
            return Intent("cannot_see")
        case "tap":
            return _tapped(message, lexicon)
        case "command":
            intent = _said(message.text, lexicon)
            return Intent("help") if intent.act == "nothing" else intent
    return _said(message.text, lexicon)


def _tapped(message: Message, lexicon: Lexicon) -> Intent:
    verb, _, subject = message.value.partition(":")
    act = _TAPS.get(verb)
    if act is None:
        # A control that is not ours, or of an older version: what stands on it says what it was for.
        return _said(message.text or message.value or message.name, lexicon)
    slug, _, glasses = subject.partition(":")
    count = int(glasses) if glasses.isascii() and glasses.isdigit() and len(glasses) < 4 else 0
    return Intent(act, which=Which(slug=slug[:80]), glasses=count)


def _said(text: str, lexicon: Lexicon) -> Intent:
    words = lexicon.corrected(plain(text).split()[:WORDS_MAX])
    sentence = " ".join(words)
    if not sentence:
        return Intent("nothing")
    heard = _take_apart(sentence, lexicon)
    whole = _first(OF_GUEST, sentence, heard)
    if whole:
        return _intent(whole.act, heard, whole.topic)
    rest = _POLITE.sub("", heard.sentence)
    phrase = _first(OF_DRINKS, rest, heard)
    if phrase:
        return _intent(phrase.act, heard, phrase.topic)
    return _by_what_was_named(rest, heard)


def _take_apart(sentence: str, lexicon: Lexicon) -> _Heard:
    glasses, rest = glasses_in(sentence)
    direction = direction_in(rest)
    excluded = without_in(rest, lexicon)
    words = [singular(word) for word in excluded.rest.split()]
    names = [named.name for named in lexicon.names_in(words)]
    drinks = tuple(dict.fromkeys(name.value for name in names if name.kind == "drink"))
    tags = dict.fromkeys(name.value for name in names if name.kind == "tag")
    tags |= dict.fromkeys(_COMPARATIVES[word] for word in words if word in _COMPARATIVES)
    ignored = _AXES if direction else frozenset[str]()
    # "Less sugar" is a direction, and no wish for what has some.
    sugar = direction in ("drier", "sweeter") and "sugar" in words
    alcohol_free = excluded.alcohol or "non-alcoholic" in tags
    return _Heard(
        sentence=excluded.rest,
        ingredients=tuple(
            dict.fromkeys(
                name.value
                for name in names
                if name.kind == "ingredient" and not (sugar and name.value == "sugar syrup")
            )
        ),
        drinks=drinks,
        tags=tuple(tag for tag in tags if tag not in ("non-alcoholic", "alcohol", *ignored)),
        without=excluded.names,
        alcohol_free=alcohol_free,
        glasses=glasses,
        which=Which() if drinks else which_in(excluded.rest),
        direction=direction,
        more="more" in words or any(word in _COMPARATIVES for word in words),
    )


def _first(table: tuple[Phrase, ...], sentence: str, heard: _Heard) -> Phrase | None:
    return next((line for line in table if heard.has(line.needs) and line.fits(sentence)), None)


def _by_what_was_named(sentence: str, heard: _Heard) -> Intent:
    """Decide by names, quantities and directions, now that no particular phrase has."""
    if heard.direction and not heard.ingredients and not heard.drinks:
        return _intent("adjust", heard)
    if heard.drinks:
        return _intent("without" if heard.alcohol_free or heard.without else "show", heard)
    wished = _ANY_WISH.search(f" {sentence} ") is not None
    if (heard.alcohol_free or heard.without) and not (heard.ingredients or heard.tags or wished):
        return _intent("without", heard)
    later = _first(OF_DRINKS_LATER, sentence, heard)
    if later and not (later.act == "show" and heard.which.place == 0 and wished):
        return _intent(later.act, heard)
    if heard.which.place and not heard.ingredients:
        return _intent("make", heard)
    if heard.ingredients or heard.tags or heard.alcohol_free:
        having = len(heard.ingredients) > 1 and _stands_for_having(sentence, heard)
        return _intent("have" if having else "wish", heard)
    passing = _first(IN_PASSING, sentence, heard)
    if passing:
        return _intent(passing.act, heard, passing.topic)
    return _intent("serve" if heard.glasses else "unknown", heard)


def _stands_for_having(sentence: str, heard: _Heard) -> bool:
    """Whether several ingredients are what is at hand, rather than what the drink shall contain."""
    return _MAKE_WITH.search(f" {sentence} ") is not None or (
        not heard.tags and "with" not in sentence.split()
    )


def _intent(act: Act, heard: _Heard, topic: str = "") -> Intent:
    if act == "make" and heard.glasses and not heard.drinks and not heard.which.place:
        act = "serve"
    return Intent(
        act,
        ingredients=heard.ingredients,
        drinks=heard.drinks,
        tags=heard.tags,
        without=heard.without,
        alcohol_free=heard.alcohol_free,
        extends=act in ("have", "wish")
        and (heard.more or _EXTENDS.search(f" {heard.sentence} ") is not None),
        glasses=heard.glasses,
        which=Which(slug=heard.drinks[0]) if heard.drinks else heard.which,
        direction=heard.direction,
        diets=_diets(heard) if act in ("avoid", "suits") else (),
        topic=topic,
    )


def _diets(heard: _Heard) -> tuple[Diet, ...]:
    """Return all that must be avoided: an allergy overheard is worse than one too many."""
    named = [_DIET_WORDS[word] for word in heard.sentence.split() if word in _DIET_WORDS]
    if heard.alcohol_free:
        named.append("alcohol")
    return tuple(dict.fromkeys(named))
