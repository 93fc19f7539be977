"""slack_bolt's App behind its Flask adapter, for gunicorn's gevent worker; one pool of connections to the assistant."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import requests
from requests.adapters import HTTPAdapter
from slack_bolt import App
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_sdk import WebClient

ASSISTANT = os.environ["ASSISTANT_URL"]
#: Listeners at work at once: greenlets here, because gunicorn's worker has patched threads.  Bolt's default is 5.
LISTENERS = 64

app = App(
    client=WebClient(token=os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"]),
    signing_secret=os.environ["SLACK_SIGNING_SECRET"],
    listener_executor=ThreadPoolExecutor(max_workers=LISTENERS),
)
handler = SlackRequestHandler(app)
server = flask.Flask(__name__)
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=LISTENERS))


@app.message()
def answer(message: dict[str, Any], say: Any) -> None:
    asked = {"message": {"text": message["text"]}, "user": message["user"]}
    reply = session.post(ASSISTANT, json=asked, timeout=10).json()
    say(reply["parts"][0]["text"], thread_ts=message["thread_ts"])


@server.post(os.environ["HOOK"])
def hook() -> flask.Response:
    return handler.handle(flask.request)
