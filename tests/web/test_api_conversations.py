"""``/api/v1/conversations``, ``/turns`` and ``/dead-letters``: what is shown, page by page, and what is done."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.conversations.queries import key_hash
from gateway.store.ledger import deliveries
from gateway.store.ledger.outbox import Finish
from tests.cli.spoken import speak
from tests.support.actor import Actor
from tests.web.api_gateway import ROOT_TOKEN, ApiGateway, api_gateway


@pytest.fixture
def api(database: str, redis_url: str, tmp_path: Path) -> Iterator[ApiGateway]:
    with api_gateway(database, redis_url, tmp_path) as running:
        yield running


def shown(api: ApiGateway, path: str) -> Any:
    answer = api.ask("GET", path, ROOT_TOKEN)
    assert answer.status_code == 200, answer.data
    return msgspec.json.decode(answer.data)


def pages(api: ApiGateway, path: str, what: str) -> list[list[Any]]:
    """Follow `next` to the end, two at a time."""
    found, query = [], f"{path}?limit=2"
    while True:
        page = shown(api, query)
        found.append(page[what])
        if page["next"] is None:
            return found
        query = f"{path}?limit=2&before={page['next']}"


def refused(api: ApiGateway, method: str, path: str) -> tuple[int, str]:
    answer = api.ask(method, path, ROOT_TOKEN)
    return answer.status_code, msgspec.json.decode(answer.data)["reason"]


# Conversations


def test_conversations_are_listed_newest_first_and_without_their_keys(api: ApiGateway, database: str) -> None:
    speak(database)
    [conversations, _] = shown(api, "/conversations").values()
    assert [(one["conversation_id"], one["channel"], one["state"], one["turns"]) for one in conversations] == [
        (3, "webchat", "waiting", 1),
        (2, "webchat", "idle", 1),
        (1, "slack", "running", 2),
    ]
    assert conversations[2]["key_hash"] == key_hash("ada at home")
    assert b"at home" not in api.ask("GET", "/conversations", ROOT_TOKEN).data
    assert shown(api, "/conversations/2") == conversations[1]
    assert [one["conversation_id"] for one in shown(api, "/conversations?channel=slack")["conversations"]] == [1]
    assert shown(api, "/conversations?account=other")["conversations"] == []


def test_conversations_have_pages_on_which_each_stands_once(api: ApiGateway, database: str) -> None:
    """Also those that were active in the same microsecond."""
    actor = Actor(database)
    for number in range(5):
        actor.say(lane=f"lane {number}")
    actor.rows("UPDATE conversations SET active_at = '2026-01-01 00:00:00.123457+00' WHERE id <= 3 RETURNING id")
    found = pages(api, "/conversations", "conversations")
    assert [[one["conversation_id"] for one in page] for page in found] == [[5, 4], [3, 2], [1]]


@pytest.mark.parametrize(
    "before", ["7", "x-7", "1.5-7", "-", "1700000000.000000-", "99999999999999.000000-1", "1.000000-1%0A"]
)
def test_what_is_no_next_of_a_page_is_refused(api: ApiGateway, before: str) -> None:
    assert refused(api, "GET", f"/conversations?before={before}") == (400, "bad_query")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/conversations/7", "no_such_conversation"),
        ("/conversations/7/turns", "no_such_conversation"),
        ("/turns/7", "no_such_turn"),
        (f"/turns/{2**63}", "no_such_turn"),
        ("/turns/0", "no_such_turn"),
        ("/dead-letters/7", "no_such_letter"),
        ("/turns/x", "http_404"),
    ],
)
def test_what_is_not_there_is_told(api: ApiGateway, path: str, reason: str) -> None:
    assert refused(api, "GET", path) == (404, reason)


# Turns


def test_turns_are_listed_newest_first_in_pages(api: ApiGateway, database: str) -> None:
    actor = Actor(database)
    for number in range(5):
        lane = actor.say(f"message {number}").conversation_id
    found = pages(api, f"/conversations/{lane}/turns", "turns")
    assert [[one["message"]["text"] for one in page] for page in found] == [
        ["message 4", "message 3"],
        ["message 2", "message 1"],
        ["message 0"],
    ]


def test_one_turn_is_shown_with_what_became_of_its_messages(api: ApiGateway, database: str) -> None:
    actor, worker = Actor(database), Actor(database, "worker")
    said = actor.say("a gin sour", user="ada")
    actor.answer(said.conversation_id, pushes=["hi", "there"])
    [row] = worker.claim()
    worker.finish(Finish(row.outbox_id, "sent", platform_id="1.2"))
    turn = shown(api, f"/turns/{said.turn_id}")
    assert (turn["state"], turn["user"], turn["message"]["text"]) == ("answered", "Ada", "a gin sour")
    assert (turn["conversation_id"], turn["channel"], turn["surface"]) == (said.conversation_id, "slack", "event")
    assert (turn["trace_id"], turn["retry_of"], turn["deaths"]) == ("0" * 32, None, 0)
    assert [(one["state"], one["platform_id"]) for one in turn["sends"]] == [("sent", "1.2"), ("pending", "")]


# Dead letters


def test_dead_letters_are_listed_in_pages_and_retried_once(api: ApiGateway, database: str) -> None:
    actor = Actor(database)
    for number in range(3):
        said = actor.say(lane=f"lane {number}")
        actor.answer(said.conversation_id, state="failed", reason="timeout", detail="60 s")
    found = pages(api, "/dead-letters", "dead_letters")
    assert [[one["letter_id"] for one in page] for page in found] == [[3, 2], [1]]
    assert (found[0][0]["kind"], found[0][0]["reason"], found[0][0]["closed_as"]) == ("turn", "timeout", "")

    answer = api.ask("POST", "/dead-letters/3/retry", ROOT_TOKEN)
    retried = msgspec.json.decode(answer.data)
    assert (answer.status_code, retried["kind"]) == (200, "turn")
    [turn] = retried["turns"]
    assert shown(api, f"/turns/{turn['turn_id']}")["retry_of"] == said.turn_id
    assert refused(api, "POST", "/dead-letters/3/retry") == (409, "letter_closed")

    assert api.ask("DELETE", "/dead-letters/2", ROOT_TOKEN).status_code == 200
    assert refused(api, "DELETE", "/dead-letters/2") == (409, "letter_closed")
    assert [one["letter_id"] for one in shown(api, "/dead-letters")["dead_letters"]] == [1]
    closed = shown(api, "/dead-letters?state=closed")["dead_letters"]
    assert [(one["letter_id"], one["closed_as"], one["closed_by"]) for one in closed] == [
        (3, "retried", "api (unknown)"),
        (2, "dropped", "api (unknown)"),
    ]


def test_a_kept_delivery_is_shown_as_it_came(api: ApiGateway) -> None:
    deliveries.dead_letter(
        api.cursor,
        channel="slack",
        account="bot",
        reason="not_json",
        detail="",
        body=b"\xff{",
        content_type="application/json",
    )
    letter = shown(api, "/dead-letters/1")
    assert (base64.b64decode(letter["body"]), letter["content_type"]) == (b"\xff{", "application/json")
    assert refused(api, "POST", "/dead-letters/1/retry") == (409, "not_understood")
