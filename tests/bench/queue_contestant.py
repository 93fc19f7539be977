"""A queue for tests of bench.queue, ``python queue_contestant.py HABIT enqueue COUNT`` or ``... HABIT work``.

honest, or
- forgetful  never runs job 7
- eager      runs job 7 twice
- inventive  runs a job that nobody asked for
- unruly     runs job 25 before job 5
- lazy       stops after half of its jobs
- mute       cannot even start
"""

from __future__ import annotations

import os
import sys

import redis

habit, role = sys.argv[1:3]
client = redis.Redis.from_url(os.environ["REDIS_URL"])
effects = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND)


def work() -> None:
    count = client.llen("jobs")
    for at in range(count):
        number = int(client.lpop("jobs"))
        if habit == "unruly":
            number = {5: 25, 25: 5}.get(number, number)
        if habit == "lazy" and at == count // 2:
            break
        times = {"forgetful": 0, "eager": 2}.get(habit, 1) if number == 7 else 1
        os.write(effects, number.to_bytes(4, "little") * times)
        if habit == "inventive" and number == 7:
            os.write(effects, (count + 1).to_bytes(4, "little"))
    # A worker waits for more.
    client.blpop("never")


if habit == "mute":
    sys.exit("I have nothing to say")
if role == "work":
    work()
else:
    client.rpush("jobs", *range(int(sys.argv[3])))
