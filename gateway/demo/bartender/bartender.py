"""The Bartender's spine: hear, recall, answer, put into parts.

Pure: the same turn gets the same answer, in about half a millisecond, and no text makes it raise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from gateway.demo.bartender.answers import going_on, guest, inventing, offers, questions, recipes, talk
from gateway.demo.bartender.catalogue.load import Catalogue
from gateway.demo.bartender.hearing.intent import Act
from gateway.demo.bartender.hearing.lexicon import Lexicon
from gateway.demo.bartender.hearing.understand import understand
from gateway.demo.bartender.said import Said
from gateway.demo.bartender.session import HEARD_MAX, RESULTS_MAX, restored
from gateway.demo.bartender.tastes import Tastes
from gateway.demo.bartender.visit import Visit
from gateway.demo.remembering import changed_memory, remembered
from gateway.demo.wire import (
    Card,
    List,
    Part,
    Reply,
    Speech,
    Suggestions,
    Surface,
    Text,
    TurnRequest,
)

__all__ = ["ANSWERS", "Answer", "Bartender"]

#: Who answers what.
ANSWERS: Mapping[Act, Callable[[Visit], Said]] = {
    "nothing": talk.nothing,
    "greet": talk.greet,
    "help": talk.help_,
    "thanks": talk.thanks,
    "goodbye": talk.goodbye,
    "yes": talk.yes,
    "no": talk.no,
    "small_talk": talk.small_talk,
    "cannot_see": talk.cannot_see,
    "unknown": talk.unknown,
    "have": offers.have,
    "wish": offers.wish,
    "adjust": going_on.adjust,
    "another": going_on.another,
    "surprise": going_on.surprise,
    "list": going_on.repeat_list,
    "reject": going_on.reject,
    "show": recipes.show,
    "make": recipes.make,
    "serve": recipes.serve,
    "without": recipes.without,
    "why": questions.why,
    "suits": questions.suits,
    "strength": questions.strength,
    "substitute": questions.substitute,
    "compare": questions.compare,
    "like": guest.like,
    "dislike": guest.dislike,
    "avoid": guest.avoid,
    "allow": guest.allow,
    "know_me": guest.know_me,
    "forget_me": guest.forget_me,
    "units": guest.units,
    "care": guest.care,
    "invent": inventing.inventing,
}
#: What a guest may say next, and the control that does the same.
_SAME_AS = {
    "How do I make it?": "Make it", "Another one": "Another", "For four people": "For four", "Just for me": "Just one",
}  # fmt: skip
#: Characters of a guest's name that are spoken.
GUEST_CHARS_MAX = 40


class Answer(msgspec.Struct, frozen=True):
    """A reply, and what may be shown of it before it is whole.

    ``pieces``: of its text, in order.  ``finished``: its parts, once they are whole.  ``slow``: the pieces want to be
    told one by one.
    """

    reply: Reply
    pieces: tuple[str, ...]
    finished: tuple[Part, ...]
    slow: bool


class Bartender:
    """Answers turns.  Holds nothing but the catalogue: what happened before comes with each turn."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._lexicon = Lexicon(catalogue)

    def answer(self, turn: TurnRequest) -> Answer:
        """Return the answer to *turn*."""
        visit = Visit(
            catalogue=self._catalogue,
            intent=understand(turn.message, self._lexicon),
            session=restored(turn.conversation.state),
            tastes=remembered(turn.user.memory, Tastes),
            seed=turn.turn_id,
            at_once=HEARD_MAX if turn.surface.is_heard else RESULTS_MAX,
            guest=" ".join(turn.user.name.split())[:GUEST_CHARS_MAX],
        )
        said = ANSWERS[visit.intent.act](visit)
        reply = Reply(
            parts=_parts(said, turn.surface),
            state=msgspec.to_builtins(said.session) or None,
            memory=changed_memory(said.tastes, visit.tastes),
            end=said.end,
        )
        pieces = said.told or tuple(f"{word} " for word in said.text.split())
        finished = tuple(part for part in reply.parts if isinstance(part, Text | Card | List))
        return Answer(reply, pieces, finished, slow=bool(said.told))


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
    following = tuple(
        text for text in said.next if "buttons" not in surface.shows or _SAME_AS.get(text, text) not in labels
    )
    if following and not said.end:
        parts.append(Suggestions(following))
    return tuple(parts)
