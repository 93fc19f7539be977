"""Real stores for tests: one PostgreSQL and one Redis per run, in a temporary folder, on unix sockets.

Two runs side by side do not meet.  Both servers die with the test process, however that ends.  fsync is off:
a test that kills PostgreSQL or measures it starts a durable one of its own with ``own_stores``.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import psycopg2
import pytest
import redis

from gateway.embedded.home import Home
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.embedded.process import Process
from gateway.embedded.redis import EmbeddedRedis
from tests.support.databases import Databases

__all__ = ["Migrated", "Stores", "database", "empty_database", "migrated", "own_stores", "redis_url", "stores"]

START_MAX_S = 30.0
STOP_MAX_S = 10.0
_names = itertools.count(1)

#: Makes a database that is dropped behind the block.
Migrated: TypeAlias = Callable[[], contextlib.AbstractContextManager[str]]


@dataclass
class Stores:
    """A running pair of servers."""

    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    #: The server processes, for tests that kill them.
    postgres_process: Process
    redis_process: Process

    def create_database(self, *, template: str = "template1") -> str:
        """Create a database nobody else uses and return its URL."""
        name = f"test_{next(_names)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.postgres.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        name = url.partition("?")[0].rpartition("/")[2]
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Run one statement outside of any transaction, in the maintenance database."""
        connection = psycopg2.connect(self.postgres.url("postgres"))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


@contextlib.contextmanager
def own_stores(*, durable: bool = True) -> Iterator[Stores]:
    """Run a PostgreSQL and a Redis for one test alone."""
    with tempfile.TemporaryDirectory(prefix="switchboard-test-") as folder:
        home = Home(Path(folder))
        home.open(time.monotonic() + START_MAX_S)
        postgres = EmbeddedPostgres(
            data=home.data / "postgres",
            sockets=home.sockets,
            log=home.log / "postgres.log",
            durable=durable,
        )
        redis_server = EmbeddedRedis(
            data=home.data / "redis", sockets=home.sockets, log=home.log / "redis.log"
        )
        processes = [Process(server.prepare()) for server in (postgres, redis_server)]
        try:
            for process in processes:
                process.start()
            for process in processes:
                process.wait_ready(time.monotonic() + START_MAX_S)
            yield Stores(postgres, redis_server, *processes)
        finally:
            for process in processes:
                process.stop(time.monotonic() + STOP_MAX_S)
            home.close()


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """The servers of this run."""
    with own_stores(durable=False) as running:
        yield running


@pytest.fixture(scope="session")
def _migrated_template(stores: Stores) -> str:
    """The name of a database that holds the newest schema and nothing else."""
    from gateway.store.migrate import migrate

    stores.execute("CREATE DATABASE migrated")
    migrate(stores.postgres.url("migrated"))
    return "migrated"


@pytest.fixture(scope="session")
def migrated(stores: Stores, _migrated_template: str) -> Migrated:
    """Make databases with the newest schema for what outlives a test: the stack of a file, of a folder."""

    @contextlib.contextmanager
    def make() -> Iterator[str]:
        url = stores.create_database(template=_migrated_template)
        try:
            yield url
        finally:
            stores.drop_database(url)

    return make


@pytest.fixture(scope="session")
def _databases(stores: Stores, _migrated_template: str) -> Iterator[Databases]:
    databases = Databases(_migrated_template, stores.postgres.url)
    yield databases
    databases.close()


@pytest.fixture
def database(request: pytest.FixtureRequest, _databases: Databases) -> Iterator[str]:
    """The URL of a database with the newest schema and nothing else, this test's own.

    Of a test marked with ``new_database`` nobody has ever used it before.
    """
    url = _databases.take(new=request.node.get_closest_marker("new_database") is not None)
    yield url
    _databases.give_back(url)


@pytest.fixture
def empty_database(stores: Stores) -> Iterator[str]:
    """The URL of a fresh database without any schema, this test's own."""
    url = stores.create_database()
    yield url
    stores.drop_database(url)


@pytest.fixture
def redis_url(stores: Stores) -> str:
    """The URL of an empty Redis."""
    client = redis.Redis.from_url(stores.redis.url)
    client.flushall()
    client.close()
    return stores.redis.url
