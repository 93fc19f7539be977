"""``switchboard doctor``: what it finds, what it says to do, and how it ends."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.cli.checks import clocks
from gateway.cli.checks.finding import Finding, ok
from gateway.cli.doctor import GROUPS
from gateway.embedded.addresses import STAND_IN, Addresses, keep
from gateway.embedded.home import Home
from gateway.embedded.secret_files import ensure_secrets
from gateway.store.circuit_reports import Circuit, encode_report
from gateway.store.ledger.process import register
from tests.support.actor import Actor
from tests.support.stores import Stores, own_stores

CONFIG = """
[rpc]
private_addresses_allowed = true
[server]
port = 1
[assistants.a]
url = "{assistant}"
health_path = "{health}"
signing_secrets = ["env:TEST_SIGNING"]
[accounts.slack.bot]
assistant = "a"
signing_secrets = ["env:TEST_SLACK"]
bot_token = "env:TEST_TOKEN"
"""
#: Needs nothing that is not here.
QUIET = """
[server]
port = 1
connections_max = 500
[assistants.a]
kind = "scripted"
[accounts.webchat.a]
assistant = "a"
cookie_secrets = ["env:TEST_SLACK"]
"""
CARELESS = """
[accounts.slack.bare]
assistant = "a"
[accounts.webchat.short]
assistant = "a"
cookie_secrets = ["env:SHORT"]
[assistants.unsigned]
url = "http://127.0.0.1:1/"
[accounts.webchat.unsigned]
assistant = "unsigned"
cookie_secrets = ["env:TEST_SLACK"]
"""
SIGNING = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


class Ward:
    """A configuration to be looked at."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self.folder = folder
        self.config = folder / "switchboard.toml"
        self.env = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SWITCHBOARD_CONFIG": str(self.config),
            "SWITCHBOARD_HOME": str(folder),
            "TEST_SIGNING": SIGNING,
            "TEST_SLACK": "s" * 32,
            "TEST_TOKEN": "xoxb-" + "t" * 32,
        }
        self.write()

    def write(self, *, assistant: str = "http://127.0.0.1:1/turn", health: str = "", more: str = "") -> None:
        self.config.write_text(CONFIG.format(assistant=assistant, health=health) + more)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["doctor", *arguments], env=self.env)

    def findings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("--json").stdout)
        return found

    def of(self, what: str) -> dict[str, Any]:
        [found] = [one for one in self.findings() if one["what"] == what]
        return found

    def states(self, group: str) -> list[tuple[str, str]]:
        return [(one["what"], one["state"]) for one in self.findings() if one["group"] == group]


@pytest.fixture
def ward(tmp_path: Path, database: str, redis_url: str) -> Ward:
    return Ward(tmp_path, database, redis_url)


@pytest.fixture(scope="module")
def durable() -> Iterator[Stores]:
    """Stores as they should be: those of other tests have fsync off."""
    with own_stores() as stores:
        yield stores


# As a whole


def test_each_check_is_one_line_and_what_fails_fails_it(ward: Ward) -> None:
    result = ward.run()
    *lines, last = result.stdout.splitlines()
    assert result.exit_code == 1, "nobody listens at the assistant's address"
    assert all(line[:6] in ("ok    ", "warn  ", "fail  ") for line in lines)
    counts = [sum(line.startswith(state) for line in lines) for state in ("ok", "warn", "fail")]
    assert last == "{} ok, {} to look at, {} wrong".format(*counts)
    assert len(lines) == len(ward.findings())


def test_what_is_not_well_says_what_to_do(ward: Ward) -> None:
    ward.env["DATABASE_URL"] = "postgresql://me:hunter2@127.0.0.1:1/x"
    ward.env["REDIS_URL"] = "redis://:hunter2@127.0.0.1:1"
    for one in ward.findings():
        assert (one["do"] == "") == (one["state"] == "ok"), one
        assert one["group"] in GROUPS
    assert "hunter2" not in ward.run().output


def test_no_secret_is_shown(ward: Ward) -> None:
    output = ward.run().output + ward.run("--json").output
    for name in ("TEST_SIGNING", "TEST_SLACK", "TEST_TOKEN"):
        assert ward.env[name] not in output


