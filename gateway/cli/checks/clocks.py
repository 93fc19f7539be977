"""Clocks: this machine's against those of PostgreSQL and Redis.

What is signed bears a time, and both sides refuse what is minutes off; who reads logs is misled by less.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg2
import redis

from gateway.cli.checks.finding import Check, Finding, Visit, fail, ok, warn
from gateway.settings.redis_address import redis_address
from gateway.store.redis_client import redis_client

__all__ = ["CHECKS"]

_WARN_S = 1.0
#: Platforms refuse signatures that are five minutes old, on their own clock.
_FAIL_S = 60.0
_DO = "let every machine follow a time server (chrony, systemd-timesyncd)"


def postgres(visit: Visit) -> Iterator[Finding]:
    """PostgreSQL's clock: turns' ages and jobs' times are its."""
    if visit.store is None:
        return
    try:
        with visit.ledger() as cursor:

            def ask() -> float:
                cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
                row = cursor.fetchone()
                return float(row[0]) if row else 0.0

            yield _compared("PostgreSQL's clock", ask)
    except psycopg2.Error:
        return


def redis_server(visit: Visit) -> Iterator[Finding]:
    """Redis's clock: rate limits are kept by it."""
    if visit.store is None or redis_address(visit.store.redis_url.reveal()) is not None:
        return
    client = redis_client(visit.store)
    assert isinstance(client, redis.Redis)

    def ask() -> float:
        seconds, micros = client.time()
        return float(seconds + micros / 1e6)

    try:
        yield _compared("Redis's clock", ask)
    except redis.RedisError:
        return
    finally:
        client.close()


def _compared(what: str, ask: Callable[[], float]) -> Finding:
    # The first answer pays for the connection; of the second the middle of the way is meant.
    ask()
    before = time.time()
    theirs = ask()
    after = time.time()
    off_s = theirs - (before + after) / 2
    says = f"{abs(off_s):.3f} s {'ahead of' if off_s > 0 else 'behind'} this machine's"
    if abs(off_s) > _FAIL_S:
        return fail(what, says, _DO)
    # Half of the way is what cannot be known.
    return warn(what, says, _DO) if abs(off_s) > _WARN_S + (after - before) / 2 else ok(what, says)


CHECKS: list[Check] = [postgres, redis_server]
