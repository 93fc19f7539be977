"""FastAPI as its manual builds it, on uvicorn with uvloop and httptools; asyncpg for the key-value store."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

import asyncpg
from fastapi import Body, FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

RPC_WAIT_S = 0.05
CONNECTIONS = int(os.environ.get("POOL", "16"))
#: asyncpg prepares each statement once a connection by itself.
GET = "SELECT value FROM bench_kvs WHERE key = $1"
PUT = "INSERT INTO bench_kvs (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

streams: set[asyncio.Queue[str]] = set()


async def as_it_is(connection: asyncpg.Connection) -> None:
    """Do not have PostgreSQL undo, in a statement after each request's own, what no request here does to a session."""


@contextlib.asynccontextmanager
async def lifespan(made: FastAPI) -> AsyncIterator[None]:
    """Keep a pool for as long as the application runs."""
    options = {"min_size": CONNECTIONS, "max_size": CONNECTIONS, "reset": as_it_is}
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], **options) as made.state.pool:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/bench/echo")
async def echo(value: Annotated[Any, Body()]) -> Any:
    return value


@app.get("/bench/rpc")
async def rpc() -> dict[str, bool]:
    await asyncio.sleep(RPC_WAIT_S)
    return {"ok": True}


@app.get("/bench/kvs/{key}")
async def get(key: str, request: Request) -> Response:
    value = await request.app.state.pool.fetchval(GET, key)
    if value is None:
        raise HTTPException(404)
    return Response(value, media_type="application/json")


@app.put("/bench/kvs/{key}", status_code=204)
async def put(key: str, request: Request) -> None:
    value = (await request.body()).decode()
    await request.app.state.pool.execute(PUT, key, value)


@app.get("/bench/stream")
async def hold() -> StreamingResponse:
    return StreamingResponse(_events(), media_type="text/event-stream")


@app.post("/bench/stream")
async def tell(request: Request) -> dict[str, int]:
    event = f"data: {(await request.body()).decode()}\n\n"
    for events in streams:
        events.put_nowait(event)
    return {"streams": len(streams)}


async def _events() -> AsyncIterator[str]:
    events: asyncio.Queue[str] = asyncio.Queue()
    streams.add(events)
    try:
        yield ": open\n\n"
        while True:
            yield await events.get()
    finally:
        streams.discard(events)
