"""Every contestant that is installed here answers every line rightly, and tells its versions."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from bench.connections import STREAM, raise_descriptors, time_of_one_event
from bench.contestants import CONTESTANTS, run
from bench.keys import Keys
from bench.lines import LINES
from bench.load import each_once
from bench.needs import NEEDS
from bench.server import environment
from bench.stack import durable_stores

pytestmark = pytest.mark.slow

QUESTIONS = 120
#: What pools ask between two who use a connection, if they are let.
_CLEANS = re.compile(r"RESET|DISCARD|UNLISTEN|ROLLBACK", re.IGNORECASE)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keys, dict[str, str], Path]]:
    """The table, and what a contestant finds in its environment."""
    raise_descriptors()
    folder = tmp_path_factory.mktemp("contestants")
    with durable_stores() as (postgres, redis, _):
        keys = Keys(postgres.url())
        keys.fill()
        yield keys, environment(postgres.url(), redis.url, folder), folder
        keys.close()


@pytest.mark.parametrize("name", CONTESTANTS)
def test_a_contestant_is_right(name: str, stores: tuple[Keys, dict[str, str], Path]) -> None:
    """By the checks that stand around every measured run."""
    contestant = CONTESTANTS[name]
    if lacking := [need for need in contestant.needs if not NEEDS[need].there]:
        pytest.skip(f"there is no {', '.join(lacking)}")
    keys, env, folder = stores
    with run([contestant], env, folder) as running:
        assert name in running, (folder / f"{name}.log").read_text()
        lines = ["echo"] if name.startswith("flask") else ["echo", "rpc1000", "kvs_get", "kvs_put"]
        for line in lines:
            LINES[line].check(running[name].port, keys, questions=QUESTIONS)
        assert contestant.version()
        if "kvs_get" in lines:
            assert not [asked for asked in _asked_last(env["DATABASE_URL"]) if _CLEANS.search(asked)]


@pytest.mark.parametrize("name", ["ours", "fastapi", "node", "fastify", "go", "plug", "phoenix", "aleph"])
def test_a_reader_who_does_not_read_holds_up_nobody(name: str, stores: tuple[Keys, dict[str, str], Path]) -> None:
    """Who holds streams goes on telling the others."""
    contestant = CONTESTANTS[name]
    if lacking := [need for need in contestant.needs if not NEEDS[need].there]:
        pytest.skip(f"there is no {', '.join(lacking)}")
    _, env, folder = stores
    body = b'"%b"' % (b"x" * 900_000)
    request = b"POST /bench/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    request += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    with run([contestant], env, folder) as running, contextlib.closing(socket.socket()) as idle:
        # Small, so that the kernel takes little of what is not read.
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        idle.connect(("127.0.0.1", running[name].port))
        idle.sendall(STREAM)
        idle.recv(64)
        told = each_once("127.0.0.1", running[name].port, [request] * 24, callers_n=1)
        assert {answer.status for answer in told} == {200}
        assert time_of_one_event(running[name], 10) > 0


def _asked_last(database_url: str) -> list[str]:
    """Return what each connection asked PostgreSQL last: between two requests that is work which a request pays for."""
    with contextlib.closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query <> ''")
        return [query for (query,) in cursor]
