"""What a guest means, as one frozen value: an act, and the things that it is about."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

__all__ = ["ACTS", "Act", "Diet", "Direction", "Intent", "Which"]

Act = Literal[
    "nothing", "greet", "help", "thanks", "goodbye", "yes", "no", "small_talk", "cannot_see", "unknown",
    "have", "wish", "adjust", "another", "surprise", "list",
    "show", "make", "serve", "without", "why", "suits", "strength", "substitute", "compare", "reject",
    "like", "dislike", "avoid", "allow", "know_me", "forget_me", "units", "care", "invent",
]  # fmt: skip
ACTS: frozenset[Act] = frozenset(get_args(Act))

#: "Something sweeter": along which axis of the profile, and which way.
Direction = Literal[
    "sweeter", "drier", "stronger", "lighter", "more sour", "less sour", "more bitter", "less bitter"
]
#: What a person must or will not have.
Diet = Literal["egg", "milk", "nuts", "gluten", "fish", "honey", "vegan", "vegetarian", "alcohol"]


class Which(msgspec.Struct, frozen=True):
    """Which drink is meant: by name, by its place in the last list (from 1; -1 the last), or the one in hand."""

    slug: str = ""
    place: int = 0


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be done, and with what.

    ``ingredients``: at hand, wanted, liked ..., by the act.  ``without``: wanted out.  ``extends``: the ingredients are
    in addition to those already told.  ``glasses``: 0 where nothing was said.  ``topic``: small talk and care.
    """

    act: Act
    ingredients: tuple[str, ...] = ()
    drinks: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    alcohol_free: bool = False
    extends: bool = False
    glasses: int = 0
    which: Which = Which()
    direction: Direction | None = None
    diets: tuple[Diet, ...] = ()
    topic: str = ""
