"""The ledger as its users see it: each statement behind a batcher, in the name of this process.

ledger.accept(arrivals)   one transaction for whoever accepts at this moment
ledger.settle(settling)   likewise
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from psycopg2.extensions import cursor as Cursor

from gateway.domain.errors import SwitchboardError
from gateway.domain.turn import LaneKey, Turn
from gateway.settings.lanes import LaneSettings
from gateway.settings.store import StoreSettings
from gateway.store.batcher import Batcher
from gateway.store.ledger import accept, deliveries, heads, kept, outbox, results, settle
from gateway.store.ledger.accept import Accepted
from gateway.store.ledger.arrange import Arrival
from gateway.store.ledger.asking import FollowUps, settle_and_ask, write_ends
from gateway.store.ledger.kept import Kept
from gateway.store.ledger.outbox import Finish
from gateway.store.ledger.process import Process
from gateway.store.ledger.results import Result
from gateway.store.ledger.settle import Settled, Settling
from gateway.store.postgres import Database

__all__ = ["Ledger"]


class Ledger:
    """Batched access to the ledger.  *process* tells who acts, at the moment of each batch."""

    def __init__(
        self,
        database: Database,
        store: StoreSettings,
        lanes: LaneSettings,
        process: Callable[[], Process],
        *,
        follow_ups: FollowUps | None = None,
    ) -> None:
        self._database = database
        self._process = process
        self._lanes = lanes
        self._follow_ups = follow_ups
        rows_max, batches_max = store.batch_rows_max, store.batches_in_flight_max
        waiting_max = store.batch_waiting_max
        self._accepts: Batcher[Arrival, Accepted] = Batcher(
            "accept",
            database,
            self._accept,
            rows_max=rows_max,
            batches_max=batches_max,
            waiting_max=waiting_max,
            # Two batches under way at once could commit in either order, and a conversation's messages would swap.
            exclusive=lambda arrival: (arrival.channel, arrival.account, arrival.inbound.conversation_key),
        )
        self._settles: Batcher[Settling, Settled] = Batcher(
            "settle",
            database,
            self._settle,
            rows_max=rows_max,
            batches_max=batches_max,
            waiting_max=waiting_max,
        )
        self._tells: Batcher[int, list[Kept]] = Batcher(
            "tell", database, self._tell, rows_max=rows_max, batches_max=1, waiting_max=waiting_max
        )
        self._heads: Batcher[LaneKey, tuple[LaneKey, Turn] | None] = Batcher(
            "heads", database, self._load_heads, rows_max=rows_max, batches_max=1, waiting_max=waiting_max
        )

    def accept(self, arrivals: Sequence[Arrival]) -> list[Accepted | SwitchboardError]:
        """Write the messages of one delivery; those that have a result are committed when this returns.

        The others have an error in its place: ``Overloaded`` if too many rows wait already, ``StoreUnavailable`` if
        PostgreSQL does not answer, ``StoreRefused`` if it refuses the message for what is in it.
        """
        return self._accepts.outcomes(arrivals)

    def settle(self, settling: Settling) -> Settled:
        """Write what became of a turn; it is committed when this returns.

        :raises Overloaded: too many rows wait already.
        :raises StoreUnavailable: PostgreSQL does not answer.
        :raises StoreRefused: it refuses the answer for what is in it.
        """
        return self._settles.submit(settling)

    def head(self, lane: LaneKey) -> tuple[LaneKey, Turn] | None:
        """Return the lane's present key and next turn, or None: not this process's, or no work."""
        return self._heads.submit(lane)

    def results(self, turn_ids: Sequence[int]) -> list[Result]:
        """Return the results of those turns that have ended, whoever ran them."""
        return self._database.run(lambda cursor: results.results(cursor, turn_ids))

    def claim_responses(self, turn_ids: Sequence[int]) -> dict[int, list[int]]:
        """Take the responses of turns that ran elsewhere; outbox ids by turn."""
        return self._database.run(lambda cursor: outbox.claim_responses(cursor, self._process(), turn_ids))

    def tell(self, turn_id: int) -> list[Kept]:
        """Take what is kept, to be told in the response of this turn; ``finish`` says what became of it.

        :raises TryLater: PostgreSQL does not answer, or has too much to do; perhaps it was taken all the same.
        """
        return self._tells.submit(turn_id)

    def finish(self, batch: Sequence[Finish]) -> list[bool]:
        """Write what became of sends; False for a row that is not this process's any more."""
        return self._database.run(lambda cursor: self.write_ends(cursor, batch))

    def write_ends(self, cursor: Cursor, batch: Sequence[Finish]) -> list[bool]:
        """Do that with a cursor, for who has a batcher of his own."""
        return write_ends(cursor, self._process(), batch, self._follow_ups)

    def outbox_owned(self) -> set[int]:
        """Return the outbox rows that this process is sending, as the ledger knows it."""
        return self._database.run(lambda cursor: outbox.owned(cursor, self._process()))

    def outbox_counts(self) -> dict[tuple[str, str], int]:
        """Return the rows not yet ended, by (channel, account)."""
        return self._database.run(outbox.counts)

    def dead_letter(
        self, *, channel: str, account: str, reason: str, detail: str, body: bytes, content_type: str
    ) -> int:
        """Keep a delivery that was not understood; return the dead letter's id."""
        return self._database.run(
            lambda cursor: deliveries.dead_letter(
                cursor,
                channel=channel,
                account=account,
                reason=reason,
                detail=detail,
                body=body,
                content_type=content_type,
            )
        )

    def _accept(self, cursor: Cursor, batch: Sequence[Arrival]) -> list[Accepted]:
        return accept.accept(
            cursor,
            self._process(),
            batch,
            waiting_max=self._lanes.lane_waiting_max,
        )

    def _settle(self, cursor: Cursor, batch: Sequence[Settling]) -> list[Settled]:
        follow_ups = self._follow_ups
        if follow_ups is not None:
            following = [follow_ups.of_turn(item.settlement) for item in batch]
            if any(following):
                settled, asked = settle_and_ask(cursor, self._process(), batch, following)
                follow_ups.asked(*asked)
                return settled
        return settle.settle(cursor, self._process(), batch)

    def _tell(self, cursor: Cursor, batch: Sequence[int]) -> list[list[Kept]]:
        return kept.tell(cursor, self._process(), batch)

    def _load_heads(self, cursor: Cursor, batch: Sequence[LaneKey]) -> list[tuple[LaneKey, Turn] | None]:
        return heads.heads(cursor, self._process(), [lane.conversation_id for lane in batch])
