"""The bound of jobs in the ledger: soft, and named where it is reached."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from gateway.domain.errors import Overloaded, StoreUnavailable
from gateway.jobs.backlog import Backlog
from tests.support.waiting import until


def test_at_the_bound_the_next_one_is_refused_with_the_setting_to_change() -> None:
    count = 9
    backlog = Backlog(lambda: count, 10)
    backlog.check()
    backlog.look()
    backlog.check()
    count = 10
    backlog.look()
    with pytest.raises(Overloaded, match=r"about 10 jobs .*jobs\.waiting_max is 10") as error:
        backlog.check()
    assert error.value.retry_after_s > 0


def test_while_postgresql_is_away_the_last_count_stands() -> None:
    """Law: fail-open.  Nothing is written meanwhile, and the watch goes on."""
    answers: Iterator[int | None] = iter([10, None, None, 3])
    asked = 0

    def count() -> int:
        nonlocal asked
        asked += 1
        answer = next(answers, 3)
        if answer is None:
            raise StoreUnavailable("away", reason="away", retry_after_s=1)
        return answer

    backlog = Backlog(count, 10, every_s=0.001)
    watching = gevent.spawn(backlog.watch_forever)
    try:
        until("the count to be back", lambda: asked >= 4)
        until("it to be believed", lambda: "about 3" in repr(backlog))
    finally:
        watching.kill()
