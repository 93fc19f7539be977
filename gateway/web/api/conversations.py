"""``/api/v1/conversations``: what there is.  What was said in them has a scope of its own (``turns.py``).

A conversation's key is a platform's name for people and places: here it is a short hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.conversations import queries
from gateway.conversations.queries import PAGE_PATTERN, Conversation, Page
from gateway.domain.errors import NotFound
from gateway.store.postgres import Database
from gateway.web.api.fields import Name
from gateway.web.api.operation import operation

__all__ = ["Conversations"]

ROWS_MAX = 10_000
_Page = Annotated[
    str, Meta(pattern=PAGE_PATTERN, description="the `next` of the page before")
]


class ConversationsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations are to be listed."""

    channel: Name | None = None
    account: Name | None = None
    before: _Page | None = None
    limit: Annotated[int, Meta(ge=1, le=ROWS_MAX)] = 50


class ConversationList(msgspec.Struct, frozen=True, kw_only=True):
    """Those that were active last, newest first.  One that is active meanwhile is on no later page."""

    conversations: Sequence[Conversation]
    next: str | None


class Conversations:
    """The operations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @operation("GET", "/conversations", scope="conversations:read")
    def list(self, query: ConversationsAsked) -> ConversationList:
        """Show the conversations that were active last, newest first."""
        behind = None if query.before is None else Page.of(query.before)
        found = self._database.run(
            lambda cursor: queries.conversations(
                cursor,
                channel=query.channel or "",
                account=query.account or "",
                behind=behind,
                rows_max=query.limit,
            )
        )
        return ConversationList(
            conversations=found, next=_page(found[-1]) if len(found) == query.limit else None
        )

    @operation("GET", "/conversations/{conversation_id}", scope="conversations:read")
    def show(self, conversation_id: int) -> Conversation:
        """Show where one conversation stands."""
        found = self._database.run(lambda cursor: queries.conversation(cursor, conversation_id))
        if found is None:
            raise NotFound(f"there is no conversation {conversation_id}", reason="no_such_conversation")
        return found


def _page(last: Conversation) -> str:
    return str(Page(last.active_at, last.conversation_id))
