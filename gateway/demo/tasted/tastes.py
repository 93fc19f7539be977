"""What is remembered of a cook across conversations: the ``memory`` of a user.

Only what the cook said or did is kept, and "forget me" clears all of it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.demo.tasted.session import Name, bounded

__all__ = ["Tastes"]

AVOIDS_MAX = 30
FAVOURITES_MAX = 40
COOKED_MAX = 10


class Tastes(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cook's table.

    ``avoids``: diets, contents ("nuts") and ingredients, never weighed, only obeyed.  ``favourites`` and ``cooked``:
    recipes' slugs, the latest last.
    """

    avoids: Annotated[tuple[Name, ...], Meta(max_length=AVOIDS_MAX)] = ()
    favourites: Annotated[tuple[Name, ...], Meta(max_length=FAVOURITES_MAX)] = ()
    cooked: Annotated[tuple[Name, ...], Meta(max_length=COOKED_MAX)] = ()

    def avoiding(self, names: Collection[str]) -> Tastes:
        """Return these tastes with *names* never to be suggested."""
        return msgspec.structs.replace(self, avoids=bounded((*self.avoids, *names), AVOIDS_MAX))

    def allowing(self, names: Collection[str]) -> Tastes:
        """Return these tastes as if nothing had been said about *names*."""
        return msgspec.structs.replace(self, avoids=tuple(name for name in self.avoids if name not in names))

    def with_favourite(self, slug: str) -> Tastes:
        """Return these tastes with the recipe *slug* among the favourites."""
        return msgspec.structs.replace(self, favourites=bounded((*self.favourites, slug), FAVOURITES_MAX))

    def without_favourite(self, slug: str) -> Tastes:
        """Return these tastes with the recipe *slug* no favourite any more."""
        return msgspec.structs.replace(self, favourites=tuple(one for one in self.favourites if one != slug))

    def having_cooked(self, slug: str) -> Tastes:
        """Return these tastes with the recipe *slug* cooked just now."""
        return msgspec.structs.replace(self, cooked=bounded((*self.cooked, slug), COOKED_MAX))
