"""Every operation of the API, every scope, and no token: who may do what, in one table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import telemetry
from gateway.domain.api_token import RANDOM_BYTES, SCOPES, Scope, make
from gateway.settings.secret import Secret
from gateway.settings.store import StoreSettings
from gateway.store.postgres import Database
from gateway.store.tokens import FRESH_S
from gateway.telemetry.catalogue import Event
from gateway.telemetry.emit import Writer
from gateway.web.api.operation import operation, operations
from tests.support.waiting import until
from tests.web.api_gateway import ROOT_TOKEN, ApiGateway, api_gateway
from tests.web.api_site import api_client

#: Told to everybody: it says the same to all.
OPEN = {("GET", "/openapi.json")}


@pytest.fixture
def api(database: str, redis_url: str, tmp_path: Path) -> Iterator[ApiGateway]:
    with api_gateway(database, redis_url, tmp_path) as running:
        yield running


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: "1" if found[1].endswith("_id") else "word", path)


def reason(response: Any) -> str:
    return str(msgspec.json.decode(response.data)["reason"])


def test_every_operation_with_every_scope_and_without_a_token(api: ApiGateway) -> None:
    """Law: a token does what its scope says, and nothing else; admin and the settings' own do everything."""
    held = {scope: api.token(scope) for scope in SCOPES}
    everything = {"root": ROOT_TOKEN, "admin": held.pop("admin"), "several": api.token(*held)}
    for method, path, described in api.operations():
        asked = (method, path)
        if asked in OPEN:
            assert described["security"] == []
            assert api.ask(method, path).status_code == 200
            continue
        [[needed]] = [required["token"] for required in described["security"]]
        assert needed in held, asked
        for refused in ("", "wrong", ROOT_TOKEN[:-1], held["jobs:read"][:-1] + "!"):
            assert api.ask(method, filled(path), refused).status_code == 401, asked
        for scope, token in held.items():
            answer = api.ask(method, filled(path), token)
            if scope != needed:
                assert (answer.status_code, reason(answer)) == (403, "insufficient_scope"), (asked, scope)
                challenge = f'Bearer realm="switchboard", error="insufficient_scope", scope="{needed}"'
                assert answer.headers["WWW-Authenticate"] == challenge
            else:
                assert answer.status_code not in (401, 403), (asked, scope)
        for name, token in everything.items():
            assert api.ask(method, filled(path), token).status_code not in (401, 403), (asked, name)


def test_every_scope_allows_something(api: ApiGateway) -> None:
    """Law: what can be given is what operations need, no more and no less."""
    needed = {scope for _, _, one in api.operations() for kind in one["security"] for scope in kind["token"]}
    assert set(SCOPES) == needed | {"admin"}


def test_every_route_is_an_operation(api: ApiGateway) -> None:
    """Law: nothing below /api/v1 escapes the document and its scopes.  The assistants' schema is told to everybody."""
    routed = {
        (method, re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule.removeprefix("/api/v1")))
        for rule in api.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }
    assert routed - {("GET", "/assistant.schema.json")} == {(method, path) for method, path, _ in api.operations()}


@pytest.mark.parametrize("path", ["", "/", "/nowhere", "/jobs/1/nowhere"])
def test_what_is_nowhere_is_a_problem_as_well(api: ApiGateway, path: str) -> None:
    answer = api.ask("GET", path)
    assert (answer.status_code, answer.content_type, reason(answer)) == (404, "application/problem+json", "http_404")


def test_an_operation_without_a_scope_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="scope"):
        operation("GET", "/x")  # type: ignore[call-arg]


def test_an_operation_that_wants_what_no_request_has_cannot_be() -> None:
    class Wrong:
        @operation("GET", "/x", scope="jobs:read")
        def list(self, quary: str) -> None:
            """Do nothing."""

    with pytest.raises(TypeError, match="takes quary"):
        list(operations(Wrong()))


def test_what_may_not_be_asked_changes_nothing(api: ApiGateway, database: str) -> None:
    api.fill(database)
    for scope in [one for one in SCOPES if one.endswith(":read")]:
        token = api.token(scope)
        for method, path, _ in api.operations():
            if method != "GET":
                api.ask(method, filled(path), token, data=b"{}")
    api.cursor.execute("SELECT count(*) FROM jobs WHERE kind = 'greet'")
    assert api.cursor.fetchone() == (2,)
    api.cursor.execute("SELECT count(*) FROM dead_letters WHERE closed_at IS NULL")
    assert api.cursor.fetchone() == (1,)


def test_a_revoked_token_is_refused_within_a_second_or_so(api: ApiGateway) -> None:
    token = api.token("jobs:read")
    assert api.ask("GET", "/jobs", token).status_code == 200
    api.cursor.execute("UPDATE api_tokens SET revoked_at = clock_timestamp(), revoked_by = 'test'")
    until("it to be refused", lambda: api.ask("GET", "/jobs", token).status_code == 401, guard_s=FRESH_S + 1.0)


def test_who_ordered_it_is_known_by_the_tokens_name(api: ApiGateway, database: str) -> None:
    api.fill(database)
    scope: Scope = "dead-letters:write"
    assert api.ask("DELETE", "/dead-letters/1", api.token(scope)).status_code == 200
    api.cursor.execute("SELECT closed_by FROM dead_letters")
    assert api.cursor.fetchone() == ("token 1 test (unknown)",)


def test_what_was_done_is_in_the_log_with_who_did_it(api: ApiGateway, database: str) -> None:
    """Law: an erasure, or an order that was taken back, is nobody's otherwise.  What only shows is not told."""
    api.fill(database)
    token, told = api.token("admin"), Told()
    telemetry.attach(told)
    try:
        for method, path, body in (
            ("DELETE", "/breakers/slack.com", {}),
            ("DELETE", "/dead-letters/1", {}),
            ("DELETE", "/dead-letters/1", {}),
            ("GET", "/jobs", {}),
            ("POST", "/jobs", {"kind": "greet", "payload": {}}),
            ("POST", "/users/erase", {"channel": "slack", "account": "bot", "key": "T1:U1"}),
        ):
            api.ask(method, path, token, json=body)
    finally:
        telemetry.detach(told)
    who = "by token 1 test (unknown)"
    assert told.lines == [
        ("breakers_delete", who), ("dead_letters_drop", f"{who}, letter_id 1"), ("users_erase", who),
    ]  # fmt: skip


class Told:
    """A sink for what was done."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def writer(self, event: Event) -> Writer | None:
        return self._write if event.name == "api.changed" else None

    def _write(self, fields: dict[str, Any]) -> None:
        self.lines.append((fields["operation"], fields["detail"]))


class Greeter:
    """An operation that needs no store."""

    @operation("DELETE", "/greeting", scope="jobs:read")
    def drop(self) -> None:
        """Do nothing."""


def test_without_postgresql_only_the_settings_tokens_are_known() -> None:
    """Law: fail-closed, and whoever has one of the ledger's is told to come back, not that it is wrong."""
    nowhere = StoreSettings(database_url=Secret("postgresql://127.0.0.1:1/none"), redis_url=Secret("redis://"))
    client = api_client(Database(nowhere), [Greeter()], [ROOT_TOKEN])

    def ask(token: str) -> Any:
        return client.delete("/api/v1/greeting", headers={"Authorization": f"Bearer {token}"})

    assert ask(ROOT_TOKEN).status_code == 204
    away = ask(make(bytes(RANDOM_BYTES)))
    assert (away.status_code, reason(away), away.headers["Retry-After"]) == (503, "postgres_unreachable", "2")
    assert ask("wrong").status_code == 401
