"""The catalogue: what anybody may add to, so what must be true of every drink in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.demo.bartender.catalogue.drink import GLASSES, TAGS
from gateway.demo.bartender.catalogue.load import FOLDER, Catalogue, load_catalogue
from gateway.demo.bartender.catalogue.measure import Measure, amount_text, parse_measure
from gateway.demo.bartender.catalogue.shelf import ALLERGENS


def test_there_is_enough_to_drink(catalogue: Catalogue) -> None:
    """At least 110 drinks, and at least 20 of them without alcohol."""
    free = [slug for slug, profile in catalogue.profiles.items() if not profile.alcohol_ml]

    assert len(catalogue.drinks) >= 110
    assert len(free) >= 20


def test_every_word_is_known(catalogue: Catalogue) -> None:
    """Tags, glasses, families, allergens and stand-ins are words that the rest of the program knows."""
    shelf = catalogue.shelf
    for drink in catalogue.drinks.values():
        assert set(drink.tags) <= set(TAGS), drink.name
        assert drink.glass in GLASSES, drink.name
        assert drink.story, drink.name
        assert all(measure.amount > 0 for measure in drink.measures), drink.name
        assert len(set(drink.needs)) == len(drink.needs), drink.name
    for name, ingredient in shelf.ingredients.items():
        assert not ingredient.of or ingredient.of in shelf.families, name
        assert set(ingredient.contains) <= ALLERGENS, name
        assert set(ingredient.instead) <= shelf.ingredients.keys(), name


def test_every_bottle_is_used(catalogue: Catalogue) -> None:
    """An ingredient that no drink calls for would make promises on the shelf."""
    used = {measure.ingredient for drink in catalogue.drinks.values() for measure in drink.measures}

    assert used == catalogue.shelf.ingredients.keys()


def test_names_mean_one_thing(catalogue: Catalogue) -> None:
    """Memory keeps ingredients, families, tastes and drinks in one list, so no name may be two of them."""
    ingredients = catalogue.shelf.ingredients.keys() | catalogue.shelf.families.keys()

    assert ingredients.isdisjoint(TAGS)
    assert catalogue.drinks.keys().isdisjoint(TAGS)
    assert catalogue.drinks.keys().isdisjoint(ingredients)


def test_tags_agree_with_what_is_in_the_glass(catalogue: Catalogue) -> None:
    """A drink is tagged as free of alcohol exactly if it is; "strong" and "light" are not said of the wrong ones."""
    for slug, drink in catalogue.drinks.items():
        profile = catalogue.profiles[slug]
        assert ("non-alcoholic" in drink.tags) == (profile.alcohol_ml == 0), drink.name
        assert "strong" not in drink.tags or profile.strong > 18, drink.name
        assert "light" not in drink.tags or profile.strong < 18, drink.name
        assert ("sparkling" in drink.tags) <= any(
            catalogue.shelf.ingredients[name].fizzy for name in drink.needs
        ), drink.name


def test_stand_ins_without_alcohol_stand_in_for_something(catalogue: Catalogue) -> None:
    """Every ``instead_of`` names a drink of the catalogue that has alcohol, and no two claim the same one."""
    names = {drink.name: slug for slug, drink in catalogue.drinks.items()}
    claimed = [name for drink in catalogue.drinks.values() for name in drink.instead_of]

    assert len(set(claimed)) == len(claimed)
    assert all(catalogue.profiles[names[name]].alcohol_ml > 0 for name in claimed)


def test_the_figures_know_sweet_from_strong(catalogue: Catalogue) -> None:
    """The profiles agree with what every bartender knows."""
    figures = catalogue.profiles

    assert figures["amaretto-sour"].sweet > figures["whiskey-sour"].sweet > figures["gin-rickey"].sweet
    assert figures["dry-martini"].strong > figures["negroni"].strong > figures["mojito"].strong
    assert figures["negroni"].bitter > figures["americano"].bitter > figures["daiquiri"].bitter
    assert figures["daiquiri"].sour > figures["mojito"].sour > figures["old-fashioned"].sour


def broken(folder: Path, drink: str) -> Path:
    (folder / "ingredients.toml").write_text(
        (FOLDER / "ingredients.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (folder / "gin.toml").write_text(drink, encoding="utf-8")
    return folder


DRINK = '[[drink]]\nname="X"\nmethod="m"\nglass="rocks"\ntags=[]\n'


@pytest.mark.parametrize(
    ("drink", "problem"),
    [
        (
            DRINK + 'ingredients=["30 ml Camparri"]',
            r"X: unknown ingredient 'Camparri', did you mean 'Campari'\?",
        ),
        (DRINK + 'ingredients=["thirty ml gin"]', "X: expected 'AMOUNT UNIT INGREDIENT"),
        (DRINK + 'ingredients=["0 ml gin"]', "X: expected"),
        (DRINK + 'ingredients=["3 bucket gin"]', "X: expected"),
        (
            DRINK + 'ingredients=["30 ml gin"]\n' + DRINK + 'ingredients=["30 ml gin"]',
            "two drinks of this name",
        ),
        (DRINK + 'ingredients=["30 ml gin"]\ncolour="red"', "unknown field `colour`"),
        (DRINK + "ingredients=[]", "length >= 1"),
    ],
)
def test_a_mistake_stops_the_start(tmp_path: Path, drink: str, problem: str) -> None:
    """A file that cannot be right is refused with a message that names the drink or the field."""
    with pytest.raises(ValueError, match=problem):
        load_catalogue(broken(tmp_path, drink))


@pytest.mark.parametrize(
    ("line", "glasses", "text", "ounces", "spoken"),
    [
        ("30 ml gin", 1, "30 ml gin", "1 oz gin", "30 millilitres of gin"),
        ("22 ml gin", 3, "66 ml gin", "2¼ oz gin", "66 millilitres of gin"),
        ("150 ml soda water", 10, "1.5 l soda water", "50 oz soda water", "1.5 litres of soda water"),
        ("3 ml grenadine", 1, "3 ml grenadine", "a splash of grenadine", "3 millilitres of grenadine"),
        ("2 dash absinthe", 1, "2 dashes of absinthe", "2 dashes of absinthe", "2 dashes of absinthe"),
        ("1 dash absinthe", 1, "1 dash of absinthe", "1 dash of absinthe", "1 dash of absinthe"),
        ("8 leaf mint", 2, "16 mint leaves", "16 mint leaves", "16 mint leaves"),
        ("1 whole egg", 4, "4 eggs", "4 eggs", "4 eggs"),
        ("15 g butter", 2, "30 g butter", "30 g butter", "30 grams of butter"),
    ],
)
def test_amounts_in_words(line: str, glasses: int, text: str, ounces: str, spoken: str) -> None:
    """Amounts are scaled, put into plurals, and said in the guest's units."""
    measure = parse_measure(line)

    assert amount_text(measure, glasses) == text
    assert amount_text(measure, glasses, "oz") == ounces
    assert amount_text(measure, glasses, spoken=True) == spoken


def test_optional_is_said_behind() -> None:
    """``, optional`` is no part of the ingredient's name."""
    assert parse_measure("20 ml egg white, optional") == Measure(20, "ml", "egg white", optional=True)
