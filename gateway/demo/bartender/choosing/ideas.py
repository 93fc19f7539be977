"""What an invention is put together from: styles with their proportions, ingredients by their part, and names.

The proportions are those that bartenders agree on: a sour is two parts strong to one sour and a little less than one
sweet; a long drink has half of that under twice its volume of bubbles; a stirred one is all strong and has no juice.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["ADJECTIVES", "NOUNS", "PARTS", "STYLES", "Slot", "Style"]

Part = Literal["base", "liqueur", "aperitif", "bitter", "sour", "sweet", "juice", "fizz", "herb", "cream"]


class Slot(msgspec.Struct, frozen=True):
    """So much of an ingredient of one kind."""

    part: Part
    amount: int
    unit: str = "ml"


class Style(msgspec.Struct, frozen=True):
    """A family of drinks: what goes in, how it is made, and for which tastes it is the answer."""

    name: str
    slots: tuple[Slot, ...]
    method: str
    glass: str
    tags: tuple[str, ...]
    alcohol_free: bool = False


STYLES = (
    Style(
        "sour",
        (Slot("base", 50), Slot("liqueur", 15), Slot("sour", 25), Slot("sweet", 12)),
        "Shake hard with ice and strain.",
        "coupe",
        ("sour", "strong"),
    ),
    Style(
        "stirred drink",
        (Slot("base", 50), Slot("aperitif", 25), Slot("bitter", 10), Slot("liqueur", 5)),
        "Stir with ice for thirty seconds and strain over one large cube.",
        "rocks",
        ("strong", "bitter"),
    ),
    Style(
        "long drink",
        (Slot("base", 40), Slot("liqueur", 15), Slot("sour", 15), Slot("sweet", 5), Slot("fizz", 90)),
        "Shake all but the bubbles with ice, strain over fresh ice and top up.",
        "highball",
        ("refreshing", "sparkling", "light"),
    ),
    Style(
        "smash",
        (Slot("base", 50), Slot("sour", 22), Slot("sweet", 20), Slot("herb", 8, "leaf")),
        "Bruise the leaves with the sweet part, shake with the rest and ice, and strain over crushed ice.",
        "rocks",
        ("refreshing", "herbal", "sour"),
    ),
    Style(
        "punch",
        (Slot("base", 45), Slot("juice", 60), Slot("sour", 15), Slot("sweet", 10)),
        "Shake with ice and pour over crushed ice.",
        "tiki",
        ("fruity", "sweet"),
    ),
    Style(
        "nightcap",
        (Slot("base", 40), Slot("liqueur", 20), Slot("cream", 30)),
        "Shake hard with ice and strain.",
        "coupe",
        ("creamy", "sweet"),
    ),
    Style(
        "cooler",
        (Slot("juice", 60), Slot("sour", 20), Slot("sweet", 15), Slot("herb", 6, "leaf"), Slot("fizz", 100)),
        "Press the leaves lightly with the sweet part, add juice and ice, and top up with bubbles.",
        "highball",
        ("refreshing", "fruity", "sparkling", "herbal"),
        alcohol_free=True,
    ),
    Style(
        "soda-fountain sour",
        (Slot("juice", 50), Slot("sour", 25), Slot("sweet", 18), Slot("fizz", 80)),
        "Shake all but the bubbles with ice, strain over fresh ice and top up.",
        "highball",
        ("sour", "fruity", "sparkling"),
        alcohol_free=True,
    ),
)

#: The candidates for each part.
PARTS: dict[Part, tuple[str, ...]] = {
    "base": ("gin", "mezcal", "aged rum", "tequila", "bourbon", "cognac", "white rum", "vodka", "pisco", "rye whiskey"),
    "liqueur": ("maraschino liqueur", "yellow Chartreuse", "triple sec", "Bénédictine", "raspberry liqueur",
                "falernum", "crème de cacao", "crème de cassis", "amaretto", "coffee liqueur"),
    "aperitif": ("sweet vermouth", "Lillet Blanc", "dry vermouth", "amontillado sherry", "white port"),
    "bitter": ("Campari", "Aperol", "Amaro Nonino", "Suze"),
    "sour": ("lemon juice", "lime juice"),
    "sweet": ("honey", "agave syrup", "orgeat", "maple syrup", "grenadine", "vanilla syrup", "cinnamon syrup",
              "raspberry syrup", "sugar syrup"),
    "juice": ("pineapple juice", "grapefruit juice", "orange juice", "passion fruit purée", "cranberry juice",
              "apple juice"),
    "fizz": ("soda water", "tonic water", "ginger beer", "ginger ale"),
    "herb": ("mint", "basil"),
    "cream": ("cream",),
}  # fmt: skip

ADJECTIVES = (
    "Velvet", "Crooked", "Midnight", "Borrowed", "Gilded", "Wandering", "Quiet", "Electric", "Second-Hand", "Amber",
    "Reluctant", "Paper", "Thirteenth", "Polished", "Runaway", "Absent", "Patient", "Silver", "Unsent", "Improper",
)  # fmt: skip
NOUNS = (
    "Lantern", "Alibi", "Sparrow", "Postcard", "Orchard", "Ferryman", "Staircase", "Telegram", "Harbour", "Umbrella",
    "Nightingale", "Accordion", "Overcoat", "Comet", "Password", "Lighthouse", "Fig Leaf", "Encore", "Tramway",
)  # fmt: skip
