"""``python caller.py CLIENT PORT WARM_S MEASURED_S``: a client of bench.rpc, called by 64 greenlets as fast as it can.

It warms up, prints ``ready``, stands still until a line comes on stdin, goes on, and prints one line of JSON: calls,
wall and processor seconds; or what was wrong.  Every caller has a body of its own, and every answer is compared with
it: an answer that belongs to somebody else is found out.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and sys.argv[1] in {"urllib3", "requests", "httpx"}:
    from gevent import monkey

    monkey.patch_all()

import json
import os
import time
from collections.abc import Awaitable, Callable

from clients import CALLERS, CLIENTS, PATCHED, Connect, httpx_asyncio

BODIES = [json.dumps({"message": "something with gin and lemon", "user": f"U{n:03d}"}).encode() for n in range(CALLERS)]
#: Where JSON goes, also when the process is left at once.
STDOUT = 1


class WrongAnswer(Exception):
    """An answer that is not the echo of its request."""


class Calls:
    """Callers that go on for ever, and how often each has called; the first failure ends it for all."""

    def __init__(self) -> None:
        self.counts = [0] * CALLERS
        self.error: BaseException | None = None

    def call(self, connect: Connect, caller: int) -> None:
        body, counts = BODIES[caller], self.counts
        try:
            ask = connect(body)
            while self.error is None:
                if ask(body) != body:
                    raise WrongAnswer
                counts[caller] += 1
        except BaseException as error:
            self.error = self.error or error

    async def await_calls(self, ask: Callable[[bytes], Awaitable[bytes]], caller: int) -> None:
        body, counts = BODIES[caller], self.counts
        try:
            while self.error is None:
                if await ask(body) != body:
                    raise WrongAnswer
                counts[caller] += 1
        except Exception as error:
            self.error = self.error or error

    def sum(self) -> int:
        if self.error is not None:
            raise self.error
        return sum(self.counts)


class Timing:
    """From ``ready`` to the end."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._before = calls.sum()
        say("ready")
        os.read(0, 1)
        self._began, self._cpu_s = time.perf_counter(), time.process_time()

    def end(self) -> dict[str, float]:
        wall_s, cpu_s = time.perf_counter() - self._began, time.process_time() - self._cpu_s
        return {"calls": self._calls.sum() - self._before, "wall_s": wall_s, "cpu_s": cpu_s}


def over_gevent(name: str, port: int, warm_s: float, measured_s: float) -> dict[str, float]:
    import gevent
    from gevent import monkey

    assert (name in PATCHED) == monkey.is_module_patched("socket")
    connect, calls = CLIENTS[name](port), Calls()
    for caller in range(CALLERS):
        gevent.spawn(calls.call, connect, caller)
    gevent.sleep(warm_s)
    timing = Timing(calls)
    gevent.sleep(measured_s)
    return timing.end()


async def over_asyncio(port: int, warm_s: float, measured_s: float) -> dict[str, float]:
    import asyncio

    ask, calls = httpx_asyncio(port), Calls()
    callers = [asyncio.create_task(calls.await_calls(ask, caller)) for caller in range(CALLERS)]
    await asyncio.sleep(warm_s)
    timing = Timing(calls)
    await asyncio.sleep(measured_s)
    said = timing.end()
    for caller in callers:
        caller.cancel()
    return said


def say(text: str) -> None:
    os.write(STDOUT, text.encode() + b"\n")


def main(name: str, *numbers: str) -> dict[str, float]:
    port, (warm_s, measured_s) = int(numbers[0]), map(float, numbers[1:])
    if name != "httpx_asyncio":
        return over_gevent(name, port, warm_s, measured_s)
    import asyncio

    return asyncio.run(over_asyncio(port, warm_s, measured_s))


if __name__ == "__main__":
    try:
        said = json.dumps(main(*sys.argv[1:]))
    except BaseException as error:
        said = json.dumps({"wrong": f"{type(error).__name__}: {error}"[:200]})
    say(said)
    # At once: 64 callers are still calling.
    os._exit(0)
