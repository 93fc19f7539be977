"""`switchboard up` before and around the start: what it refuses in one line, and what it leaves to others."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.embedded.home import Home
from gateway.embedded.programs import Plan
from gateway.embedded.secret_files import ensure_secrets
from gateway.embedded.up import things_to_try
from gateway.settings.load import DEFAULT_FILE, load
from gateway.settings.server import ServerSettings
from tests.embedded.running import running

#: Accounts of the samples.
SAMPLES = [("webchat", "tasted"), ("webchat", "bartender"), ("slack", "bartender"), ("slack", "tasted")]
UP = [sys.executable, "-m", "gateway.cli", "up"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(tmp_path / "home")
    opened.open(time.monotonic() + 1)
    ensure_secrets(opened.secrets)
    # As if there were a cluster: what is looked at here are plans, and one costs half a second to make.
    (opened.data / "postgres").mkdir()
    yield opened
    opened.close()


def test_a_busy_port_is_one_clear_line(tmp_path: Path) -> None:
    """The port is tried before anything is started or made, and the line says what to set."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with running(UP, env={"PORT": str(port), "SWITCHBOARD_HOME": str(tmp_path)}) as it:
            assert it.wait_end() == 1
    assert len(it.lines) == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; set PORT" in it.lines[0]
    assert not any((tmp_path / "data").iterdir())


@pytest.mark.parametrize("host", ["192.0.2.7", "nowhere.invalid"])
def test_an_address_of_another_machine_is_one_clear_line(tmp_path: Path, host: str) -> None:
    """Another port would not help: the line says what would."""
    with running(UP, env={"HOST": host, "PORT": "8099", "SWITCHBOARD_HOME": str(tmp_path)}) as it:
        assert it.wait_end() == 1
    assert len(it.lines) == 1
    assert f"cannot listen on {host}:8099: " in it.lines[0]
    assert it.lines[0].endswith("; set HOST to an address of this machine")


def test_mistakes_in_the_settings_are_told_before_anything_starts(tmp_path: Path) -> None:
    """All of them, once, by the starter, and not by every child for itself."""
    env = {"PORT": "0x50", "SWITCHBOARD_SERVER__WORKRES": "2", "SWITCHBOARD_HOME": str(tmp_path)}
    with running(UP, env=env) as it:
        assert it.wait_end() == 1
    told = "\n".join(it.lines)
    assert "2 problems in the settings" in told
    assert "PORT" in told
    assert "did you mean" in told
    assert not any((tmp_path / "data").iterdir())


def test_a_home_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "home").write_text("")
    with running(UP, env={"SWITCHBOARD_HOME": str(tmp_path / "home")}) as it:
        assert it.wait_end() == 1
    assert len(it.lines) == 1
    assert "SWITCHBOARD_HOME" in it.lines[0]


def test_with_nothing_given_everything_is_ours(home: Home) -> None:
    """Groups start in this order and stop in the exact reverse: stores outlive their users."""
    plan = Plan(home, {})
    groups = plan.groups(load(None, plan.environment))
    assert [[program.name for program in group] for group in groups] == [
        ["postgres", "redis"],
        ["migrate"],
        ["bartender", "tasted", "platforms", "worker", "gateway"],
    ]


@pytest.mark.parametrize(
    ("name", "url", "missing"),
    [
        ("DATABASE_URL", "postgresql://user@db.example/switchboard", "postgres"),
        ("REDIS_URL", "redis://redis.example:6379/0", "redis"),
        ("BARTENDER_URL", "http://127.0.0.1:8090/turn", "bartender"),
        ("TASTED_URL", "http://127.0.0.1:8091/turn", "tasted"),
        ("PLATFORMS_URL", "http://127.0.0.1:18089", "platforms"),
    ],
)
def test_what_the_environment_names_is_not_started(home: Home, name: str, url: str, missing: str) -> None:
    """An address that is given is used by every program, and ours of that kind stays away."""
    plan = Plan(home, {name: url})
    programs = [program for group in plan.groups(load(None, plan.environment)) for program in group]
    assert missing not in {program.name for program in programs}
    users = [program for program in programs if program.env]
    assert users
    assert all(program.env[name] == url for program in users if program.env)


