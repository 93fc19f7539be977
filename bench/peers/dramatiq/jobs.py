"""Dramatiq: an actor whose effect is counted; ``python jobs.py COUNT`` enqueues.

Run by ``dramatiq jobs`` (threads) or ``dramatiq-gevent jobs``.
"""

from __future__ import annotations

import os
import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))
effects = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND)


@dramatiq.actor
def effect(number: int, text: str) -> None:
    os.write(effects, number.to_bytes(4, "little"))


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        effect.send(number, os.environ["TEXT"])
