"""PostgreSQL and Redis: do they answer, are they new enough, and do they keep what they are told?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import redis

from gateway.cli.checks.finding import Check, Finding, Visit, fail, ok, warn
from gateway.settings.redis_address import redis_address
from gateway.store.migrate import is_current
from gateway.store.redis_client import redis_client

__all__ = ["CHECKS"]

#: client_connection_check_interval, which every process asks for, came with 14.
_POSTGRES_MIN = 140_000
#: XAUTOCLAIM, LMOVE and XADD's MINID came with 6.2.
_REDIS_MIN = (6, 2)
_START = "start it, or `switchboard up`, and look at the address"
_START_AGAIN = "the `switchboard up` of this SWITCHBOARD_HOME was killed, or is starting: start it again"


def postgres(visit: Visit) -> Iterator[Finding]:
    """It answers, can be written to, and is new enough."""
    what = "store.database_url"
    if visit.store is None:
        return
    try:
        with visit.ledger() as cursor:
            cursor.execute("SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('fsync')")
            version, standby, fsync = cursor.fetchone() or ("", False, "")
            number = cursor.connection.server_version
            cursor.execute("SELECT current_setting('full_page_writes'), current_setting('server_encoding')")
            pages, encoding = cursor.fetchone() or ("", "")
            cursor.execute("SELECT current_setting('synchronous_commit')")
            [commit] = cursor.fetchone() or ("",)
    except psycopg2.Error as error:
        # Its own text may show the address with the password.
        do = _START_AGAIN if visit.embedded else f"{_START} (DATABASE_URL)"
        yield fail(what, f"PostgreSQL does not answer ({type(error).__name__})", do)
        return
    if number < _POSTGRES_MIN:
        yield fail(what, f"PostgreSQL {version} is too old", "use PostgreSQL 14 or newer")
    elif standby:
        yield fail(what, f"PostgreSQL {version} is a standby, which cannot be written to", "name the primary")
    else:
        yield ok(what, f"PostgreSQL {version} answers")
    if encoding != "UTF8":
        yield fail("encoding", f"the database's is {encoding}", "create it with ENCODING 'UTF8'")
    for name, value in (("fsync", fsync), ("full_page_writes", pages)):
        if value == "on":
            yield ok(name, "on")
        else:
            yield fail(name, "off: a power failure may lose or break the ledger", f"set {name} = on in postgresql.conf")
    # Each connection of ours sets it: what matters is what PostgreSQL makes of that.
    if commit == "on":
        yield ok("synchronous_commit", "on, for each connection of ours")
    else:
        yield fail("synchronous_commit", f"{commit}: what is answered may be lost", "let connections set it")


def schema(visit: Visit) -> Iterator[Finding]:
    """It is the one that this code was written for."""
    if visit.store is None:
        return
    try:
        with visit.ledger() as cursor:
            current = is_current(cursor.connection)
    except psycopg2.Error:
        return
    if current:
        yield ok("schema", "that of this version")
    else:
        yield fail("schema", "not that of this version", "run `switchboard migrate`")


def redis_answers(visit: Visit) -> Iterator[Finding]:
    """It answers and is new enough.  Without it everything goes on, a little later."""
    what = "store.redis_url"
    if visit.store is None:
        return
    client = redis_client(visit.store)
    try:
        client.ping()
        if redis_address(visit.store.redis_url.reveal()) is not None:
            yield ok(what, "the servers answer; how each of them is set up is not looked at")
            return
        assert isinstance(client, redis.Redis)
        info: Any = client.info()
    except redis.exceptions.NoPermissionError:
        yield warn(what, "Redis answers, and may not say how it is set up", "allow our user INFO to have it looked at")
        return
    except redis.RedisError as error:
        says = f"Redis does not answer ({type(error).__name__}): everything is found by polls, up to a second later"
        yield warn(what, says, _START_AGAIN if visit.embedded else f"{_START} (REDIS_URL)")
        return
    finally:
        client.close()
    version = str(info["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < _REDIS_MIN:
        yield fail(what, f"Redis {version} is too old", "use Redis 6.2 or newer, or Valkey")
    else:
        yield ok(what, f"Redis {version} answers")
    if info.get("role") != "master":
        yield fail(what, "it is a replica, which cannot be written to", "name the master, or its sentinels")
    yield from _memory(info)


def _memory(info: dict[str, Any]) -> Iterator[Finding]:
    policy, most = info.get("maxmemory_policy", ""), info.get("maxmemory", 0)
    if policy == "noeviction" or not most:
        bounded = f"{policy}, at most {info.get('maxmemory_human')}"
        yield ok("maxmemory", bounded if most else "no limit: what we keep there is bounded")
    else:
        # Hints are found by polls, but a bucket that is forgotten is full: messages are sent faster than allowed.
        yield warn(
            "maxmemory",
            f"{policy}: platforms' rate limits are forgotten when memory is short",
            "set maxmemory-policy noeviction: hints that find no room are dropped, and found by polls",
        )
    # Either will do: hints are found by polls, and a rate limit that is forgotten is at worst a burst.
    kept = bool(info.get("aof_enabled"))
    yield ok("appendonly", "on: rate limits outlive a restart" if kept else "off: a restart forgets rate limits")


CHECKS: list[Check] = [postgres, schema, redis_answers]
