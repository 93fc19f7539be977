"""Plans over what waits: while a platform is away thousands of replies wait, and a send must not read them all.

As in test_plans.py: what counts is rows read, by connections whose plans were made before anything waited.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.turn import OutboxDraft
from gateway.store.ledger import kept, outbox, push
from gateway.store.ledger.outbox import Finish
from tests.support.actor import Actor

pytestmark = pytest.mark.new_database

BACKLOG = 20_000
#: Rows read by one call for a handful of rows; far below the backlog, far above what probing takes.
READ_MAX = 200

_FILL = f"""
    INSERT INTO outbox (conversation_id, turn_id, channel, account, kind, state, payload, due_at)
    SELECT 1000000 + n, 1000000 + n, 'slack', 'bot', 'push', %s, '{{}}', now() FROM generate_series(1, {BACKLOG}) AS n
"""
_FILL_JOBS = """
    SELECT outbox_carry(array_agg(id), array_agg(conversation_id), array_agg(trace_id), array_agg(due_at))
    FROM outbox WHERE state = 'pending'
"""
_READ = """
    SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
    WHERE relname IN ('outbox', 'jobs')
"""


class Sending:
    """Replies on their way, on connections that know the tables only as they were when these were opened."""

    def __init__(self, actors: Callable[..., Actor]) -> None:
        self.gateway, self.worker, self.other = actors(), actors("worker"), actors()
        self.rounds = 0

    def round(self) -> dict[str, int]:
        """Send a few replies; return how many rows each call has read."""
        gateway, worker = self.gateway, self.worker
        self.rounds += 1
        lanes = [gateway.say(lane=f"lane {self.rounds} {n}").conversation_id for n in range(3)]
        for lane in lanes[:2]:
            gateway.answer(lane, pushes=["a"])
        response = OutboxDraft(kind="response", payload={}, due_s=60)
        gateway.answer(lanes[2], drafts=[response])
        of_lanes = "SELECT id, turn_id FROM outbox WHERE conversation_id = ANY (%s) ORDER BY id"
        rows = gateway.rows(of_lanes, lanes)
        quiet = gateway.say(lane=f"quiet {self.rounds}").conversation_id
        gateway.answer(quiet, drafts=[OutboxDraft(kind="response", payload={}, kept_s=60)])
        asked = gateway.say(lane=f"quiet {self.rounds}").turn_id
        ids = [row[0] for row in rows[:2]]
        read = {
            "take": self._read(worker, lambda: worker.take(*ids)),
            "retry": self._read(worker, lambda: worker.finish(*[Finish(row, "retry") for row in ids])),
            "finish": self._read(
                worker, lambda: (worker.take(*ids), worker.finish(*[Finish(row, "sent") for row in ids]))
            ),
            "claim responses": self._read(self.other, lambda: self.other.claim_responses(rows[2][1])),
            "cancel": self._read(worker, lambda: push.cancel(worker.cursor, [f"outbox:{ids[0]}", "none"])),
            "tell": self._read(self.other, lambda: kept.tell(self.other.cursor, self.other.process, [asked])),
            "mend": self._read(worker, lambda: outbox.mend(worker.cursor, None, 10)),
        }
        self.other.finish(Finish(rows[2][0], "sent"))
        return read

    def _read(self, actor: Actor, call: Callable[[], object]) -> int:
        with actor.transaction():
            before = sum(read for _, read in actor.rows(_READ))
            call()
            return sum(read for _, read in actor.rows(_READ)) - before


@pytest.mark.parametrize("statistics", ["none", "of what was sent"])
def test_a_send_reads_its_own_rows_whatever_waits(actors: Callable[..., Actor], statistics: str) -> None:
    """Law: what waits for a platform that is away makes no send slower that goes to another one."""
    keeper = actors()
    if statistics == "of what was sent":
        keeper.cursor.execute(_FILL, ("sent",))
        keeper.cursor.execute("VACUUM ANALYZE")
    sending = Sending(actors)
    for _ in range(8):
        sending.round()  # PostgreSQL keeps a plan after five runs.
    keeper.cursor.execute(_FILL, ("pending",))
    keeper.cursor.execute(_FILL_JOBS)

    for _ in range(3):
        read = sending.round()

        too_much = {name: rows for name, rows in read.items() if rows > READ_MAX}
        assert not too_much, f"rows read in one call: {too_much}"
