"""The recipes: what anybody may add to, so what must be true of every one of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.demo.tasted.catalogue.amount import Amount, amount_text, parse_amount
from gateway.demo.tasted.catalogue.larder import DIETS
from gateway.demo.tasted.catalogue.load import FOLDER, Catalogue, load_catalogue
from gateway.demo.tasted.catalogue.recipe import TAGS, TECHNIQUES, Step, parse_step


def test_there_is_enough_to_eat(catalogue: Catalogue) -> None:
    """At least 50 recipes, and something of each kind for each diet that is no main ingredient's."""
    assert len(catalogue.recipes) >= 50
    for diet in DIETS:
        assert sum(diet in diets for diets in catalogue.diets.values()) >= 10, diet
    for tag in TAGS:
        assert any(tag in recipe.tags for recipe in catalogue.recipes.values()), tag


def test_everything_in_the_larder_is_used(catalogue: Catalogue) -> None:
    """An ingredient that no recipe calls for would be understood, and lead nowhere."""
    used = {amount.ingredient for recipe in catalogue.recipes.values() for amount in recipe.amounts}

    assert used == catalogue.larder.ingredients.keys()


def test_an_ingredient_stands_once_in_a_recipe(catalogue: Catalogue) -> None:
    """"How much flour?" has one answer."""
    for recipe in catalogue.recipes.values():
        names = [amount.ingredient for amount in recipe.amounts]
        assert len(set(names)) == len(names), recipe.name


def test_a_family_is_known_and_no_diet(catalogue: Catalogue) -> None:
    """Memory keeps diets, contents and ingredients in one list, so no name may be two of them."""
    larder = catalogue.larder
    for name, known in larder.ingredients.items():
        assert larder.families.keys() | larder.ingredients.keys() >= set(known.of), name
    assert not larder.ingredients.keys() & DIETS.keys()


def test_what_by_itself_takes_time_fits_into_the_time_of_the_whole(catalogue: Catalogue) -> None:
    """A recipe that says half an hour has no hour of rest in it."""
    for recipe in catalogue.recipes.values():
        assert sum(step.timer_s for step in recipe.steps) <= recipe.minutes * 60, recipe.name


def test_amounts_stand_in_the_list_alone(catalogue: Catalogue) -> None:
    """Steps are not scaled, so a step that told grams would be wrong for six."""
    for recipe in catalogue.recipes.values():
        for step in recipe.steps:
            assert not re.search(r"\d+ ?(g|kg|ml|l|tbsp|tsp|eggs?)\b", step.text), (recipe.name, step.text)


def test_techniques_are_all_shown_somewhere(catalogue: Catalogue) -> None:
    shown = {step.technique for recipe in catalogue.recipes.values() for step in recipe.steps}

    assert shown == {"", *TECHNIQUES}


@pytest.mark.parametrize(
    ("slug", "is_so", "is_not_so"),
    [
        ("spaghetti-carbonara", {"nut-free"}, {"pescatarian", "vegetarian", "gluten-free", "dairy-free", "egg-free"}),
        # Parmesan is made with the rennet of calves.
        ("mushroom-risotto", {"gluten-free", "pescatarian"}, {"vegetarian", "vegan", "dairy-free"}),
        ("hummus", set(DIETS), set()),
        ("granola", {"vegetarian", "dairy-free"}, {"vegan", "nut-free", "gluten-free"}),
        ("thai-green-curry", {"dairy-free", "gluten-free"}, {"pescatarian", "vegetarian"}),
        # The cream of a tomato soup may be left out.
        ("tomato-soup", {"vegan"}, set()),
        ("miso-soup", {"vegan"}, {"gluten-free"}),
    ],
)
def test_diets_are_worked_out_from_what_is_in_it(
    catalogue: Catalogue, slug: str, is_so: set[str], is_not_so: set[str]
) -> None:
    diets = set(catalogue.diets[slug])

    assert is_so <= diets
    assert not is_not_so & diets


RECIPE = '[[recipe]]\nname="X"\nserves=2\nminutes=5\ntags=[]\npicture={in="bowl", of="cream"}\nsteps=["Eat."]\n'


