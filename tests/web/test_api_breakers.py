"""``/api/v1/breakers``: who may use it, what it shows and orders, and how it refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import redis
from werkzeug.test import TestResponse

from gateway.circuits.circuits import Circuits
from gateway.domain.hint import Hint
from gateway.domain.resilience.health import Event, HealthView
from gateway.rpc.call import endpoint_label
from gateway.settings.rpc import RpcSettings
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.circuit_reports import Circuit, CircuitReports
from gateway.store.ledger.process import register
from gateway.store.postgres import Database
from gateway.store.signals import Signals
from gateway.supervision import Supervisor
from gateway.web.api.breakers import Breakers
from tests.support.waiting import until
from tests.web.api_site import api_client

TOKEN = "a token of this test run"
PATH = "/api/v1/breakers"
BARTENDER = f"{PATH}/assistants.bartender"
OPEN = {"order": "forced_open", "reason": "it burns"}


class Calls:
    """Stands where the RPC client does, and notes what it is ordered."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, Event]] = []

    def breakers(self) -> dict[str, HealthView]:
        return {}

    def command(self, label: str, event: Event) -> None:
        self.commands.append((label, event))

    def suspect(self, label: str) -> None:
        raise AssertionError("nobody says anything of an endpoint here")

    def peer_recovered(self, label: str) -> None:
        raise AssertionError("nobody says anything of an endpoint here")


class Site:
    """The routes of one process, and what stands behind them."""

    def __init__(self, database_url: str, redis_url: str, tokens: Sequence[str] = (TOKEN,)) -> None:
        store = StoreSettings(database_url=Secret(database_url), redis_url=Secret(redis_url))
        self.database = Database(store)
        self.reports = CircuitReports(store)
        self.signals = Signals(store, audience="gateways", on_hint=self._hear)
        self.calls = Calls()
        patient = RpcSettings(orders_poll_s=1_000)
        self.circuits = Circuits(
            self.calls, self.database, self.signals, store=store, settings=patient, me=lambda: 1
        )
        self.supervisor = Supervisor()
        self.client = api_client(self.database, [Breakers(self.circuits, {"assistants.bartender"})], tokens)

    def ask(
        self, method: str, path: str, value: object = None, *, data: bytes = b"", authorization: str = f"Bearer {TOKEN}"
    ) -> TestResponse:
        body = msgspec.json.encode(value) if value is not None else data
        headers = {"Authorization": authorization} if authorization else {}
        caller = {"REMOTE_ADDR": "192.0.2.7"}
        return self.client.open(path, method=method, data=body, headers=headers, environ_overrides=caller)

    def shown(self) -> Any:
        return msgspec.json.decode(self.ask("GET", PATH).data)

    def orders(self) -> dict[str, str]:
        return {one["endpoint"]: one["order"]["order"] for one in self.shown()["endpoints"] if one["order"]}

    def _hear(self, hint: Hint) -> None:
        self.circuits.hear(hint)

    def close(self) -> None:
        self.supervisor.stop(time.monotonic() + 1)
        self.circuits.close()
        self.reports.close()
        self.signals.close()
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
    assert body["title"]
    return body


EVERY = [("GET", PATH), ("HEAD", PATH), ("PUT", BARTENDER), ("DELETE", BARTENDER)]


def test_without_a_token_in_the_settings_nobody_may(database: str) -> None:
    """Law: fail-closed, with what makes a token; not even an empty one opens."""
    site = Site(database, "redis://127.0.0.1:1", tokens=())
    for method, path in EVERY:
        for authorization in ("", f"Bearer {TOKEN}", "Bearer ", "Bearer"):
            response = site.ask(method, path, OPEN, authorization=authorization)
            assert response.status_code == 401
            if method != "HEAD":
                assert "switchboard token" in problem_of(response)["detail"]
    assert site.circuits.overview().endpoints == ()
    site.close()


@pytest.mark.parametrize(
    ("authorizations", "challenge"),
    [
        (["", "Basic YTpi", "Bearer", "Bearer ", TOKEN], 'Bearer realm="switchboard"'),
        (
            ["Bearer wrong", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer t\xf6ken"],
            'Bearer realm="switchboard", error="invalid_token"',
        ),
    ],
)
def test_who_has_no_token_is_challenged(site: Site, authorizations: list[str], challenge: str) -> None:
    """RFC 6750, section 3: who brought no token is told of no error; whatever was asked, nothing happened."""
    for method, path in EVERY:
        for authorization in authorizations:
            response = site.ask(method, path, OPEN, authorization=authorization)
            assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, challenge)
    assert site.orders() == {}


