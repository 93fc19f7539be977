"""How commands reach the stores: those of the settings, or the embedded ones.

So ``switchboard conversations list`` works in a second terminal beside ``switchboard up``, without being told
more than that one was: SWITCHBOARD_HOME, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec
import psycopg2
from psycopg2 import extensions

from gateway.embedded.home import Home
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.embedded.redis import EmbeddedRedis
from gateway.settings.load import SettingsError, home_folder, load_store
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.postgres import DURABLE

__all__ = ["database_url", "ledger", "store_settings", "stores", "unreachable"]

CONNECT_TIMEOUT_S = 5
#: A command is asked by a person who waits; what takes longer is a mistake that must not load the ledger for
#: ever.
STATEMENT_TIMEOUT_S = 30


def database_url() -> str:
    """Return the address of the ledger.

    :raises click.ClickException: the settings are wrong.
    """
    configured = _configured().database_url
    if configured:
        return configured.reveal()
    home = Home(home_folder())
    server = EmbeddedPostgres(
        data=home.data / "postgres", sockets=home.sockets, log=home.log / "postgres.log"
    )
    return server.url()


def store_settings() -> StoreSettings:
    """Return the settings of the stores, with Redis's address filled in.

    :raises click.ClickException: the settings are wrong.
    """
    configured = _configured()
    if configured.redis_url:
        return configured
    home = Home(home_folder())
    server = EmbeddedRedis(data=home.data / "redis", sockets=home.sockets, log=home.log / "redis.log")
    return msgspec.structs.replace(configured, redis_url=Secret(server.url))


def stores() -> StoreSettings:
    """Return the settings of the stores with both addresses filled in: for who asks for jobs.

    :raises click.ClickException: the settings are wrong.
    """
    return msgspec.structs.replace(store_settings(), database_url=Secret(database_url()))


@contextmanager
def ledger(*, writes: bool = False) -> Iterator[extensions.cursor]:
    """Give a cursor on the ledger, in one transaction; it cannot write unless the command says that it does.

    :raises click.ClickException: it cannot be reached, does not do what is asked now or of us, or has no schema yet.
    """
    mode = DURABLE if writes else "-c default_transaction_read_only=on"
    try:
        connection = psycopg2.connect(
            database_url(),
            connect_timeout=CONNECT_TIMEOUT_S,
            options=f"-c statement_timeout={STATEMENT_TIMEOUT_S}s {mode}",
            application_name="switchboard command",
        )
    except psycopg2.OperationalError:
        # Its own text may show the address with the password.
        raise unreachable() from None
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedFunction):
        raise click.ClickException("the database has no schema yet: run `switchboard migrate`") from None
    except psycopg2.errors.UndefinedColumn:
        raise click.ClickException("the database's schema is older than this code: run `switchboard migrate`") from None
    except psycopg2.errors.InsufficientPrivilege:
        raise click.ClickException("PostgreSQL does not let the user of DATABASE_URL do this") from None
    except (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.InternalError) as error:
        # It was ended, cannot write while a failover is under way, or was kept waiting for too long.
        raise click.ClickException(
            f"PostgreSQL does not do this now ({error.pgcode or 'the connection was lost'}); a statement has "
            f"{STATEMENT_TIMEOUT_S} s: try again"
        ) from None
    finally:
        connection.close()


def unreachable() -> click.ClickException:
    """Return what to tell whoever asks for a PostgreSQL that is not there."""
    if _configured().database_url:
        return click.ClickException("PostgreSQL cannot be reached at the address of DATABASE_URL (store.database_url)")
    return click.ClickException(
        f"PostgreSQL cannot be reached: start `switchboard up` (SWITCHBOARD_HOME is {home_folder()}), "
        "or set DATABASE_URL"
    )


def _configured() -> StoreSettings:
    try:
        return load_store()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
