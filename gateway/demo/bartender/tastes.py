"""What is remembered of a guest across conversations: the ``memory`` of a user.

Names are ingredients, families, tastes or drinks' slugs; the catalogue keeps the four apart (a test says so), so one
list holds them all.  Only what the guest said or did is kept, and "forget me" clears all of it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.demo.bartender.catalogue.measure import Units
from gateway.demo.bartender.session import Name, bounded

__all__ = ["Tastes"]

TASTES_MAX = 40
PASSED_MAX = 20

Subjects = Annotated[tuple[Name, ...], Meta(max_length=TASTES_MAX)]


class Tastes(msgspec.Struct, frozen=True, omit_defaults=True):
    """A guest's tastes.  ``avoids``: allergies and diets, kept apart because they are never weighed, only obeyed."""

    likes: Subjects = ()
    dislikes: Subjects = ()
    avoids: Annotated[tuple[Name, ...], Meta(max_length=TASTES_MAX)] = ()
    #: Drinks that were refused: not suggested again.
    passed: Annotated[tuple[Name, ...], Meta(max_length=PASSED_MAX)] = ()
    alcohol_free: bool = False
    units: Units = "ml"

    def liking(self, names: Collection[str]) -> Tastes:
        """Return these tastes with *names* liked, and no longer disliked or refused."""
        return msgspec.structs.replace(
            self,
            likes=bounded((*self.likes, *names), TASTES_MAX),
            dislikes=_less(self.dislikes, names),
            passed=_less(self.passed, names),
        )

    def disliking(self, names: Collection[str]) -> Tastes:
        """Return these tastes with *names* disliked, and no longer liked."""
        return msgspec.structs.replace(
            self,
            dislikes=bounded((*self.dislikes, *names), TASTES_MAX),
            likes=_less(self.likes, names),
        )

    def avoiding(self, names: Collection[str]) -> Tastes:
        """Return these tastes with *names* never to be served."""
        return msgspec.structs.replace(self, avoids=bounded((*self.avoids, *names), TASTES_MAX))

    def passing(self, slug: str) -> Tastes:
        """Return these tastes with the drink *slug* refused."""
        return msgspec.structs.replace(
            self, passed=bounded((*self.passed, slug), PASSED_MAX), likes=_less(self.likes, (slug,))
        )

    def without_word_of(self, names: Collection[str]) -> Tastes:
        """Return these tastes as if nothing had ever been said about *names*."""
        return msgspec.structs.replace(
            self,
            likes=_less(self.likes, names),
            dislikes=_less(self.dislikes, names),
            avoids=_less(self.avoids, names),
            passed=_less(self.passed, names),
        )


def _less(kept: tuple[str, ...], names: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in kept if name not in names)