@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        (RECIPE + 'ingredients=["30 g flower"]', r"X: unknown ingredient 'flower', did you mean 'flour'\?"),
        (RECIPE + 'ingredients=["some flour"]', r"X: expected 'NUMBER \[UNIT\] INGREDIENT"),
        (RECIPE + 'ingredients=["0 g flour"]', "X: expected 'NUMBER"),
        (RECIPE + "ingredients=[]", "length >= 1"),
        (RECIPE + 'ingredients=["1 egg"]\ncolour="red"', "unknown field `colour`"),
        (RECIPE + 'ingredients=["1 egg"]\n' + RECIPE + 'ingredients=["1 egg"]', "two recipes of this name"),
        (RECIPE.replace("tags=[]", 'tags=["lunchy"]') + 'ingredients=["1 egg"]', "X: unknown tag 'lunchy'"),
        (RECIPE.replace("Eat.", "[grill] Eat.") + 'ingredients=["1 egg"]', "X: expected a technique of cut"),
        (RECIPE.replace("Eat.", "Eat. {5 days egg}") + 'ingredients=["1 egg"]', "X: expected .*TECHNIQUE"),
        (RECIPE.replace("serves=2", "serves=0") + 'ingredients=["1 egg"]', "serves"),
    ],
)
def test_a_mistake_stops_the_start(tmp_path: Path, recipe: str, problem: str) -> None:
    """A file that cannot be right is refused with a message that names the recipe or the field."""
    larder = (FOLDER / "ingredients.toml").read_text(encoding="utf-8")
    (tmp_path / "ingredients.toml").write_text(larder, encoding="utf-8")
    (tmp_path / "some.toml").write_text(recipe, encoding="utf-8")

    with pytest.raises(ValueError, match=problem):
        load_catalogue(tmp_path)


def test_a_step_is_read() -> None:
    assert parse_step("Serve.") == Step("Serve.")
    simmering = Step("Let it simmer.", "boil", 1_200, "tomato soup")
    assert parse_step("[boil] Let it simmer. {20 min tomato soup}") == simmering
    assert parse_step("[rest] Wait. {2 h dough}").timer_s == 7_200


@pytest.mark.parametrize(
    ("line", "amount"),
    [
        ("200 g flour", Amount(200, "g", "flour")),
        ("2 clove garlic", Amount(2, "clove", "garlic")),
        ("0.5 red onion", Amount(0.5, "", "red onion")),
        ("3 egg", Amount(3, "", "egg")),
        ("10 g dill, optional", Amount(10, "g", "dill", optional=True)),
    ],
)
def test_a_line_of_a_recipe_is_read(line: str, amount: Amount) -> None:
    assert parse_amount(line) == amount


@pytest.mark.parametrize(
    ("line", "plural", "factor", "text", "spoken"),
    [
        ("200 g flour", "flour", 1, "200 g flour", "200 grams of flour"),
        ("200 g flour", "flour", 6, "1.2 kg flour", "1.2 kilos of flour"),
        ("250 ml milk", "milk", 4, "1 l milk", "1 litre of milk"),
        ("200 g potato", "potatoes", 5 / 3, "335 g potatoes", "335 grams of potatoes"),
        ("7 g dried yeast", "dried yeast", 0.5, "4 g dried yeast", "4 grams of dried yeast"),
        ("1 g salt", "salt", 0.1, "1 g salt", "1 gram of salt"),
        ("1 egg", "eggs", 1, "1 egg", "1 egg"),
        ("1 egg", "eggs", 1.5, "1½ eggs", "1 and a half eggs"),
        ("1 egg", "eggs", 3, "3 eggs", "3 eggs"),
        ("1 onion", "onions", 0.25, "¼ onion", "a quarter onion"),
        ("1 onion", "onions", 1.95, "2 onions", "2 onions"),
        ("1 clove garlic", "garlic", 1, "1 clove of garlic", "1 clove of garlic"),
        ("1 clove garlic", "garlic", 4 / 3, "1⅓ cloves of garlic", "1 and a third cloves of garlic"),
        ("1 tbsp oil", "oil", 1, "1 tbsp oil", "1 tablespoon of oil"),
        ("3 tbsp oil", "oil", 1, "3 tbsp oil", "3 tablespoons of oil"),
        ("1 pinch salt", "salt", 1, "1 pinch of salt", "1 pinch of salt"),
        ("1 pinch salt", "salt", 4, "4 pinches of salt", "4 pinches of salt"),
        ("4 sprig thyme", "thyme", 3, "12 sprigs of thyme", "12 sprigs of thyme"),
    ],
)
def test_amounts_are_scaled_and_told_as_a_cook_would(
    line: str, plural: str, factor: float, text: str, spoken: str
) -> None:
    amount = parse_amount(line)

    assert amount_text(amount, plural, factor) == text
    assert amount_text(amount, plural, factor, spoken=True) == spoken
