"""``/api/v1/turns`` and ``/api/v1/conversations/<id>/turns``: what was said, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta
from psycopg2.extensions import cursor as Cursor

from gateway.conversations import queries
from gateway.conversations.queries import Exchange, TurnView
from gateway.domain.errors import NotFound
from gateway.store.postgres import Database
from gateway.web.api.fields import Id
from gateway.web.api.operation import operation

__all__ = ["Turns"]

#: A turn may hold a reply of assistants.<name>.reply_bytes_max, and all are put together before the first byte leaves.
ROWS_MAX = 200


class TurnsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which turns are to be listed."""

    #: Only those before the one of this number in the conversation.
    before: Id = 2**63 - 1
    limit: Annotated[int, Meta(ge=1, le=ROWS_MAX)] = 100


class TurnList(msgspec.Struct, frozen=True, kw_only=True):
    """The last turns of a conversation, newest first."""

    turns: Sequence[Exchange]
    next: int | None


class Turns:
    """The operations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @operation("GET", "/conversations/{conversation_id}/turns", scope="turns:read")
    def list(self, conversation_id: int, query: TurnsAsked) -> TurnList:
        """Show what was said in a conversation, newest first."""

        def read(cursor: Cursor) -> TurnList:
            if queries.conversation(cursor, conversation_id) is None:
                raise NotFound(f"there is no conversation {conversation_id}", reason="no_such_conversation")
            found = queries.transcript(cursor, conversation_id, before_seq=query.before, turns_max=query.limit)
            more = len(found) == query.limit and found[0].seq > 1
            return TurnList(turns=found[::-1], next=found[0].seq if more else None)

        return self._database.run(read)

    @operation("GET", "/turns/{turn_id}", scope="turns:read")
    def show(self, turn_id: int) -> TurnView:
        """Show one turn: what was said, what came back, and on which way."""
        found = self._database.run(lambda cursor: queries.turn(cursor, turn_id))
        if found is None:
            raise NotFound(f"there is no turn {turn_id}", reason="no_such_turn")
        return found
