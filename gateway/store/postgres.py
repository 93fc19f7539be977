"""Connections to PostgreSQL: a small bounded pool for greenlets.

Under psycogreen a query yields to other greenlets, so a connection belongs to one greenlet at a time.  A wait for a
connection is bounded; a connection whose work was interrupted (a Timeout, a kill, a lost socket) is closed and never
used again, because its protocol state is unknown.

Not here: retries and batches (``batcher.py``), statements (``ledger/``).  ``psycopg2.pool`` is not used: it raises
instead of waiting, and holds its lock while it connects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import gevent
import gevent.socket
import psycopg2
import psycopg2.errors
from gevent.lock import BoundedSemaphore
from psycopg2 import extensions
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.settings.store import StoreSettings

__all__ = ["DURABLE", "PLANNER", "Database", "unavailable"]

#: Every query here is a probe by key, so compiling it costs more than running it.  And PostgreSQL keeps a plan that was
#: made on empty tables, where reading all is cheapest, until the next ANALYZE: by then it reads all of a history.  Made
#: once for each connection: our functions' arrays look so different from call to call that it would plan anew each
#: time, which is half the time of a look for jobs and a third of a settle.
PLANNER = "-c jit=off -c enable_seqscan=off -c plan_cache_mode=force_generic_plan"
#: A commit waits for the disk, whatever the database's own default is: what is answered has been committed.  (With
#: synchronous standbys also for theirs; where the default is ``remote_apply``, this asks for less.)
DURABLE = "-c synchronous_commit=on"
#: How often PostgreSQL looks whether the client of a running statement is still there.
_CHECK_CLIENT_MS = 2_000
_NO_SCHEMA = (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedFunction)
#: Seconds granted beyond ``statement_timeout_s``, so that PostgreSQL's own word comes first where it has one.
_SILENCE_S = 1.0

T = TypeVar("T")
JSONB_OID = 3802
#: jsonb arrives as text: msgspec reads it straight into the struct that is wanted.
_JSONB_TEXT = extensions.new_type((JSONB_OID,), "JSONB_TEXT", lambda text, _: text)


class Database:
    """A pool of connections in autocommit mode."""

    def __init__(self, settings: StoreSettings, *, application: str = "switchboard") -> None:
        self._settings = settings
        self._application = application
        #: LIFO: the connection used last has the warmest plans.
        self._idle: list[Connection] = []
        self._permits = BoundedSemaphore(settings.connections_max)
        self._closed = False

    def __repr__(self) -> str:
        free = self._permits.counter
        return f"<Database {self._settings.connections_max - free} busy, {len(self._idle)} idle>"

    @property
    def answer_max_s(self) -> float:
        """Seconds after which a statement without an answer is given up."""
        return self._settings.statement_timeout_s + _SILENCE_S

    def run(self, work: Callable[[Cursor], T]) -> T:
        """Return ``work(cursor)`` on a connection of the pool; each statement commits by itself.

        :raises StoreUnavailable: no connection within ``store.connection_wait_s``; or PostgreSQL does not answer, or
            has no schema yet.
        """
        try:
            return self.attempt(work)
        except (
            *_NO_SCHEMA,
            psycopg2.OperationalError,
            psycopg2.InterfaceError,
            # Among others a standby, which cannot write (25006), while a failover is under way.
            psycopg2.InternalError,
        ) as error:
            raise unavailable(error) from error

    def attempt(self, work: Callable[[Cursor], T]) -> T:
        """Do the same, and let PostgreSQL's own errors through: for the batcher, which tries again by their code."""
        if not self._permits.acquire(timeout=self._settings.connection_wait_s):
            raise StoreUnavailable(
                f"no connection to PostgreSQL became free within {self._settings.connection_wait_s} s "
                "(store.connections_max, store.connection_wait_s)",
                reason="postgres_connections_busy",
                retry_after_s=1,
            )
        try:
            return self._work(self._idle.pop() if self._idle else self._connect(), work)
        finally:
            self._permits.release()

    def _work(self, connection: Connection, work: Callable[[Cursor], T]) -> T:
        # PostgreSQL's own statement_timeout cannot fire when PostgreSQL itself stands still.
        silence = gevent.Timeout.start_new(self.answer_max_s)
        try:
            with connection.cursor() as cursor:
                result = work(cursor)
        except BaseException as error:
            # A statement that PostgreSQL refused leaves the connection idle and whole; anything else does not.
            if (
                isinstance(error, (psycopg2.Error, ValueError))
                and not connection.closed
                and _is_idle(connection)
            ):
                self._give_back(connection)
            elif isinstance(error, psycopg2.Error) and connection.closed:
                # Closed by the other side: its siblings hardly fared better, and need not be found out one by one.
                self._close_idle()
            else:
                connection.close()
            if error is silence:
                raise _silent() from error
            raise
        finally:
            silence.close()
        self._give_back(connection)
        return result

    def _give_back(self, connection: Connection) -> None:
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        """Close idle connections now and busy ones as they come back.  Safe twice."""
        self._closed = True
        self._close_idle()

    def _connect(self) -> Connection:
        settings = self._settings
        options = (
            f"-c statement_timeout={int(settings.statement_timeout_s * 1000)}"
            f" -c lock_timeout={int(settings.lock_timeout_s * 1000)}"
            f" -c idle_in_transaction_session_timeout={int(settings.idle_in_transaction_timeout_s * 1000)}"
            f" -c client_connection_check_interval={_CHECK_CLIENT_MS} {DURABLE} {PLANNER}"
        )
        # libpq's connect_timeout does nothing under a wait callback, so the time is ours to keep.
        patience = gevent.Timeout(settings.connect_timeout_s)
        try:
            with patience:
                url = settings.database_url.reveal()
                connection: Connection = psycopg2.connect(
                    url, options=options, application_name=self._application, **_resolved(url)
                )
        except (gevent.Timeout, psycopg2.OperationalError, OSError) as error:
            # The caller's own patience may be shorter than ours.
            if isinstance(error, gevent.Timeout) and error is not patience:
                raise
            telemetry.event("store.unavailable", reason=type(error).__name__)
            raise StoreUnavailable(
                "PostgreSQL cannot be reached (store.database_url)",
                reason="postgres_unreachable",
                retry_after_s=2,
            ) from error
        connection.autocommit = True
        extensions.register_type(_JSONB_TEXT, connection)
        return connection


