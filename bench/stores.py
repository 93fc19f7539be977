"""PostgreSQL and Redis for a benchmark: as durable as a real installation's, or, where that is measured, less."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.embedded.home import Home
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.embedded.process import Process, Program
from gateway.embedded.redis import EmbeddedRedis
from gateway.store.migrate import migrate

__all__ = ["Stores", "stores"]

READY_MAX_S = 30.0
STOP_MAX_S = 10.0
#: Ten contestants run beside one another, each with a pool.
SESSIONS_MAX = 300


class Stores(msgspec.Struct, frozen=True):
    """A running pair of servers."""

    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    postgres_process: Process
    redis_process: Process

    @property
    def postgres_pid(self) -> int:
        """The postmaster; its sessions are its children."""
        assert self.postgres_process.pid is not None
        return self.postgres_process.pid

    @property
    def redis_pid(self) -> int:
        """The server."""
        assert self.redis_process.pid is not None
        return self.redis_process.pid


@contextlib.contextmanager
def stores(*, fsync: bool = True) -> Iterator[Stores]:
    """Run a migrated PostgreSQL (synchronous commit, and *fsync*) and a Redis (append-only file, everysec)."""
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder:
        home = Home(Path(folder))
        home.open(time.monotonic() + READY_MAX_S)
        postgres = EmbeddedPostgres(
            data=home.data / "postgres",
            sockets=home.sockets,
            log=home.log / "postgres.log",
            durable=fsync,
        )
        redis = EmbeddedRedis(data=home.data / "redis", sockets=home.sockets, log=home.log / "redis.log")
        processes = [Process(_roomy(postgres.prepare())), Process(redis.prepare())]
        try:
            for process in processes:
                process.start()
            for process in processes:
                process.wait_ready(time.monotonic() + READY_MAX_S)
            migrate(postgres.url())
            yield Stores(postgres, redis, *processes)
        finally:
            for process in processes:
                process.stop(time.monotonic() + STOP_MAX_S)
            home.close()


def _roomy(program: Program) -> Program:
    """Return PostgreSQL with more sessions: of a setting that is given twice, the later one counts."""
    return dataclasses.replace(program, argv=(*program.argv, "-c", f"max_connections={SESSIONS_MAX}"))
