"""RQ: a function whose effect is counted, without results; ``python jobs.py COUNT`` enqueues.

Run by ``rq worker``.
"""

from __future__ import annotations

import os
import sys

from redis import Redis
from rq import Queue

BATCH_ROWS = 500
effects = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND)


def effect(number: int, text: str) -> None:
    os.write(effects, number.to_bytes(4, "little"))


def enqueue(count: int) -> None:
    queue = Queue(connection=Redis.from_url(os.environ["REDIS_URL"]))
    jobs = [
        Queue.prepare_data("jobs.effect", (number, os.environ["TEXT"]), result_ttl=0) for number in range(count)
    ]
    for first in range(0, count, BATCH_ROWS):
        queue.enqueue_many(jobs[first : first + BATCH_ROWS])


if __name__ == "__main__":
    enqueue(int(sys.argv[1]))
