"""A scene: the client under test and its callers in one process on one core, its backends on the other.

A scene is a function of a plan.  :func:`play` runs it in a process of its own, as ``python -m bench.rpc.stage MODULE
FUNCTION PLAN``, and returns what it saw.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TypeVar, get_type_hints

import msgspec

from bench.rpc.load import GOOD
from bench.stack import GATEWAY_CPU, ROOT, pinned
from gateway.domain.deadline import Deadline
from gateway.domain.errors import SwitchboardError
from gateway.rpc import Call, RpcClient, Service

__all__ = ["asker", "play"]

P = TypeVar("P", bound=msgspec.Struct)
R = TypeVar("R")


def play(scene: Callable[[P], R], plan: P) -> R:
    """Return what *scene* sees when it goes by *plan*."""
    argv = [sys.executable, "-m", "bench.rpc.stage", scene.__module__, scene.__name__]
    with pinned(GATEWAY_CPU):
        done = subprocess.run(
            [*argv, msgspec.json.encode(plan).decode()], cwd=ROOT, stdout=subprocess.PIPE, check=True
        )
    seen: R = msgspec.json.decode(done.stdout, type=get_type_hints(scene)["return"])
    return seen


def asker(
    client: RpcClient, services: Sequence[Service], *, deadline_s: float, idempotent: bool
) -> Callable[[int, int], str]:
    """Return what makes a call to the service of a number, for :class:`~bench.rpc.load.Load`."""

    def ask(to: int, number: int) -> str:
        path = f"/{to}/{number}"
        call = Call(
            service=services[to],
            method="GET",
            path=path,
            deadline=Deadline.after(deadline_s, now=time.monotonic()),
            idempotent=idempotent,
        )
        try:
            result = client.call(call)
        except SwitchboardError as error:
            return error.reason
        if result.status != 200:
            return f"status {result.status}"
        if result.body != path.encode():
            raise AssertionError(f"asked for {path}, got {result.body[:40]!r}")
        return GOOD

    return ask


def main(module: str, function: str, plan: str) -> None:
    """Play it here, and print what it saw."""
    scene = getattr(import_module(module), function)
    print(msgspec.json.encode(scene(msgspec.json.decode(plan, type=get_type_hints(scene)["plan"]))).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
