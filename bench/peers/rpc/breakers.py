"""``python breakers.py``: microseconds of a call through pybreaker and circuitbreaker, as their manuals use them.

The function does nothing: what is left is the breaker.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import circuitbreaker
import pybreaker

CALLS = 100_000


def nothing() -> None:
    """Go well."""


def cost_us(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return 1e6 * (time.perf_counter() - began) / CALLS


breaker = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60)
guarded = circuitbreaker.circuit(failure_threshold=5, recovery_timeout=60)(nothing)
found = {"pybreaker": cost_us(lambda: breaker.call(nothing)), "circuitbreaker": cost_us(guarded)}
print(json.dumps(found))
