"""``switchboard breakers``: what an operator sees of all processes, and how the word of one reaches them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.store.circuit_reports import Circuit, encode_report
from gateway.store.ledger.process import register
from tests.support.stores import Stores

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
#: An operator's shell has no secret, and needs none.
CONFIG = """
[assistants.bartender]
url = "http://127.0.0.1:8090/turn"
signing_secrets = ["file:secrets/that/only/the/gateway/has"]

[assistants.parrot]
kind = "scripted"
"""


class Shell:
    """An operator's."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        config = folder / "switchboard.toml"
        config.write_text(CONFIG)
        self.env = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SWITCHBOARD_CONFIG": str(config),
            "SWITCHBOARD_HOME": str(folder),
            "LOGNAME": "ada",
        }

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["breakers", *arguments], env=self.env)

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def force(self, endpoint: str, state: str, *more: str) -> Result:
        return self.run("force", endpoint, state, "--reason", "it burns", *more)

    def orders(self) -> dict[str, str]:
        return {
            one["endpoint"]: one["order"]["order"] for one in self.json("list")["endpoints"] if one["order"]
        }


@pytest.fixture
def shell(tmp_path: Path, database: str, redis_url: str) -> Shell:
    return Shell(tmp_path, database, redis_url)


@pytest.fixture
def reporting(database: str, redis_url: str) -> Iterator[redis.Redis]:
    """A gateway that has found an endpoint failing, a worker that has not, and a worker that says nothing."""
    connection = psycopg2.connect(database)
    with connection, connection.cursor() as cursor:
        for kind in ("gateway", "worker", "worker"):
            register(cursor, kind, f"{kind}s.example:7")
    connection.close()
    client = redis.Redis.from_url(redis_url)
    opened = Circuit(state="open", since=1_700_000_000.5, calls=40, failed=30, slow=2, reason="failure_rate")
    closed = Circuit(state="closed", since=1_700_000_001.0, calls=3)
    client.set("switchboard:circuits:1", encode_report({"slack.com": opened}))
    client.set("switchboard:circuits:2", encode_report({"slack.com": closed, "other.example": closed}))
    yield client
    client.close()


def test_a_list_of_nothing_says_so(shell: Shell) -> None:
    assert shell.run("list").output == (
        "There are no circuits and no orders.\n"
        "0 of 0 processes report, once a second: what has just happened is not here yet.\n"
    )
    assert shell.json("list") == {"endpoints": [], "processes": 0, "reporting": 0, "problem": ""}


def test_list_shows_each_circuit_in_each_process_and_every_order(shell: Shell, reporting: redis.Redis) -> None:
    assert shell.force("slack.com", "open").exit_code == 0
    assert shell.force("assistants.bartender", "metrics-only").exit_code == 0
    shown = re.sub(r"by \S+ since", "by SOMEBODY since", shell.run("list").output)

    assert TIME.sub("YYYY-MM-DD hh:mm:ss", shown) == Path(__file__).with_name("breakers.txt").read_text()


def test_list_as_json_has_the_values_themselves(shell: Shell, reporting: redis.Redis) -> None:
    seen = shell.json("list")
    assert (seen["processes"], seen["reporting"], seen["problem"]) == (3, 2, "")
    slack = seen["endpoints"][1]
    assert (slack["endpoint"], slack["order"]) == ("slack.com", None)
    assert slack["circuits"][0] == {
        "process": {"process_id": 1, "kind": "gateway", "label": "gateways.example:7"},
        "circuit": {
            "state": "open",
            "since": 1_700_000_000.5,
            "reason": "failure_rate",
            "calls": 40,
            "failed": 30,
            "slow": 2,
            "open_for_s": 0.0,
            "suspected": False,
        },
    }


@pytest.mark.parametrize(
    ("state", "order"), [("open", "forced_open"), ("closed", "forced_closed"), ("metrics-only", "metrics_only")]
)
def test_an_order_stands_until_it_is_cleared(shell: Shell, state: str, order: str) -> None:
    forced = shell.force("assistants.bartender", state)
    assert (forced.exit_code, forced.output) == (
        0,
        f"assistants.bartender is {order} from now on, until `switchboard breakers clear assistants.bartender`.\n",
    )
    assert shell.orders() == {"assistants.bartender": order}
    cleared = shell.run("clear", "assistants.bartender")
    assert (cleared.exit_code, cleared.output) == (0, "assistants.bartender decides for itself again.\n")
    assert shell.orders() == {}


def test_force_and_clear_have_json_for_programs(shell: Shell) -> None:
    order = shell.json("force", "assistants.bartender", "open", "--reason", "it burns")
    assert (order["endpoint"], order["order"], order["reason"]) == (
        "assistants.bartender",
        "forced_open",
        "it burns",
    )
    assert order["by"].startswith("ada@")
    assert shell.json("clear", "assistants.bartender") == {"endpoint": "assistants.bartender", "order": None}


