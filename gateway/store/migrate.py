"""Brings a database to the newest schema: versioned migrations by yoyo, then the ledger's functions.

Migrations (``migrations/NNNN_name.sql`` with a ``.rollback.sql`` beside it) change tables and run once.  The functions
in ``ledger/*.sql`` are code: they are installed again whenever their text differs, in one transaction.  A function
whose arguments or result change gets a new name, because during a rolling restart old and new processes share it.

One migrator works at a time, under an advisory lock that dies with its connection.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg2
import psycopg2.errors
import yoyo
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn

from gateway.domain.errors import StoreUnavailable, SwitchboardError
from gateway.store.postgres import DURABLE

__all__ = ["is_current", "migrate"]

FOLDER = Path(__file__).parent
#: In this order, because a SQL function is checked against those that it calls when it is made.
FUNCTIONS = (
    "deliveries",
    "results",
    "heads",
    "jobs",
    "job_partitions",
    "schedules",
    "outbox",
    "kept",
    "push",
    "job_admin",
    "processes",
    "accept_parts",
    "accept",
    "dead_letters",
    "settle",
    "transcripts",
    "forget",
    "erase",
)
#: "SWBM" as a number: the advisory lock of migrations in a database that others may use as well.
LOCK_KEY = 0x5357424D
#: Seconds to wait for another migrator: far longer than a migration that does not rewrite a large table takes.
LOCK_WAIT_S = 60
CONNECT_TIMEOUT_S = 10


def migrate(database_url: str) -> list[str]:
    """Bring the database to the newest schema and return the names of the migrations that were run.

    :raises StoreUnavailable: the database cannot be reached, or another migrator does not end.
    :raises SwitchboardError: it holds a schema newer than this code.
    """
    try:
        connection = psycopg2.connect(database_url, connect_timeout=CONNECT_TIMEOUT_S, options=DURABLE)
    except psycopg2.OperationalError as error:
        raise StoreUnavailable(
            f"cannot reach PostgreSQL (store.database_url): {' '.join(str(error).split())}",
            reason="postgres_unreachable",
            retry_after_s=5,
        ) from None
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", (f"{LOCK_WAIT_S}s",))
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        names = _run_migrations(database_url)
        _install_functions(connection)
        return names
    except psycopg2.errors.LockNotAvailable:
        raise StoreUnavailable(
            f"another migrator has held the lock for {LOCK_WAIT_S} s: end it (pg_locks, advisory), try again",
            reason="migrating_elsewhere",
            retry_after_s=LOCK_WAIT_S,
        ) from None
    finally:
        connection.close()


def is_current(connection: Connection) -> bool:
    """Return whether the database holds exactly this code's functions and schema."""
    return _installed(connection) == _fingerprint()


def _run_migrations(database_url: str) -> list[str]:
    known = yoyo.read_migrations(str(FOLDER / "migrations"))
    backend = yoyo.get_backend(_yoyo_url(database_url))
    try:
        # The advisory lock is ours, so yoyo's own lock can only be the remains of a migrator that was killed.
        backend.break_lock()
        with backend.lock():
            strangers = set(backend.get_applied_migration_hashes()) - {migration.hash for migration in known}
            if strangers:
                raise SwitchboardError(
                    "the database's schema is newer than this code: run the newer version, or migrate another database",
                    reason="schema_newer",
                )
            pending = backend.to_apply(known)
            backend.apply_migrations(pending)
            return [migration.id for migration in pending]
    finally:
        backend.connection.close()


def _yoyo_url(database_url: str) -> str:
    """Return the address in yoyo's form, which reads fewer forms than libpq does."""
    dsn = parse_dsn(database_url)
    database = "/" + dsn.pop("dbname", "")
    return str(yoyo.connections.DatabaseURI("postgresql", None, None, None, None, database, dsn))


def _install_functions(connection: Connection) -> None:
    if is_current(connection):
        return
    connection.autocommit = False
    with connection, connection.cursor() as cursor:
        for name in FUNCTIONS:
            cursor.execute((FOLDER / "ledger" / f"{name}.sql").read_text())
        cursor.execute("CREATE TABLE IF NOT EXISTS ledger_functions (fingerprint text NOT NULL)")
        cursor.execute("DELETE FROM ledger_functions")
        cursor.execute("INSERT INTO ledger_functions VALUES (%s)", (_fingerprint(),))
    connection.autocommit = True


def _installed(connection: Connection) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('ledger_functions') IS NOT NULL")
        row = cursor.fetchone()
        if row is None or not row[0]:
            return None
        cursor.execute("SELECT fingerprint FROM ledger_functions")
        row = cursor.fetchone()
        return None if row is None else str(row[0])


def _fingerprint() -> str:
    digest = hashlib.sha256()
    # Migrations by name, because one may change tables alone.  What they say never changes once they were run.
    for migration in sorted((FOLDER / "migrations").glob("*.sql")):
        digest.update(migration.name.encode())
    for name in FUNCTIONS:
        digest.update((FOLDER / "ledger" / f"{name}.sql").read_bytes())
    return digest.hexdigest()
