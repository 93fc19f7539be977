"""Plans: no statement of the ledger reads a history to find what it could probe for.

The planner is the worst trap of this protocol: on empty or one-turn-a-conversation statistics "the next turn of this
conversation" once became a filter over everything ever said, and plans cached on empty tables stay as they are.
So the tables are filled *behind* connections that have cached their plans, and what counts is rows read, not plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from gateway.domain.reply import Reply
from gateway.domain.turn import OutboxDraft
from gateway.store.ledger import outbox, process, push, transcripts
from gateway.store.ledger.outbox import Finish
from tests.store.rows_read import Call, Read, assert_probed, rows_read
from tests.support.actor import Actor, arrival

pytestmark = pytest.mark.new_database

HISTORY = 30_000
#: Rows read by one call of a handful of items; far below the history, far above what probing takes.
READ_MAX = 600

_FILL = """
    INSERT INTO users (channel, account, key, name, locale)
    SELECT 'slack', 'bot', 'old user ' || n, '', '' FROM generate_series(10, {n}) AS n;
    INSERT INTO conversations (channel, account, key, last_seq, done_seq)
    SELECT 'slack', 'bot', 'old lane ' || n, 1, 1 FROM generate_series(10, {n}) AS n;
    INSERT INTO turns (conversation_id, seq, state, user_id, surface, address, message, trace_id, accepted_by)
    SELECT id, 1, 'answered', id, 'event', '{{}}', '{{"kind": "text", "text": "old"}}', '', 1
    FROM conversations c WHERE key LIKE 'old lane %' AND NOT EXISTS (SELECT FROM turns WHERE conversation_id = c.id);
    INSERT INTO dedupe_keys (key, turn_id)
    SELECT 'slack/bot/old ' || n, n FROM generate_series(10, {n}) AS n;
    INSERT INTO outbox (conversation_id, turn_id, channel, account, kind, state, payload, due_at)
    SELECT conversation_id, id, 'slack', 'bot', 'push', 'sent', '{{}}', now() FROM turns
    WHERE message ->> 'text' = 'old';
    INSERT INTO dead_letters (kind, channel, account, reason)
    SELECT 'turn', 'slack', 'bot', 'old' FROM generate_series(10, {n}) AS n;
    INSERT INTO jobs (id, place, partition, state, kind, lane, payload, due_at, unique_key)
    SELECT nextval('job_places'), 0, 0, 'buried', 'reply.send', 'old', '{{}}', now(), 'outbox:old ' || n
    FROM generate_series(10, {n}) AS n;
