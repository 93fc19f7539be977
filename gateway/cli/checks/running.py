"""What runs: the gateway at its address, the processes in the ledger, and what has been given up."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
import psycopg2

from gateway.cli.checks.finding import Check, Finding, Visit, fail, ok, warn

__all__ = ["CHECKS"]

_TIMEOUT_S = 3.0
#: A minute is longer than `lanes.dead_after_s` may sensibly be.
_LIVING = """
    SELECT count(*) FILTER (WHERE kind = 'gateway'), count(*) FILTER (WHERE kind = 'worker')
    FROM processes WHERE beat > clock_timestamp() - interval '1 minute'"""


class _Check(msgspec.Struct):
    ok: bool
    reason: str


class _Readiness(msgspec.Struct):
    """What /readyz says."""

    ready: bool
    checks: dict[str, _Check]


def gateway(visit: Visit) -> Iterator[Finding]:
    """It says itself how it is, if it runs."""
    if visit.settings is None:
        return
    server = visit.settings.server
    address = visit.embedded.gateway if visit.embedded else f"http://{server.host}:{server.port}"
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or server.host, parts.port or 80, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        said = msgspec.json.decode(connection.getresponse().read(), type=_Readiness)
    except OSError:
        yield ok("gateway", f"does not run at {address}")
        return
    except (http.client.HTTPException, msgspec.MsgspecError):
        yield fail("gateway", f"something else answers at {address}", "set PORT, or end the other program")
        return
    finally:
        connection.close()
    if not said.ready:
        away = ", ".join(f"{name}: {one.reason}" for name, one in said.checks.items() if not one.ok)
        yield fail("gateway", f"runs at {address}, and cannot take messages ({away})", "see to what it names")
    elif not all(one.ok for one in said.checks.values()):
        away = ", ".join(name for name, one in said.checks.items() if not one.ok)
        yield warn("gateway", f"runs at {address}, degraded without {away}", f"see to {away}")
    else:
        yield ok("gateway", f"runs at {address}, ready")


def processes(visit: Visit) -> Iterator[Finding]:
    """Gateways without a worker answer, and send nothing later."""
    if visit.store is None:
        return
    try:
        with visit.ledger() as cursor:
            cursor.execute(_LIVING)
            gateways, workers = cursor.fetchone() or (0, 0)
    except psycopg2.Error:
        # Not there yet, or has no schema: both are findings of their own.
        return
    says = f"{gateways} gateway and {workers} worker processes are alive in the ledger"
    if not gateways and not workers:
        yield warn("processes", says, "start those of the Procfile, or `switchboard up`")
    elif gateways and not workers:
        yield warn("processes", says, "start `switchboard worker`: replies that come late wait for one")
    else:
        yield ok("processes", says)


def given_up(visit: Visit) -> Iterator[Finding]:
    """Dead letters wait for a person."""
    if visit.store is None:
        return
    try:
        with visit.ledger() as cursor:
            cursor.execute("SELECT count(*) FROM dead_letters WHERE closed_at IS NULL")
            [letters] = cursor.fetchone() or (0,)
    except psycopg2.Error:
        return
    if letters:
        yield warn("dead letters", f"{letters} are open", "see `switchboard dead-letters list`, and retry or drop them")
    else:
        yield ok("dead letters", "none is open")


CHECKS: list[Check] = [gateway, processes, given_up]
