"""Falcon as its manual builds it for speed: msgspec for JSON, psycopg2 over a pool for the key-value store.

Run by gunicorn's gevent worker, which patches before it imports this, or by its sync worker.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

import falcon
import falcon.media
import msgspec
import psycopg2
from gevent.monkey import is_module_patched
from gevent.queue import LifoQueue
from psycogreen.gevent import patch_psycopg

if is_module_patched("socket"):
    patch_psycopg()

RPC_WAIT_S = 0.05
#: As many as served it best at 64 callers (8, 16 and 32 were tried).
CONNECTIONS = int(os.environ.get("POOL", "16"))
GET = "EXECUTE kvs_get (%s)"
PUT = "EXECUTE kvs_put (%s, %s)"
PREPARE = """
PREPARE kvs_get (text) AS SELECT value FROM bench_kvs WHERE key = $1;
PREPARE kvs_put (text, text) AS INSERT INTO bench_kvs (key, value) VALUES ($1, $2)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;
"""


class Pool:
    """Connections that wait in a queue for whoever needs one; the one used last first."""

    def __init__(self, url: str) -> None:
        self._idle: LifoQueue[Any] = LifoQueue()
        for _ in range(CONNECTIONS):
            connection = psycopg2.connect(url)
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(PREPARE)
            self._idle.put(connection)

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Any]:
        connection = self._idle.get()
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            self._idle.put(connection)


class Echo:
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = request.get_media()


class Rpc:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        time.sleep(RPC_WAIT_S)
        response.media = {"ok": True}


class Kvs:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def on_get(self, request: falcon.Request, response: falcon.Response, key: str) -> None:
        with self._pool.cursor() as cursor:
            cursor.execute(GET, (key,))
            row = cursor.fetchone()
        if row is None:
            raise falcon.HTTPNotFound
        response.text = row[0]

    def on_put(self, request: falcon.Request, response: falcon.Response, key: str) -> None:
        value = request.bounded_stream.read().decode()
        with self._pool.cursor() as cursor:
            cursor.execute(PUT, (key, value))
        response.status = falcon.HTTP_204


def build(database_url: str | None) -> falcon.App[falcon.Request, falcon.Response]:
    """Return the application; without a database there is no key-value store."""
    made = falcon.App()
    json = falcon.media.JSONHandler(dumps=msgspec.json.encode, loads=msgspec.json.decode)
    made.req_options.media_handlers["application/json"] = json
    made.resp_options.media_handlers["application/json"] = json
    made.add_route("/bench/echo", Echo())
    made.add_route("/bench/rpc", Rpc())
    if database_url:
        made.add_route("/bench/kvs/{key}", Kvs(Pool(database_url)))
    return made


app = build(os.environ.get("DATABASE_URL"))
