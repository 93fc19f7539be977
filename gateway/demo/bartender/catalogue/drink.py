"""A drink: what the catalogue holds and the invention makes."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.demo.bartender.catalogue.measure import Measure

__all__ = ["GLASSES", "TAGS", "Drink", "slug_of"]

#: What a drink can be; each word here is understood in a wish and shown under a drink's name.
TAGS = (
    "strong",
    "light",
    "refreshing",
    "sour",
    "sweet",
    "bitter",
    "creamy",
    "hot",
    "smoky",
    "fruity",
    "herbal",
    "spicy",
    "sparkling",
    "non-alcoholic",
    "classic",
)
GLASSES = frozenset(
    {
        "rocks",
        "highball",
        "coupe",
        "martini",
        "flute",
        "wine",
        "mug",
        "copper mug",
        "hurricane",
        "tiki",
        "julep cup",
        "pint",
    }
)


class Drink(msgspec.Struct, frozen=True, omit_defaults=True):
    """A recipe for one glass, and what there is to tell about it.

    ``instead_of``: names of drinks whose place this one takes for somebody who drinks no alcohol.
    """

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    measures: Annotated[tuple[Measure, ...], Meta(min_length=1, max_length=12)]
    method: Annotated[str, Meta(max_length=300)]
    glass: str
    tags: tuple[str, ...] = ()
    garnish: str = ""
    origin: str = ""
    story: str = ""
    aka: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The drink's name in buttons and state: lower-case ASCII."""
        return slug_of(self.name)

    @property
    def needs(self) -> tuple[str, ...]:
        """The ingredients without which it is another drink."""
        return tuple(measure.ingredient for measure in self.measures if not measure.optional)


def slug_of(name: str) -> str:
    """Return *name* as lower-case ASCII words joined by hyphens."""
    ascii_name = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name.replace("'", "")).strip("-")
