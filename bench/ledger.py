"""The ledger by itself: accept and settle of turns, as the gateway does it, without HTTP and without an assistant.

``batched``: greenlets share statements through the product's batchers.  ``one_by_one``: the same functions with one
turn a statement, over as many connections as the pool of an ordinary web application has.  Each runs in a process of
its own, pinned away from PostgreSQL.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import msgspec

from bench.stack import GATEWAY_CPU, ROOT, durable_stores, pin_to_others

__all__ = ["Run", "batched", "one_by_one"]


class Run(msgspec.Struct, frozen=True):
    """What one run measured; times are processor microseconds a turn."""

    turns_s: float
    python_us: float
    postgres_us: float


def batched(seconds: float) -> Run:
    """Measure with the batches that the product uses."""
    return _run(seconds, rows_max=64, connections=4)


def one_by_one(seconds: float) -> Run:
    """Measure the same protocol with one turn a statement."""
    return _run(seconds, rows_max=1, connections=16)


def _run(seconds: float, *, rows_max: int, connections: int) -> Run:
    pin_to_others()
    with durable_stores() as (postgres, _, postgres_pid):
        arguments = {
            "database_url": postgres.url(),
            "postgres_pid": postgres_pid,
            "seconds": seconds,
            "rows_max": rows_max,
            "connections": connections,
        }
        done = subprocess.run(
            [sys.executable, "-m", "bench.ledger_worker", json.dumps(arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
            timeout=seconds + 60,
            preexec_fn=lambda: os.sched_setaffinity(0, {GATEWAY_CPU}),
        )
        return msgspec.json.decode(done.stdout, type=Run)
