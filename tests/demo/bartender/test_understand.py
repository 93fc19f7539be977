"""What guests say, and what it means."""

from __future__ import annotations

import pytest

from gateway.demo.bartender.catalogue.load import Catalogue
from gateway.demo.bartender.hearing.intent import ACTS, Intent, Which
from gateway.demo.bartender.hearing.lexicon import Lexicon
from gateway.demo.bartender.hearing.table import TABLE
from gateway.demo.bartender.hearing.understand import understand
from gateway.demo.wire import Message


@pytest.fixture(scope="module")
def lexicon(catalogue: Catalogue) -> Lexicon:
    return Lexicon(catalogue)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        # What is at hand
        ("I have gin, lemon and honey", Intent("have", ingredients=("gin", "lemon juice", "honey"))),
        ("gin lemon", Intent("have", ingredients=("gin", "lemon juice"))),
        (
            "i've got some whisky, limes & bitters!",
            Intent("have", ingredients=("whiskey", "lime", "bitters")),
        ),
        ("what can I make with gin and campari", Intent("have", ingredients=("gin", "Campari"))),
        ("I also have mint", Intent("have", ingredients=("mint",), extends=True)),
        (
            "hi there, I have vodka and lime but no ginger beer",
            Intent("have", ingredients=("vodka", "lime"), without=("ginger beer",)),
        ),
        # What is wanted
        ("what can I make with rum", Intent("wish", ingredients=("rum",))),
        ("something with gin and campari", Intent("wish", ingredients=("gin", "Campari"))),
        ("something refreshing", Intent("wish", tags=("refreshing",))),
        ("It's so hot today", Intent("wish", tags=("refreshing",))),
        ("show me mocktails", Intent("wish", alcohol_free=True)),
        ("something without alcohol", Intent("wish", alcohol_free=True)),
        ("something fruitier", Intent("wish", tags=("fruity",), extends=True)),
        ("a creamy drink for three people", Intent("wish", tags=("creamy",), glasses=3)),
        ("surprise me with something bitter", Intent("surprise", tags=("bitter",))),
        ("invent one for me", Intent("invent")),
        ("make me something new with gin", Intent("invent", ingredients=("gin",))),
        # Going on
        ("something sweeter", Intent("adjust", direction="sweeter")),
        ("a bit less sweet please", Intent("adjust", direction="drier")),
        ("too strong", Intent("adjust", direction="lighter")),
        ("another one", Intent("another")),
        ("something else please", Intent("another")),
        ("more", Intent("another")),
        ("how do I make the second one", Intent("make", which=Which(place=2))),
        ("2", Intent("make", which=Which(place=2))),
        ("what's the last one?", Intent("show", which=Which(place=-1))),
        ("without egg", Intent("without", without=("egg",))),
        ("no egg or cream please", Intent("without", without=("egg", "cream"))),
        ("make it non-alcoholic", Intent("without", alcohol_free=True)),
        ("for four people", Intent("serve", glasses=4)),
        ("make it a double", Intent("serve", glasses=2)),
        ("make it for 6", Intent("serve", glasses=6)),
        ("Why?", Intent("why")),
        ("but why that one", Intent("why")),
        ("show me the list again", Intent("list")),
        # A drink by name
        ("what is a negroni", Intent("show", drinks=("negroni",), which=Which("negroni"))),
        ("NEGRONI", Intent("show", drinks=("negroni",), which=Which("negroni"))),
        ("how do you make a margerita?", Intent("make", drinks=("margarita",), which=Which("margarita"))),
        ("a dacquiri please", Intent("make", drinks=("daiquiri",), which=Which("daiquiri"))),
        ("piña colada recipe", Intent("make", drinks=("pina-colada",), which=Which("pina-colada"))),
        ("bees knees", Intent("show", drinks=("bees-knees",), which=Which("bees-knees"))),
        (
            "difference between a negroni and an americano",
            Intent("compare", drinks=("negroni", "americano"), which=Which("negroni")),
        ),
        (
            "a negroni without alcohol",
            Intent("without", drinks=("negroni",), alcohol_free=True, which=Which("negroni")),
        ),
        ("virgin mojito", Intent("show", drinks=("nojito",), which=Which("nojito"))),
        ("what can I use instead of triple sec", Intent("substitute", ingredients=("triple sec",))),
        # About the guest
        ("I don't like campari", Intent("dislike", ingredients=("Campari",))),
        ("i hate gin and whiskey", Intent("dislike", ingredients=("gin", "whiskey"))),
        ("I love smoky", Intent("like", tags=("smoky",))),
        ("I like it", Intent("like")),
        ("forget that I don't like campari", Intent("allow", ingredients=("Campari",))),
        ("I'm allergic to nuts", Intent("avoid", diets=("nuts",))),
        ("I am vegan", Intent("avoid", diets=("vegan",))),
        (
            "allergic to nuts, gluten and pineapple",
            Intent("avoid", ("pineapple juice",), diets=("nuts", "gluten")),
        ),
        ("I'm allergic to ginger beer", Intent("avoid", ingredients=("ginger beer",))),
        ("what do you know about me", Intent("know_me")),
        ("forget me", Intent("forget_me")),
        ("I'm driving", Intent("care", topic="driving")),
        ("i don't drink", Intent("care", topic="sober")),
        ("use ounces", Intent("units", topic="oz")),
        # Manners
        ("Good evening!", Intent("greet")),
        ("thanks a lot", Intent("thanks")),
        ("bye", Intent("goodbye")),
        ("yes please", Intent("yes")),
        ("no thanks", Intent("no")),
        ("help", Intent("help")),
        ("", Intent("nothing")),
        ("   \n", Intent("nothing")),
        ("who won the match?", Intent("unknown")),
        ("maybe later", Intent("no")),
    ],
)
def test_a_sentence_means(text: str, intent: Intent, lexicon: Lexicon) -> None:
    """Each of these is understood as written beside it, in whatever spelling."""
    assert understand(Message("text", text), lexicon) == intent


