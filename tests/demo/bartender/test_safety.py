"""What a guest must not have is never offered, however the evening goes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.bartender.bartender import Bartender
from gateway.demo.bartender.catalogue.drink import Drink
from gateway.demo.bartender.catalogue.load import load_catalogue
from gateway.demo.bartender.session import INVENTED, restored
from tests.demo.bartender.guests import Guest

CATALOGUE = load_catalogue()
BARTENDER = Bartender(CATALOGUE)

ALLERGENS = {"egg": "egg", "milk": "milk", "nuts": "nuts", "gluten": "gluten"}
#: Ways of getting a drink that nobody named.
OFFERS = (
    "surprise me", "another one", "more", "something sweeter", "something creamy", "something stronger", "a hot drink",
    "invent one for me", "I have rum, lime, cream, milk and orgeat", "I have gin, lemon and honey", "yes", "no",
    "show me mocktails", "not for me", "without honey", "what can I make with whiskey", "something bitter", "less sour",
    "what can I make with amaretto", "I like cream", "recommend one",
)  # fmt: skip


def offered(guest: Guest) -> list[Drink]:
    """Return the drinks that the guest was last offered without having named one."""
    session = restored(guest.state)
    slugs = [session.current] if session.current else list(session.results)
    return [session.invented if slug == INVENTED else CATALOGUE.drinks[slug] for slug in slugs]  # type: ignore[misc]


@given(allergen=st.sampled_from(sorted(ALLERGENS)), said=st.lists(st.sampled_from(OFFERS), max_size=12))
@settings(max_examples=80, deadline=None)
def test_an_allergy_is_obeyed(allergen: str, said: list[str]) -> None:
    """No offer of any kind needs an ingredient that contains what the guest is allergic to."""
    guest = Guest(BARTENDER)
    forbidden = CATALOGUE.shelf.containing(allergen)
    guest.says(f"I am allergic to {allergen}")
    for text in said:
        guest.says(text)
        for drink in offered(guest):
            assert forbidden.isdisjoint(drink.needs), (text, drink.name)


@given(said=st.lists(st.sampled_from(OFFERS), max_size=12), new_conversation=st.booleans())
@settings(max_examples=80, deadline=None)
def test_who_drinks_no_alcohol_is_offered_none(said: list[str], new_conversation: bool) -> None:
    """Said once, it holds in every later conversation, for offers of every kind."""
    guest = Guest(BARTENDER)
    guest.says("I don't drink alcohol")
    if new_conversation:
        guest.leave()
    for text in said:
        guest.says(text)
        for drink in offered(guest):
            assert not any(map(CATALOGUE.shelf.alcoholic, drink.needs)), (text, drink.name)


def test_an_allergy_outranks_a_wish() -> None:
    """Asking for a drink by its name shows it, with a warning; liking an ingredient does not lift an allergy to it."""
    guest = Guest(BARTENDER)
    guest.says("I am allergic to nuts")
    guest.says("I love amaretto")

    warned = guest.says("what is an amaretto sour")

    assert "Careful: it has amaretto" in str(warned.reply.parts)
    guest.says("what can I make with amaretto")
    assert all("amaretto" not in drink.needs for drink in offered(guest) if restored(guest.state).results)


def test_an_allergy_to_a_part_is_one_to_the_whole() -> None:
    """Who names cream is kept from milk as well; several allergies in one sentence are all heard."""
    guest = Guest(BARTENDER)
    guest.says("I'm allergic to cream, nuts and gluten")

    assert guest.memory is not None
    assert {"cream", "milk", "nuts", "gluten"} <= set(guest.memory["avoids"])


def test_an_allergic_guest_gets_no_optional_egg() -> None:
    """What is optional in a recipe is left out of it for somebody who must avoid it."""
    guest = Guest(BARTENDER)
    guest.says("I am allergic to egg")

    recipe = guest.says("how do I make a whiskey sour")

    assert "bourbon" in str(recipe.reply.parts)
    assert "egg" not in str(recipe.reply.parts)


def test_the_stand_in_without_alcohol_is_no_danger_either() -> None:
    """What takes a drink's place for those who drink no alcohol obeys allergies like any other offer."""
    guest = Guest(BARTENDER)
    guest.says("I am allergic to milk")
    guest.says("what is a white russian")

    guest.says("make it non-alcoholic")

    assert all("milk" not in drink.needs for drink in offered(guest))
    assert offered(guest)


def test_an_invention_obeys_allergies() -> None:
    """Over many inventions: chance must not find what the guest must avoid."""
    guest = Guest(BARTENDER)
    guest.says("I am allergic to nuts")
    guest.says("I am allergic to milk")
    guest.says("I love creamy")
    forbidden = CATALOGUE.shelf.containing("nuts") | CATALOGUE.shelf.containing("milk")
    for _ in range(60):
        guest.says("invent one for me")
        assert forbidden.isdisjoint(offered(guest)[0].needs)