def _resolved(url: str) -> dict[str, Any]:
    """Return the addresses of the hosts in *url*, looked up by gevent: libpq's own look-up would block the hub.

    :raises OSError: a host is unknown.
    """
    parts = extensions.parse_dsn(url)
    hosts = parts.get("host", "").split(",")
    if "hostaddr" in parts or any(not host or host.startswith("/") for host in hosts):
        return {}
    ports = parts.get("port", "5432").split(",")
    places = [
        (host, str(address[4][0]), ports[min(place, len(ports) - 1)])
        for place, host in enumerate(hosts)
        for address in gevent.socket.getaddrinfo(host, None, type=gevent.socket.SOCK_STREAM)
    ]
    # In libpq's form for several: it tries one after the other, and checks certificates against the name.
    names, addresses, numbers = (",".join(column) for column in zip(*places, strict=True))
    return {"host": names, "hostaddr": addresses, "port": numbers}


def unavailable(error: psycopg2.Error) -> StoreUnavailable:
    """Return our own word for "PostgreSQL does not do this now"."""
    telemetry.event("store.unavailable", reason=error.pgcode or type(error).__name__)
    if isinstance(error, _NO_SCHEMA):
        # Not there, or another version's: who migrates does so while others run, or after they were started.
        return StoreUnavailable(
            "the database's schema is not this version's: run `switchboard migrate`",
            reason="not_migrated",
            retry_after_s=5,
        )
    return StoreUnavailable("PostgreSQL does not answer now", reason="postgres_unavailable", retry_after_s=2)


def _silent() -> StoreUnavailable:
    telemetry.event("store.unavailable", reason="silent")
    return StoreUnavailable(
        "PostgreSQL did not answer within store.statement_timeout_s",
        reason="postgres_silent",
        retry_after_s=2,
    )


def _is_idle(connection: Connection) -> bool:
    return bool(connection.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE)
