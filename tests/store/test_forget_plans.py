"""Plans of what forgets and erases: a portion reads a portion, however much there is and whatever the planner believes.

As in test_plans.py the tables are filled *behind* connections that have cached their plans, and what counts is rows
read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import get_args

import pytest

from gateway.store.ledger import erase, forget, schedules
from gateway.store.ledger.forget import Walk
from gateway.store.ledger.schedules import Scheduled
from tests.store.rows_read import Read, assert_probed, rows_read
from tests.support.actor import Actor

pytestmark = pytest.mark.new_database

HISTORY = 20_000
ROWS_MAX = 10
#: Rows read by one call for ten rows; far below the history, far above what probing takes.
READ_MAX = 400
#: Older than anything here.
FOR_GOOD_S = 1e9
DAY_S = 86_400.0

_FILL = f"""
    INSERT INTO users (channel, account, key, name, locale, gone_at)
    SELECT 'slack', 'bot', 'old ' || n, '', '', CASE WHEN n % 10 = 0 THEN now() - interval '10 days' END
    FROM generate_series(1, {HISTORY}) AS n;
    INSERT INTO conversations (channel, account, key, last_seq, done_seq, active_at, gone_at)
    SELECT 'slack', 'bot', 'old ' || n, 1, 1, now() - interval '50 days',
           CASE WHEN n % 10 = 0 THEN now() - interval '10 days' END
    FROM generate_series(1, {HISTORY}) AS n;
    INSERT INTO turns (id, conversation_id, seq, state, user_id, surface, address, message, trace_id, accepted_by,
                       accepted_at)
    SELECT n, n, 1, 'answered', n, 'event', '{{}}', '{{}}', '', 1, now() - interval '50 days'
    FROM generate_series(1, {HISTORY}) AS n;
    INSERT INTO outbox (conversation_id, turn_id, channel, account, kind, state, payload, due_at, created_at,
                        finished_at)
    SELECT n, n, 'slack', 'bot', 'push', 'sent', '{{}}', now(), now() - interval '50 days', now() - interval '50 days'
    FROM generate_series(1, {HISTORY}) AS n;
    INSERT INTO dead_letters (kind, channel, account, turn_id, reason, created_at)
    SELECT CASE WHEN n % 2 = 0 THEN 'turn' ELSE 'delivery' END, 'slack', 'bot', n, '', now() - interval '50 days'
    FROM generate_series(1, {HISTORY}) AS n;
    INSERT INTO jobs (id, place, partition, state, kind, lane, payload, due_at, finished_at, expires_at)
    SELECT nextval('job_places'), 0, 0, CASE WHEN n % 2 = 0 THEN 'buried' ELSE 'done' END, 'test', 'old', '{{}}', now(),
           now() - interval '50 days', now() - interval '20 days'
    FROM generate_series(1, {HISTORY}) AS n;
    INSERT INTO job_schedules (name, timing, next_at) SELECT 'old ' || n, '', now() FROM generate_series(1, 20) AS n
"""
TABLES = ["users", "conversations", "turns", "outbox", "dead_letters", "jobs"]

_Named = tuple[str, Callable[[], object]]


class Worker:
    """Every statement, on a connection that knows the tables only as they were when it was opened."""

    def __init__(self, actors: Callable[..., Actor]) -> None:
        self.actor = actors("worker")
        self._behind = 0

    def calls(self) -> Iterator[_Named]:
        """One round, each somewhere else in its table."""
        cursor = self.actor.cursor
        self._behind += 1_000
        behind = self._behind
        yield "find", lambda: erase.find(cursor, "slack", "bot", f"old {behind}")
        yield "empty turns", lambda: erase.empty_turns(cursor, behind, 0, ROWS_MAX)
        yield "jobs", lambda: erase.jobs(cursor, behind, ROWS_MAX)
        yield "drop jobs", lambda: erase.drop_jobs(cursor, [behind, behind + 1])
        yield "deliveries", lambda: erase.deliveries(cursor, "slack", "bot", behind, ROWS_MAX)
        yield "drop deliveries", lambda: erase.drop_deliveries(cursor, [behind, behind + 1])
        yield "end", lambda: erase.end(cursor, behind, behind * 1_000, behind, b"{}")
        for what in get_args(Walk):
            for older_than_s in (DAY_S, FOR_GOOD_S):
                yield f"{what} {older_than_s:g}", self._walk(what, older_than_s, behind)
        yield "gone", lambda: forget.gone(cursor, DAY_S, ROWS_MAX)
        yield "no longer gone", lambda: forget.gone(cursor, FOR_GOOD_S, ROWS_MAX)
        yield "job results", lambda: forget.job_results(cursor, ROWS_MAX)
        read = Scheduled("", 0.0)
        yield "tick", lambda: schedules.tick(cursor, "old 1", read, 1.0)

    def _walk(self, what: Walk, older_than_s: float, behind: int) -> Callable[[], object]:
        return lambda: forget.walk(self.actor.cursor, what, older_than_s, behind, ROWS_MAX)

    def round(self) -> Read:
        """Make every call once."""
        return rows_read(((name, self.actor, call) for name, call in self.calls()), TABLES)


@pytest.mark.parametrize("statistics", ["none", "of a history", "known to be empty"])
def test_plans_cached_on_empty_tables_do_not_read_the_history(actors: Callable[..., Actor], statistics: str) -> None:
    if statistics == "known to be empty":
        # Autovacuum has been there: no row is assumed where none is.
        actors().cursor.execute("VACUUM")
    worker = Worker(actors)
    for _ in range(8):
        worker.round()
    keeper = actors()
    keeper.cursor.execute(_FILL)
    if statistics == "of a history":
        keeper.cursor.execute("ANALYZE")
    for _ in range(3):
        assert_probed(worker.round(), rows_max=READ_MAX)


@pytest.mark.parametrize("statistics", ["none", "of a history", "of empty tables"])
def test_plans_made_on_a_history_do_not_read_it(actors: Callable[..., Actor], statistics: str) -> None:
    keeper = actors()
    if statistics == "of empty tables":
        keeper.cursor.execute("VACUUM ANALYZE")
    keeper.cursor.execute(_FILL)
    if statistics == "of a history":
        keeper.cursor.execute("ANALYZE")
    worker = Worker(actors)
    for _ in range(8):
        assert_probed(worker.round(), rows_max=READ_MAX)
