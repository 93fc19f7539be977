"""What a cook means, as one frozen value: an act, and the things that it is about."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

__all__ = ["ACTS", "Act", "Intent"]

Act = Literal[
    "nothing", "greet", "help", "thanks", "yes", "no", "insult", "goodbye", "cannot_see", "unknown",
    "find", "another", "list", "show", "ingredients", "how_much", "serve", "without", "instead", "suits", "how_long",
    "cook", "step", "next", "back", "repeat", "where", "stop", "done",
    "timer", "timers", "timer_off",
    "favourite", "unfavourite", "favourites", "avoid", "allow", "know_me", "forget_me",
]  # fmt: skip
ACTS: frozenset[Act] = frozenset(get_args(Act))


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be done, and with what.

    ``avoided``: diets, contents and ingredients that are wanted out for good.  ``having``: the ingredients are what is
    at hand, not what must be in it.  ``place``: in the last list, from 1; -1 the last.  ``seconds``: a span of time.
    ``name``: of a timer; empty where none was said.  ``everything``: all timers are meant.
    """

    act: Act
    recipe: str = ""
    ingredients: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    avoided: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    diets: tuple[str, ...] = ()
    quick: bool = False
    having: bool = False
    extends: bool = False
    #: A question of its own, whatever was asked before.
    anew: bool = False
    serves: int = 0
    place: int = 0
    number: int = 0
    seconds: int = 0
    name: str = ""
    everything: bool = False
