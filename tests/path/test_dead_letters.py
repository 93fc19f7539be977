"""Dead letters through a whole stack: retried over the API by a program with a token, and what comes of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg2
import pytest

from gateway.domain.api_token import RANDOM_BYTES, make
from gateway.store import tokens
from tests.support.calling import call
from tests.support.stack import Stack, running_stack, word
from tests.support.stand_in import status
from tests.support.stores import Migrated, Stores
from tests.support.waiting import until


class Desk:
    """A stack, and the operator's program at it."""

    def __init__(self, stack: Stack, database_url: str) -> None:
        self.stack = stack
        self._token = make(secrets.token_bytes(RANDOM_BYTES))
        connection = psycopg2.connect(database_url)
        with connection, connection.cursor() as cursor:
            scopes = ["dead-letters:read", "dead-letters:write"]
            tokens.create(cursor, self._token, name="desk", scopes=scopes, by="test", expires_in_s=3_600)
        connection.close()

    def ask(self, method: str, path: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = call(self.stack.port, f"/api/v1/dead-letters{path}", method=method, headers=headers)
        return answer.status, msgspec.json.decode(answer.body)

    def letter(self, kind: str) -> int:
        """Return the only open letter of a kind, once it is there."""
        [letter] = until(f"a letter of a {kind}", lambda: self.ask("GET", f"?kind={kind}")[1]["dead_letters"])
        return int(letter["letter_id"])


@pytest.fixture(scope="module")
def desk(stores: Stores, migrated: Migrated) -> Iterator[Desk]:
    with migrated() as url, running_stack(url, stores.redis.url) as running:
        yield Desk(running, url)
        print(running.logs())


def test_a_turn_that_failed_is_answered_after_all(desk: Desk) -> None:
    said = word()
    desk.stack.assistant.will(said, status("500 Internal Server Error"))
    desk.stack.slack.event(said, channel="L1").send(desk.stack.port)
    letter = desk.letter("turn")

    assert desk.ask("POST", f"/{letter}/retry")[0] == 200
    assert desk.ask("POST", f"/{letter}/retry")[0] == 409
    desk.stack.slack.wait_for(f"echo: {said}")
    turns = desk.stack.ledger.turns(said)
    assert [turn["state"] for turn in turns] == ["failed", "answered"]


def test_a_message_that_its_platform_refused_is_sent_after_all(desk: Desk) -> None:
    said = word()
    refused = status("200 OK", b'{"ok": false, "error": "channel_not_found"}', "Content-Type: application/json")
    desk.stack.slack.will(said, refused)
    desk.stack.slack.event(said, channel="L2").send(desk.stack.port)
    letter = desk.letter("send")

    assert desk.ask("POST", f"/{letter}/retry")[0] == 200
    assert desk.ask("POST", f"/{letter}/retry")[0] == 409
    desk.stack.slack.wait_for(said, 2)
    desk.stack.ledger.wait_outbox(said, "sent")
    assert len(desk.stack.slack.about(said)) == 2
    assert desk.ask("GET", "")[1]["dead_letters"] == []


def test_what_the_server_refuses_by_itself_is_in_the_document(desk: Desk) -> None:
    """The application never sees it, so it is no problem document; and addresses come to it as they were written."""
    document = call(desk.stack.port, "/api/v1/openapi.json", method="GET").json
    answer = call(desk.stack.port, "/api/v1/jobs", headers={"Content-Length": str(2**24)})
    described = document["paths"]["/jobs"]["post"]["responses"]["413"]["content"]
    assert (answer.status, answer.json["error"]) == (413, "body_too_large")
    assert set(answer.json) == set(described[answer.headers["content-type"]]["schema"]["required"])

    for path in ("%2Fa%2F", "a%2F%2Fb", "a%0A"):
        key = call(desk.stack.port, f"/api/v1/conversations/1/messages/{path}", method="DELETE")
        assert (key.status, key.json["reason"]) == (401, "no_token"), path