"""
TABLES = ["users", "conversations", "turns", "dedupe_keys", "outbox", "dead_letters", "jobs"]


class Ledger:
    """Every call of the protocol, on connections that know the tables only as they were when these were opened."""

    def __init__(self, actors: Callable[..., Actor]) -> None:
        self.gateway, self.worker, self.other = actors(), actors("worker"), actors()
        self.rounds = 0

    def calls(self) -> Iterator[Call]:
        """One round of everything, in an order in which each finds something to do."""
        gateway, worker, other = self.gateway, self.worker, self.other
        self.rounds += 1
        now = self.rounds
        batch = [
            arrival(lane=f"lane {now} {n % 4}", keys=[f"{now} {n}"], user=f"user {now} {n}") for n in range(8)
        ]
        yield "accept", gateway, lambda: gateway.accept(*batch)
        yield "accept duplicates", other, lambda: other.accept(*batch)
        yield (
            "accept old duplicates",
            gateway,
            lambda: gateway.accept(
                *[arrival(lane=f"old lane {n}", keys=[f"old {n}"], user=f"old user {n}") for n in range(1, 5)]
            ),
        )
        lanes = [
            row[0] for row in gateway.rows("SELECT id FROM conversations WHERE key LIKE %s", f"lane {now} %")
        ]
        yield "heads", gateway, lambda: [gateway.head(lane) for lane in lanes]
        yield "settle", gateway, lambda: gateway.answer(lanes[0], pushes=["a", "b"])
        yield (
            "settle failed",
            gateway,
            lambda: gateway.answer(lanes[1], state="failed", reason="x", pushes=["a"]),
        )
        yield "settle handing over", gateway, lambda: gateway.answer(lanes[2], hand_over=True, pushes=["a"])
        response = OutboxDraft(kind="response", payload={}, due_s=60)
        yield "settle with a response", gateway, lambda: gateway.answer(lanes[3], drafts=[response])
        turns = [row[0] for row in gateway.rows("SELECT turn_id FROM outbox WHERE kind = 'response'")]
        yield "results", other, lambda: other.results(*turns)
        yield "claim responses", other, lambda: other.claim_responses(*turns)
        waiting = [row[0] for row in worker.rows("SELECT id FROM outbox WHERE state = 'pending'")]
        yield "take", worker, lambda: worker.take(*waiting)
        rows = sorted(worker.sending())
        yield "rows owned", worker, worker.sending
        yield "finish", worker, lambda: worker.finish(*[Finish(row, "not_sent") for row in rows])
        worker.rows("DELETE FROM jobs WHERE lane <> 'old' AND id %% 2 = 0 RETURNING id")
        yield "mend", worker, lambda: outbox.mend(worker.cursor, None, 100)
        yield "counts", worker, lambda: outbox.counts(worker.cursor)
        yield "owned", gateway, gateway.owned
        yield "free", worker, lambda: process.free(worker.cursor, worker.process)
        yield "beat", gateway, gateway.beat
        spans = [transcripts.Span(lane, 0, 50) for lane in lanes]
        yield "transcript", gateway, lambda: transcripts.after(gateway.cursor, spans)
        pasts = [transcripts.Past(lane, 100, 20, 100_000) for lane in lanes]
        yield "past", gateway, lambda: transcripts.before(gateway.cursor, pasts)
        keys = [("slack", "bot", f"lane {now} {n}") for n in range(4)]
        yield "find", gateway, lambda: transcripts.find(gateway.cursor, keys)
        yield "marks", gateway, lambda: transcripts.marks(gateway.cursor, lanes)
        yield from self._push_calls()
        gateway.fall_silent()
        yield "bury", other, other.bury
        yield "adopt", other, other.adopt
        gateway.revive()
        yield "leave", other, other.leave
        other.revive()

    def _push_calls(self) -> Iterator[Call]:
        gateway, worker, now = self.gateway, self.worker, self.rounds
        here = push.Place("slack", "bot", "key", 1, "event", {"channel": "C1"})
        idle = gateway.say(lane=f"idle {now}").conversation_id
        gateway.answer(idle)
        yield "place of a push", worker, lambda: push.place(worker.cursor, idle)
        yield (
            "push",
            worker,
            lambda: push.push(
                worker.cursor, worker.process, idle, here, Reply(), once=str(now), payloads=[{}]
            ),
        )
        yield "cancel", worker, lambda: push.cancel(worker.cursor, [f"push:{now}", "outbox:1"])

    def round(self) -> Read:
        """Make every call once."""
        return rows_read(self.calls(), TABLES)


def fill(actor: Actor) -> None:
    """Add a history."""
    actor.cursor.execute(_FILL.format(n=HISTORY))


@pytest.mark.parametrize(
    "statistics", ["none", "one turn a conversation", "known to be empty", "most turns still wait"]
)
def test_plans_cached_on_empty_tables_do_not_read_the_history(
    actors: Callable[..., Actor], statistics: str
) -> None:
    """Law: a process that was started on a new database serves as well when the database has grown."""
    if statistics == "known to be empty":
        # Autovacuum has been there: no row is assumed where none is.
        actors().cursor.execute("VACUUM")
    ledger = Ledger(actors)
    for number in range(8):
        ledger.round()  # PostgreSQL keeps a plan after five runs.
        if statistics == "most turns still wait" and number == 2:
            # Autovacuum comes by table, and when it likes: of all others nothing is known.
            actors().cursor.execute("ANALYZE turns")
    fill(actors())
    if statistics == "one turn a conversation":
        actors().cursor.execute("ANALYZE")
    for _ in range(3):
        assert_probed(ledger.round(), rows_max=READ_MAX)


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [1, 2, 4, 7])
@pytest.mark.parametrize("table", TABLES)
def test_whatever_autovacuum_knew_of_a_table_alone_the_history_is_not_read(
    actors: Callable[..., Actor], table: str, rounds: int
) -> None:
    """Law: it comes by table, and when it likes; what it found on the first messages stands until it comes again."""
    ledger = Ledger(actors)
    for number in range(1, 9):
        ledger.round()
        if number == rounds:
            actors().cursor.execute(f"ANALYZE {table}")
    fill(actors())
    for _ in range(3):
        assert_probed(ledger.round(), rows_max=READ_MAX)
    # A plan that is made now knows no more.
    fresh = Ledger(actors)
    fresh.rounds = ledger.rounds
    assert_probed(fresh.round(), rows_max=READ_MAX)


@pytest.mark.parametrize("statistics", ["none", "one turn a conversation", "of empty tables"])
def test_plans_made_on_a_history_do_not_read_it(actors: Callable[..., Actor], statistics: str) -> None:
    keeper = actors()
    if statistics == "of empty tables":
        keeper.cursor.execute("VACUUM ANALYZE")
    fill(keeper)
    if statistics == "one turn a conversation":
        keeper.cursor.execute("ANALYZE")
    ledger = Ledger(actors)
    for _ in range(8):
        assert_probed(ledger.round(), rows_max=READ_MAX)
