"""A million jobs wait: is a worker as fast as with ten thousand, and does anything grow without bound?

Redis holds hints, which are capped: what it grows by must not depend on how many jobs wait.  PostgreSQL's table holds
the jobs; once they are done and VACUUM has been there, a second million must find room where the first one was.
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

FEW, MANY, MANY_QUICK = 10_000, 1_000_000, 100_000
SPEED_GOAL = 0.8
#: Bytes of one entry of hints at most: 64 ids of up to ten digits, and what Redis keeps beside them.
_ENTRY_BYTES = 1_024
#: A stream is trimmed by whole nodes of a hundred entries.
REDIS_GOAL_MB = PARTITIONS * (JobSettings().hints_per_partition_max + 100) * _ENTRY_BYTES / 1e6
#: What a second million may make the table larger than a first one did.
REGROWTH_GOAL = 1.1


def measure(report: Report) -> None:
    """Measure it."""
    many, few_runs = (MANY_QUICK, 2) if report.quick else (MANY, 10)
    with stage() as here, click.progressbar(length=few_runs + 4, label="backlog") as progress:
        few = []
        for _ in range(few_runs):
            few.append(drain(CONTESTANTS[OURS], here.stores, jobs=FEW).rate)
            progress.update(1)
        here.ledger.empty()
        redis_before = _redis_bytes(here)
        ask(here.env, OTHERS_CPU, "fill", LANES, many)
        redis_mb = (_redis_bytes(here) - redis_before) / 1e6
        first_bytes = here.ledger.bytes_of("jobs")
        progress.update(1)
        rate = _drain(here, many)
        progress.update(1)
        here.ledger.rows("VACUUM jobs")
        empty_bytes = here.ledger.bytes_of("jobs")
        ask(here.env, OTHERS_CPU, "fill", LANES, many)
        second_bytes = here.ledger.bytes_of("jobs")
        progress.update(2)
    sizes = {"filled": first_bytes, "drained": empty_bytes, "filled_again": second_bytes}
    report.add("backlog", {"few": few, "many": rate, "redis_mb": redis_mb, "table_bytes": sizes})
    report.goal(f"{many:,} waiting: jobs/s to those at {FEW:,}", SPEED_GOAL, rate / median(few), "x")
    report.goal(f"{many:,} waiting: Redis grows by", REDIS_GOAL_MB, redis_mb, "MB", "most")
    report.goal(
        "the table filled again, to the first time", REGROWTH_GOAL, second_bytes / first_bytes, "x", "most"
    )
    report.note(
        f"{many:,} waiting: {rate:,.0f} jobs/s; {FEW:,}: {median(few):,.0f} ({spread(few)}) over {few_runs} runs; "
        f"the table with its indexes: {first_bytes / 1e6:,.0f} MB filled, {empty_bytes / 1e6:,.0f} drained and "
        f"vacuumed, {second_bytes / 1e6:,.0f} filled again"
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
