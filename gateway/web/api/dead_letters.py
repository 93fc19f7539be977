"""``/api/v1/dead-letters``: what was given up, and what operators want done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.intake.dead_letters import ROWS_MAX, DroppedLetter, RetriedLetter
from gateway.intake.dead_letters import DeadLetters as Letters
from gateway.store.dead_letters import Kind, Letter, LetterState, LetterView
from gateway.web.api.fields import Id, Name
from gateway.web.api.operation import Caller, operation

__all__ = ["DeadLetters"]


class LettersAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters are to be listed."""

    kind: Kind | None = None
    state: LetterState = "open"
    channel: Name | None = None
    account: Name | None = None
    #: Only those before the one of this id.
    before: Id | None = None
    limit: Annotated[int, Meta(ge=1, le=ROWS_MAX)] = 50


class LetterList(msgspec.Struct, frozen=True, kw_only=True):
    """The newest letters."""

    dead_letters: Sequence[Letter]
    next: int | None


class DeadLetters:
    """The operations."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters

    @operation("GET", "/dead-letters", scope="dead-letters:read")
    def list(self, query: LettersAsked) -> LetterList:
        """Show the newest dead letters; those that were retried or dropped only if they are asked for."""
        found = self._letters.list(
            kind=query.kind,
            state=query.state,
            channel=query.channel,
            account=query.account,
            before=query.before,
            rows_max=query.limit,
        )
        return LetterList(dead_letters=found, next=found[-1].letter_id if len(found) == query.limit else None)

    @operation("GET", "/dead-letters/{letter_id}", scope="dead-letters:read")
    def show(self, letter_id: int) -> LetterView:
        """Show one dead letter, with the delivery that it keeps."""
        return self._letters.show(letter_id)

    @operation("POST", "/dead-letters/{letter_id}/retry", scope="dead-letters:write", problems=(409,))
    def retry(self, letter_id: int, caller: Caller) -> RetriedLetter:
        """Do once more what was given up.

        A turn is asked again at its conversation's end; a delivery is read again; a message is sent again, marked where
        its user may have it already; a job starts anew at its lane's end.  Of two who ask, the second gets a 409.
        """
        return self._letters.retry(letter_id, by=caller.by)

    @operation("DELETE", "/dead-letters/{letter_id}", scope="dead-letters:write", problems=(409,))
    def drop(self, letter_id: int, caller: Caller) -> DroppedLetter:
        """Close a dead letter; the job that it is about is forgotten."""
        return self._letters.drop(letter_id, by=caller.by)