def test_every_process_is_told_at_once(shell: Shell, redis_url: str) -> None:
    """Law: once it is committed, so that who looks finds it."""
    client = redis.Redis.from_url(redis_url)
    with client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe("switchboard:gateways", "switchboard:workers")
        heard.get_message(timeout=5)
        heard.get_message(timeout=5)
        shell.force("assistants.bartender", "open")
        shell.run("clear", "assistants.bartender")
        said = [heard.get_message(timeout=5) for _ in range(4)]
    client.close()
    assert [(one["channel"].decode(), json.loads(one["data"])) for one in said if one] == [
        ("switchboard:gateways", {"type": "orders_changed"}),
        ("switchboard:workers", {"type": "orders_changed"}),
    ] * 2


def test_a_typing_error_is_told_and_can_be_insisted_on(shell: Shell, reporting: redis.Redis) -> None:
    """Law: an order for an endpoint that is not there would force nothing, and say nothing."""
    wrong = shell.force("assistants.batender", "open")
    told = "no process has called assistants.batender and no assistant is reached there, did you mean"
    insist = "To order it all the same, say --anyway."
    assert (wrong.exit_code, wrong.output) == (1, f"Error: {told} assistants.bartender? {insist}\n")
    assert shell.force("assistants.parrot", "open").exit_code == 1, "nobody is called for a scripted one"
    assert shell.orders() == {}
    assert shell.force("assistants.batender", "open", "--anyway").exit_code == 0
    assert shell.force("assistants.batender", "closed").exit_code == 0, "what was ordered once is known"
    assert shell.orders() == {"assistants.batender": "forced_closed"}


def test_clearing_what_is_not_ordered_is_told(shell: Shell) -> None:
    result = shell.run("clear", "assistants.bartender")
    assert (result.exit_code, result.output) == (1, "Error: there is no order for assistants.bartender\n")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["force", "e", "open"], 2, "Missing option '--reason'"),
        (["force", "e", "ajar", "--reason", "why"], 2, "'ajar' is not one of"),
        (["force", "e", "open", "--reason", "\x1b[2J"], 1, "expected a reason: 1 to 500 printable characters"),
        (["force", "two words", "open", "--reason", "why"], 1, "expected an endpoint's label"),
        (["clear", "nul\0"], 1, "expected an endpoint's label"),
    ],
)
def test_what_can_be_no_order_is_refused(shell: Shell, arguments: list[str], status: int, text: str) -> None:
    result = shell.run(*arguments)
    assert result.exit_code == status
    assert text in result.output


def test_without_redis_orders_are_shown_and_given_and_the_rest_is_told(
    tmp_path: Path, database: str, reporting: redis.Redis
) -> None:
    """Law: PostgreSQL is enough.  Processes find the order by their poll."""
    shell = Shell(tmp_path, database, "redis://127.0.0.1:1")
    forced = shell.force("assistants.bartender", "open")
    assert forced.exit_code == 0
    assert forced.stderr == "Redis does not answer: processes find it by themselves (rpc.orders_poll_s).\n"
    listed = shell.run("list").output
    assert "forced_open" in listed
    assert listed.endswith("The circuits cannot be shown: Redis does not answer (store.redis_url).\n")
    assert shell.json("list")["problem"] == "Redis does not answer (store.redis_url)"
    unknown = shell.force("slack.com", "open")
    assert "What processes have called is not known: Redis does not answer" in unknown.output


def test_beside_up_it_finds_redis_by_the_home(
    tmp_path: Path, database: str, stores: Stores, reporting: redis.Redis
) -> None:
    """As PostgreSQL: in a second terminal nothing more need be said than where the home is."""
    shell = Shell(tmp_path, database, "")
    shell.env["SWITCHBOARD_HOME"] = str(stores.redis._data.parents[1])
    assert "\n2 of 3 processes report, " in shell.run("list").output


def test_without_a_schema_or_a_database_it_says_what_to_do(
    tmp_path: Path, empty_database: str, redis_url: str
) -> None:
    for arguments in (["list"], ["clear", "e"], ["force", "e", "open", "--reason", "why", "--anyway"]):
        result = Shell(tmp_path, empty_database, redis_url).run(*arguments)
        assert (result.exit_code, result.output) == (
            1,
            "Error: the database has no schema yet: run `switchboard migrate`\n",
        )
        result = Shell(tmp_path, "postgresql://me:hunter2@127.0.0.1:1/x", redis_url).run(*arguments)
        assert result.exit_code == 1
        assert "PostgreSQL cannot be reached" in result.output
        assert "hunter2" not in result.output


def test_a_redis_address_that_is_none_is_told_without_being_shown(tmp_path: Path, database: str) -> None:
    result = Shell(tmp_path, database, "hunter2 at somewhere").run("list")
    assert result.exit_code == 1
    assert "store.redis_url: expected an address with redis://" in result.output
    assert "hunter2" not in result.output
