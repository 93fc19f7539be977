"""``/api/v1/jobs``: who may use it, what it shows and does, how workers hear of it, and how it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
import redis
from werkzeug.test import TestResponse

from gateway.domain.job import Draft, Enqueued
from gateway.jobs.admin import JobAdmin, Tellers
from gateway.jobs.jobs import Jobs
from gateway.jobs.kinds import OWN_KINDS
from gateway.settings.jobs import JobSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.job_hints import JobHints
from gateway.store.ledger import jobs
from gateway.store.postgres import Database
from gateway.store.signals import Signals
from gateway.web.api.jobs import Jobs as JobOperations
from tests.web.api_site import api_client

TOKEN = "a token of this test run"
PATH = "/api/v1/jobs"
PAUSE = f"{PATH}/pauses/greet"
WHY = {"reason": "it burns"}


class Site:
    """The routes of one process, and what stands behind them."""

    def __init__(self, database_url: str, redis_url: str, tokens: Sequence[str] = (TOKEN,)) -> None:
        store = StoreSettings(database_url=Secret(database_url), redis_url=Secret(redis_url))
        self.database = Database(store)
        self.signals = Signals(store, audience="gateways", on_hint=lambda _: None)
        self.hints = JobHints(store, 100)
        self.tellers = Tellers(self.signals, self.hints)
        jobs = Jobs(self.database, JobSettings(), self.hints)
        admin = JobAdmin(self.database, self.tellers)
        self.client = api_client(self.database, [JobOperations(admin, jobs, payload_bytes_max=1_000)], tokens)

    def ask(
        self,
        method: str,
        path: str,
        value: object = None,
        *,
        data: bytes = b"",
        authorization: str = f"Bearer {TOKEN}",
        **more: str,
    ) -> TestResponse:
        body = msgspec.json.encode(value) if value is not None else data
        headers = {"Authorization": authorization} if authorization else {}
        headers |= {name.replace("_", "-"): text for name, text in more.items()}
        caller = {"REMOTE_ADDR": "192.0.2.7"}
        return self.client.open(path, method=method, data=body, headers=headers, environ_overrides=caller)

    def shown(self, query: str = "") -> Any:
        response = self.ask("GET", f"{PATH}{query}")
        assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store"), response.data
        return msgspec.json.decode(response.data)

    def ids(self, query: str = "") -> list[int]:
        return [one["job_id"] for one in self.shown(query)["jobs"]]

    def job(self, kind: str = "greet", **draft: Any) -> Enqueued:
        payload = draft.pop("payload", {})
        return self.database.run(lambda cursor: jobs.enqueue(cursor, [Draft(kind=kind, payload=payload, **draft)]))[0]

    def buried(self, kind: str = "greet", **draft: Any) -> Enqueued:
        asked = self.job(kind, **draft)
        self.execute("UPDATE jobs SET state = 'buried', attempts = 3, reason = 'why' WHERE id = %s", asked.job_id)
        self.execute(
            "INSERT INTO dead_letters (kind, channel, account, job_id, reason) VALUES ('job', '', '', %s, 'why')",
            asked.job_id,
        )
        return asked

    def execute(self, statement: str, *values: object) -> None:
        self.database.run(lambda cursor: cursor.execute(statement, values))

    def close(self) -> None:
        self.signals.close()
        self.hints.close()
        self.database.close()


@pytest.fixture
def site(database: str, redis_url: str) -> Iterator[Site]:
    running = Site(database, redis_url)
    yield running
    running.close()


def problem_of(response: TestResponse) -> Any:
    assert response.content_type == "application/problem+json"
    body = msgspec.json.decode(response.data)
    assert body["status"] == response.status_code
    return body


def refusal(response: TestResponse) -> tuple[int, str]:
    return response.status_code, problem_of(response)["reason"]


EVERY = [
    ("GET", PATH),
    ("GET", f"{PATH}/1"),
    ("POST", f"{PATH}/1/retry"),
    ("DELETE", f"{PATH}/1"),
    ("PUT", PAUSE),
    ("DELETE", PAUSE),
]


# Who may


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_nobody_may_without_a_token(site: Site, method: str, path: str) -> None:
    """Law: fail-closed, on every route: a payload may be anybody's words."""
    site.buried()
    for authorization in ("", "Bearer wrong", TOKEN):
        assert site.ask(method, path, WHY, authorization=authorization).status_code == 401
    assert [(one["job_id"], one["state"]) for one in site.shown()["jobs"]] == [(1, "buried")]
    assert site.shown()["pauses"] == []


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_nobody_may_where_no_token_is_configured(database: str, method: str, path: str) -> None:
    site = Site(database, "redis://127.0.0.1:1", tokens=())
    assert refusal(site.ask(method, path, WHY)) == (401, "wrong_token")
    site.close()


