"""The probes behind ``/readyz``: what accepting a message needs."""

from __future__ import annotations

from collections.abc import Callable

from gateway.lanes.owner import Owner
from gateway.store.migrate import is_current
from gateway.store.postgres import Database
from gateway.web.health import Probe

__all__ = ["lease", "postgres", "redis", "schema"]


def postgres(database: Database) -> Probe:
    """PostgreSQL answers, and a connection is free for it."""

    def probe() -> str:
        database.run(lambda cursor: cursor.execute("SELECT 1"))
        return ""

    return probe


def schema(database: Database) -> Probe:
    """The ledger's schema is the one that this code was written for.

    Asked until it is so, then never again: when a newer version migrates during a rolling restart, the
    processes that still run must stay ready, and the migrations keep what they use.
    """
    found = False

    def probe() -> str:
        nonlocal found
        if not found:
            found = database.run(lambda cursor: is_current(cursor.connection))
        return "" if found else "not migrated: run `switchboard migrate`"

    return probe


def lease(owner: Owner) -> Probe:
    """This process is alive in the ledger, so it may own lanes."""
    return lambda: "" if owner.holds() else "no lease"


def redis(ping: Callable[[], object]) -> Probe:
    """Redis answers *ping*; wanted only, since everything goes on without it."""

    def probe() -> str:
        ping()
        return ""

    return probe
