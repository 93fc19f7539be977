"""``/api/v1/users``: who may have somebody erased, what is asked for, and how it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from werkzeug.test import TestResponse

from gateway.jobs.erasure import REPORT_KEPT_S, Erasure
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.job_hints import JobHints
from gateway.store.postgres import Database
from gateway.web.api.users import Users
from tests.support.actor import Actor
from tests.support.ledger_view import LedgerView
from tests.web.api_site import api_client

TOKEN = "a token of this test run"
PATH = "/api/v1/users/erase"
ADA = {"channel": "slack", "account": "bot", "key": "T1:U1"}


class Site:
    """The routes of one process, and what stands behind them."""

    def __init__(self, database_url: str, redis_url: str, *tokens: str) -> None:
        store = StoreSettings(database_url=Secret(database_url), redis_url=Secret(redis_url))
        self.view = LedgerView(database_url)
        self.database = Database(store)
        self.hints = JobHints(store, 100)
        self.client = api_client(self.database, [Users(Erasure(self.database, self.hints))], tokens)

    def ask(self, value: object = ADA, *, authorization: str = f"Bearer {TOKEN}", data: bytes = b"") -> TestResponse:
        body = data or msgspec.json.encode(value)
        return self.client.post(PATH, data=body, headers={"Authorization": authorization})

    def jobs(self) -> list[dict[str, Any]]:
        return self.view.rows("SELECT * FROM jobs ORDER BY id")

    def close(self) -> None:
        self.hints.close()
        self.database.close()


@pytest.fixture
def site(database: str, redis_url: str) -> Iterator[Site]:
    running = Site(database, redis_url, TOKEN)
    Actor(database).say(user="T1:U1")
    yield running
    running.close()


def refusal(response: TestResponse) -> tuple[int, str]:
    return response.status_code, msgspec.json.decode(response.data)["reason"]


def test_an_erasure_is_asked_for_and_its_job_named(site: Site) -> None:
    response = site.ask()
    [job] = site.jobs()
    assert (response.status_code, msgspec.json.decode(response.data)) == (202, {"job_id": job["id"], "fresh": True})
    assert response.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["kind"], job["payload"], job["keep_s"]) == ("user.erase", ADA, REPORT_KEPT_S)
    assert "U1" not in job["unique_key"], "the key goes with the report's end, this stays beside it"
    assert repr(site.hints) == "<JobHints 1 jobs waiting>"


def test_asked_for_twice_it_is_one_job(site: Site) -> None:
    first, second = (msgspec.json.decode(site.ask().data) for _ in range(2))
    assert (first["job_id"], second["fresh"]) == (second["job_id"], False)
    assert len(site.jobs()) == 1


def test_whom_nobody_knows_is_refused_unless_that_is_meant(site: Site) -> None:
    unknown = {**ADA, "key": "T1:U2"}
    assert refusal(site.ask(unknown)) == (404, "no_such_user")
    assert site.jobs() == []
    assert site.ask({**unknown, "even_if_unknown": True}).status_code == 202
    assert [job["unique_key"] for job in site.jobs()] == [None]


@pytest.mark.parametrize("authorization", ["", TOKEN, "Bearer wrong"])
def test_nobody_may_without_a_token(site: Site, authorization: str) -> None:
    assert site.ask(authorization=authorization).status_code == 401
    assert site.jobs() == []


def test_without_a_token_in_the_settings_nobody_may(database: str, redis_url: str) -> None:
    closed = Site(database, redis_url)
    assert refusal(closed.ask()) == (401, "wrong_token")
    closed.close()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"channel": "slack", "account": "bot"}, "bad_body"),
        ({**ADA, "kye": "x"}, "bad_body"),
        ({**ADA, "key": 7}, "bad_body"),
        ({**ADA, "key": ""}, "bad_body"),
        ({**ADA, "key": "x" * 513}, "bad_body"),
        ({**ADA, "key": "a\0b"}, "bad_key"),
        ({**ADA, "channel": ""}, "bad_body"),
        ({**ADA, "account": "\0"}, "bad_account"),
        ([], "bad_body"),
    ],
)
def test_what_is_no_user_is_refused(site: Site, value: object, reason: str) -> None:
    assert refusal(site.ask(value)) == (400, reason)
    assert site.jobs() == []


def test_what_is_no_json_is_refused(site: Site) -> None:
    assert refusal(site.ask(data=b"{")) == (400, "bad_body")
    assert refusal(site.ask(data=b"\xff")) == (400, "bad_body")


def test_a_schema_that_is_not_migrated_is_said(empty_database: str, redis_url: str) -> None:
    site = Site(empty_database, redis_url, TOKEN)
    assert refusal(site.ask()) == (503, "not_migrated")
    site.close()
