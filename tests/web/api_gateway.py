"""A whole gateway's API over real stores, with something in its ledger to be asked about.  Nothing of it is started."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg2
from werkzeug.test import Client

from gateway.app import Gateway
from gateway.domain.api_token import RANDOM_BYTES, Scope, make
from gateway.domain.job import Draft
from gateway.domain.reply import Reply, Text
from gateway.settings.accounts import SlackAccount
from gateway.settings.api import ApiSettings
from gateway.settings.secret import Secret
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.store import tokens
from gateway.store.ledger import jobs
from gateway.telemetry.metrics import Metrics
from tests.support.actor import Actor

__all__ = ["ROOT_TOKEN", "ApiGateway", "api_gateway"]

ROOT_TOKEN = "a root token of this test run"
_lanes = itertools.count(1)


class ApiGateway:
    """The gateway, its operations, and tokens for it."""

    def __init__(self, database_url: str, redis_url: str, home: Path) -> None:
        store = StoreSettings(database_url=Secret(database_url), redis_url=Secret(redis_url))
        self.gateway = Gateway(
            Settings(
                home=home,
                accounts={("slack", "bot"): SlackAccount(channel="slack", name="bot", assistant="a")},
                assistants={},
                store=store,
                api=ApiSettings(tokens=(Secret(ROOT_TOKEN),)),
            ),
            Metrics(),
        )
        self.app = self.gateway.flask
        self.client = Client(self.app)
        self.document: Any = msgspec.json.decode(self.client.get("/api/v1/openapi.json").data)
        self._connection = psycopg2.connect(database_url)
        self._connection.autocommit = True
        self.cursor = self._connection.cursor()

    def token(self, *scopes: Scope) -> str:
        token = make(secrets.token_bytes(RANDOM_BYTES))
        tokens.create(self.cursor, token, name="test", scopes=scopes, by="test", expires_in_s=None)
        return token

    def operations(self) -> Iterator[tuple[str, str, Any]]:
        """Yield method, path and description of each operation of the document."""
        for path, methods in self.document["paths"].items():
            for method, described in methods.items():
                yield method.upper(), path, described

    def ask(self, method: str, path: str, token: str = "", **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **body)

    def fill(self, database_url: str) -> dict[str, Any]:
        """Put one of each thing into the ledger, and return what names it in a path.

        A conversation with a failed turn and an answered one that has a message to be sent, two jobs of which one is
        buried, an order, a pause, and a message that waits under a key.
        """
        actor = Actor(database_url)
        said = actor.say("hello", user="T1:U1", lane=f"D{next(_lanes)}")
        actor.answer(said.conversation_id, state="failed", reason="timeout")
        actor.say("again", user="T1:U1", lane=f"D{next(_lanes)}")
        buried, _ = jobs.enqueue(self.cursor, [Draft(kind="greet", payload={}), Draft(kind="greet", payload={})])
        self.cursor.execute("UPDATE jobs SET state = 'buried', reason = 'why' WHERE id = %s", (buried.job_id,))
        self.cursor.execute(
            "INSERT INTO breaker_orders (endpoint, state, ordered_by, reason)"
            " VALUES ('slack.com', 'forced_open', 'x', 'y') ON CONFLICT DO NOTHING"
        )
        self.cursor.execute(
            "INSERT INTO job_pauses (kind, by, reason) VALUES ('greet', 'x', 'y') ON CONFLICT DO NOTHING"
        )
        self.gateway.pushes.push(said.conversation_id, Reply((Text("hi"),)), key="order 7", run_at=4_000_000_000)
        actor.connection.close()
        return {
            "conversation_id": said.conversation_id,
            "turn_id": said.turn_id,
            "letter_id": self._newest_letter(),
            "job_id": buried.job_id,
            "endpoint": "slack.com",
            "kind": "greet",
            "key": "order 7",
        }

    def _newest_letter(self) -> int:
        self.cursor.execute("SELECT max(id) FROM dead_letters")
        return int(self.cursor.fetchone()[0])

    def close(self) -> None:
        self._connection.close()
        self.gateway.stop(time.monotonic())


@contextlib.contextmanager
def api_gateway(database_url: str, redis_url: str, home: Path) -> Iterator[ApiGateway]:
    """Run one until the block ends."""
    running = ApiGateway(database_url, redis_url, home)
    try:
        yield running
    finally:
        running.close()
