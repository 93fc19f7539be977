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

JOBS = 1_200
WAIT_MAX_S = 30.0


@pytest.fixture(scope="module")
def here() -> Iterator[Stage]:
    """Stores, and a file of effects."""
    with stage() as found:
        yield found


@pytest.mark.parametrize(
    ("lanes", "in_flight_max", "lane_buffered_max", "ahead"),
    [
        # As many as may be ahead of the ledger, and one of each lane under way beside them.
        pytest.param(200, 200, 16, 400, id="more ends than may be ahead"),
        # As many of each lane as one read of it shows, as long as none of them is settled; a look may show more.
        pytest.param(20, 400, 4, 20 * 5, id="lanes that are read again"),
    ],
)
def test_lanes_that_go_on_early_run_each_job_once_whatever_the_ledger_does(
    here: Stage, lanes: int, in_flight_max: int, lane_buffered_max: int, ahead: int
) -> None:
    """No end is forgotten because too many wait, and no job is read again because its end is not written yet."""
    here.clear()
    contestant = PRICES["no_ends"]
    contestant = msgspec.structs.replace(contestant, enqueue=(*contestant.enqueue[:-1], str(lanes)))
    env = {
        **here.env,
        "SWITCHBOARD_JOBS__JOBS_IN_FLIGHT_MAX": str(in_flight_max),
        "SWITCHBOARD_JOBS__LANE_BUFFERED_MAX": str(lane_buffered_max),
    }
    enqueue(contestant, env, JOBS)
    locking = psycopg2.connect(here.stores.postgres.url())
    with locking.cursor() as cursor:
        # Who reads is let through, and who writes waits; and with a transaction open that may have written, too, each
        # read begins again at the first job.
        cursor.execute("LOCK TABLE jobs IN SHARE MODE; SELECT pg_current_xact_id()")
    with working(contestant, env, here.folder / "worker.log"):
        assert ahead <= here.effects.wait(ahead, idle_max_s=WAIT_MAX_S).count <= in_flight_max + lanes
        locking.rollback()
        here.effects.wait(JOBS, idle_max_s=WAIT_MAX_S)
        here.ledger.wait_settled(max_s=WAIT_MAX_S)
    locking.close()
    numbers = here.effects.numbers()
    assert not faults(numbers, JOBS), str(faults(numbers, JOBS))
    assert not out_of_order(numbers, lanes)
