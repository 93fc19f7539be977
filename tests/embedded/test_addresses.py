"""Where a copy's parts are: found by commands in a second terminal, and by accounts whose platform is stood in for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.embedded.addresses import STAND_IN, Addresses, free_stand_in, keep, kept
from gateway.embedded.home import Home
from gateway.embedded.programs import Plan
from gateway.embedded.secret_files import ensure_secrets
from gateway.settings.accounts import SlackAccount
from gateway.settings.load import DEFAULT_FILE, load

ELSEWHERE = "http://127.0.0.1:18089"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(tmp_path / "home")
    opened.open(time.monotonic() + 1)
    ensure_secrets(opened.secrets)
    yield opened
    opened.close()


def slack(plan: Plan, home: Home) -> SlackAccount:
    account = load(None, plan.environment).accounts["slack", "bartender"]
    assert isinstance(account, SlackAccount)
    return account


def test_what_was_kept_is_found_until_the_copy_stops(home: Home) -> None:
    """A second terminal reads it by the home alone; when the copy has stopped there is nothing to read."""
    assert kept(home) is None
    addresses = Addresses("http://127.0.0.1:9000", ELSEWHERE)
    keep(home, addresses)

    assert kept(Home(home.root)) == addresses
    assert Plan(Home(home.root), {}).stand_in == ELSEWHERE
    home.close()
    assert kept(Home(home.root)) is None


def test_accounts_of_the_working_default_are_led_to_the_stand_in(home: Home) -> None:
    """Sends and response URLs go where it listens, and such addresses may be on this machine."""
    plan = Plan(home, {"PLATFORMS_URL": ELSEWHERE})
    account = slack(plan, home)

    assert account.api_base_url == f"{ELSEWHERE}/slack/bartender/api"
    assert account.response_url_hosts == ("127.0.0.1:18089",)
    assert load(None, plan.environment).rpc.private_addresses_allowed


def test_an_account_with_a_platforms_own_address_keeps_it(home: Home, tmp_path: Path) -> None:
    """Nobody's own app is led astray, and without a trial's account there is no stand-in and no relaxed rule."""
    config = tmp_path / "own.toml"
    lines = DEFAULT_FILE.read_text().splitlines()
    config.write_text("\n".join(line for line in lines if STAND_IN.partition("//")[2] not in line))
    plan = Plan(home, {"SWITCHBOARD_CONFIG": str(config)})
    settings = load(None, plan.environment)

    assert slack(plan, home).api_base_url == "https://slack.com/api"
    assert not settings.rpc.private_addresses_allowed
    assert plan.stand_in == ""
    assert "platforms" not in {program.name for group in plan.groups(settings) for program in group}


def test_pictures_are_on_this_machine_only_for_a_stand_in(home: Home) -> None:
    """One account at a platform itself, and Tasted is not told to have pictures fetched from here."""
    (home.data / "postgres").mkdir()
    own = {"SWITCHBOARD_ACCOUNTS__SLACK__TASTED__API_BASE_URL": "https://slack.com/api"}

    def told(given: dict[str, str]) -> str:
        plan = Plan(home, {"PLATFORMS_URL": ELSEWHERE, **given})
        programs = {one.name: one for group in plan.groups(load(None, plan.environment)) for one in group}
        assert programs["tasted"].env
        return programs["tasted"].env.get("TASTED_PUBLIC_URL", "")

    assert told({}).startswith("http://127.0.0.1:")
    assert told(own) == ""
    public = {"TASTED_PUBLIC_URL": "https://tasted.example"}
    assert told(own | public) == told(public) == "https://tasted.example"


def test_what_a_person_says_of_an_account_wins(home: Home) -> None:
    """A variable of theirs is not overridden."""
    name = "SWITCHBOARD_ACCOUNTS__SLACK__BARTENDER__API_BASE_URL"
    plan = Plan(home, {"PLATFORMS_URL": ELSEWHERE, name: "https://slack.example/api"})

    assert slack(plan, home).api_base_url == "https://slack.example/api"


def test_a_second_copy_listens_elsewhere() -> None:
    """The address of the working default is taken by the first."""
    host, port = STAND_IN.removeprefix("http://").split(":")
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            first.bind((host, int(port)))
        except OSError:
            pass  # another copy on this machine has it, which is as good
        else:
            first.listen()
        assert free_stand_in() != STAND_IN
        assert free_stand_in().startswith(f"http://{host}:")
