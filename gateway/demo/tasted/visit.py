"""One turn in the kitchen: everything that an answer is made from."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.demo.language.words import chosen
from gateway.demo.tasted.catalogue.amount import amount_text
from gateway.demo.tasted.catalogue.load import Catalogue
from gateway.demo.tasted.catalogue.recipe import Recipe
from gateway.demo.tasted.hearing.intent import Intent
from gateway.demo.tasted.said import Said
from gateway.demo.tasted.session import RESULTS_MAX, SEEN_MAX, Session, bounded
from gateway.demo.tasted.tastes import Tastes
from gateway.demo.wire import Card, Image, List, Timer

__all__ = ["Visit"]


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """What was said, by whom, what has been going on, and when it is.

    ``seed`` is the turn's id: chance that repeats.  ``at_once``: recipes of one list.
    ``rings``: whether a timer can come back here by itself.  ``just_done``: the dish at hand was finished a moment ago.
    ``pictures``: where pictures are fetched; empty where none can be.
    """

    catalogue: Catalogue
    intent: Intent
    session: Session
    tastes: Tastes
    seed: str
    now_s: float
    rings: bool
    just_done: bool = False
    pictures: str = ""
    cook: str = ""
    at_once: int = RESULTS_MAX

    def recipe(self, slug: str) -> Recipe | None:
        """Return the recipe called *slug*."""
        return self.catalogue.recipes.get(slug)

    def meant(self) -> Recipe | None:
        """Return which recipe is meant: the named one, the one at that place of the list, the one at hand."""
        intent, session = self.intent, self.session
        if intent.recipe:
            return self.recipe(intent.recipe)
        if intent.place:
            place = intent.place - 1 if intent.place > 0 else len(session.results) - 1
            return self.recipe(session.results[place]) if 0 <= place < len(session.results) else None
        only = session.results[0] if len(session.results) == 1 else ""
        return self.recipe(session.current or session.cooking or only)

    def on_the_stove(self) -> Recipe | None:
        """Return the recipe that is being cooked."""
        return self.recipe(self.session.cooking)

    def serves(self, recipe: Recipe) -> int:
        """Return for how many *recipe* is wanted."""
        if self.intent.serves:
            return self.intent.serves
        session = self.session
        asked = session.cooking_serves if recipe.slug == session.cooking else session.serves
        return asked or recipe.serves

    def amounts(self, recipe: Recipe, *, spoken: bool = False) -> dict[str, str]:
        """Return the lines of *recipe*, by ingredient, for as many as it is wanted for."""
        factor = self.serves(recipe) / recipe.serves
        plural = self.catalogue.larder.plural
        return {
            one.ingredient: amount_text(one, plural(one.ingredient), factor, spoken=spoken) for one in recipe.amounts
        }

    def image(self, name: str, alt: str) -> Image | msgspec.UnsetType:
        """Return the picture called *name*; nothing where the platform could not fetch it."""
        return Image(f"{self.pictures}/pictures/{name}.png", alt) if self.pictures else msgspec.UNSET

    def pick(self, *options: str) -> str:
        """Return one of several ways of saying the same."""
        return chosen(options, f"{self.seed}:{options[0]}")

    def holding(self, session: Session, recipe: Recipe) -> Session:
        """Return *session* with *recipe* at hand, for as many as were asked for with it."""
        # What was said before there was a recipe is said of the first one.
        kept = session.serves if session.current in ("", recipe.slug) else 0
        return msgspec.structs.replace(
            session,
            current=recipe.slug,
            serves=self.intent.serves or kept,
            seen=bounded((*session.seen, recipe.slug), SEEN_MAX),
        )

    def say(
        self,
        text: str,
        *,
        session: Session | None = None,
        tastes: Tastes | None = None,
        shown: Sequence[Card | List] = (),
        spoken: str = "",
        next: Sequence[str] = (),  # noqa: A002  # the word of the trade: what the cook may say next
        end: bool = False,
        timers: Sequence[Timer] = (),
    ) -> Said:
        """Return an answer that changes nothing but what is given."""
        return Said(
            text=text,
            session=session or self.session,
            tastes=tastes or self.tastes,
            shown=tuple(shown),
            spoken=spoken,
            next=tuple(next),
            end=end,
            timers=tuple(timers),
        )