def test_all_is_well_ends_with_0(ward: Ward, durable: Stores) -> None:
    """With an assistant that needs no service, and nothing that runs."""
    ward.env |= {"DATABASE_URL": durable.create_database(), "REDIS_URL": durable.redis.url}
    assert CliRunner().invoke(main, ["migrate"], env=ward.env).exit_code == 0
    ward.config.write_text(QUIET)
    result = ward.run()
    assert result.exit_code == 0, result.output
    assert "fail" not in result.output
    assert "fsync: on" in result.output


# Settings


def test_every_problem_of_the_settings_is_a_line(ward: Ward) -> None:
    ward.env["TEST_SLACK"] = ""
    ward.write(more='[serevr]\nport = 1\n[accounts.slack.other]\nassistant = "b"\n')
    found = [one for one in ward.findings() if one["group"] == "settings"]
    assert {one["what"] for one in found} == {"serevr", "accounts.slack.other.assistant"} | {
        one["what"] for one in found if "signing_secrets" in one["what"]
    }
    assert all(one["state"] == "fail" for one in found)
    assert ward.of("schema")["state"] == "ok", "what needs no settings is looked at all the same"


def test_an_assistant_that_answers_nobody_is_told(ward: Ward) -> None:
    ward.write(more='[assistants.idle]\nkind = "scripted"\n')
    assert ("assistants.idle", "warn") in ward.states("settings")


def test_where_nothing_runs_that_is_all_there_is_to_say(tmp_path: Path) -> None:
    """Law: what `switchboard up` would make is no fault of its own, before its first start and after its end."""
    env = {"SWITCHBOARD_HOME": str(tmp_path), "DATABASE_URL": "", "REDIS_URL": ""}
    for _ in range(2):
        result = CliRunner().invoke(main, ["doctor", "--json"], env=env)
        [found] = json.loads(result.stdout)
        assert (result.exit_code, found["what"], found["state"]) == (1, "switchboard up", "fail")
        assert f"does not run (SWITCHBOARD_HOME is {tmp_path})" in found["says"]
        assert "DATABASE_URL" in found["do"]
        (tmp_path / "secrets").mkdir(exist_ok=True)
        ensure_secrets(tmp_path / "secrets")


def test_a_copy_that_was_killed_is_to_be_started_again(tmp_path: Path) -> None:
    """What it has left behind says where it was, and that is no address of anybody's settings."""
    home = Home(tmp_path)
    for folder in (home.secrets, home.sockets):
        folder.mkdir(parents=True)
    ensure_secrets(home.secrets)
    keep(home, Addresses(gateway="http://127.0.0.1:1", stand_in="http://127.0.0.1:1"))
    env = {"SWITCHBOARD_HOME": str(tmp_path), "DATABASE_URL": "", "REDIS_URL": ""}
    try:
        found = json.loads(CliRunner().invoke(main, ["doctor", "--json"], env=env).stdout)
    finally:
        shutil.rmtree(home.sockets)
    away = {one["what"]: one["do"] for one in found if one["group"] == "stores"}
    assert away.keys() == {"store.database_url", "store.redis_url"}
    assert all("start it again" in do and "_URL" not in do for do in away.values()), away


def test_a_fault_of_ones_own_is_told_beside_it(tmp_path: Path) -> None:
    env = {"SWITCHBOARD_HOME": str(tmp_path), "DATABASE_URL": "", "SWITCHBOARD_SERVER__PORT": "high"}
    found = json.loads(CliRunner().invoke(main, ["doctor", "--json"], env=env).stdout)
    assert [one["what"] for one in found] == ["switchboard up", "server.port (SWITCHBOARD_SERVER__PORT)"]


def test_the_secrets_of_a_trial_are_not_to_be_had_in_production(ward: Ward) -> None:
    ward.write(
        more='[accounts.webchat.b]\nassistant = "a"\ncookie_secrets = ["file:secrets/webchat_bartender_cookie"]\n'
    )
    assert ward.of("accounts.webchat.b.cookie_secrets[0]")["do"].startswith("only `switchboard up` makes it")