# Looking


def test_the_list_has_jobs_counts_and_pauses(site: Site) -> None:
    buried, ready = site.buried(lane="l"), site.job("report.make")
    site.ask("PUT", PAUSE, WHY)
    shown = site.shown()
    assert [(one["job_id"], one["kind"], one["state"], one["paused"]) for one in shown["jobs"]] == [
        (ready.job_id, "report.make", "ready", False),
        (buried.job_id, "greet", "buried", True),
    ]
    assert [(one["kind"], one["state"], one["jobs"]) for one in shown["counts"]] == [
        ("greet", "buried", 1),
        ("report.make", "ready", 1),
    ]
    [pause] = shown["pauses"]
    assert (pause["kind"], pause["by"], pause["reason"]) == ("greet", "api (192.0.2.7)", "it burns")
    assert "payload" not in shown["jobs"][0], "a list shows nobody's words"


def test_the_list_is_narrowed_and_paged(site: Site) -> None:
    first, second = site.job("a", lane="l"), site.job("b", lane="l")
    third = site.buried("a")
    assert site.ids("?kind=a") == [third.job_id, first.job_id]
    assert site.ids("?kind=a&lane=l") == [first.job_id]
    assert site.ids("?state=buried") == [third.job_id]
    assert site.ids(f"?limit=1&before={third.job_id}") == [second.job_id]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("?knid=a", "bad_query"),
        ("?limit=many", "bad_query"),
        ("?state=lost", "bad_query"),
        ("?before=x", "bad_query"),
        ("?before=", "bad_query"),
        ("?before=0", "bad_query"),
        ("?before=-1", "bad_query"),
        ("?before=9999999999999999999", "bad_query"),
        ("?before=99999999999999999999", "bad_query"),
        ("?kind=a&kind=b", "bad_query"),
        ("?limit=0", "bad_query"),
        ("?before=null", "bad_query"),
        ("?state=null", "bad_query"),
        ("?limit=100000", "bad_query"),
        ("?kind=Two%20Words", "bad_query"),
        ("?kind=nul%00", "bad_query"),
        ("?lane=nul%00", "bad_query"),
        ("?lane=", "bad_query"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(site: Site, query: str, reason: str) -> None:
    """Law: a filter that is misspelt must not show everything."""
    assert refusal(site.ask("GET", PATH + query)) == (400, reason)


def test_the_largest_id_is_told_as_it_is(site: Site) -> None:
    told = problem_of(site.ask("GET", f"{PATH}?before={2**63}"))["detail"]
    assert told == f"expected before as a whole number from 1 to {2**63 - 1}, got '{2**63}'"


def test_one_job_is_shown_whole(site: Site) -> None:
    job = site.buried(lane="l", payload={"to": "Ada"}, unique="k")
    shown = msgspec.json.decode(site.ask("GET", f"{PATH}/{job.job_id}").data)
    assert (shown["payload"], shown["unique"], shown["attempts"]) == ({"to": "Ada"}, "k", 3)
    assert [(one["reason"], one["closed_as"]) for one in shown["letters"]] == [("why", "")]


@pytest.mark.parametrize(
    ("method", "path"), [(method, path.replace("/1", "/77")) for method, path in EVERY if "/1" in path]
)
def test_what_is_not_there_is_told(site: Site, method: str, path: str) -> None:
    assert refusal(site.ask(method, path)) == (404, "no_such_job")
    beyond = path.replace("77", "9" * 30)
    assert refusal(site.ask(method, beyond)) == (404, "no_such_job")


# Doing


def test_a_buried_job_is_retried_and_its_owner_told(site: Site, redis_url: str) -> None:
    job = site.buried()
    response = site.ask("POST", f"{PATH}/{job.job_id}/retry")
    assert response.status_code == 200
    assert msgspec.json.decode(response.data) == {"job_id": job.job_id, "partition": job.partition, "priority": 1}
    assert site.tellers.flush()
    client = redis.Redis.from_url(redis_url)
    [(_, hint)] = client.xrange(f"switchboard:jobs:{{{job.partition}}}")
    client.close()
    assert hint == {b"j": f"1 {job.job_id}".encode()}
    shown = msgspec.json.decode(site.ask("GET", f"{PATH}/{job.job_id}").data)
    assert (shown["state"], shown["detail"]) == ("ready", "by api (192.0.2.7)")
    assert refusal(site.ask("POST", f"{PATH}/{job.job_id}/retry")) == (409, "job_ready")


def test_a_job_is_dropped_and_workers_told(site: Site, redis_url: str) -> None:
    job = site.job()
    client = redis.Redis.from_url(redis_url)
    with client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe("switchboard:workers")
        heard.get_message(timeout=5)
        response = site.ask("DELETE", f"{PATH}/{job.job_id}")
        assert site.tellers.flush()
        said = heard.get_message(timeout=5)
    client.close()
    assert msgspec.json.decode(response.data) == {"job_id": job.job_id, "partition": job.partition, "holder": None}
    assert said
    assert msgspec.json.decode(said["data"]) == {
        "type": "job_dropped",
        "job_id": job.job_id,
        "partition": job.partition,
    }
    assert site.ids() == []
    assert refusal(site.ask("GET", f"{PATH}/{job.job_id}")) == (404, "job_gone")


def test_a_kind_is_paused_and_resumed_and_workers_told(site: Site, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    with client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe("switchboard:workers")
        heard.get_message(timeout=5)
        paused = site.ask("PUT", PAUSE, WHY)
        assert (paused.status_code, msgspec.json.decode(paused.data)["kind"]) == (200, "greet")
        assert site.tellers.flush()
        assert site.ask("DELETE", PAUSE).status_code == 204
        assert site.tellers.flush()
        said = [heard.get_message(timeout=5) for _ in range(2)]
    client.close()
    assert [msgspec.json.decode(one["data"]) for one in said if one] == [{"type": "jobs_paused"}] * 2
    assert refusal(site.ask("DELETE", PAUSE)) == (404, "not_paused")


@pytest.mark.parametrize(
    ("path", "data", "status", "reason"),
    [
        (PAUSE, b"", 400, "bad_body"),
        (PAUSE, b"\xff", 400, "bad_body"),
        (PAUSE, b"[" * 2_000, 400, "bad_body"),
        (PAUSE, b"{}", 400, "bad_body"),
        (PAUSE, b'{"reason": "why", "anyway": true}', 400, "bad_body"),
        (PAUSE, b'{"reason": " "}', 400, "bad_reason"),
        (PAUSE, b'{"reason": "a\\nb"}', 400, "bad_body"),
        (PAUSE, b" " * 10_000, 413, "http_413"),
        (f"{PATH}/pauses/nul%00", b'{"reason": "why"}', 400, "bad_kind"),
        (f"{PATH}/pauses/{'x' * 65}", b'{"reason": "why"}', 400, "bad_kind"),
    ],
)
def test_what_can_be_no_pause_is_refused(site: Site, path: str, data: bytes, status: int, reason: str) -> None:
    assert refusal(site.ask("PUT", path, data=data)) == (status, reason)
    assert site.shown()["pauses"] == []


def test_what_can_be_no_kind_is_not_resumed(site: Site) -> None:
    assert refusal(site.ask("DELETE", f"{PATH}/pauses/nul%00")) == (400, "bad_kind")


# What is away


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_without_postgresql_it_says_when_to_come_back(method: str, path: str) -> None:
    site = Site("postgresql://127.0.0.1:1/none", "redis://127.0.0.1:1")
    response = site.ask(method, path, WHY)
    assert (*refusal(response), response.headers["Retry-After"]) == (503, "postgres_unreachable", "2")
    site.close()


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_a_database_that_is_not_migrated_yet_is_one_to_wait_for(empty_database: str, method: str, path: str) -> None:
    """Law: a gateway that runs before its migration says so, and nothing else."""
    site = Site(empty_database, "redis://127.0.0.1:1")
    assert refusal(site.ask(method, path, WHY)) == (503, "not_migrated")
    site.close()


def test_without_redis_everything_is_done(database: str) -> None:
    """Law: fail-open.  Workers find it by their polls."""
    site = Site(database, "redis://127.0.0.1:1")
    buried, ready = site.buried(), site.job()
    assert site.ask("POST", f"{PATH}/{buried.job_id}/retry").status_code == 200
    assert site.ask("DELETE", f"{PATH}/{ready.job_id}").status_code == 200
    assert site.ask("PUT", PAUSE, WHY).status_code == 200
    assert not site.tellers.flush()
    assert [(one["job_id"], one["state"], one["paused"]) for one in site.shown()["jobs"]] == [
        (buried.job_id, "ready", True)
    ]
    site.close()


# Asking for one


@pytest.mark.parametrize("kind", sorted(OWN_KINDS))
def test_the_platforms_own_jobs_are_not_asked_for_here(site: Site, kind: str) -> None:
    """Law: jobs:write erases nobody, and says nothing in an assistant's name: that has scopes of its own."""
    assert refusal(site.ask("POST", PATH, {"kind": kind, "payload": {}})) == (400, "own_kind")
    assert site.ids() == []


def test_a_job_cannot_stand_in_the_way_of_a_reply(site: Site) -> None:
    asked = {"kind": "greet", "payload": {}, "unique": "outbox:7"}
    assert refusal(site.ask("POST", PATH, asked)) == (400, "own_key")


def test_a_job_is_asked_for(site: Site) -> None:
    response = site.ask("POST", PATH, data=b'{"kind": "greet", "payload": {"n": 123456789012345678901234567890}}')

    assert (response.status_code, response.headers["Location"]) == (202, f"{PATH}/1")
    assert msgspec.json.decode(response.data) == {"job_id": 1, "fresh": True}
    shown = site.ask("GET", response.headers["Location"]).data
    assert b'"payload":{"n": 123456789012345678901234567890}' in shown
    assert site.hints.flush()


def test_all_that_a_job_can_be_asked_for_with(site: Site) -> None:
    how = {"lane": "l", "unique": "k", "priority": "high", "keep_s": 60, "run_at": "2999-01-01T00:00:00Z"}
    assert site.ask("POST", PATH, {"kind": "greet", "payload": None, **how}).status_code == 202

    job = site.shown("/1")
    assert (job["lane"], job["unique"], job["priority"], job["state"]) == ("l", "k", "high", "scheduled")
    assert job["due_at"] == 32_472_144_000
    [keep_s] = site.database.run(lambda cursor: cursor.execute("SELECT keep_s FROM jobs") or cursor.fetchone())
    assert keep_s == 60


def test_a_job_is_not_asked_for_without_a_token(site: Site) -> None:
    for authorization in ("", "Bearer wrong", TOKEN):
        answer = site.ask("POST", PATH, {"kind": "greet", "payload": 1}, authorization=authorization)
        assert answer.status_code == 401
    assert site.shown()["jobs"] == []


def test_a_job_that_cannot_be_written_now_is_to_be_asked_for_again() -> None:
    site = Site("postgresql://127.0.0.1:1/none", "redis://127.0.0.1:1")
    answer = site.ask("POST", PATH, {"kind": "greet", "payload": 1})
    assert (*refusal(answer), answer.headers["Retry-After"]) == (503, "postgres_unreachable", "2")
    site.close()


def test_a_job_cannot_be_written_where_there_is_no_schema_and_is_told_what_makes_it(empty_database: str) -> None:
    site = Site(empty_database, "redis://127.0.0.1:1")
    answer = site.ask("POST", PATH, {"kind": "greet", "payload": 1})
    assert (*refusal(answer), answer.headers["Retry-After"]) == (503, "not_migrated", "5")
    assert "switchboard migrate" in problem_of(answer)["detail"]
    site.close()


def test_an_idempotency_key_is_a_unique_key(site: Site) -> None:
    value = {"kind": "greet", "payload": 1}
    answers = [site.ask("POST", PATH, value, Idempotency_Key="k") for _ in range(2)]

    assert [msgspec.json.decode(one.data) for one in answers] == [
        {"job_id": 1, "fresh": True},
        {"job_id": 1, "fresh": False},
    ]
    assert site.shown("/1")["unique"] == "k"


@pytest.mark.parametrize(
    ("change", "reason", "told"),
    [
        ({"kind": "A B"}, "bad_body", "expected kind as a word of lower-case letters"),
        ({"kind": 7}, "bad_body", "at most 64, got 7"),
        ({"knd": "a"}, "bad_body", "unknown field `knd`"),
        ({"lane": ""}, "bad_body", "expected lane as a text of 1 to 256"),
        ({"unique": "x" * 257}, "bad_body", "expected unique as a text"),
        ({"priority": "urgent"}, "bad_body", "one of high, low, normal, got 'urgent'"),
        ({"keep_s": -1}, "bad_body", "expected keep_s as a number from 0 to 7776000, got -1"),
        ({"delay_s": -1}, "bad_body", "expected delay_s as a number from 0 to"),
        ({"delay_s": 1, "run_at": 1}, "bad_run_at", "got both"),
        ({"run_at": "2030-01-01T00:00:00"}, "bad_body", "expected run_at as a number or a time with a zone"),
        ({"run_at": "tomorrow"}, "bad_body", "such as 2030-01-31T13:30:00Z, got 'tomorrow'"),
    ],
)
def test_a_job_that_cannot_be_is_refused(site: Site, change: dict[str, Any], reason: str, told: str) -> None:
    answer = site.ask("POST", PATH, {"kind": "greet", "payload": 1, **change})
    assert refusal(answer) == (400, reason)
    assert told in problem_of(answer)["detail"]
    assert site.shown()["jobs"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"kind": "a"}',
        b'{"payload": 1}',
        b'{"kind": "a", "payload": NaN}',
        b'{"kind": "a", "payload": 1e999}',
        b'{"kind": "a", "payload": "\xff"}',
        b'{"kind": "a", "payload": ' + b"[" * 4_000 + b"]" * 4_000 + b"}",
    ],
)
def test_a_body_that_is_none_is_refused(site: Site, body: bytes) -> None:
    answer = site.ask("POST", PATH, data=body)
    assert answer.status_code in {400, 413}
    assert re.search("expected a (JSON object|payload)|Expected `object`, got", problem_of(answer)["detail"])
    assert site.shown()["jobs"] == []


