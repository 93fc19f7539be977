"""``switchboard worker`` beside ``switchboard up``: what it is told of the copy that runs, and what it is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.worker import joined
from gateway.embedded.addresses import STAND_IN, Addresses, keep
from gateway.embedded.home import Home
from gateway.embedded.secret_files import ensure_secrets
from gateway.settings.environment import EMBEDDED
from gateway.settings.load import DEFAULT_FILE, load

STOOD_IN = "http://127.0.0.1:18089"
SLACK = "SWITCHBOARD_ACCOUNTS__SLACK__BARTENDER__API_BASE_URL"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Of a copy that runs."""
    opened = Home(tmp_path / "home")
    opened.open(time.monotonic() + 1)
    keep(opened, Addresses("http://127.0.0.1:9000", STOOD_IN))
    yield opened
    opened.close()


def test_it_finds_the_stores_the_assistants_and_the_stand_in(home: Home) -> None:
    """All that the replies which it sends go by."""
    found = joined({"SWITCHBOARD_HOME": str(home.root)})
    assert {"DATABASE_URL", "REDIS_URL", "BARTENDER_URL", "TASTED_URL"} <= found.keys()
    assert found[SLACK] == f"{STOOD_IN}/slack/bartender/api"
    assert found["SWITCHBOARD_RPC__PRIVATE_ADDRESSES_ALLOWED"] == "true"


def test_it_can_be_told_what_only_a_trial_may(home: Home) -> None:
    """The working default names who signs as Amazon here; in a worker that was no part of the trial it was refused."""
    ensure_secrets(home.secrets)
    environ = {"SWITCHBOARD_HOME": str(home.root)}
    settings = load(None, {**environ, **joined(environ)})
    assert ("alexa", "bartender") in settings.accounts


def test_what_is_said_already_stays(home: Home) -> None:
    """A variable of its own, and a settings file whose accounts have their platforms' own addresses."""
    own = {"SWITCHBOARD_HOME": str(home.root), "BARTENDER_URL": "http://127.0.0.1:1/turn", SLACK: "https://slack.example"}
    assert not {"BARTENDER_URL", SLACK} & joined(own).keys()

    config = home.root / "own.toml"
    lines = DEFAULT_FILE.read_text().splitlines()
    config.write_text("\n".join(line for line in lines if STAND_IN.partition("//")[2] not in line))
    found = joined({"SWITCHBOARD_HOME": str(home.root), "SWITCHBOARD_CONFIG": str(config)})
    assert [name for name in found if name.startswith("SWITCHBOARD_")] == [EMBEDDED]


def test_another_ledger_has_another_copy_around_it(home: Home) -> None:
    """With a database of its own it is told of Redis alone."""
    found = joined({"SWITCHBOARD_HOME": str(home.root), "DATABASE_URL": "postgresql://db.example/switchboard"})
    assert found.keys() == {"REDIS_URL"}


def test_where_nothing_runs_nothing_is_found(tmp_path: Path) -> None:
    """What is missing is told with the settings."""
    assert joined({"SWITCHBOARD_HOME": str(tmp_path)}) == {}
