"""slack_bolt's AsyncApp behind its own ASGI adapter: one aiohttp session for the assistant and for Slack."""

from __future__ import annotations

import os
from typing import Any

import aiohttp
from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

ASSISTANT = os.environ["ASSISTANT_URL"]

# No bound of its own on connections: the load has one.
client = AsyncWebClient(token=os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
app = AsyncApp(client=client, signing_secret=os.environ["SLACK_SIGNING_SECRET"])
handler = AsyncSlackRequestHandler(app, path=os.environ["HOOK"])


@app.message()
async def answer(message: dict[str, Any], say: Any) -> None:
    assert client.session is not None
    asked = {"message": {"text": message["text"]}, "user": message["user"]}
    async with client.session.post(ASSISTANT, json=asked) as response:
        reply = await response.json()
    await say(reply["parts"][0]["text"], thread_ts=message["thread_ts"])


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if client.session is None:
        client.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    if scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                await client.session.close()
                return
    await handler(scope, receive, send)
