"""taskiq over Redis Streams, with uvloop and orjson: a task whose effect is counted; ``python jobs.py COUNT`` enqueues.

Run by ``taskiq worker jobs:broker``.
"""

from __future__ import annotations

import asyncio
import os
import sys

from taskiq.serializers import ORJSONSerializer
from taskiq_redis import RedisStreamBroker

# By default a group reads from "$" on: what was enqueued before the first worker came would never run.
broker = RedisStreamBroker(os.environ["REDIS_URL"], consumer_id="0").with_serializer(ORJSONSerializer())
effects = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND)


@broker.task(task_name="effect")
async def effect(number: int, text: str) -> None:
    os.write(effects, number.to_bytes(4, "little"))


async def enqueue(count: int) -> None:
    await broker.startup()
    for number in range(count):
        await effect.kiq(number, os.environ["TEXT"])
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(enqueue(int(sys.argv[1])))
