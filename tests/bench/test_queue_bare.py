"""The worker that lets lanes go on early, while PostgreSQL writes no end: it goes ahead so far, and no further."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import psycopg2
import pytest

from bench.queue.contestants import PRICES
from bench.queue.drain import enqueue, working
from bench.queue.effects import faults, out_of_order
from bench.queue.stage import Stage, stage

JOBS, LANES, IN_FLIGHT_MAX = 3_000, 100, 400
#: Those whose lanes have gone on, and one of each lane under way beside them.
AHEAD = IN_FLIGHT_MAX + LANES
WAIT_MAX_S = 30.0


@pytest.fixture
def here() -> Iterator[Stage]:
    """Stores, and a file of effects."""
    with stage() as found:
        yield found


def test_lanes_that_go_on_early_run_each_job_once_whatever_the_ledger_does(here: Stage) -> None:
    """No end is forgotten because too many wait, and no job is read again because its end is not written yet."""
    contestant = msgspec.structs.replace(
        PRICES["no_ends"], enqueue=(*PRICES["no_ends"].enqueue[:-1], str(LANES))
    )
    env = {
        **here.env,
        "SWITCHBOARD_JOBS__JOBS_IN_FLIGHT_MAX": str(IN_FLIGHT_MAX),
        # So that the rest of a lane is read while its first jobs are not settled.
        "SWITCHBOARD_JOBS__LANE_BUFFERED_MAX": "4",
    }
    enqueue(contestant, env, JOBS)
    locking = psycopg2.connect(here.stores.postgres.url())
    with locking.cursor() as cursor:
        # Who reads is let through, and who writes waits; and with a transaction open that may have written, too, each
        # read begins again at the first job.
        cursor.execute("LOCK TABLE jobs IN SHARE MODE; SELECT pg_current_xact_id()")
    with working(contestant, env, here.folder / "worker.log"):
        assert here.effects.wait(AHEAD, idle_max_s=WAIT_MAX_S).count == AHEAD
        locking.rollback()
        here.effects.wait(JOBS, idle_max_s=WAIT_MAX_S)
        here.ledger.wait_settled(max_s=WAIT_MAX_S)
    locking.close()
    numbers = here.effects.numbers()
    assert not faults(numbers, JOBS), str(faults(numbers, JOBS))
    assert not out_of_order(numbers, LANES)
