"""The count of unsent replies, against which their bound is held."""

from __future__ import annotations

import gevent
import pytest

from gateway.domain.errors import StoreUnavailable
from gateway.replies.outbox_watch import OutboxWatch
from tests.support.waiting import GUARD_S, until

COUNTS = {("slack", "bot"): 3}


@pytest.mark.parametrize("first", ["counts", "is away"])
def test_the_latest_count_is_told_and_a_store_that_is_away_changes_nothing(first: str) -> None:
    """Law: open.  While PostgreSQL is away nothing is accepted anyway."""
    asked: list[None] = []

    def count() -> dict[tuple[str, str], int]:
        asked.append(None)
        if first == "is away" and len(asked) == 1:
            raise StoreUnavailable("away", reason="away", retry_after_s=1)
        return dict(COUNTS)

    watch = OutboxWatch(count)
    assert watch.rows() == {}
    counting = gevent.spawn(watch.count_forever)
    with gevent.Timeout(GUARD_S):
        until("a count", lambda: watch.rows() == COUNTS)
    assert len(asked) == (2 if first == "is away" else 1)
    counting.kill()
