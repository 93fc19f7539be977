"""Transcripts, read in batches: streams that look at the ledger at the same moment share one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TypeVar

import psycopg2
from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import StoreUnavailable
from gateway.settings.store import StoreSettings
from gateway.store.batcher import Batcher
from gateway.store.ledger import transcripts as rows
from gateway.store.ledger.transcripts import ConversationKey, Entry, Exchange, Mark, Past, Span
from gateway.store.postgres import Database

__all__ = ["Transcripts"]

#: Conversations of one statement of a poll: it must not hold a connection for long.
_POLL_ROWS_MAX = 1_000
#: Conversations of which one statement reads what was said before.
_PASTS_MAX = 16

Key = TypeVar("Key")
Found = TypeVar("Found")


class Transcripts:
    """Reads what was said.  Every method raises StoreUnavailable while PostgreSQL does not answer."""

    def __init__(self, database: Database, settings: StoreSettings) -> None:
        self._database = database
        waiting_max = settings.batch_waiting_max
        self._reads: Batcher[Span, list[Entry]] = Batcher(
            "transcripts",
            database,
            rows.after,
            rows_max=settings.batch_rows_max,
            batches_max=settings.batches_in_flight_max,
            waiting_max=waiting_max,
        )
        self._pasts: Batcher[Past, list[Exchange]] = Batcher(
            "transcript_pasts",
            database,
            rows.before,
            # Whole conversations, not what a page has not seen of one: few to a statement.
            rows_max=_PASTS_MAX,
            batches_max=settings.batches_in_flight_max,
            waiting_max=waiting_max,
        )
        self._finds: Batcher[ConversationKey, Mark | None] = Batcher(
            "transcript_finds",
            database,
            rows.find,
            rows_max=settings.batch_rows_max,
            batches_max=1,
            waiting_max=waiting_max,
        )

    def after(self, conversation_id: int, after_seq: int, turns_max: int) -> list[Entry]:
        """Return up to *turns_max* turns behind *after_seq*, in order.

        :raises Overloaded: too many reads wait already.
        """
        return self._reads.submit(Span(conversation_id, after_seq, turns_max))

    def before(self, past: Past) -> list[Exchange]:
        """Return the answered turns of *past*, in order.

        :raises Overloaded: too many reads wait already.
        """
        return self._pasts.submit(past)

    def find(self, key: ConversationKey) -> Mark | None:
        """Return where the conversation stands, or None: nobody has spoken in it yet.

        :raises Overloaded: too many reads wait already.
        """
        return self._finds.submit(key)

    def find_all(self, keys: Iterable[ConversationKey]) -> list[Mark | None]:
        """Return where each of these conversations stands: for the poll, which asks for many at once."""
        return self._in_chunks(keys, rows.find)

    def keys(self, conversation_ids: Iterable[int]) -> dict[int, ConversationKey]:
        """Return what these conversations are called by their channels."""
        return dict(self._in_chunks(conversation_ids, rows.keys))

    def marks(self, conversation_ids: Iterable[int]) -> list[Mark]:
        """Return where these conversations stand, in no particular order."""
        return self._in_chunks(conversation_ids, rows.marks)

    def _in_chunks(
        self, keys: Iterable[Key], read: Callable[[Cursor, Sequence[Key]], list[Found]]
    ) -> list[Found]:
        found: list[Found] = []
        left = iter(keys)
        while chunk := list(islice(left, _POLL_ROWS_MAX)):
            found += self._run(chunk, read)
        return found

    def _run(self, chunk: list[Key], read: Callable[[Cursor, Sequence[Key]], list[Found]]) -> list[Found]:
        try:
            return self._database.run(lambda cursor: read(cursor, chunk))
        except psycopg2.Error as error:
            raise StoreUnavailable(
                "PostgreSQL does not answer reads now", reason="postgres_unavailable", retry_after_s=1
            ) from error
