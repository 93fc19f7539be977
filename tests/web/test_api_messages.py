"""``/api/v1/conversations/<id>/messages``: who may ask, what is asked for, taken back and refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from werkzeug.test import TestResponse

from gateway.domain.job import Done
from gateway.jobs.jobs import Jobs
from gateway.jobs.pushes import Pushes
from gateway.settings.accounts import SlackAccount
from gateway.settings.jobs import JobSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.job_hints import JobHints
from gateway.store.postgres import Database
from gateway.store.signals import Signals
from gateway.web.api.messages import Messages
from tests.support.actor import Actor
from tests.support.handling import Handling, job
from tests.web.api_site import api_client
from workers.registry import load_handlers

TOKEN = "a token of this test run"
HELLO = {"parts": [{"type": "text", "text": "It has been shipped."}]}


class Site:
    """The routes of one process, and a conversation that somebody has begun."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        store = StoreSettings(database_url=Secret(database_url), redis_url=Secret(redis_url))
        self.database = Database(store)
        self.hints = JobHints(store, 100)
        self.signals = Signals(store, audience="gateways", on_hint=lambda _: None)
        pushes = Pushes(self.database, Jobs(self.database, JobSettings(), self.hints), self.signals)
        self.client = api_client(self.database, [Messages(pushes)], [TOKEN])
        self.actor = Actor(database_url)
        self.conversation_id = self.actor.say("hello").conversation_id
        self.path = f"/api/v1/conversations/{self.conversation_id}/messages"

    def ask(
        self, method: str, path: str, value: object = None, *, authorization: str = f"Bearer {TOKEN}", **headers: str
    ) -> TestResponse:
        body = b"" if value is None else msgspec.json.encode(value)
        names = {"Authorization": authorization, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return self.client.open(path, method=method, data=body, headers=names)

    def post(self, value: object = None, **headers: str) -> TestResponse:
        return self.ask("POST", self.path, HELLO if value is None else value, **headers)

    def jobs(self) -> list[tuple[Any, ...]]:
        return self.actor.rows(
            "SELECT id, kind, lane, unique_key, state, payload::text, extract(epoch FROM due_at)::float8 FROM jobs"
        )

    def close(self) -> None:
        self.signals.close()
        self.hints.close()
        self.database.close()


@pytest.fixture
def site(database: str, redis_url: str) -> Iterator[Site]:
    running = Site(database, redis_url)
    yield running
    running.close()


def refusal(response: TestResponse) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    return response.status_code, msgspec.json.decode(response.data)["reason"]


def test_only_who_has_a_token_may_ask(site: Site) -> None:
    for method, path in (("POST", site.path), ("DELETE", f"{site.path}/k")):
        assert refusal(site.ask(method, path, HELLO, authorization="")) == (401, "no_token")
    assert site.jobs() == []


def test_a_message_is_a_job_in_a_lane_of_its_conversations_own(site: Site) -> None:
    response = site.post()

    asked = msgspec.json.decode(response.data)
    ((job_id, kind, lane, unique, state, payload, _),) = site.jobs()
    assert response.status_code == 202
    assert asked == {"job_id": job_id, "fresh": True}
    assert (kind, lane, unique, state) == ("message.push", f"push:{site.conversation_id}", None, "ready")
    assert msgspec.json.decode(payload)["reply"] == HELLO


@pytest.mark.parametrize("later", [{"delay_s": 3_600}, {"at": time.time() + 3_600}, {"at": "2999-01-01T00:00:00Z"}])
def test_one_that_is_to_come_later_is_scheduled(site: Site, later: dict[str, Any]) -> None:
    assert site.post({**HELLO, **later}).status_code == 202

    ((*_, state, _, due_at),) = site.jobs()
    assert state == "scheduled"
    assert due_at > time.time() + 3_000


@pytest.mark.parametrize("by_header", [False, True])
def test_what_is_asked_for_twice_under_one_key_is_one(site: Site, *, by_header: bool) -> None:
    value, headers = (HELLO, {"Idempotency_Key": "order 7"}) if by_header else ({**HELLO, "key": "order 7"}, {})

    first, second = [msgspec.json.decode(site.post(value, **headers).data) for _ in range(2)]

    assert (first["fresh"], second["fresh"]) == (True, False)
    assert first["job_id"] == second["job_id"]
    assert len(site.jobs()) == 1


def test_what_was_written_under_a_key_is_not_asked_for_again(site: Site, database: str, redis_url: str) -> None:
    """Law: a caller that repeats itself for safety is told that there is nothing left to wait for; and another key, and
    another conversation, have nothing to do with it."""
    site.actor.answer(site.conversation_id)
    site.post({**HELLO, "key": "order 7"})
    ((_, _, lane, _, _, payload, _),) = site.jobs()
    accounts = {("slack", "bot"): SlackAccount(channel="slack", name="bot", assistant="a")}
    handler = load_handlers()["message.push"]
    with Handling(database, redis_url, accounts=accounts) as worker:
        assert isinstance(worker.run(handler, job(handler, msgspec.json.decode(payload), lane=lane)), Done)
    site.actor.rows("DELETE FROM jobs RETURNING id")

    response = site.post({**HELLO, "key": "order 7"})

    assert (response.status_code, msgspec.json.decode(response.data)) == (202, {"job_id": None, "fresh": False})
    assert site.jobs() == []
    assert msgspec.json.decode(site.post({**HELLO, "key": "order 8"}).data)["fresh"]
    assert msgspec.json.decode(site.post().data)["fresh"]


def test_one_that_waits_is_taken_back_by_its_key(site: Site) -> None:
    site.post({**HELLO, "key": "order 7/8", "delay_s": 60})

    assert site.ask("DELETE", f"{site.path}/order%207%2F8").status_code == 204
    assert site.jobs() == []
    assert refusal(site.ask("DELETE", f"{site.path}/order%207%2F8")) == (404, "no_such_message")


@pytest.mark.parametrize("key", ["a//b", "/a/", "a/../b", "..", "a b?#%", "ä", "a\nb\n"])
def test_a_key_is_found_however_it_is_written(site: Site, key: str) -> None:
    """Also with slashes, which are otherwise taken for one where they are several."""
    site.post({**HELLO, "key": key, "delay_s": 60})

    assert site.ask("DELETE", f"{site.path}/{quote(key, safe='')}").status_code == 204
    assert site.jobs() == []


def test_a_key_is_its_conversations_own(site: Site) -> None:
    other = site.actor.say("hello", lane="another").conversation_id
    site.post({**HELLO, "key": "k", "delay_s": 60})

    assert refusal(site.ask("DELETE", f"/api/v1/conversations/{other}/messages/k")) == (404, "no_such_message")
    assert len(site.jobs()) == 1


@pytest.mark.parametrize("conversation_id", ["999999", "99999999999999999999"])
def test_a_conversation_that_nobody_has_begun_is_not_found(site: Site, conversation_id: str) -> None:
    path = f"/api/v1/conversations/{conversation_id}/messages"

    assert refusal(site.ask("POST", path, HELLO)) == (404, "no_such_conversation")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "bad_body"),
        ({"parts": []}, "bad_body"),
        ({"parts": [{"type": "hologram"}]}, "bad_body"),
        ({**HELLO, "delay_s": -1}, "bad_body"),
        ({**HELLO, "delay_s": 1, "at": 1}, "bad_body"),
        ({**HELLO, "at": "2999-01-01T00:00:00"}, "bad_body"),
        ({**HELLO, "at": 5}, "bad_at"),
        ({**HELLO, "at": -1}, "bad_at"),
        ({**HELLO, "at": "2020-01-01T00:00:00Z"}, "bad_at"),
        ({**HELLO, "at": 1.7e12}, "bad_at"),
        ({"parts": [{"type": "text", "text": " \n"}]}, "bad_body"),
        ({"parts": [*HELLO["parts"], {"type": "speech", "text": ""}]}, "bad_body"),
        ({**HELLO, "key": "k" * 129}, "bad_body"),
        ({**HELLO, "kye": "k"}, "bad_body"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(site: Site, value: object, reason: str) -> None:
    assert refusal(site.post(value)) == (400, reason)
    assert site.jobs() == []


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"parts": []}, "expected parts as a list of 1 to 50, got a list of 0"),
        ({"text": "x"}, "unknown field `text`; expected only parts, locale, key, delay_s, at"),
        ({**HELLO, "kye": "z"}, "unknown field `kye`; expected only parts, locale, key, delay_s, at"),
        (
            {"parts": [{"type": "txt"}]},
            "expected a type of text, speech, image, audio, file, card, list, buttons, suggestions at $.parts[0].type",
        ),
        ({"parts": [{"text": "a"}]}, "missing required field `type`; expected a type of text, speech,"),
        ({"parts": [{"type": "text", "text": ""}]}, "expected a text that says something at $.parts[0].text"),
        ({**HELLO, "at": "tomorrow"}, "expected at as a number or a time with a zone, such as 2030-01-31T"),
        ({**HELLO, "at": "2026-11-23T13:30:00"}, "got '2026-11-23T13:30:00'"),
        ({**HELLO, "at": 5}, "not more than a minute past"),
    ],
)
def test_a_refusal_names_the_field_and_what_it_may_be(site: Site, value: object, told: str) -> None:
    assert told in msgspec.json.decode(site.post(value).data)["detail"]


def test_a_time_that_has_just_passed_is_now(site: Site) -> None:
    """Law: clocks differ, and requests take a while."""
    assert site.post({**HELLO, "at": time.time() - 30}).status_code == 202
    assert site.jobs()[0][4] == "ready"


def test_what_no_store_keeps_is_replaced(site: Site) -> None:
    assert site.post({"parts": [{"type": "text", "text": "a\0b"}]}).status_code == 202
    assert "a\ufffdb" in site.jobs()[0][5]
