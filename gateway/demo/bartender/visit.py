"""One turn at the bar: everything that an answer is made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from gateway.demo.bartender.catalogue.drink import Drink
from gateway.demo.bartender.catalogue.load import Catalogue
from gateway.demo.bartender.catalogue.profile import Profile, profile_of
from gateway.demo.bartender.choosing.wish import Wish, wish_of
from gateway.demo.bartender.hearing.intent import Intent
from gateway.demo.bartender.said import Said
from gateway.demo.bartender.session import INVENTED, RESULTS_MAX, SEEN_MAX, Session, bounded
from gateway.demo.bartender.tastes import Tastes
from gateway.demo.language.words import chosen
from gateway.demo.wire import Card, List

__all__ = ["Visit"]


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """What was said, by whom, and what has been going on.

    ``seed`` is the turn's id: chance that repeats.  ``at_once``: drinks of one list.
    """

    catalogue: Catalogue
    intent: Intent
    session: Session
    tastes: Tastes
    seed: str
    at_once: int = RESULTS_MAX
    guest: str = ""

    def wish(self, session: Session | None = None, *, skip: Iterable[str] = ()) -> Wish:
        """Return what *session* (by default this one) asks of the catalogue."""
        return wish_of(session or self.session, self.tastes, self.catalogue.shelf, skip=skip)

    def drink(self, slug: str) -> Drink | None:
        """Return the drink called *slug*; the one invented in this conversation counts."""
        if slug == INVENTED:
            return self.session.invented
        return self.catalogue.drinks.get(slug)

    def meant(self) -> tuple[str, Drink | None]:
        """Return which drink is meant: the named one, the one at that place of the list, the one in hand."""
        which, results = self.intent.which, self.session.results
        slug = which.slug
        if not slug and which.place:
            place = which.place - 1 if which.place > 0 else len(results) - 1
            slug = results[place] if 0 <= place < len(results) else ""
        elif not slug:
            slug = self.session.current or (results[0] if len(results) == 1 else "")
        return slug, self.drink(slug)

    def profile(self, slug: str, drink: Drink) -> Profile:
        """Return the profile of *drink*, invented ones included."""
        known = self.catalogue.profiles.get(slug)
        return known or profile_of(drink, self.catalogue.shelf)

    def pick(self, *options: str) -> str:
        """Return one of several ways of saying the same."""
        return chosen(options, f"{self.seed}:{options[0]}")

    def holding(self, session: Session, slug: str, because: str) -> Session:
        """Return *session* with the drink *slug* in hand."""
        return msgspec.structs.replace(
            session, current=slug, because=because[:80], seen=bounded((*session.seen, slug), SEEN_MAX)
        )

    def say(
        self,
        text: str,
        *,
        session: Session | None = None,
        tastes: Tastes | None = None,
        shown: Sequence[Card | List] = (),
        spoken: str = "",
        next: Sequence[str] = (),  # noqa: A002  # the word of the trade: what the guest may say next
        end: bool = False,
        told: Sequence[str] = (),
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
            told=tuple(told),
        )
