"""A million jobs wait: is a worker as fast as with ten thousand, and does anything grow without bound?

Redis holds hints, which are capped: what it grows by must not depend on how many jobs wait.  PostgreSQL's table holds
the jobs; once they are done and VACUUM has been there, another million must find room where the last one was.  It does
not quite: what VACUUM empties of an index is used again only after the next one, so its three indexes, a quarter of the
whole, are there up to twice.
"""

from __future__ import annotations

import click
import redis

from bench.queue.asking import ask
from bench.queue.contestants import CONTESTANTS, LANES, OURS
from bench.queue.drain import IDLE_MAX_S, Failed, drain
from bench.queue.effects import faults, out_of_order
from bench.queue.stage import Stage, stage
from bench.report import Report, median, spread
from bench.stack import OTHERS_CPU
from gateway.domain.job import PARTITIONS
from gateway.settings.jobs import JobSettings

__all__ = ["measure"]

FEW, MANY, MANY_QUICK = 10_000, 1_000_000, 50_000
SPEED_GOAL = 0.8
#: Bytes of one entry of hints at most: 64 ids of up to ten digits, and what Redis keeps beside them.
_ENTRY_BYTES = 1_024
#: A stream is trimmed by whole nodes of a hundred entries.
REDIS_GOAL_MB = PARTITIONS * (JobSettings().hints_per_partition_max + 100) * _ENTRY_BYTES / 1e6
#: How often it is filled, and what the last time may make the table larger than the first time did: if nothing of the
#: indexes were used again, it would be half.
FILLS = 3
REGROWTH_GOAL = 1.3


def measure(report: Report) -> None:
    """Measure it."""
    many, few_runs, fills = (MANY_QUICK, 1, 2) if report.quick else (MANY, 5, FILLS)
    few, rates, redis_mb, table_mb = [], [], [], []
    with stage() as here, click.progressbar(length=fills * (few_runs + 2), label="backlog") as progress:
        for _ in range(fills):
            # In turns: whatever else the machine does is in both.
            for _ in range(few_runs):
                few.append(drain(CONTESTANTS[OURS], here.stores, jobs=FEW).rate)
                progress.update(1)
            here.forget_effects()
            redis_before = _redis_bytes(here)
            ask(here.env, OTHERS_CPU, "fill", LANES, many)
            redis_mb.append((_redis_bytes(here) - redis_before) / 1e6)
            table_mb.append(here.ledger.bytes_of("jobs") / 1e6)
            progress.update(1)
            rates.append(_drain(here, many))
            here.ledger.rows("VACUUM jobs")
            progress.update(1)
        drained_mb = here.ledger.bytes_of("jobs") / 1e6
    sizes = {"filled": table_mb, "drained": drained_mb}
    report.add("backlog", {"few": few, "many": rates, "redis_mb": redis_mb, "table_mb": sizes})
    report.goal(f"{many:,} waiting: jobs/s to those at {FEW:,}", SPEED_GOAL, median(rates) / median(few), "x")
    report.goal(f"{many:,} waiting: Redis grows by", REDIS_GOAL_MB, max(redis_mb), "MB", "most")
    regrowth = table_mb[-1] / table_mb[0]
    report.goal(f"the table filled {fills} times, to the first time", REGROWTH_GOAL, regrowth, "x", "most")
    report.note(
        f"{many:,} waiting: {median(rates):,.0f} jobs/s ({spread(rates)}); {FEW:,}: {median(few):,.0f} "
        f"({spread(few)}) over {len(few)} runs; the table with its indexes, filled {fills} times: "
        f"{', '.join(f'{each:,.0f}' for each in table_mb)} MB, and {drained_mb:,.0f} drained and vacuumed"
    )


def _drain(here: Stage, jobs: int) -> float:
    """Return jobs a second, without the first tenth."""
    with here.working():
        first = here.effects.wait(jobs // 10, idle_max_s=IDLE_MAX_S)
        last = here.effects.wait(jobs, idle_max_s=IDLE_MAX_S)
        took_s = max(last.at, here.ledger.wait_settled(max_s=IDLE_MAX_S)) - first.at
    numbers = here.effects.numbers()
    if found := faults(numbers, jobs):
        raise Failed(f"backlog: {found} of {jobs:,}")
    if wrong := out_of_order(numbers, LANES):
        raise Failed(f"backlog: {wrong:,} out of order")
    return (last.count - first.count) / took_s


def _redis_bytes(here: Stage) -> int:
    client = redis.Redis.from_url(here.stores.redis.url)
    try:
        return int(client.info("memory")["used_memory"])
    finally:
        client.close()