def test_an_idempotency_key_that_can_be_none_is_refused_by_its_own_name(site: Site) -> None:
    answer = site.ask("POST", PATH, {"kind": "greet", "payload": 1}, Idempotency_Key="x" * 257)
    assert refusal(answer) == (400, "bad_headers")
    assert problem_of(answer)["detail"] == (
        "expected Idempotency-Key as a text of 1 to 256 characters, got 257 characters"
    )


def test_a_body_that_is_too_large_is_refused(site: Site) -> None:
    answer = site.ask("POST", PATH, {"kind": "a", "payload": "x" * 10_000})
    assert refusal(answer) == (413, "http_413")
    assert problem_of(answer)["detail"] == "expected a body of at most 9192 bytes"


# Refusals of what is nowhere


def test_a_state_that_is_none_is_told_with_those_that_are(site: Site) -> None:
    detail = problem_of(site.ask("GET", f"{PATH}?state=foo"))["detail"]
    assert detail == "expected state as one of buried, done, ready, scheduled, got 'foo'"


@pytest.mark.parametrize("path", [f"{PATH}/abc", "/api/v1/nothing", "/api/v1/"])
def test_what_is_nowhere_is_a_problem_too(site: Site, path: str) -> None:
    answer = site.ask("GET", path)
    assert refusal(answer) == (404, "http_404")
    assert problem_of(answer)["detail"] == "nothing is at this address"


def test_another_method_is_a_problem_that_says_which_ones_are_taken(site: Site) -> None:
    answer = site.ask("PATCH", PATH)
    assert refusal(answer) == (405, "http_405")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert problem_of(answer)["detail"] == "expected one of GET, HEAD, OPTIONS, POST, got PATCH"


def test_pages_beside_the_api_are_refused_as_before(site: Site) -> None:
    assert site.ask("GET", "/nothing").content_type.startswith("text/html")
    assert site.ask("POST", "/page").content_type.startswith("text/html")