# Stores


def test_a_ledger_that_forgets_what_was_committed_is_told(ward: Ward) -> None:
    """The stores of these tests run without fsync."""
    assert ("fsync", "fail") in ward.states("stores")
    assert ward.of("fsync")["do"].startswith("set fsync = on")
    assert ward.of("synchronous_commit")["state"] == "ok"


def test_a_schema_of_another_version_is_told(ward: Ward, empty_database: str) -> None:
    ward.env["DATABASE_URL"] = empty_database
    assert (ward.of("schema")["state"], ward.of("schema")["do"]) == ("fail", "run `switchboard migrate`")


def test_stores_that_are_away_are_told_once_each(ward: Ward) -> None:
    """PostgreSQL is needed, Redis is wanted."""
    ward.env |= {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1"}
    assert ward.states("stores") == [("store.database_url", "fail"), ("store.redis_url", "warn")]
    assert ward.states("clocks") == []


def test_a_redis_that_may_forget_rate_limits_is_told(ward: Ward, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    before = client.config_get("maxmemory*")
    try:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert ward.of("maxmemory")["state"] == "warn"
        client.config_set("maxmemory-policy", "noeviction")
        assert ward.of("maxmemory")["state"] == "ok"
    finally:
        client.config_set("maxmemory", before["maxmemory"])
        client.config_set("maxmemory-policy", before["maxmemory-policy"])
        client.close()


# Clocks


@pytest.mark.parametrize(("off_s", "state"), [(0.0, "ok"), (5.0, "warn"), (-5.0, "warn"), (90.0, "fail")])
def test_a_clock_that_is_off_is_told(off_s: float, state: str) -> None:
    found = clocks._compared("a clock", lambda: time.time() + off_s)
    assert found.state == state
    if off_s:
        assert ("ahead of" in found.says) == (off_s > 0)


def test_both_stores_clocks_are_compared(ward: Ward) -> None:
    assert ward.states("clocks") == [("PostgreSQL's clock", "ok"), ("Redis's clock", "ok")]


# Circuits


def test_what_is_ordered_and_what_is_open_is_told(ward: Ward, database: str, redis_url: str) -> None:
    """Law: an order that somebody has forgotten refuses calls for good."""
    assert ward.states("circuits") == [("circuits", "ok")]
    register(Actor(database).cursor, "worker", "w")
    opened = Circuit(state="open", since=1.0, calls=40, failed=30, reason="failure_rate")
    client = redis.Redis.from_url(redis_url)
    well = Circuit(state="closed", since=1.0)
    client.set("switchboard:circuits:2", encode_report({"slack.com": opened, "well": well}))
    client.close()
    why = ["--reason", "it burns", "--anyway"]
    CliRunner().invoke(main, ["breakers", "force", "old", "closed", *why], env=ward.env)

    old, slack = [one for one in ward.findings() if one["group"] == "circuits"]
    assert (old["what"], old["state"], "forced_closed by " in old["says"]) == ("old", "warn", True)
    assert old["do"] == "`switchboard breakers clear old` once that is over"
    assert (slack["what"], slack["state"]) == ("slack.com", "warn")
    assert slack["says"] == "its circuit is open in 1 of 1 processes (failure_rate)"
    ward.env["REDIS_URL"] = "redis://127.0.0.1:1"
    assert ward.states("circuits") == [("old", "warn")]


# Secrets


def test_what_proves_nothing_is_told(ward: Ward) -> None:
    ward.write(more=CARELESS)
    ward.env["SHORT"] = "guess me"
    assert set(ward.states("secrets")) == {
        ("accounts.slack.bare.signing_secrets", "fail"),
        ("accounts.slack.bare.bot_token", "fail"),
        ("accounts.slack.bot", "ok"),
        ("accounts.webchat.short.cookie_secrets", "warn"),
        ("accounts.webchat.unsigned", "ok"),
        ("assistants.a.signing_secrets", "ok"),
        ("assistants.unsigned.signing_secrets", "warn"),
    }


def test_an_app_of_several_workspaces_needs_no_token_of_its_own(ward: Ward) -> None:
    """But each of its workspaces does."""
    ward.env |= {"APP": "a-signing-secret-of-slack", "BOT_1": "xoxb-a-token-of-one"}
    ward.write(
        more='[accounts.slack.app]\nassistant = "a"\nsigning_secrets = ["env:APP"]\n'
        '[accounts.slack.app.workspaces.T1]\nbot_token = "env:BOT_1"\n'
    )
    states = ward.states("secrets")
    assert ("accounts.slack.app", "ok") in states
    assert ("accounts.slack.app.T1", "ok") in states


def test_a_secret_that_switchboard_up_made_is_no_platforms(ward: Ward) -> None:
    """Outside of it: beside it, it is the right one."""
    home = Home(ward.folder)
    home.secrets.mkdir()
    (home.secrets / "slack_bartender_signing").write_text(ward.env["TEST_SLACK"])
    found = ward.of("accounts.slack.bot.signing_secrets")
    assert (found["state"], found["says"]) == ("fail", "it was made by `switchboard up` for trials")


# Platforms


def test_the_stand_in_of_a_trial_is_no_platform(ward: Ward) -> None:
    """Its settings are in the working default, from which one's own begin."""
    ward.env |= {"APP": "a-signing-secret-of-slack", "BOT_1": "xoxb-a-token-of-one"}
    ward.write(
        more='[accounts.slack.app]\nassistant = "a"\nsigning_secrets = ["env:APP"]\n'
        f'api_base_url = "{STAND_IN}/slack/app/api"\nresponse_url_hosts = ["{STAND_IN.removeprefix("http://")}"]\n'
        '[accounts.slack.app.workspaces.T1]\nbot_token = "env:BOT_1"\n'
    )
    assert ward.states("platforms") == [
        ("accounts.slack.app.api_base_url", "fail"),
        ("accounts.slack.app.response_url_hosts", "fail"),
    ]


# Bounds


def test_more_connections_than_postgresql_has_are_told(ward: Ward) -> None:
    assert ward.of("connections")["state"] == "ok"
    ward.env["SWITCHBOARD_SERVER__WORKERS"] = "60"
    assert (ward.of("connections")["state"], "488 of PostgreSQL's" in ward.of("connections")["says"]) == ("fail", True)


def test_fewer_files_than_connections_are_told(ward: Ward) -> None:
    ward.env["SWITCHBOARD_SERVER__CONNECTIONS_MAX"] = "100"
    assert ward.of("file descriptors")["state"] == "ok"
    ward.env["SWITCHBOARD_SERVER__CONNECTIONS_MAX"] = "100000"
    assert ward.of("file descriptors")["state"] == "warn"


# What runs


def test_what_lives_and_what_was_given_up_is_counted(ward: Ward, database: str) -> None:
    assert ward.of("gateway")["says"].startswith("does not run at")
    assert ward.of("processes")["do"] == "start those of the Procfile, or `switchboard up`"
    actor = Actor(database)
    assert ward.of("processes")["do"].startswith("start `switchboard worker`"), "alone it sends nothing later"
    register(actor.cursor, "worker", "w")
    assert ward.of("processes")["says"] == "1 gateway and 1 worker processes are alive in the ledger"
    said = actor.say()
    actor.answer(said.conversation_id, state="failed", reason="timeout")
    assert (ward.of("dead letters")["state"], ward.of("dead letters")["says"]) == ("warn", "1 are open")


def test_a_check_that_crashes_hinders_no_other(ward: Ward, database: str) -> None:
    """And shows nothing of what its error says: a library's may quote an address with its password."""

    def crash(visit: object) -> Iterator[Finding]:
        yield ok("before", str({}["hunter2"]))

    GROUPS["bounds"].insert(0, crash)
    try:
        found = [one for one in ward.findings() if one["group"] == "bounds"]
    finally:
        GROUPS["bounds"].remove(crash)
    assert found[0]["what"] == "crash"
    assert re.fullmatch(r"could not be looked at: KeyError at test_doctor\.py:\d+", found[0]["says"])
    assert [one["what"] for one in found[1:]] == ["file descriptors", "connections"]