def test_each_live_token_opens(database: str, redis_url: str) -> None:
    """Law: a token is rotated without an outage.  The scheme's name has no case (RFC 9110, section 11.1)."""
    site = Site(database, redis_url, tokens=("the newest of them", "one that is rotated out"))
    for authorization in ("Bearer the newest of them", "bearer one that is rotated out"):
        assert site.ask("GET", PATH, authorization=authorization).status_code == 200
    assert site.ask("GET", PATH).status_code == 401
    site.close()


def test_an_order_is_given_shown_and_taken_back(site: Site) -> None:
    put = site.ask("PUT", BARTENDER, OPEN)
    order = msgspec.json.decode(put.data)
    assert (put.status_code, put.content_type) == (200, "application/json")
    assert (order["endpoint"], order["order"], order["reason"]) == ("assistants.bartender", "forced_open", "it burns")
    assert order["by"] == "api (192.0.2.7)"
    again = site.ask("PUT", BARTENDER, {"order": "metrics_only", "reason": "let us see"})
    assert again.status_code == 200
    assert site.orders() == {"assistants.bartender": "metrics_only"}
    deleted = site.ask("DELETE", BARTENDER)
    assert (deleted.status_code, deleted.data) == (204, b"")
    assert site.orders() == {}
    missing = site.ask("DELETE", BARTENDER)
    assert (missing.status_code, problem_of(missing)["reason"]) == (404, "no_such_order")


def test_what_processes_report_is_shown(site: Site) -> None:
    site.database.run(lambda cursor: register(cursor, "worker", "b:2"))
    report = msgspec.json.encode({"slack.com": Circuit(state="open", since=5.0, calls=4, failed=3)})
    site.reports.write(1, report)
    shown = site.shown()
    assert (shown["processes"], shown["reporting"], shown["problem"]) == (1, 1, "")
    [endpoint] = shown["endpoints"]
    [circuit] = endpoint["circuits"]
    assert (endpoint["endpoint"], endpoint["order"]) == ("slack.com", None)
    assert circuit["process"] == {"process_id": 1, "kind": "worker", "label": "b:2"}
    assert (circuit["circuit"]["state"], circuit["circuit"]["failed"]) == ("open", 3)
    assert site.ask("PUT", f"{PATH}/slack.com", OPEN).status_code == 200, "what was called is known"


def test_a_typing_error_is_told_and_can_be_insisted_on(site: Site) -> None:
    wrong = site.ask("PUT", f"{PATH}/assistants.batender", OPEN)
    told = problem_of(wrong)
    assert (wrong.status_code, told["reason"]) == (404, "unknown_endpoint")
    assert "did you mean assistants.bartender?" in told["detail"]
    assert '"anyway": true' in told["detail"]
    assert site.orders() == {}
    assert site.ask("PUT", f"{PATH}/assistants.batender", {**OPEN, "anyway": True}).status_code == 200


def test_a_unix_sockets_label_is_escaped_once_more(site: Site) -> None:
    """It is made of the address as it was given, and so holds %2F and no slash."""
    label = endpoint_label("a", "http+unix://%2Ftmp%2Fb.sock", among=2)
    site.database.run(lambda cursor: register(cursor, "worker", "b:2"))
    site.reports.write(1, msgspec.json.encode({label: Circuit(state="open", since=5.0, calls=4, failed=3)}))
    path = f"{PATH}/{quote(label, safe='@')}"
    assert path.endswith("/a@%252Ftmp%252Fb.sock")
    assert site.ask("PUT", path, OPEN).status_code == 200
    assert site.orders() == {label: "forced_open"}
    assert site.ask("DELETE", path).status_code == 204


def test_a_unix_sockets_path_that_is_not_escaped_is_no_label(site: Site) -> None:
    """An order for it would force nothing; which label is meant is told."""
    site.ask("PUT", f"{PATH}/a@%252Ftmp%252Fb.sock", {**OPEN, "anyway": True})
    for written in ("a@/tmp/b.sock", "a@%2Ftmp%2Fb.sock"):
        refused = site.ask("PUT", f"{PATH}/{written}", OPEN)
        assert (refused.status_code, problem_of(refused)["reason"]) == (404, "unknown_endpoint")
        assert "did you mean a@%2Ftmp%2Fb.sock?" in problem_of(refused)["detail"]
        assert site.ask("DELETE", f"{PATH}/{written}").status_code == 404


@pytest.mark.parametrize(
    ("word", "order"), [("open", "forced_open"), ("closed", "forced_closed"), ("metrics-only", "metrics_only")]
)
def test_the_commands_words_are_orders_too(site: Site, word: str, order: str) -> None:
    assert site.ask("PUT", BARTENDER, {"order": word, "reason": "trial"}).status_code == 200
    assert site.orders() == {"assistants.bartender": order}


