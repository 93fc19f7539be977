"""``python caller.py CLIENT PORT WARM_S MEASURED_S``: a client of bench.rpc, called by 64 greenlets as fast as it can.

It warms up, prints ``ready``, waits for a line on stdin, runs, and prints one line of JSON: calls, wall and processor
seconds; or what was wrong.  Every caller has a body of its own, and every answer is compared with it: an answer that
belongs to somebody else is found out.
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


class WrongAnswer(Exception):
    """An answer that is not the echo of its request."""


class Run:
    """Calls are made until ``over``; the first failure ends it for all."""

    def __init__(self) -> None:
        self.over = False
        self.calls = 0
        self.error: BaseException | None = None

    def call(self, connect: Connect, body: bytes) -> None:
        calls = 0
        try:
            ask = connect(body)
            while not self.over:
                if ask(body) != body:
                    raise WrongAnswer
                calls += 1
        except BaseException as error:
            self.over, self.error = True, error
        self.calls += calls

    async def await_calls(self, ask: Callable[[bytes], Awaitable[bytes]], body: bytes) -> None:
        calls = 0
        try:
            while not self.over:
                if await ask(body) != body:
                    raise WrongAnswer
                calls += 1
        except BaseException as error:
            self.over, self.error = True, error
        self.calls += calls

    def result(self) -> int:
        if self.error is not None:
            raise self.error
        return self.calls


def over_gevent(name: str, port: int) -> Callable[[float], int]:
    import gevent
    from gevent import monkey

    assert (name in PATCHED) == monkey.is_module_patched("socket")
    connect = CLIENTS[name](port)

    def run_for(seconds: float) -> int:
        run = Run()
        callers = [gevent.spawn(run.call, connect, body) for body in BODIES]
        gevent.sleep(seconds)
        run.over = True
        gevent.joinall(callers)
        return run.result()

    return run_for


def over_asyncio(port: int) -> Callable[[float], int]:
    import asyncio

    loop = asyncio.new_event_loop()
    ask = httpx_asyncio(port)

    async def run_for(seconds: float) -> int:
        run = Run()
        async with asyncio.TaskGroup() as callers:
            for body in BODIES:
                callers.create_task(run.await_calls(ask, body))
            await asyncio.sleep(seconds)
            run.over = True
        return run.result()

    return lambda seconds: loop.run_until_complete(run_for(seconds))


def main(name: str, port: int, warm_s: float, measured_s: float) -> dict[str, object]:
    run_for = over_asyncio(port) if name == "httpx_asyncio" else over_gevent(name, port)
    run_for(warm_s)
    print("ready", flush=True)
    os.read(0, 1)
    began, cpu_s = time.perf_counter(), time.process_time()
    calls = run_for(measured_s)
    return {"calls": calls, "wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu_s}


if __name__ == "__main__":
    try:
        said = main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
    except BaseException as error:
        said = {"wrong": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(said), flush=True)
