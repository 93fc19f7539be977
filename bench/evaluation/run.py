"""One run on this machine: stores, contestants, and the rounds that a journal still lacks."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.contestants import CONTESTANTS
from bench.evaluation.journal import Journal
from bench.evaluation.measures.catalogue import MEASURES
from bench.evaluation.measures.memory import BALLAST, CONNECTIONS
from bench.evaluation.rounds import Rounds
from bench.evaluation.stage import Rounded
from bench.keys import Keys
from bench.needs import missing
from bench.rounds import Field
from bench.sampling import Pace
from bench.server import environment
from bench.stack import durable_stores

__all__ = ["DESCRIPTORS", "run_rounds"]

#: Connections of the largest measurement, and whatever else is open.
DESCRIPTORS = CONNECTIONS + BALLAST + 1_000
#: Work for each contestant at the beginning of a round.  V8 compiles within two seconds; the JVM goes on for longer,
#: and is seen to do so.  A quick run has no time for that, and knows who compiles.
WARMING = Pace(warm_s=1.0, measured_s=1.0, again_max=6)


def run_rounds(journal: Journal) -> dict[str, str]:
    """Measure what is left; return what contestants lack, by name, and how to get it."""
    plan = journal.head.plan
    lacks = {name: lack for name in plan.contestants if (lack := missing(CONTESTANTS[name].needs))}
    turns = plan.all_turns(MEASURES)
    if all(journal.is_done(turn) or turn.contestant in lacks for turn in turns):
        return lacks
    with durable_stores() as (postgres, redis, postgres_pid), tempfile.TemporaryDirectory() as folder:
        keys = Keys(postgres.url())
        keys.fill()
        field = Field(environment(postgres.url(), redis.url, Path(folder)), Path(folder))
        stage = Rounded(field, keys, postgres_pid, quick=plan.quick, warming=WARMING)
        Rounds(journal, stage, MEASURES).run(lacks)
        keys.close()
    return lacks
