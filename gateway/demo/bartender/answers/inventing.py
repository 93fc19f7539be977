"""The long answer: a drink that did not exist before.

Composing it takes a millisecond.  It is told slowly on purpose, as a bartender would: so that a late reply, a stream
and a deadline can be seen at work.
"""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.bartender.answers.showing import recipe_card, recipe_spoken
from gateway.demo.bartender.choosing.invention import invent
from gateway.demo.bartender.said import Said
from gateway.demo.bartender.session import INVENTED
from gateway.demo.bartender.visit import Visit
from gateway.demo.language.words import joined

__all__ = ["inventing"]


def inventing(visit: Visit) -> Said:
    """Answer "invent one for me"."""
    intent = visit.intent
    asked = replace(
        visit.session,
        containing=intent.ingredients,
        tags=intent.tags,
        alcohol_free=visit.session.alcohol_free or intent.alcohol_free,
        without=(*visit.session.without, *intent.without)[-20:],
    )
    invention = invent(visit.catalogue, visit.wish(asked), visit.seed)
    if invention is None:
        return visit.say(
            "You have ruled out so much that even I cannot invent around it. Allow me one thing back?",
            next=("What do you know about me?", "Surprise me"),
        )
    drink = invention.drink
    glasses = min(intent.glasses, 100) or 1
    session = visit.holding(replace(asked, invented=drink, glasses=glasses), INVENTED, "invented")
    missed = [asked.containing[place] for place in invention.missed]
    regret = f" I found no place in it for {joined(missed, 'or')}, sorry." if missed else ""
    return visit.say(
        f"Made for you, and never made before: the {drink.name}.{regret}",
        session=session,
        shown=[recipe_card(visit, INVENTED, drink, glasses=glasses)],
        spoken=recipe_spoken(visit, drink, glasses=glasses),
        next=("I love it", "Something sweeter", "Invent another one"),
        told=invention.told,
    )
