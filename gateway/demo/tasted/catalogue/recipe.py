"""A recipe: what it takes, what is done in which order, and what to draw of it."""

from __future__ import annotations

import re

import msgspec

from gateway.demo.language.text import plain
from gateway.demo.tasted.catalogue.amount import Amount

__all__ = ["TAGS", "TECHNIQUES", "Picture", "Recipe", "Step", "parse_step", "slug_of"]

#: What a recipe can be; each word is understood in a wish.
TAGS = (
    "breakfast", "soup", "salad", "dip", "pasta", "rice", "curry", "stew", "roast", "main", "side", "snack", "bread",
    "cake", "biscuit", "dessert", "sweet", "savoury", "spicy",
)  # fmt: skip
#: What is done in a step, where a picture of it helps.
TECHNIQUES = ("cut", "mix", "knead", "boil", "fry", "bake", "rest")
#: A recipe of at most so many minutes is a quick one.
QUICK_MINUTES_MAX = 20

_STEP = re.compile(
    r"(?:\[(?P<technique>[a-z]+)\] )?(?P<text>.+?)(?: \{(?P<number>\d+) (?P<unit>h|min) (?P<name>[a-z ]+)\})?"
)
_SECONDS = {"min": 60, "h": 3_600}


class Picture(msgspec.Struct, frozen=True, rename={"vessel": "in", "things": "with"}, forbid_unknown_fields=True):
    """What it looks like: in what, of which colour, with what on it (``shape:colour``)."""

    vessel: str
    of: str
    things: tuple[str, ...] = ()


class Step(msgspec.Struct, frozen=True):
    """What is done, and how long it then takes by itself: ``timer_s`` is 0 where nothing is waited for."""

    text: str
    technique: str = ""
    timer_s: int = 0
    timer_name: str = ""


class Recipe(msgspec.Struct, frozen=True):
    """A dish for ``serves`` people, in ``minutes`` from the first step to the table."""

    name: str
    serves: int
    minutes: int
    amounts: tuple[Amount, ...]
    steps: tuple[Step, ...]
    picture: Picture
    tags: tuple[str, ...] = ()
    aka: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The recipe's name in buttons, addresses and state: lower-case ASCII."""
        return slug_of(self.name)

    @property
    def needs(self) -> tuple[str, ...]:
        """The ingredients without which it is another dish."""
        return tuple(amount.ingredient for amount in self.amounts if not amount.optional)

    @property
    def quick(self) -> bool:
        """Whether somebody in a hurry would cook it."""
        return self.minutes <= QUICK_MINUTES_MAX


def slug_of(name: str) -> str:
    """Return *name* as lower-case ASCII words joined by hyphens."""
    return "-".join(plain(name).split())


def parse_step(line: str) -> Step:
    """Return the step that *line* stands for: ``[boil] Let it simmer. {20 min soup}``.

    :raises ValueError: its technique is unknown, or its braces are no time.
    """
    found = _STEP.fullmatch(line)
    if not found or set(found["text"]) & set("[]{}"):
        raise ValueError(f"expected '[TECHNIQUE] TEXT {{NUMBER min|h NAME}}', got {line!r}")
    if found["technique"] and found["technique"] not in TECHNIQUES:
        raise ValueError(f"expected a technique of {', '.join(TECHNIQUES)}, got {found['technique']!r}")
    timer_s = int(found["number"]) * _SECONDS[found["unit"]] if found["number"] else 0
    return Step(found["text"], found["technique"] or "", timer_s, found["name"] or "")
