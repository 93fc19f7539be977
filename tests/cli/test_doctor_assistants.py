"""What ``switchboard doctor`` says of assistants: reached, well, and whose signature they take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from tests.cli.test_doctor import SIGNING, Ward
from tests.support.model_server import KEY, MODEL, ModelServer
from tests.support.stand_in import Call, StandIn

OTHER = "whsec_" + "WllYV1ZVVFNSUVBPTk1MS0pJSEdGRURDQkE="
MODEL_SERVER = f"""
[assistants.m]
kind = "openai"
url = "{{url}}"
[assistants.m.openai]
model = "{MODEL}"
api_key = "env:TEST_KEY"
"""
PATTERN = """
[assistants.s]
kind = "scripted"
script = [{pattern = "(", text = "never"}]
"""


class Service:
    """An assistant that verifies by the specification's own library, and checks what it is sent."""

    def __init__(self, *, verifies: bool = True, health: int = 200, turns: int = 400) -> None:
        self.verifies = verifies
        self.health = health
        self.turns = turns
        self.bodies: list[bytes] = []

    def __call__(self, call: Call) -> None:
        if call.path == "/health":
            call.answer(b"", status=f"{self.health} Whatever")
            return
        self.bodies.append(call.body)
        try:
            if self.verifies:
                Webhook(SIGNING).verify(call.body, call.headers)
        except WebhookVerificationError:
            call.answer(b"", status="401 Unauthorized")
            return
        call.answer(b"", status=f"{self.turns} Whatever")


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def at(service: Service) -> Iterator[str]:
    with StandIn(service) as running:
        yield running.origin


@pytest.fixture
def ward(tmp_path: Path, database: str, redis_url: str) -> Ward:
    return Ward(tmp_path, database, redis_url)


def looked(ward: Ward, url: str, health: str = "") -> list[tuple[str, str]]:
    ward.write(assistant=url, health=health)
    return [(one["state"], one["says"]) for one in ward.findings() if one["group"] == "assistants"]


def test_one_that_verifies_is_well(ward: Ward, service: Service, at: str) -> None:
    """Law: it is sent nothing that is a turn."""
    assert looked(ward, f"{at}/turn") == [("ok", "is reached, takes our signature, and refuses who has none")]
    assert set(service.bodies) == {b"{}"}


def test_another_secret_is_told(ward: Ward, at: str) -> None:
    ward.env["TEST_SIGNING"] = OTHER
    assert looked(ward, f"{at}/turn") == [("fail", "refuses our signature (401)")]


def test_what_would_stop_the_start_is_told_and_no_secret_is_shown(ward: Ward) -> None:
    """Law: each assistant is judged by itself, so that one that is wrong hides no other."""
    ward.env |= {"TEST_SIGNING": "whsec_oops", "TEST_KEY": "sk of more than one word"}
    ward.write(more=MODEL_SERVER.format(url="http://127.0.0.1:1/v1") + PATTERN)
    found = {one["what"]: one for one in ward.findings() if one["group"] == "assistants"}

    assert found.keys() == {"assistants.a.signing_secrets[0]", "assistants.m.openai.api_key", "assistants.s.script"}
    assert {one["state"] for one in found.values()} == {"fail"}
    assert "oops" not in ward.run().output
    assert "more than one" not in ward.run().output


def test_one_that_verifies_nothing_is_told(ward: Ward, service: Service, at: str) -> None:
    service.verifies = False
    assert looked(ward, f"{at}/turn") == [("warn", "is reached, and answers who does not sign")]


def test_one_that_is_not_reached_is_told(ward: Ward) -> None:
    assert looked(ward, "http://127.0.0.1:1/turn") == [("fail", "is not reached (refused)")]


@pytest.mark.parametrize(("status", "state"), [(404, "fail"), (500, "warn"), (422, "ok")])
def test_what_it_answers_to_what_is_no_turn(ward: Ward, service: Service, at: str, status: int, state: str) -> None:
    service.turns = status
    [(found, _)] = looked(ward, f"{at}/turn")
    assert found == state


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (204, "ok"), (503, "fail"), (404, "fail")])
def test_its_health_is_asked(ward: Ward, service: Service, at: str, status: int, state: str) -> None:
    service.health = status
    (health, _) = looked(ward, f"{at}/turn", "/health")
    assert health[0] == state
    assert health[1].startswith(f"/health answers {status}")


def test_each_copy_is_looked_at(ward: Ward, at: str) -> None:
    ward.env["SWITCHBOARD_ASSISTANTS__A__REPLICA_URLS"] = "http://127.0.0.1:1/turn"
    ward.write(assistant=f"{at}/turn")
    found = [(one["what"], one["state"]) for one in ward.findings() if one["group"] == "assistants"]
    address = at.removeprefix("http://")
    assert found == [(f"assistants.a@{address}", "ok"), ("assistants.a@127.0.0.1:1", "fail")]


@pytest.mark.parametrize(
    ("rest", "finding"),
    [
        ("", ("ok", f"the model server answers, for {MODEL}")),
        ("?api-version=2026-01-01", ("ok", f"the model server answers, for {MODEL}")),
        ("/chat/completions", ("warn", "the model server is reached, and answers 404 at /models")),
    ],
)
def test_a_model_server_is_asked_where_its_chats_go(ward: Ward, rest: str, finding: tuple[str, str]) -> None:
    """Law: what is well here is well for a chat, which goes below the same base URL."""
    ward.env["TEST_KEY"] = KEY
    with ModelServer() as server:
        ward.write(more=MODEL_SERVER.format(url=f"{server.url}{rest}"))
        found = [one for one in ward.findings() if (one["group"], one["what"]) == ("assistants", "assistants.m")]
    assert [(one["state"], one["says"]) for one in found] == [finding]
