"""Bounds: is there room at the machine and at PostgreSQL for what the settings allow?"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterator

import psycopg2

from gateway.cli.checks.finding import Check, Finding, Visit, fail, ok, warn

__all__ = ["CHECKS"]

#: Files, stores' connections and the like, of one gateway process.
_FILES_BESIDE = 200
#: The share of PostgreSQL's connections above which there is little left for operators and migrations.
_SHARE_MAX = 0.8
_LIVING = "SELECT count(*) FROM processes WHERE beat > clock_timestamp() - interval '1 minute'"


def files(visit: Visit) -> Iterator[Finding]:
    """A connection is a file descriptor; this shell's limit is that of what is started from it."""
    if visit.settings is None:
        return
    server = visit.settings.server
    needed = server.connections_max + _FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    says = f"{soft} open files are allowed here; server.connections_max ({server.connections_max}) needs {needed}"
    if soft == resource.RLIM_INFINITY or soft >= needed:
        yield ok("file descriptors", says)
    elif hard == resource.RLIM_INFINITY or hard >= needed:
        yield warn("file descriptors", says, f"ulimit -n {needed}, or LimitNOFILE, where the gateway is started")
    else:
        yield warn("file descriptors", says, "lower server.connections_max, or raise the machine's limit")


def connections(visit: Visit) -> Iterator[Finding]:
    """Each process has a pool, and PostgreSQL a bound for all of them."""
    if visit.settings is None:
        return
    settings = visit.settings
    try:
        with visit.ledger() as cursor:
            cursor.execute(
                "SELECT current_setting('max_connections')::integer"
                " - current_setting('superuser_reserved_connections')::integer"
            )
            [there] = cursor.fetchone() or (0,)
            cursor.execute("SELECT to_regclass('processes') IS NOT NULL")
            living = 0
            if (cursor.fetchone() or (False,))[0]:
                cursor.execute(_LIVING)
                [living] = cursor.fetchone() or (0,)
    except psycopg2.Error:
        return
    configured = settings.server.workers + settings.worker.processes
    processes = max(configured, living)
    needed = processes * settings.store.connections_max
    says = (
        f"{processes} processes with pools of {settings.store.connections_max} (store.connections_max) may open "
        f"{needed} of PostgreSQL's {there} connections"
    )
    do = "raise max_connections, lower store.connections_max, or put a pooler between"
    if needed > there:
        yield fail("connections", says, do)
    elif needed > _SHARE_MAX * there:
        yield warn("connections", says, do)
    else:
        yield ok("connections", says)


def tenants(visit: Visit) -> Iterator[Finding]:
    """Accounts are bounded one by one: those of one tenant may take together all that a process runs."""
    if visit.settings is None:
        return
    lanes, accounts = visit.settings.lanes, visit.settings.accounts.values()
    named = Counter(account.tenant for account in accounts if account.tenant == account.sharer)
    most = lanes.tenant_turns_in_flight_max or lanes.turns_in_flight_max
    greedy = [
        name
        for name, count in sorted(named.items())
        if min(count * lanes.account_turns_in_flight_max, most) >= lanes.turns_in_flight_max and count < len(accounts)
    ]
    if greedy:
        says = f"the accounts of {', '.join(greedy)} may take all turns of a process (lanes.turns_in_flight_max)"
        yield warn("tenants", says, "set lanes.tenant_turns_in_flight_max below it, so that others have room")
    elif named:
        yield ok("tenants", f"{len(named)}, none of which may take all turns of a process")


CHECKS: list[Check] = [files, connections, tenants]
