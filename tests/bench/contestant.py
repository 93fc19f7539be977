"""A contestant for tests, ``python contestant.py HABIT``, on PORT: right in everything but its habit.

honest, or
- canned    answers every echo with what wrk happens to post: right for whoever looks only at lengths, and fast
- hasty     does not wait
- forgetful says that it has put what it has not
- cached    reads a key from PostgreSQL once
- trimmed   answers the first thousand rightly, then with a byte less
- fat       keeps 20,000 bytes for each connection
- closing   ends each connection with its first answer, and says so
- deaf      leaves one stream out when it tells all
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
from gevent.event import AsyncResult
from gevent.pywsgi import WSGIServer

habit = sys.argv[1]
echo_body = Path(__file__).parents[2] / "bench" / "wrk" / "echo.json"
canned = echo_body.read_bytes() if habit == "canned" else b""
numbers = itertools.count()
kept: dict[str, str] = {}
fat: list[bytes] = []
streams: list[AsyncResult[bytes]] = []
#: Answers after which ``trimmed`` becomes careless: the check before its run is just over.
CAREFUL = 1_005


class Store:
    def __init__(self) -> None:
        # Imported for those few who have a store: a contestant of a test must start fast.
        import psycopg2
        from psycogreen.gevent import patch_psycopg

        patch_psycopg()
        self._idle = [psycopg2.connect(os.environ["DATABASE_URL"]) for _ in range(64)]
        for connection in self._idle:
            connection.autocommit = True

    def run(self, statement: str, *values: str) -> list[Any]:
        connection = self._idle.pop()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall()
        finally:
            self._idle.append(connection)


store = Store() if os.environ.get("DATABASE_URL") else None


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    body = environ["wsgi.input"].read()
    if path == "/bench/stream":
        return open_stream(start_response) if method == "GET" else answer(start_response, tell(body))
    if path.startswith("/bench/kvs/"):
        key = path.rpartition("/")[2]
        return answer(start_response, get(key) if method == "GET" else put(key, body.decode()))
    if path == "/bench/rpc":
        gevent.sleep(0 if habit == "hasty" else 0.05)
        return answer(start_response, b'{"ok":true}')
    if habit == "fat":
        fat.append(b"x" * 20_000)
    if habit == "trimmed" and next(numbers) > CAREFUL:
        return answer(start_response, body[:-1])
    return answer(start_response, canned or body)


def answer(start_response: Any, body: bytes) -> list[bytes]:
    ended = [("Connection", "close")] if habit == "closing" else []
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *ended])
    return [body]


def get(key: str) -> bytes:
    assert store is not None
    if habit != "cached" or key not in kept:
        kept[key] = store.run("SELECT value FROM bench_kvs WHERE key = %s", key)[0][0]
    return kept[key].encode()


def put(key: str, value: str) -> bytes:
    assert store is not None
    if habit != "forgetful":
        store.run("UPDATE bench_kvs SET value = %s WHERE key = %s RETURNING 1", value, key)
    return b"{}"


def open_stream(start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    told: AsyncResult[bytes] = AsyncResult()
    streams.append(told)
    yield b": open\n\n"
    yield b"data: " + told.get() + b"\n\n"
    gevent.sleep(60)


def tell(body: bytes) -> bytes:
    for told in streams[1:] if habit == "deaf" else streams:
        told.set(body)
    return b"{}"


listener = gevent.socket.socket()
# Head and body leave apart: without it the body waits for the reader's delayed acknowledgement of the head.
listener.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
listener.bind(("127.0.0.1", int(os.environ["PORT"])))
listener.listen(1_024)
WSGIServer(listener, app, log=None).serve_forever()