@pytest.mark.parametrize(
    ("line", "given", "drain_s"),
    [("", {}, 3.0), ("drain_s = 5.0", {}, 5.0), ("drain_s = 5.0", {"SWITCHBOARD_SERVER__DRAIN_S": "60"}, 60.0)],
)
def test_what_runs_has_the_time_that_the_settings_give_it(
    home: Home, tmp_path: Path, line: str, given: dict[str, str], drain_s: float
) -> None:
    """Law: nobody is killed before its drain is over, and the stores are there until the last one's is."""
    config = tmp_path / "some.toml"
    config.write_text(DEFAULT_FILE.read_text().replace("[server]\n", f"[server]\n{line}\n"))
    plan = Plan(home, {"SWITCHBOARD_CONFIG": str(config), **given})
    settings = load(None, plan.environment)
    assert settings.server.drain_s == drain_s
    programs = {one.name: one for group in plan.groups(settings) for one in group}
    assert programs["worker"].stop_max_s > drain_s
    assert programs["gateway"].stop_max_s > drain_s
    worst_s = sum(programs[name].stop_max_s for name in ("gateway", "worker", "bartender", "tasted"))
    assert worst_s < plan.stop_max_s(settings)
    assert plan.stop_max_s(settings) <= 2 * drain_s + 4


@pytest.mark.parametrize(
    ("given", "prefix"),
    [
        ("/tmp/of mine", "SWITCHBOARD_HOME='/tmp/of mine' "),
        ("mine", f"SWITCHBOARD_HOME={Path('mine').absolute()} "),
        ("", ""),
    ],
)
def test_what_is_to_be_tried_can_be_pasted_into_a_second_terminal(given: str, prefix: str) -> None:
    """It has not the first one's variables: commands name a home that is not the default."""
    lines = things_to_try(ServerSettings(), SAMPLES, {"SWITCHBOARD_HOME": given})
    commands = [line.strip() for line in lines if "switchboard " in line]
    assert len(commands) == 4
    assert all(line.startswith(prefix) and ("SWITCHBOARD_HOME" in line) == bool(prefix) for line in commands)


def test_only_what_is_there_is_to_be_tried() -> None:
    """Settings of somebody's own have other accounts than the samples, or no chat page at all."""
    assert [line.split()[0] for line in things_to_try(ServerSettings(), SAMPLES, {})[1:5]] == [
        f"http://127.0.0.1:8080{path}" for path in ("/chat/bartender", "/chat/tasted", "/readyz", "/metrics")
    ]
    own = "\n".join(things_to_try(ServerSettings(), [("webchat", "load"), ("slack", "load")], {}))
    assert "/chat/load    its chat page" in own
    assert "chat load    the same in a terminal" in own
    assert [word for word in ("bartender", "tasted", "simulate", " play ") if word in own] == []
    none = "\n".join(things_to_try(ServerSettings(), [("slack", "load")], {}))
    assert "chat" not in none
    assert "/readyz" in none


def test_an_empty_variable_counts_as_not_set(home: Home) -> None:
    """That is how a .env file says "not set"."""
    plan = Plan(home, {"DATABASE_URL": ""})
    assert plan.environment["DATABASE_URL"].startswith("postgresql://switchboard@/")


def test_secrets_are_made_once_and_private(home: Home) -> None:
    """A second start keeps them: cookies and signatures stay good.  Two homes share none."""
    before = {path.name: path.read_text() for path in home.secrets.iterdir()}
    ensure_secrets(home.secrets)
    assert {path.name: path.read_text() for path in home.secrets.iterdir()} == before
    assert {path.stat().st_mode & 0o777 for path in home.secrets.iterdir()} == {0o600}
    assert len(set(before.values())) == len(before)
    assert all(len(secret) >= 32 for secret in before.values())
