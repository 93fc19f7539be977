"""Celery: a task whose effect is counted, without results or rate limits; ``python jobs.py COUNT`` enqueues.

Run by ``celery --app jobs worker``.
"""

from __future__ import annotations

import os
import sys

from celery import Celery

# kombu's name for a Redis behind a unix socket.
url = os.environ["REDIS_URL"].replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
app = Celery("jobs", broker=url)
app.conf.update(
    task_ignore_result=True,
    # What its manual says of many short tasks.
    worker_prefetch_multiplier=128,
    worker_disable_rate_limits=True,
)
effects = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND)


@app.task(name="effect")
def effect(number: int, text: str) -> None:
    os.write(effects, number.to_bytes(4, "little"))


if __name__ == "__main__":
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(int(sys.argv[1])):
            effect.apply_async((number, os.environ["TEXT"]), producer=producer)
