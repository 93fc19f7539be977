"""Tasted's spine: hear, recall, answer, put into parts.

Pure: the same turn at the same time gets the same answer, and no text makes it raise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from gateway.demo.remembering import changed_memory, remembered
from gateway.demo.tasted.answers import clock, cook_self, cooking, find, recipes, talk
from gateway.demo.tasted.catalogue.load import Catalogue
from gateway.demo.tasted.hearing.intent import Act
from gateway.demo.tasted.hearing.lexicon import Lexicon
from gateway.demo.tasted.hearing.understand import understand
from gateway.demo.tasted.said import Said
from gateway.demo.tasted.session import HEARD_MAX, RESULTS_MAX, restored
from gateway.demo.tasted.tastes import Tastes
from gateway.demo.tasted.visit import Visit
from gateway.demo.wire import Card, Part, Reply, Speech, Suggestions, Surface, Text, TurnRequest

__all__ = ["ANSWERS", "Tasted"]

#: Who answers what.
ANSWERS: Mapping[Act, Callable[[Visit], Said]] = {
    "nothing": talk.nothing,
    "greet": talk.greet,
    "help": talk.help_,
    "thanks": talk.thanks,
    "yes": talk.yes,
    "no": talk.no,
    "insult": talk.insult,
    "goodbye": talk.goodbye,
    "cannot_see": talk.cannot_see,
    "unknown": talk.unknown,
    "find": find.find,
    "another": find.another,
    "list": find.repeat_list,
    "show": recipes.show,
    "ingredients": recipes.ingredients,
    "how_much": recipes.how_much,
    "serve": recipes.serve,
    "without": recipes.without,
    "instead": recipes.instead,
    "suits": recipes.suits,
    "how_long": recipes.how_long,
    "cook": cooking.cook,
    "step": cooking.go_to,
    "next": cooking.next_step,
    "back": cooking.back,
    "repeat": cooking.repeat,
    "where": cooking.where,
    "stop": cooking.stop,
    "done": cooking.done,
    "timer": clock.start,
    "timers": clock.running,
    "timer_off": clock.cancel,
    "favourite": cook_self.favourite,
    "unfavourite": cook_self.unfavourite,
    "favourites": cook_self.favourites,
    "avoid": cook_self.avoid,
    "allow": cook_self.allow,
    "know_me": cook_self.know_me,
    "forget_me": cook_self.forget_me,
}
#: Characters of a cook's name that are spoken.
COOK_CHARS_MAX = 40


class Tasted:
    """Answers turns.  Holds nothing but the recipes: what happened before comes with each turn.

    ``pictures``: scheme, host and port where this service's pictures are fetched; empty where they are not.
    ``pictures_of``: the channels whose users can fetch them from there; none: all.
    """

    def __init__(self, catalogue: Catalogue, *, pictures: str = "", pictures_of: frozenset[str] = frozenset()) -> None:
        self._catalogue = catalogue
        self._lexicon = Lexicon(catalogue)
        self._pictures = pictures
        self._pictures_of = pictures_of

    def answer(self, turn: TurnRequest, now_s: float) -> Reply:
        """Return the answer to *turn* at *now_s* (Unix seconds)."""
        seen = not self._pictures_of or turn.conversation.channel in self._pictures_of
        session = restored(turn.conversation.state, now_s)
        visit = Visit(
            catalogue=self._catalogue,
            intent=understand(turn.message, self._lexicon),
            session=msgspec.structs.replace(session, just_done=False),
            just_done=session.just_done,
            tastes=remembered(turn.user.memory, Tastes),
            seed=turn.turn_id,
            at_once=HEARD_MAX if turn.surface.is_heard else RESULTS_MAX,
            now_s=now_s,
            rings=turn.surface.pushes,
            pictures=self._pictures if seen else "",
            cook=" ".join(turn.user.name.split())[:COOK_CHARS_MAX],
        )
        said = ANSWERS[visit.intent.act](visit)
        return Reply(
            parts=_parts(said, turn.surface),
            state=msgspec.to_builtins(said.session) or None,
            memory=changed_memory(said.tastes, visit.tastes),
            end=said.end,
            timers=said.timers,
        )


def _parts(said: Said, surface: Surface) -> tuple[Part, ...]:
    parts: list[Part] = []
    if "speech" in surface.shows:
        parts.append(Speech(f"{said.text} {said.spoken}".strip()))
    # A surface that only speaks would say the text a second time.
    if not surface.is_heard:
        parts.append(Text(said.text))
    parts += said.shown
    # What stands on a button already needs no second one.
    labels = {button.label for card in said.shown if isinstance(card, Card) for button in card.buttons}
    following = tuple(text for text in said.next if "buttons" not in surface.shows or text not in labels)
    if following and not said.end:
        parts.append(Suggestions(following))
    return tuple(parts)