@pytest.mark.parametrize(
    ("path", "data", "status", "reason"),
    [
        (BARTENDER, b"", 400, "bad_body"),
        (BARTENDER, b"{", 400, "bad_body"),
        (BARTENDER, b"\xff", 400, "bad_body"),
        (BARTENDER, b"[" * 2_000, 400, "bad_body"),
        (BARTENDER, b"{}", 400, "bad_body"),
        (BARTENDER, b'{"order": "ajar", "reason": "why"}', 400, "bad_body"),
        (BARTENDER, b'{"order": "forced_open", "reason": "why", "anywya": true}', 400, "bad_body"),
        (BARTENDER, b'{"order": "forced_open", "reason": " "}', 400, "bad_reason"),
        (BARTENDER, b'{"order": "forced_open", "reason": "a\\nb"}', 400, "bad_body"),
        (f"{PATH}/nul%00", b'{"order": "forced_open", "reason": "why"}', 400, "bad_endpoint"),
        (f"{PATH}/{'x' * 500}", b'{"order": "forced_open", "reason": "why"}', 400, "bad_endpoint"),
        (BARTENDER, b'{"order": "forced_open", "reason": ""}', 400, "bad_body"),
        (BARTENDER, b" " * 10_000, 413, "http_413"),
    ],
)
def test_what_can_be_no_order_is_refused(site: Site, path: str, data: bytes, status: int, reason: str) -> None:
    response = site.ask("PUT", path, data=data)
    assert (response.status_code, problem_of(response)["reason"]) == (status, reason)
    assert site.orders() == {}


def test_nobody_can_be_freed_of_what_can_be_no_label(site: Site) -> None:
    response = site.ask("DELETE", f"{PATH}/nul%00")
    assert (response.status_code, problem_of(response)["reason"]) == (400, "bad_endpoint")


def test_without_postgresql_it_says_when_to_come_back() -> None:
    site = Site("postgresql://127.0.0.1:1/none", "redis://127.0.0.1:1")
    for method, path in (("GET", PATH), ("PUT", BARTENDER), ("DELETE", BARTENDER)):
        response = site.ask(method, path, OPEN)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
        assert problem_of(response)["reason"] == "postgres_unreachable"
    site.close()


def test_without_redis_orders_are_shown_and_given_and_this_process_obeys_at_once(database: str) -> None:
    """Law: fail-open.  Others find the order by their poll; this one need not be told by Redis."""
    site = Site(database, "redis://127.0.0.1:1")
    site.database.run(lambda cursor: register(cursor, "worker", "b:2"))
    site.circuits.supervise(site.supervisor)
    site.supervisor.start()
    assert site.ask("PUT", BARTENDER, OPEN).status_code == 200
    until("it to obey", lambda: site.calls.commands == [("assistants.bartender", Event.FORCE_OPEN)])
    shown = site.shown()
    assert [one["order"]["order"] for one in shown["endpoints"]] == ["forced_open"]
    assert shown["problem"] == "Redis does not answer (store.redis_url)"
    assert site.ask("DELETE", BARTENDER).status_code == 204
    until("it to be free", lambda: site.calls.commands[1:] == [("assistants.bartender", Event.RESET)])
    site.close()


def test_every_process_is_told_at_once(site: Site, database: str, redis_url: str) -> None:
    """Another gateway and a worker, whose polls nobody waits for."""
    others = [Site(database, redis_url), Site(database, redis_url)]
    store = StoreSettings(redis_url=Secret(redis_url))
    others[1].signals = Signals(store, audience="workers", on_hint=others[1].circuits.hear)
    client = redis.Redis.from_url(redis_url)
    for other in others:
        other.circuits.supervise(other.supervisor)
        other.supervisor.add("signals.listen", other.signals.listen_forever)
        other.supervisor.start()
        until("its first look", other.circuits._orders._hinted.linkcount)
    until(
        "both to listen",
        lambda: [n for _, n in client.pubsub_numsub("switchboard:gateways", "switchboard:workers")] == [1, 1],
    )
    site.ask("PUT", BARTENDER, OPEN)
    assert site.signals.flush()
    until("all to obey", lambda: all(other.calls.commands for other in others))
    client.close()
    for other in others:
        other.close()


def test_our_own_crash_is_a_problem_as_well(database: str) -> None:
    """And nothing of it is shown."""
    site = Site(database, "redis://127.0.0.1:1")
    site.database.run(lambda cursor: cursor.execute("ALTER TABLE breaker_orders RENAME COLUMN state TO condition"))
    response = site.ask("GET", PATH)
    assert (response.status_code, problem_of(response)["reason"]) == (500, "crashed")
    assert b"condition" not in response.data
    site.close()
