"""huey: a task whose effect is counted, without results.

Run by ``huey_consumer jobs.huey``.
"""

from __future__ import annotations

import os

from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["REDIS_URL"], results=False)
effects = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND)


@huey.task()
def effect(number: int, text: str) -> None:
    os.write(effects, number.to_bytes(4, "little"))
