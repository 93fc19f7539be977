"""Two gateways, a worker and an operator: orders and rumours between real processes.

No process polls for orders here, so what arrives has come by a hint; tests/circuits/test_orders.py has the polls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import main
from tests.support.calling import call
from tests.support.stack import GatewayProcess, Stack, running_stack, word
from tests.support.stores import Migrated, Stores
from tests.support.visitor import Visitor, texts
from tests.support.waiting import until

TOKEN = "the token of an operator's program"
PATIENT = "assistants.patient"


@pytest.fixture(scope="module")
def _stack(
    stores: Stores, migrated: Migrated, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    token = tmp_path_factory.mktemp("secrets") / "api_token"
    token.write_text(TOKEN)
    settings: dict[str, float | str] = {"rpc.orders_poll_s": 3_600, "api.tokens": f"file:{token}"}
    with migrated() as url, running_stack(url, stores.redis.url, gateways=2, settings=settings) as stack:
        yield stack


@pytest.fixture
def stack(_stack: Stack) -> Iterator[Stack]:
    yield _stack
    print(_stack.logs())


def operator(stack: Stack, *arguments: str) -> str:
    """Run ``switchboard breakers`` as somebody at the machine of the first gateway."""
    result = CliRunner().invoke(main, ["breakers", *arguments], env=stack._env)
    assert result.exit_code == 0, result.output
    return result.stdout


def circuits(stack: Stack, endpoint: str) -> dict[str, dict[str, Any]]:
    """Return the endpoint's circuits by the label of their process."""
    seen = json.loads(operator(stack, "list", "--json"))
    found = [one["circuits"] for one in seen["endpoints"] if one["endpoint"] == endpoint]
    return {one["process"]["label"]: one["circuit"] for circuits in found for one in circuits}


def states(stack: Stack, endpoint: str) -> list[str]:
    return sorted(circuit["state"] for circuit in circuits(stack, endpoint).values())


def ask(gateway: GatewayProcess, account: str = "shop") -> str:
    """Have a new visitor say something at this gateway; return what is answered."""
    return str(texts(Visitor(account).say(gateway.port, word(), wait_s=20))[0])


def test_an_order_reaches_every_process_and_is_taken_back(stack: Stack) -> None:
    for gateway in stack.gateways:
        assert ask(gateway).startswith("echo: ")
    until("both to report", lambda: states(stack, PATIENT) == ["closed", "closed"])

    operator(stack, "force", PATIENT, "open", "--reason", "it burns")
    until("both to obey", lambda: states(stack, PATIENT) == ["forced_open", "forced_open"])
    said = word()
    for gateway in stack.gateways:
        assert texts(Visitor().say(gateway.port, said, wait_s=20))[0].startswith("Sorry")
    assert {turn["reason"] for turn in stack.ledger.turns(said)} == {"breaker_forced_open"}
    assert stack.assistant.about(said) == [], "it was not called"

    operator(stack, "clear", PATIENT)
    until("both to be free", lambda: states(stack, PATIENT) == ["closed", "closed"])
    for gateway in stack.gateways:
        assert ask(gateway).startswith("echo: ")


def test_an_order_holds_for_who_is_called_for_the_first_time_later(stack: Stack) -> None:
    hasty = "assistants.hasty"
    operator(stack, "force", hasty, "metrics-only", "--reason", "let us see")
    # Orders are read all at once and obeyed by name, so who obeys this one knows the other.
    operator(stack, "force", PATIENT, "metrics-only", "--reason", "let us see")
    for gateway in stack.gateways:
        assert ask(gateway).startswith("echo: ")
    until("both to obey", lambda: states(stack, PATIENT) == ["metrics_only"] * 2)
    assert states(stack, hasty) == [], "nobody has called it"

    for gateway in stack.gateways:
        assert ask(gateway, "hasty").startswith("echo: ")
    until("both to obey", lambda: states(stack, hasty) == ["metrics_only"] * 2)
    for endpoint in (hasty, PATIENT):
        operator(stack, "clear", endpoint)


def test_a_program_orders_as_a_person_does_and_workers_obey_too(stack: Stack) -> None:
    said = word()
    assert stack.slack.event(said, channel="C1").send(stack.port).status == 200
    stack.ledger.wait_outbox(said, "sent")
    platform = stack.slack.origin.replace("http://", "http:")
    until("the worker to report", lambda: states(stack, platform) == ["closed"])

    def put(token: str) -> int:
        body = json.dumps({"order": "metrics_only", "reason": "let us see"}).encode()
        headers = {"Authorization": f"Bearer {token}"}
        path = f"/api/v1/breakers/{platform}"
        return call(stack.port, path, method="PUT", body=body, headers=headers).status

    assert put("somebody else's token") == 401
    assert put(TOKEN) == 200
    until("the worker to obey", lambda: states(stack, platform) == ["metrics_only"])
    operator(stack, "clear", platform)
    until("the worker to be free", lambda: states(stack, platform) == ["closed"])


def test_what_one_process_finds_makes_the_others_suspicious(stack: Stack) -> None:
    """Nobody listens at that assistant's address: the gateway that is asked trips, and the other one hears of it."""
    nobody = "assistants.nobody"
    first, second = stack.gateways
    assert ask(second, "nowhere").startswith("Sorry")
    until("it to report", lambda: states(stack, nobody) == ["closed"])

    def tripped() -> bool:
        assert ask(first, "nowhere").startswith("Sorry")
        return "open" in states(stack, nobody)

    until("the first to trip", tripped)
    labels = {circuit["state"]: label for label, circuit in circuits(stack, nobody).items()}
    assert labels.keys() == {"open", "closed"}, "a rumour opens nothing"
    until("the other to be suspicious", lambda: circuits(stack, nobody)[labels["closed"]]["suspected"])


def test_every_process_reports(stack: Stack) -> None:
    until("all three", lambda: "\n3 of 3 processes report, " in operator(stack, "list"))
