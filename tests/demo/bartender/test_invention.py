"""Inventions: new, drinkable, within what the guest may have, and the same again for the same turn."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.demo.bartender.catalogue.drink import TAGS
from gateway.demo.bartender.catalogue.load import load_catalogue
from gateway.demo.bartender.catalogue.profile import profile_of
from gateway.demo.bartender.choosing.ideas import PARTS
from gateway.demo.bartender.choosing.invention import invent
from gateway.demo.bartender.choosing.wish import Wish
from tests.support.examples import examples

CATALOGUE = load_catalogue()
SHELF = CATALOGUE.shelf
SUPPLIES = sorted({name for names in PARTS.values() for name in names})

wishes = st.builds(
    Wish,
    have=st.none() | st.frozensets(st.sampled_from(SUPPLIES)),
    containing=st.lists(st.frozensets(st.sampled_from(SUPPLIES), min_size=1, max_size=2), max_size=2).map(
        tuple
    ),
    barred=st.frozensets(st.sampled_from(SUPPLIES), max_size=12),
    alcohol_free=st.booleans(),
    liked=st.frozensets(st.sampled_from(SUPPLIES), max_size=4),
    liked_tags=st.frozensets(st.sampled_from(TAGS), max_size=3),
    disliked_tags=st.frozensets(st.sampled_from(TAGS), max_size=3),
)


@given(wish=wishes, seed=st.text(max_size=12))
@settings(max_examples=examples(150), deadline=None)
def test_an_invention_is_new_allowed_and_balanced(wish: Wish, seed: str) -> None:
    """Nothing barred in it, no name of the catalogue, and the sour ones neither syrup nor vinegar."""
    invention = invent(CATALOGUE, wish, seed)

    if invention is None:
        assert wish.barred
        return
    drink = invention.drink
    figures = profile_of(drink, SHELF)
    assert wish.barred.isdisjoint(drink.needs)
    assert drink.slug not in CATALOGUE.drinks
    assert len(set(drink.needs)) == len(drink.needs)
    assert not (wish.alcohol_free and figures.alcohol_ml)
    assert 50 <= figures.volume_ml <= 250
    assert figures.strong < 42
    if "sour" in drink.tags:
        assert 0.4 <= figures.sour <= 2.2
        assert -8 <= figures.sweet <= 20
    assert invention == invent(CATALOGUE, wish, seed)


@given(seed=st.integers(min_value=0).map(str))
@settings(max_examples=40, deadline=None)
def test_tastes_choose_the_style(seed: str) -> None:
    """A lover of smoke gets smoke, and what is asked for is in it wherever a style has a place for it."""
    smoky = invent(CATALOGUE, Wish(liked_tags=frozenset({"smoky"})), seed)
    basil = invent(CATALOGUE, Wish(containing=(frozenset({"basil"}),)), seed)

    assert smoky is not None
    assert "smoky" in smoky.drink.tags
    assert basil is not None
    assert "basil" in basil.drink.needs
    assert basil.missed == ()


def test_what_fits_nowhere_is_said() -> None:
    """A wish that no style can fulfil is reported, not dropped in silence."""
    invention = invent(CATALOGUE, Wish(containing=(frozenset({"lager"}),)), "1")

    assert invention is not None
    assert invention.missed == (0,)


def test_it_is_told_sentence_by_sentence() -> None:
    """The pieces name every ingredient, and end with the drink's name."""
    invention = invent(CATALOGUE, Wish(), "7")

    assert invention is not None
    told = "".join(invention.told)
    assert all(name.lower() in told.lower() for name in invention.drink.needs)
    assert invention.told[-1] == f"There. I call it the {invention.drink.name}. "