@pytest.mark.parametrize(
    "word", ["later", "house", "beach", "wonder", "kitchen", "brand", "water", "course", "mind"]
)
def test_ordinary_words_are_no_drinks(word: str, lexicon: Lexicon) -> None:
    """The correction of typos leaves ordinary words alone, even those that look like a bottle."""
    found = understand(Message("text", f"xx {word} xx"), lexicon)

    assert found.ingredients in ((), ("water",))
    assert found.drinks == ()


@pytest.mark.parametrize(
    ("message", "intent"),
    [
        (Message("tap", value="make:negroni"), Intent("make", which=Which("negroni"))),
        (Message("tap", value="serve:negroni:4"), Intent("serve", which=Which("negroni"), glasses=4)),
        (Message("tap", value="serve:negroni:-4"), Intent("serve", which=Which("negroni"))),
        (Message("tap", value="serve:negroni:٤"), Intent("serve", which=Which("negroni"))),
        (Message("tap", value="Surprise me"), Intent("surprise")),
        (Message("command", "gin lemon", name="/drink"), Intent("have", ingredients=("gin", "lemon juice"))),
        (Message("command", "", name="/drink"), Intent("help")),
        (Message("speech", "surprise me"), Intent("surprise")),
        (Message("attachment"), Intent("cannot_see")),
        (
            Message("attachment", "what is a negroni"),
            Intent("show", drinks=("negroni",), which=Which("negroni")),
        ),
        (Message("event", name="session_started"), Intent("greet")),
        (Message("event", name="session_ended"), Intent("goodbye")),
        (Message("hologram", "help"), Intent("help")),
    ],
)
def test_other_messages_mean(message: Message, intent: Intent, lexicon: Lexicon) -> None:
    """Taps, commands, speech, attachments and events; an unknown kind is read by its text."""
    assert understand(message, lexicon) == intent


def test_only_the_beginning_of_a_long_story_is_read(lexicon: Lexicon) -> None:
    """Reading is bounded: what stands behind 400 characters is not heard."""
    assert understand(Message("text", "x " * 250 + "negroni"), lexicon) == Intent("unknown")


def test_the_table_names_only_acts_that_exist() -> None:
    """A line of the table that nobody answers would end in a KeyError at the bar."""
    assert {line.act for line in TABLE} <= ACTS
